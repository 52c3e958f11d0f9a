//! Whether the reading still is what the server has: names and settings move under a conversation.
//!
//! While there is a doubt, nothing that hangs on names is judged: the server is asked first what they mean.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postern_sql::{Change, Discard, SettingValue, Statement};

use crate::authorize::Judged;
use crate::refusal::{Reason, Refusal};

use super::answer::{Heard, out_of_place};
use super::catalogue::{facts_query, moving_query, read_facts, read_moving};
use super::dialogue::{Dialogue, Expected, OWN_PREFIX, Own};
use super::message::{self, Error, Named};
use super::request::Step;
use super::settings::set_statement;

/// Whether the reading still is what the server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    Clean,
    Dirty,
    Asking,
}

/// Where the names of the reading come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Shared,
    /// Asked on this connection at this moment.
    Own(Instant),
}

impl Dialogue {
    /// The judgement of a text under a reading that is the server's own, or what to do until there is one.
    pub(super) fn judge(&mut self, text: &str, types: &[u32]) -> Result<Rc<Judged>, Step> {
        self.freshen();
        let is_unknown = |number: &u32| !self.reading.catalogue.knows_type(*number);
        if types.iter().any(is_unknown) && !self.types_asked && self.status != b'E' {
            // It may be newer than what was read; whoever is not known after this is refused.
            self.types_asked = true;
            self.doubt = Doubt::Dirty;
        }
        if self.doubt == Doubt::Clean {
            self.types_asked = false;
            return Ok(self.authorizer.judge(&self.view, &self.reading, text, types));
        }
        let judged = self.authorizer.judge(&self.view, &self.reading, text, types);
        // Where a literal with a backslash ends may have moved too; and what the client sets from now on must
        // not be undone by what its startup set.
        let in_doubt = judged.needs_names() || !types.is_empty() || text.contains('\\');
        let sets_again = self.set_again && !self.startup_settings.is_empty();
        // A failed transaction runs nothing but its end, and that needs no names.
        if self.status == b'E' || !(in_doubt || sets_again) {
            return Ok(judged);
        }
        Err(self.ask())
    }

    pub(super) fn judge_again(&mut self, judged: Rc<Judged>) -> Result<Rc<Judged>, Step> {
        self.freshen();
        if self.doubt == Doubt::Clean && judged.holds(&self.reading, &self.view) {
            return Ok(judged);
        }
        self.judge(judged.text(), judged.types())?;
        Ok(self.authorizer.judge_again(&self.view, &self.reading, &judged))
    }

    /// Whether the text ends a transaction and goes on: the end may move names back, and only then the server
    /// could be asked for them. A failed transaction cannot even be asked how it reads a backslash.
    pub(super) fn outlives_its_names(&self, judged: &Judged) -> bool {
        let unasked = self.status == b'E' && self.doubt != Doubt::Clean;
        (self.moved || unasked) && judged.needs_names_after_an_end()
            || unasked && judged.text().contains('\\')
    }

    pub(super) fn refuse_after_end(&mut self, judged: &Rc<Judged>) -> Step {
        let refusal = Refusal::new(
            Reason::NotUnderstood,
            "after the end of a transaction that moved names this text may mean something else",
        )
        .hint("send the end of the transaction as a message of its own");
        let refusal = self.authorizer.refuse(&self.recorder, Some(judged), refusal);
        self.refuse_query(refusal)
    }

    /// Takes the newest shared catalogue, or falls into doubt where that is not enough.
    pub(super) fn freshen(&mut self) {
        if self.doubt != Doubt::Clean {
            return;
        }
        match self.source {
            Source::Shared => {
                let newest = self.names.newest();
                if Arc::ptr_eq(&newest, &self.reading.catalogue) && !self.names.is_stale() {
                    return;
                }
                let same_schemas = newest.schemas.keys().eq(self.reading.catalogue.schemas.keys());
                if self.names.is_stale() || !same_schemas {
                    self.doubt = Doubt::Dirty;
                    return;
                }
                let old = &self.reading;
                let path = old.search_path.clone();
                self.reading =
                    self.authorizer
                        .reading(&newest, path, &old.role, old.standard_conforming_strings);
            }
            Source::Own(asked) => {
                if asked.elapsed() > Duration::from_secs(self.names.age_seconds_max()) {
                    self.doubt = Doubt::Dirty;
                }
            }
        }
    }

    /// Asks the server what names mean now, once everything before is answered.
    pub(super) fn ask(&mut self) -> Step {
        if self.doubt == Doubt::Asking || !self.expected.is_empty() {
            return self.wait();
        }
        let mut statements: Vec<String> = Vec::new();
        if std::mem::take(&mut self.set_again) {
            statements.extend(
                self.startup_settings
                    .iter()
                    .map(|(name, value)| set_statement(name, value)),
            );
            statements.push(set_statement("application_name", &self.our_name));
        }
        statements.extend([facts_query().to_owned(), moving_query().to_owned()]);
        for (number, text) in statements.iter().enumerate() {
            let name = format!("{OWN_PREFIX}{number}");
            message::put_parse(&mut self.to_server, &name, text);
            message::put_bind(&mut self.to_server, &name, &name);
            message::put_execute(&mut self.to_server, &name);
            message::put_close(&mut self.to_server, Named::Portal, &name);
            message::put_close(&mut self.to_server, Named::Statement, &name);
        }
        let synced = !self.unsynced;
        message::put(&mut self.to_server, if synced { b'S' } else { b'H' }, |_| {});
        let own = Own {
            statements: statements.len(),
            values: Vec::new(),
            closed: 0,
            synced,
        };
        self.expected.push_back(Expected::Own(own));
        self.doubt = Doubt::Asking;
        Step::Wait
    }

    pub(super) fn own_answer(&mut self, tag: u8, body: &[u8]) -> Result<Heard, Error> {
        let Some(Expected::Own(own)) = self.expected.front_mut() else {
            return Ok(out_of_place());
        };
        match tag {
            // Each of our statements answers with one row at most.
            b'D' if own.values.len() >= own.statements => return Ok(out_of_place()),
            b'D' => {
                let value = message::row_values(body)?
                    .into_iter()
                    .next()
                    .flatten()
                    .unwrap_or_default();
                own.values.push(value.to_owned());
            }
            b'3' => own.closed += 1,
            b'1' | b'2' | b'C' | b'I' | b'n' | b'T' | b't' => {}
            other => return Err(Error::UnknownType(char::from(other))),
        }
        // Each of our statements closes its portal and its name.
        let done = !own.synced && own.closed == 2 * own.statements;
        match self.expected.pop_front_if(|_| done) {
            Some(Expected::Own(own)) => Ok(self.answered(&own)),
            _ => Ok(Heard::Instead),
        }
    }

    /// The server has said what names mean: from here on this is the reading.
    pub(super) fn answered(&mut self, own: &Own) -> Heard {
        // Something may have moved again while the answer was on its way.
        if self.doubt == Doubt::Asking {
            self.doubt = Doubt::Clean;
        }
        let unusable = |error| {
            tracing::warn!(%error, "the target's answer about its names cannot be used");
            Heard::End(Refusal::new(
                Reason::Unavailable,
                "the target did not tell what names mean now",
            ))
        };
        let [.., facts, catalogue] = own.values.as_slice() else {
            return out_of_place();
        };
        let facts = match read_facts(facts) {
            Ok(facts) => facts,
            Err(error) => return unusable(error),
        };
        let shared = self.names.newest();
        let relations_max = self.limits.catalogue_relations_max;
        let catalogue = match read_moving(catalogue, &shared, relations_max) {
            Ok(catalogue) => catalogue,
            Err(error) => return unusable(error),
        };
        if facts.role != self.place.role || facts.session_role != self.place.role {
            return Heard::End(Refusal::new(
                Reason::Ended,
                "the session's role is no longer the one it was opened with",
            ));
        }
        self.prepared.keep_as_served(&facts.prepared, &facts.cursors);
        let same = Arc::ptr_eq(&catalogue, &shared);
        self.source = if same {
            Source::Shared
        } else {
            Source::Own(Instant::now())
        };
        if !same {
            self.names.refresh_soon();
        }
        self.reading = self.authorizer.reading(
            &catalogue,
            facts.search_path,
            &facts.role,
            facts.standard_conforming_strings,
        );
        Heard::Instead
    }

    /// Remembers what a statement that now runs may change, before anything else is judged.
    pub(super) fn note_running(&mut self, judged: &Rc<Judged>) {
        let mut moves = false;
        for statement in judged.statements() {
            let body = runs(statement);
            moves |= statement.moves_names || body.moves_names;
            self.plain &= statement.plain && body.plain;
            for change in &statement.changes {
                match change {
                    Change::Commit { .. }
                    | Change::Rollback { .. }
                    | Change::RollbackTo(_)
                    | Change::Release(_) => {
                        moves |= self.moved;
                    }
                    Change::Prepare { .. }
                    | Change::Deallocate(_)
                    | Change::Declare { .. }
                    | Change::CloseCursor(_) => {
                        self.names_in_flight = true;
                    }
                    Change::ResetAll | Change::Discard(Discard::All) => {
                        self.names_in_flight = true;
                        (self.set_again, moves) = (true, true);
                    }
                    Change::Reset(name) if self.startup_settings.iter().any(|(known, _)| known == name) => {
                        (self.set_again, moves) = (true, true);
                    }
                    Change::Set {
                        value: SettingValue::Default,
                        name,
                        ..
                    } if self.startup_settings.iter().any(|(known, _)| known == name) => {
                        (self.set_again, moves) = (true, true);
                    }
                    _ => {}
                }
            }
        }
        if moves {
            self.moved = true;
            self.doubt = Doubt::Dirty;
        }
    }
}

/// What a statement leaves to be run later, if it is a PREPARE or DECLARE; else itself.
fn runs(statement: &Statement) -> &Statement {
    statement
        .changes
        .iter()
        .find_map(|change| match change {
            Change::Prepare { body, .. } | Change::Declare { body, .. } => Some(&**body),
            _ => None,
        })
        .unwrap_or(statement)
}
