//! Whether the reading still is what the server has: names and settings move under a conversation.
//!
//! While there is a doubt, nothing that hangs on names is judged: the server is asked first what they mean.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postern_sql::{Catalogue, Change, Discard, SettingValue, Statement};

use crate::authorize::Judged;
use crate::refusal::{Reason, Refusal};

use super::answer::{Heard, out_of_place};
use super::catalogue::{Told, facts_query, moving_query, read_facts, read_moving, stamp_query};
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Shared,
    /// Asked on this connection.
    Own {
        asked: Instant,
        stamp: Box<str>,
        /// The connection tells its names as they were when its transaction began: they hold only while
        /// nobody else has changed any.
        stays: bool,
    },
}

/// The names without what the transaction itself has changed, and since when the shared ones tell no less.
#[derive(Clone, Debug)]
pub(super) struct Before {
    pub confirmed_ms: u64,
    pub names: Arc<Catalogue>,
}

/// What the server is asked about its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// Whether they are those that are known.
    Stamp,
    /// All that can have moved.
    Names,
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
        let judged = self.authorizer.judge(&self.view, &self.reading, text, types);
        if self.doubt == Doubt::Clean {
            self.types_asked = false;
            if self.is_outrun() && judged.needs_names() {
                return Err(Step::End(outrun()));
            }
            return Ok(judged);
        }
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
        if self.doubt == Doubt::Clean && judged.holds(&self.reading, &self.view) && !self.is_outrun() {
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
        let outside = !self.in_transaction();
        match &self.source {
            Source::Shared => {
                if outside && !Arc::ptr_eq(&self.before.names, &self.reading.catalogue) {
                    self.before = Before {
                        confirmed_ms: self.names.confirmed_ms(),
                        names: self.reading.catalogue.clone(),
                    };
                }
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
            Source::Own { asked, stays, .. } => {
                let is_old = asked.elapsed() > Duration::from_secs(self.names.age_seconds_max());
                if is_old || outside && *stays {
                    self.doubt = Doubt::Dirty;
                }
            }
        }
    }

    /// Whether somebody else has changed names since the transaction began whose moment this connection tells: what
    /// the newest shared names say otherwise than those from before, and otherwise than the transaction sees it.
    fn is_outrun(&self) -> bool {
        if !matches!(self.source, Source::Own { stays: true, .. }) {
            return false;
        }
        if self.names.is_stale() || self.names.confirmed_ms() <= self.before.confirmed_ms {
            return self.names.is_stale();
        }
        let (newest, before, own) = (self.names.newest(), &self.before.names, &self.reading.catalogue);
        let mut names = newest.schemas.keys().chain(before.schemas.keys());
        names.any(|name| {
            let now = newest.schemas.get(name);
            let is_private = name.starts_with("pg_temp_") || name.starts_with("pg_toast_temp_");
            !is_private && now != before.schemas.get(name) && now != own.schemas.get(name)
        })
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
        let about = match self.ask_about {
            About::Stamp => stamp_query(),
            About::Names => moving_query(),
        };
        statements.extend([facts_query().to_owned(), about.to_owned()]);
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
            about: self.ask_about,
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
        let [.., facts, names] = own.values.as_slice() else {
            return out_of_place();
        };
        let facts = match read_facts(facts) {
            Ok(facts) => facts,
            Err(error) => return unusable(error),
        };
        let shared = self.names.told();
        let told = match own.about {
            About::Stamp => self.known_by(names, &shared),
            About::Names => {
                let relations_max = self.limits.catalogue_relations_max;
                match read_moving(names, &shared.catalogue, relations_max) {
                    Ok(told) => Some(told),
                    Err(error) => return unusable(error),
                }
            }
        };
        let Some(told) = told else {
            (self.ask_about, self.doubt) = (About::Names, Doubt::Dirty);
            return Heard::Instead;
        };
        self.ask_about = About::Stamp;
        if facts.role != self.place.role || facts.session_role != self.place.role {
            return Heard::End(Refusal::new(
                Reason::Ended,
                "the session's role is no longer the one it was opened with",
            ));
        }
        self.prepared.keep_as_served(&facts.prepared, &facts.cursors);
        if !self.moved {
            self.before = Before {
                confirmed_ms: self.names.now_ms(),
                names: told.catalogue.clone(),
            };
        }
        let is_shared = Arc::ptr_eq(&told.catalogue, &shared.catalogue) && !self.names.is_stale();
        if !is_shared {
            self.names.refresh_soon();
        }
        self.source = if is_shared {
            Source::Shared
        } else {
            Source::Own {
                asked: Instant::now(),
                stamp: told.stamp,
                stays: facts.snapshot_stays && self.in_transaction(),
            }
        };
        self.reading = self.authorizer.reading(
            &told.catalogue,
            facts.search_path,
            &facts.role,
            facts.standard_conforming_strings,
        );
        Heard::Instead
    }

    /// The names whose stamp this is, if they are known.
    fn known_by(&self, stamp: &str, shared: &Told) -> Option<Told> {
        let catalogue = match &self.source {
            _ if *shared.stamp == *stamp => &shared.catalogue,
            Source::Own { stamp: own, .. } if **own == *stamp => &self.reading.catalogue,
            Source::Own { .. } | Source::Shared => return None,
        };
        Some(Told {
            catalogue: catalogue.clone(),
            stamp: stamp.into(),
        })
    }

    /// Remembers what a statement that now runs may change, before anything else is judged.
    pub(super) fn note_running(&mut self, judged: &Rc<Judged>) {
        let mut moves = false;
        for statement in judged.statements() {
            let body = runs(statement);
            moves |= statement.moves_names || body.moves_names;
            if statement
                .effects
                .iter()
                .any(|effect| effect.action.group() == "define")
            {
                self.ask_about = About::Names;
            }
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

fn outrun() -> Refusal {
    Refusal::new(
        Reason::NotUnderstood,
        "names have changed since this transaction began, and its connection tells them as they were then",
    )
    .hint("begin the transaction again, or use the isolation level `read committed`")
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
