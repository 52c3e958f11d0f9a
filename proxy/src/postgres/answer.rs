//! The server's half of a conversation: each answer is matched to what was asked, and becomes a [`Heard`].
//!
//! State follows what the server says, never what a text seemed to promise.

use std::rc::Rc;

use postern_link::wire::Status;
use postern_sql::{Change, Discard};

use crate::audit::Outcome;
use crate::authorize::Permit;
use crate::refusal::{Reason, Refusal};

use super::dialogue::{Asked, Dialogue, Expected, Parsing};
use super::doubt::Doubt;
use super::message::{self, Error, Fields, Named, put, put_text, rows_of};
use super::refusal::put_refusal;

/// What becomes of the server's message at hand.
#[derive(Debug)]
pub enum Heard {
    /// It goes to the client as it is.
    Forward,
    /// It does not go; whatever stands in `to_client` goes in its place.
    Instead,
    /// The conversation cannot go on.
    End(Refusal),
}

/// Whether a server's message is walked by its header alone.
pub fn is_bulk(tag: u8) -> bool {
    matches!(tag, b'D' | b'd' | b'T' | b't')
}

impl Dialogue {
    /// Whether the answers at hand are to our own questions, and so read whole.
    pub fn is_asking(&self) -> bool {
        matches!(self.expected.front(), Some(Expected::Own(_)))
    }

    /// A row, a piece of copied data or a description goes by; only its size is looked at.
    pub fn bulk(&mut self, tag: u8, bytes: usize) {
        if let Some(permit) = self.running() {
            permit.entry.count_out(bytes);
            if tag == b'D' {
                permit.entry.count_row();
            }
        }
        if tag == b'T' && matches!(self.expected.front(), Some(Expected::Describe)) {
            self.expected.pop_front();
        }
    }

    /// Counts copy data that went to the server.
    pub fn copied_in(&mut self, bytes: usize) {
        if let Some(permit) = self.running() {
            permit.entry.count_in(bytes);
        }
    }

    /// Takes one whole message of the server.
    pub fn server_says(&mut self, tag: u8, body: &[u8]) -> Heard {
        let clean = if is_bulk(tag) {
            None
        } else {
            self.credentials.withheld(body)
        };
        if clean.is_some() && !self.heard_secret {
            self.heard_secret = true;
            tracing::error!(
                target = self.place.target,
                "the target says a password of this gateway to its clients; it is withheld from them"
            );
        }
        let body = clean.as_deref().unwrap_or(body);
        let heard = match tag {
            b'Z' => self.ready(body),
            b'E' => self.error(body),
            b'N' => self.notice(body),
            b'S' => self.parameter(body),
            b'A' => Ok(Heard::Forward),
            _ if self.is_asking() => self.own_answer(tag, body),
            b'C' => self.completed(body),
            b'I' => self.completed(b"\0"),
            b's' => Ok(self.suspended()),
            b'1' => Ok(self.parsed()),
            b'2' => Ok(self.bound()),
            b'3' => Ok(self.closed()),
            b'n' => Ok(self.pop(|expected| matches!(expected, Expected::Describe))),
            b'G' => Ok(self.copies_in()),
            b'H' | b'c' => Ok(Heard::Forward),
            b'W' => Ok(Heard::End(Refusal::new(
                Reason::Unsupported,
                "copying both ways is not served by the gateway",
            ))),
            other => Err(Error::UnknownType(char::from(other))),
        };
        let heard = match heard {
            // These come by themselves, and nothing is out of order without them.
            Ok(Heard::Forward) if clean.is_some() && matches!(tag, b'S' | b'A') => Ok(Heard::Instead),
            Ok(Heard::Forward) if clean.is_some() => Ok(out_of_place()),
            heard => heard,
        };
        heard.unwrap_or_else(|error| {
            tracing::warn!(target = self.place.target, %error, "the target broke the protocol");
            Heard::End(Refusal::new(Reason::Unavailable, "the target broke the protocol"))
        })
    }

    fn running(&self) -> Option<&Rc<Permit>> {
        match self.expected.front()? {
            Expected::Query {
                asked: Asked::Permitted(permit),
                ..
            }
            | Expected::Execute { permit } => Some(permit),
            _ => None,
        }
    }

    /// The front of what is expected goes if it is what was answered; else the server made an answer up.
    fn pop(&mut self, fits: impl FnOnce(&Expected) -> bool) -> Heard {
        match self.expected.front() {
            Some(expected) if fits(expected) => {
                self.expected.pop_front();
                Heard::Forward
            }
            _ => out_of_place(),
        }
    }

    fn parsed(&mut self) -> Heard {
        match self.expected.pop_front() {
            Some(Expected::Parse {
                name,
                asked: Parsing::Permitted(judged),
            }) => {
                self.pending_parses = self.pending_parses.saturating_sub(1);
                self.prepared.put_statement(&name, judged);
                Heard::Forward
            }
            // A refused text cannot have been parsed: what went in its place must fail.
            _ => out_of_place(),
        }
    }

    fn bound(&mut self) -> Heard {
        let Some(Expected::Bind { portal, permit }) = self.expected.pop_front() else {
            return out_of_place();
        };
        self.prepared.put_portal(&portal, permit);
        Heard::Forward
    }

    fn closed(&mut self) -> Heard {
        let Some(Expected::Close { kind, name }) = self.expected.pop_front() else {
            return out_of_place();
        };
        match kind {
            Named::Statement => self.prepared.drop_statement(&name),
            Named::Portal => {
                if let Some(permit) = self.prepared.portal(&name) {
                    permit.entry.close(Status::Done, &Outcome::default());
                }
                self.prepared.drop_portal(&name);
                self.prepared.drop_cursor(&name);
            }
        }
        Heard::Forward
    }

    /// Rows of the client come next. Until they end the server ignores each Sync, those on their way to it included:
    /// tokio-postgres sends one behind every Execute (manual, "COPY Operations").
    fn copies_in(&mut self) -> Heard {
        self.copy_in = true;
        while matches!(self.expected.get(1), Some(Expected::Sync)) {
            self.expected.remove(1);
        }
        if self.expected.len() > 1 {
            return Heard::End(Refusal::new(
                Reason::Malformed,
                "a message that is no copy data came during COPY",
            ));
        }
        Heard::Forward
    }

    fn suspended(&mut self) -> Heard {
        self.pop(|expected| matches!(expected, Expected::Execute { .. }))
    }

    fn completed(&mut self, body: &[u8]) -> Result<Heard, Error> {
        let tag = Fields(body).text()?;
        self.copy_in = false;
        let (permit, statement, whole) = match self.expected.front_mut() {
            Some(Expected::Query {
                asked: Asked::Permitted(permit),
                statement,
            }) => {
                *statement += 1;
                (permit.clone(), *statement - 1, false)
            }
            Some(Expected::Execute { permit }) => (permit.clone(), 0, true),
            _ => return Ok(out_of_place()),
        };
        permit.entry.completed(rows_of(tag), tag);
        if whole {
            self.expected.pop_front();
            permit.entry.close(Status::Done, &Outcome::default());
        }
        self.take_names(&permit, statement);
        Ok(Heard::Forward)
    }

    /// What the statement that has just succeeded made or dropped of names.
    fn take_names(&mut self, permit: &Rc<Permit>, statement: usize) {
        let judged = permit.judged();
        let Some(statement) = judged.statements().get(statement) else {
            return;
        };
        for change in &statement.changes {
            match change {
                Change::Prepare { name, .. } => self.prepared.put_statement(name, judged.clone()),
                Change::Deallocate(Some(name)) => self.prepared.drop_statement(name),
                Change::Deallocate(None) => self.prepared.drop_statements(),
                Change::Declare { cursor, hold, .. } => {
                    self.prepared.put_cursor(cursor, judged.clone(), *hold)
                }
                Change::CloseCursor(Some(name)) => self.prepared.drop_cursor(name),
                Change::CloseCursor(None) => self.prepared.drop_cursors(),
                Change::Discard(Discard::All) => {
                    self.prepared.drop_statements();
                    self.prepared.drop_cursors();
                }
                _ => {}
            }
        }
    }

    fn ready(&mut self, body: &[u8]) -> Result<Heard, Error> {
        let mut fields = Fields(body);
        let status = fields.byte()?;
        fields.end()?;
        self.status = status;
        if status == b'I' {
            self.prepared.end_transaction();
            if self.moved {
                // What moved may have been undone with its transaction.
                self.moved = false;
                if self.doubt == Doubt::Clean {
                    self.doubt = Doubt::Dirty;
                }
            }
        }
        self.copy_in = false;
        match self.expected.pop_front() {
            Some(Expected::Query { asked, .. }) => {
                if let Asked::Permitted(permit) = asked {
                    permit.entry.close(Status::Done, &Outcome::default());
                }
                Ok(Heard::Forward)
            }
            Some(Expected::Sync) => Ok(Heard::Forward),
            Some(Expected::Own(own)) if own.synced => Ok(self.answered(&own)),
            _ => Ok(out_of_place()),
        }
    }

    fn error(&mut self, body: &[u8]) -> Result<Heard, Error> {
        let fields = message::notice_fields(body)?;
        let sqlstate = fields
            .iter()
            .find(|(letter, _)| *letter == b'C')
            .map_or("", |(_, code)| *code);
        self.copy_in = false;
        if self.moved && self.doubt == Doubt::Clean {
            self.doubt = Doubt::Dirty;
        }
        match self.expected.front() {
            Some(Expected::Query {
                asked: Asked::Refused(refusal),
                ..
            }) => {
                put_refusal(&mut self.to_client, &refusal.clone());
                Ok(Heard::Instead)
            }
            Some(Expected::Query {
                asked: Asked::Permitted(permit),
                ..
            }) => {
                let permit = permit.clone();
                permit.entry.close(Status::Failed, &Outcome { sqlstate });
                self.put_guarded(b'E', &fields, Some(&permit));
                Ok(Heard::Instead)
            }
            Some(Expected::Own(_)) => {
                tracing::warn!(
                    target = self.place.target,
                    sqlstate,
                    "the target did not say what names mean"
                );
                Ok(Heard::End(Refusal::new(
                    Reason::Unavailable,
                    "the target did not tell what names mean now",
                )))
            }
            // An error that nobody asked for ends the connection by itself: shutdown, or an ended backend.
            Some(Expected::Sync) | None => {
                self.put_guarded(b'E', &fields, None);
                Ok(Heard::Instead)
            }
            Some(_) => {
                self.skip_to_sync(sqlstate, &fields);
                Ok(Heard::Instead)
            }
        }
    }

    /// The first message of a pipeline that fails takes the others with it, up to the Sync.
    fn skip_to_sync(&mut self, sqlstate: &str, fields: &[(u8, &str)]) {
        let mut first = true;
        while let Some(expected) = self
            .expected
            .pop_front_if(|expected| !matches!(expected, Expected::Sync))
        {
            let status = if first { Status::Failed } else { Status::Skipped };
            let outcome = Outcome {
                sqlstate: if first { sqlstate } else { "" },
            };
            match &expected {
                Expected::Parse { asked, .. } => {
                    self.pending_parses = self.pending_parses.saturating_sub(1);
                    match asked {
                        Parsing::Refused(refusal) if first => put_refusal(&mut self.to_client, refusal),
                        _ if first => self.put_guarded(b'E', fields, None),
                        _ => {}
                    }
                }
                Expected::Bind { permit, .. } | Expected::Execute { permit } => {
                    permit.entry.close(status, &outcome);
                    if first {
                        self.put_guarded(b'E', fields, Some(permit));
                    }
                }
                _ if first => self.put_guarded(b'E', fields, None),
                _ => {}
            }
            first = false;
        }
        self.skipping = self.expected.is_empty();
    }

    fn notice(&mut self, body: &[u8]) -> Result<Heard, Error> {
        if self.is_asking() {
            return Ok(Heard::Instead);
        }
        let fields = message::notice_fields(body)?;
        let permit = self.running().cloned();
        self.put_guarded(b'N', &fields, permit.as_ref());
        Ok(Heard::Instead)
    }

    /// What the server quotes from rows goes on only to those who may read every column of the tables.
    fn put_guarded(&mut self, tag: u8, fields: &[(u8, &str)], permit: Option<&Rc<Permit>>) {
        let class = fields
            .iter()
            .find(|(letter, _)| *letter == b'C')
            .map_or("", |(_, code)| *code);
        let quotes_values = class.starts_with("22") || class.starts_with("23");
        let secretive = fields
            .iter()
            .any(|(letter, _)| matches!(letter, b'D' | b'W' | b'q' | b'p'));
        let may_see = !(quotes_values || secretive)
            || permit.is_some_and(|permit| self.view.may_read_all(&self.reading, permit.judged()));
        put(&mut self.to_client, tag, |body| {
            for (letter, text) in fields {
                match letter {
                    b'D' | b'W' | b'q' | b'p' if !may_see => continue,
                    b'M' if !may_see && quotes_values => {
                        body.push(*letter);
                        put_text(body, &without_quoted(text));
                    }
                    _ => {
                        body.push(*letter);
                        put_text(body, text);
                    }
                }
            }
            body.push(0);
        });
    }

    fn parameter(&mut self, body: &[u8]) -> Result<Heard, Error> {
        let (name, value) = message::parameter(body)?;
        match name {
            "application_name" => {
                put(&mut self.to_client, b'S', |body| {
                    put_text(body, name);
                    put_text(body, &self.client_says);
                });
                return Ok(Heard::Instead);
            }
            "client_encoding" if value != "UTF8" => {
                return Ok(Heard::End(Refusal::new(
                    Reason::Ended,
                    "the session's `client_encoding` is no longer UTF-8",
                )));
            }
            "standard_conforming_strings" | "search_path" | "session_authorization" | "is_superuser"
                if self.doubt == Doubt::Clean =>
            {
                self.doubt = Doubt::Dirty;
            }
            _ => {}
        }
        Ok(Heard::Forward)
    }
}

/// The server answered what nobody asked.
pub(super) fn out_of_place() -> Heard {
    Heard::End(Refusal::new(Reason::Unavailable, "the target broke the protocol"))
}

/// A message without what stands in its quotes: names stay useful in their own fields, values must not show.
fn without_quoted(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut inside = false;
    for character in text.chars() {
        if character == '"' {
            kept.push_str(if inside { "…\"" } else { "\"" });
            inside = !inside;
        } else if !inside {
            kept.push(character);
        }
    }
    kept
}
