//! The names a client gave: prepared statements, portals and cursors, each with the judgement of its text.
//!
//! SQL and the protocol share one namespace for statements (manual, "PREPARE"). A name is known only when
//! the server has confirmed it; what a function made behind our back is not known, and so refused.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use postern_sql::Change;

use crate::authorize::{Judged, Permit};
use crate::config::Limits;
use crate::refusal::{Reason, Refusal};

use super::dialogue::{Dialogue, Expected, Parsing};

#[derive(Debug, Default)]
pub struct Prepared {
    statements: HashMap<Box<str>, Rc<Judged>>,
    statement_bytes: usize,
    portals: HashMap<Box<str>, Rc<Permit>>,
    cursors: HashMap<Box<str>, Cursor>,
    asked: Asked,
}

/// What was asked for since the server last owed nothing, and so may still become known.
#[derive(Debug, Default)]
struct Asked {
    statements: usize,
    statement_bytes: usize,
    portals: usize,
}

#[derive(Debug)]
struct Cursor {
    judged: Rc<Judged>,
    hold: bool,
}

impl Prepared {
    pub fn statement(&self, name: &str) -> Option<&Rc<Judged>> {
        self.statements.get(name)
    }

    /// The server owes nothing: what is known now is all there is.
    pub fn all_answered(&mut self) {
        self.asked = Asked::default();
    }

    /// Takes the room of a name that is asked for, or refuses it; the unnamed statement always has its place.
    pub fn take_statement_room(&mut self, name: &str, text: &str, limits: &Limits) -> Result<(), Refusal> {
        if name.is_empty() {
            return Ok(());
        }
        let unnamed = usize::from(self.statements.contains_key(""));
        let statements = self.statements.len() - unnamed + self.asked.statements;
        let statement_bytes = self.statement_bytes + self.asked.statement_bytes;
        let limit = if statements >= limits.prepared_max {
            "prepared_max"
        } else if statement_bytes + text.len() > limits.prepared_bytes_max {
            "prepared_bytes_max"
        } else {
            self.asked.statements += 1;
            self.asked.statement_bytes += text.len();
            return Ok(());
        };
        Err(Refusal::new(
            Reason::Overloaded,
            "this session has too many prepared statements",
        )
        .detail(format!("the limit is `{limit}`"))
        .hint("close statements that are no longer used, or use the unnamed one"))
    }

    pub fn put_statement(&mut self, name: &str, judged: Rc<Judged>) {
        self.statement_bytes += judged.text().len();
        if let Some(old) = self.statements.insert(name.into(), judged) {
            self.statement_bytes -= old.text().len();
        }
    }

    pub fn drop_statement(&mut self, name: &str) {
        if let Some(old) = self.statements.remove(name) {
            self.statement_bytes -= old.text().len();
        }
    }

    pub fn drop_statements(&mut self) {
        self.statements.clear();
        self.statement_bytes = 0;
    }

    pub fn portal(&self, name: &str) -> Option<&Rc<Permit>> {
        self.portals.get(name)
    }

    /// Takes the room of a portal or cursor that is asked for, or refuses it; the unnamed portal always has
    /// its place.
    pub fn take_portal_room(&mut self, name: &str, limits: &Limits) -> Result<(), Refusal> {
        if name.is_empty() {
            return Ok(());
        }
        let unnamed = usize::from(self.portals.contains_key(""));
        let portals = self.portals.len() - unnamed + self.cursors.len() + self.asked.portals;
        if portals < limits.portals_max {
            self.asked.portals += 1;
            return Ok(());
        }
        Err(
            Refusal::new(Reason::Overloaded, "this session has too many open portals")
                .detail("the limit is `portals_max`, cursors included")
                .hint("close portals and cursors, or end the transaction"),
        )
    }

    pub fn put_portal(&mut self, name: &str, permit: Rc<Permit>) {
        self.portals.insert(name.into(), permit);
    }

    pub fn drop_portal(&mut self, name: &str) {
        self.portals.remove(name);
    }

    pub fn cursor(&self, name: &str) -> Option<&Rc<Judged>> {
        self.cursors.get(name).map(|cursor| &cursor.judged)
    }

    pub fn put_cursor(&mut self, name: &str, judged: Rc<Judged>, hold: bool) {
        self.cursors.insert(name.into(), Cursor { judged, hold });
    }

    pub fn drop_cursor(&mut self, name: &str) {
        self.cursors.remove(name);
    }

    pub fn drop_cursors(&mut self) {
        self.cursors.clear();
    }

    /// Forgets every name that no longer stands for the text that was judged: a function may have changed it.
    pub fn keep_as_served(
        &mut self,
        statements: &BTreeMap<String, String>,
        cursors: &BTreeMap<String, String>,
    ) {
        let changed =
            |name: &str, judged: &Judged| statements.get(name).map(String::as_str) != Some(judged.text());
        let gone: Vec<Box<str>> = self
            .statements
            .iter()
            .filter(|(name, judged)| !name.is_empty() && changed(name, judged))
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            self.drop_statement(&name);
        }
        self.cursors
            .retain(|name, cursor| cursors.get(&**name).map(String::as_str) == Some(cursor.judged.text()));
    }

    /// Portals and cursors without hold end with their transaction.
    pub fn end_transaction(&mut self) {
        self.portals.clear();
        self.cursors.retain(|_, cursor| cursor.hold);
    }
}

impl Dialogue {
    /// The judgement behind a statement's name, as the server will see the name.
    pub(super) fn statement(&mut self, name: &str) -> Result<Rc<Judged>, Stop> {
        if self.names_in_flight && !self.expected.is_empty() {
            return Err(Stop::Wait);
        }
        self.names_in_flight = false;
        if self.pending_parses > 0 {
            let mut behind_sync = false;
            for expected in self.expected.iter().rev() {
                match expected {
                    Expected::Sync | Expected::Query { .. } => behind_sync = true,
                    // After a Sync either this Parse or, if it fails, an older one gives the name its meaning.
                    Expected::Parse { name: parsed, .. } if is_same(parsed, name) && behind_sync => {
                        return Err(Stop::Wait);
                    }
                    Expected::Parse {
                        name: parsed,
                        asked: Parsing::Permitted(judged),
                    } if is_same(parsed, name) => {
                        return Ok(judged.clone());
                    }
                    _ => {}
                }
            }
        }
        let known = self.prepared.statement(name).cloned();
        known.ok_or_else(|| Stop::Unknown(unknown("prepared statement", name)))
    }

    pub(super) fn portal(&mut self, name: &str) -> Result<Rc<Permit>, Stop> {
        for expected in self.expected.iter().rev() {
            match expected {
                Expected::Bind { portal, permit } if is_same(portal, name) => return Ok(permit.clone()),
                Expected::Sync | Expected::Query { .. } => break,
                _ => {}
            }
        }
        if self
            .expected
            .iter()
            .any(|expected| matches!(expected, Expected::Sync | Expected::Query { .. }))
        {
            // Whether a portal outlives what is unanswered, only the server's answer tells.
            return Err(Stop::Wait);
        }
        let known = self.prepared.portal(name).cloned();
        known.ok_or_else(|| Stop::Unknown(unknown("portal", name)))
    }

    pub(super) fn cursor(&mut self, name: &str) -> Result<Rc<Judged>, Stop> {
        if self.names_in_flight && !self.expected.is_empty() {
            return Err(Stop::Wait);
        }
        let known = self.prepared.cursor(name).cloned();
        known.ok_or_else(|| Stop::Unknown(unknown("cursor", name)))
    }

    /// Takes the room of the names that a text makes by PREPARE and DECLARE.
    pub(super) fn take_room_of_names(&mut self, judged: &Rc<Judged>) -> Result<(), Stop> {
        for change in judged
            .statements()
            .iter()
            .flat_map(|statement| &statement.changes)
        {
            let limits = &self.limits;
            let room = match change {
                Change::Prepare { name, .. } => {
                    self.prepared.take_statement_room(name, judged.text(), limits)
                }
                Change::Declare { cursor, .. } => self.prepared.take_portal_room(cursor, limits),
                _ => continue,
            };
            self.room_or_stop(room, judged)?;
        }
        Ok(())
    }

    /// Names count before the server has confirmed them, so only on an idle connection is a lack of room sure.
    pub(super) fn room_or_stop(&self, room: Result<(), Refusal>, judged: &Rc<Judged>) -> Result<(), Stop> {
        room.map_err(|refusal| {
            if self.expected.is_empty() {
                Stop::Refused(self.authorizer.refuse(&self.recorder, Some(judged), refusal))
            } else {
                Stop::Wait
            }
        })
    }
}

/// Why a name does not lead to a judgement now.
pub(super) enum Stop {
    Wait,
    /// Recorded already.
    Refused(Refusal),
    /// No judged text made the name; not recorded yet.
    Unknown(Refusal),
}

/// Byte by byte: most portals have no name, and the library's comparison of no bytes costs ten times as much.
fn is_same(name: &str, other: &str) -> bool {
    name.bytes().eq(other.bytes())
}

/// A name that no judged text of this session made.
fn unknown(kind: &str, name: &str) -> Refusal {
    Refusal::new(Reason::UnknownName, format!("{kind} \"{name}\" does not exist")).detail(
        "no statement judged in this session made it; what a function makes behind the gateway is not served",
    )
}
