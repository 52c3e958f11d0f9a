//! The client's half of a conversation: each message is judged, and becomes a [`Step`] for the relay.
//!
//! No socket is touched here. Bytes of ours go into `to_server` and `to_client`, in front of what follows.
//! Read [`Dialogue::client_says`] first; the server's half is in `answer`.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postern_sql::{Change, Discard, SettingValue, Statement};

use crate::authorize::{Authorizer, Judged, Permit, Reading, Recorder, View};
use crate::refusal::{Reason, Refusal};

use super::catalogue::{SharedCatalogue, facts_query, moving_query};
use super::message::{self, Frontend, Named};
use super::prepared::{Prepared, unknown};
use super::refusal::put_refusal;
use super::settings::{self, set_statement};
use super::{Place, Shared};

/// PostgreSQL's grammar rejects this whatever the state of the session, and it defines nothing.
const MUST_FAIL: &str = "postern refused this";
/// Names of our own statements and portals on a session's connection; clients may not use the prefix.
const OWN_PREFIX: &str = "_postern_";

/// What becomes of the client's message at hand.
#[derive(Debug)]
pub enum Step {
    /// It goes to the server as it is.
    Forward,
    /// It does not go; whatever stands in `to_server` or `to_client` goes in its place.
    Instead,
    /// Not yet: something must be answered first.
    Wait,
    /// The client says goodbye.
    Finished,
    /// The conversation cannot go on.
    End(Refusal),
}

/// What the server still owes an answer to, in order.
#[derive(Debug)]
pub(super) enum Expected {
    Query {
        asked: Asked,
        statement: usize,
    },
    Parse {
        name: Box<str>,
        asked: Parsing,
    },
    Bind {
        portal: Box<str>,
        permit: Rc<Permit>,
    },
    Describe,
    Execute {
        permit: Rc<Permit>,
    },
    Close {
        kind: Named,
        name: Box<str>,
    },
    Sync,
    /// Our own questions; the client hears nothing of them.
    Own(Own),
}

#[derive(Debug)]
pub(super) enum Asked {
    Permitted(Rc<Permit>),
    /// In its place went something that must fail; this is what the client hears of it.
    Refused(Refusal),
}

#[derive(Debug)]
pub(super) enum Parsing {
    Permitted(Rc<Judged>),
    Refused(Refusal),
}

/// Statements of our own, asked by extended protocol under our own names.
#[derive(Debug)]
pub(super) struct Own {
    pub statements: usize,
    /// The first value of each statement that answered with rows.
    pub values: Vec<String>,
    pub closed: usize,
    pub synced: bool,
}

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

/// One client's conversation with its server.
pub struct Dialogue {
    pub(super) shared: Arc<Shared>,
    pub(super) authorizer: Rc<Authorizer>,
    pub(super) recorder: Recorder,
    pub(super) place: Place,
    pub(super) view: Rc<View>,
    pub(super) reading: Rc<Reading>,
    pub(super) names: Arc<SharedCatalogue>,
    pub(super) source: Source,
    pub(super) doubt: Doubt,
    /// Something moved names in this transaction, so its end may move them back.
    pub(super) moved: bool,
    /// Statements went upstream that make or drop names; the next use of a name waits for them.
    pub(super) names_in_flight: bool,
    pub(super) prepared: Prepared,
    pub(super) pending_parses: usize,
    pub(super) expected: VecDeque<Expected>,
    /// The transaction status of the server's last ReadyForQuery.
    pub(super) status: u8,
    /// Extended messages went upstream since the last Sync.
    pub(super) unsynced: bool,
    /// A Flush of ours went upstream for these.
    flushed: bool,
    /// The server has failed and skips to the next Sync.
    pub(super) skipping: bool,
    /// We refused without the server, and skip to the client's next Sync.
    discarding: bool,
    pub(super) copy_in: bool,
    /// The settings of the client's startup, set again after it resets them.
    pub(super) startup_settings: Vec<(String, String)>,
    set_again: bool,
    /// What the client calls itself; the server knows our own name only.
    pub(super) client_says: String,
    pub(super) our_name: String,
    /// Nothing has been left in the backend that a reset would not remove.
    pub(super) plain: bool,
    pub to_server: Vec<u8>,
    pub to_client: Vec<u8>,
    /// The last intent whose durability the relay must wait for before it sends.
    pub last_permit: Option<Rc<Permit>>,
}

/// What a conversation starts from.
pub struct Opening {
    pub shared: Arc<Shared>,
    pub authorizer: Rc<Authorizer>,
    pub recorder: Recorder,
    pub place: Place,
    pub view: Rc<View>,
    pub reading: Rc<Reading>,
    pub names: Arc<SharedCatalogue>,
    pub startup_settings: Vec<(String, String)>,
    pub client_says: String,
    pub our_name: String,
}

impl Dialogue {
    /// A conversation on an idle connection whose reading is right.
    pub fn new(opening: Opening) -> Dialogue {
        let Opening {
            shared,
            authorizer,
            recorder,
            place,
            view,
            reading,
            names,
            ..
        } = opening;
        Dialogue {
            shared,
            authorizer,
            recorder,
            place,
            view,
            reading,
            names,
            source: Source::Shared,
            doubt: Doubt::Clean,
            moved: false,
            names_in_flight: false,
            prepared: Prepared::default(),
            pending_parses: 0,
            expected: VecDeque::new(),
            status: b'I',
            unsynced: false,
            flushed: false,
            skipping: false,
            discarding: false,
            copy_in: false,
            startup_settings: opening.startup_settings,
            set_again: false,
            client_says: opening.client_says,
            our_name: opening.our_name,
            plain: true,
            to_server: Vec::new(),
            to_client: Vec::new(),
            last_permit: None,
        }
    }

    /// Judges one whole message of the client.
    pub fn client_says(&mut self, bytes: &[u8]) -> Step {
        let frontend = match Frontend::read(bytes) {
            Ok(frontend) => frontend,
            Err(error) => return Step::End(error.into()),
        };
        if self.copy_in {
            return self.during_copy_in(frontend);
        }
        if self.expected.is_empty() {
            self.prepared.all_answered();
        }
        if self.expected.len() >= self.shared.limits.unanswered_max {
            return self.wait();
        }
        let ends_skipping = matches!(frontend, Frontend::Sync | Frontend::Terminate);
        if (self.skipping || self.discarding) && !ends_skipping {
            return Step::Instead;
        }
        match frontend {
            Frontend::Query { text } => self.query(text),
            Frontend::Parse { name, text } => self.parse(name, text, bytes),
            Frontend::Bind { portal, statement } => self.bind(portal, statement),
            Frontend::Describe { kind, name } => self.describe(kind, name),
            Frontend::Execute { portal } => self.execute(portal),
            Frontend::Close { kind, name } => self.extended(Expected::Close {
                kind,
                name: name.into(),
            }),
            Frontend::Flush => Step::Forward,
            Frontend::Sync => self.sync(),
            Frontend::Terminate => Step::Finished,
            Frontend::CopyDone | Frontend::CopyFail => self.stray_copy(),
            Frontend::FunctionCall => {
                let refusal = Refusal::new(
                    Reason::Unsupported,
                    "function calls by number are not served by the gateway",
                )
                .hint("call the function in a SELECT");
                let refusal = self.authorizer.refuse(&self.recorder, None, refusal);
                self.refuse_query(refusal)
            }
        }
    }

    /// Whether copy data may go upstream now, must wait, or is dropped as PostgreSQL drops it after a failed COPY.
    pub fn copy_data(&mut self) -> Step {
        if self.copy_in {
            Step::Forward
        } else {
            self.stray_copy()
        }
    }

    /// Whether the upstream connection could serve another session after a reset.
    pub fn is_plain(&self) -> bool {
        self.plain && self.status == b'I' && self.expected.is_empty() && !self.unsynced && !self.copy_in
    }

    /// Whether the client is inside a transaction, as far as the server has said.
    pub fn in_transaction(&self) -> bool {
        self.status != b'I' || self.unsynced
    }

    /// Whether the server owes an answer.
    pub fn is_waiting(&self) -> bool {
        !self.expected.is_empty()
    }

    /// Policy changed: from now on the new view judges.
    pub fn set_view(&mut self, view: Rc<View>) {
        self.view = view;
    }

    /// The snapshot whose policies judge now.
    pub fn policy_epoch(&self) -> u64 {
        self.view.policy_epoch()
    }

    /// The conversation is over; what was open in it closes as abandoned.
    pub fn into_recorder(self) -> Recorder {
        self.recorder
    }

    fn query(&mut self, text: &str) -> Step {
        if let Err(refusal) = self.short_enough(text) {
            return self.refuse_query(refusal);
        }
        let judged = match self.judge(text) {
            Ok(judged) => judged,
            Err(step) => return step,
        };
        if self.outlives_its_names(&judged) {
            return self.refuse_after_end(&judged);
        }
        let room = self.take_room_of_names(&judged);
        let permit = match room.and_then(|()| self.permit(&judged)) {
            Ok(permit) => permit,
            Err(Stop::Wait) => return self.wait(),
            Err(Stop::Refused(refusal)) => return self.refuse_query(refusal),
            Err(Stop::Unknown(refusal)) => {
                let refusal = self.authorizer.refuse(&self.recorder, None, refusal);
                return self.refuse_query(refusal);
            }
        };
        self.note_running(&judged);
        let step = match self.rewritten(&judged) {
            Some(text) => {
                message::put_query(&mut self.to_server, &text);
                Step::Instead
            }
            None => Step::Forward,
        };
        self.last_permit = Some(permit.clone());
        self.expected.push_back(Expected::Query {
            asked: Asked::Permitted(permit),
            statement: 0,
        });
        self.unsynced = false;
        step
    }

    fn parse(&mut self, name: &str, text: &str, bytes: &[u8]) -> Step {
        if name.starts_with(OWN_PREFIX) {
            let refusal = Refusal::new(
                Reason::Unsupported,
                "statement names that begin with `_postern_` are the gateway's",
            );
            return self.refuse_extended(refusal);
        }
        if let Err(refusal) = self.short_enough(text) {
            return self.refuse_extended(refusal);
        }
        let judged = match self.judge(text) {
            Ok(judged) => judged,
            Err(step) => return step,
        };
        let room = self.prepared.take_statement_room(name, text, &self.shared.limits);
        if let Err(stop) = self.room_or_stop(room, &judged) {
            return self.stop_extended(stop);
        }
        let noted = self
            .authorizer
            .prepared(&self.recorder, &self.view, &judged, name);
        if let Err(refusal) = noted {
            return self.refuse_extended(refusal);
        }
        let rewritten = self.rewritten(&judged);
        self.pending_parses += 1;
        let step = self.extended(Expected::Parse {
            name: name.into(),
            asked: Parsing::Permitted(judged),
        });
        let Some(rewritten) = rewritten else { return step };
        // The parameter types after the text are kept as the client sent them.
        let types = bytes
            .get(message::HEADER_BYTES + name.len() + text.len() + 2..)
            .unwrap_or_default();
        message::put(&mut self.to_server, b'P', |body| {
            message::put_text(body, name);
            message::put_text(body, &rewritten);
            body.extend_from_slice(types);
        });
        Step::Instead
    }

    fn bind(&mut self, portal: &str, statement: &str) -> Step {
        let judged = match self.statement(statement) {
            Ok(judged) => judged,
            Err(stop) => return self.stop_extended(stop),
        };
        let judged = match self.judge_again(judged) {
            Ok(judged) => judged,
            Err(step) => return step,
        };
        let room = self.prepared.take_portal_room(portal, &self.shared.limits);
        let room = self.room_or_stop(room, &judged);
        let room = room.and_then(|()| self.take_room_of_names(&judged));
        let permit = match room.and_then(|()| self.permit(&judged)) {
            Ok(permit) => permit,
            Err(stop) => return self.stop_extended(stop),
        };
        // Planning may already run functions, so the statement counts as running from here.
        self.note_running(&judged);
        self.last_permit = Some(permit.clone());
        self.extended(Expected::Bind {
            portal: portal.into(),
            permit,
        })
    }

    fn describe(&mut self, kind: Named, name: &str) -> Step {
        let known = match kind {
            Named::Statement => self.statement(name).map(drop),
            // DECLARE makes a portal of the cursor's name (manual, "DECLARE").
            Named::Portal => match self.portal(name) {
                Err(Stop::Unknown(_)) => self.cursor(name).map(drop),
                portal => portal.map(drop),
            },
        };
        match known {
            Ok(()) => self.extended(Expected::Describe),
            Err(stop) => self.stop_extended(stop),
        }
    }

    fn execute(&mut self, portal: &str) -> Step {
        let permit = match self.portal(portal) {
            Err(Stop::Unknown(_)) => self.cursor(portal).and_then(|judged| {
                let judged = self.authorizer.judge(&self.view, &self.reading, judged.text());
                self.permit(&judged)
            }),
            portal => portal,
        };
        let permit = match permit {
            Ok(permit) => permit,
            Err(stop) => return self.stop_extended(stop),
        };
        // The plan was fixed at Bind; only what policy says of it may have changed since.
        if !permit.judged.is_view(&self.view) {
            let judged = self
                .authorizer
                .judge(&self.view, &self.reading, permit.judged.text());
            if let Some(refusal) = judged.refusal() {
                let refusal = self
                    .authorizer
                    .refuse(&self.recorder, Some(&judged), refusal.clone());
                return self.refuse_extended(refusal);
            }
        }
        let judged = permit.judged.clone();
        self.note_running(&judged);
        self.extended(Expected::Execute { permit })
    }

    fn sync(&mut self) -> Step {
        if self.discarding {
            self.discarding = false;
            message::put_ready(&mut self.to_client, b'I');
            return Step::Instead;
        }
        self.skipping = false;
        self.unsynced = false;
        self.flushed = false;
        self.expected.push_back(Expected::Sync);
        Step::Forward
    }

    fn extended(&mut self, expected: Expected) -> Step {
        self.unsynced = true;
        self.flushed = false;
        self.expected.push_back(expected);
        Step::Forward
    }

    /// Only copy messages, and the Flush and Sync that PostgreSQL ignores there, belong into a COPY IN.
    fn during_copy_in(&mut self, frontend: Frontend<'_>) -> Step {
        match frontend {
            Frontend::CopyDone | Frontend::CopyFail => {
                self.copy_in = false;
                Step::Forward
            }
            Frontend::Flush | Frontend::Sync => Step::Forward,
            Frontend::Terminate => Step::Finished,
            _ => Step::End(Refusal::new(
                Reason::Malformed,
                "a message that is no copy data came during COPY",
            )),
        }
    }

    fn stray_copy(&mut self) -> Step {
        if self.expected.is_empty() || self.skipping {
            Step::Instead
        } else {
            self.wait()
        }
    }

    /// Waits for all answers; a pipeline without Sync is flushed, or the server would keep them.
    fn wait(&mut self) -> Step {
        if self.unsynced && !self.flushed && !self.expected.is_empty() {
            message::put(&mut self.to_server, b'H', |_| {});
            self.flushed = true;
        }
        Step::Wait
    }

    fn short_enough(&self, text: &str) -> Result<(), Refusal> {
        let bytes_max = self.shared.limits.statement_bytes_max;
        if text.len() <= bytes_max {
            return Ok(());
        }
        let refusal = Refusal::new(Reason::NotUnderstood, "this statement is too long to be judged")
            .detail(format!(
                "it has {} bytes, and the limit is `statement_bytes_max`, which is {bytes_max}",
                text.len()
            ))
            .hint("pass long values as parameters, or load them with COPY");
        Err(self.authorizer.refuse(&self.recorder, None, refusal))
    }

    /// Takes the room of the names that a text makes by PREPARE and DECLARE.
    fn take_room_of_names(&mut self, judged: &Rc<Judged>) -> Result<(), Stop> {
        for change in judged
            .statements()
            .iter()
            .flat_map(|statement| &statement.changes)
        {
            let limits = &self.shared.limits;
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
    fn room_or_stop(&self, room: Result<(), Refusal>, judged: &Rc<Judged>) -> Result<(), Stop> {
        room.map_err(|refusal| {
            if self.expected.is_empty() {
                Stop::Refused(self.authorizer.refuse(&self.recorder, Some(judged), refusal))
            } else {
                Stop::Wait
            }
        })
    }

    /// The judgement of a text under a reading that is the server's own, or what to do until there is one.
    fn judge(&mut self, text: &str) -> Result<Rc<Judged>, Step> {
        self.freshen();
        if self.doubt == Doubt::Clean {
            return Ok(self.authorizer.judge(&self.view, &self.reading, text));
        }
        let judged = self.authorizer.judge(&self.view, &self.reading, text);
        // Where a literal with a backslash ends may have moved too; and what the client sets from now on must
        // not be undone by what its startup set.
        let in_doubt = judged.needs_names() || text.contains('\\');
        let sets_again = self.set_again && !self.startup_settings.is_empty();
        // A failed transaction runs nothing but its end, and that needs no names.
        if self.status == b'E' || !(in_doubt || sets_again) {
            return Ok(judged);
        }
        Err(self.ask())
    }

    /// Whether the text ends a transaction and goes on: the end may move names back, and only then the server
    /// could be asked for them. A failed transaction cannot even be asked how it reads a backslash.
    fn outlives_its_names(&self, judged: &Judged) -> bool {
        let unasked = self.status == b'E' && self.doubt != Doubt::Clean;
        (self.moved || unasked) && judged.needs_names_after_an_end()
            || unasked && judged.text().contains('\\')
    }

    fn refuse_after_end(&mut self, judged: &Rc<Judged>) -> Step {
        let refusal = Refusal::new(
            Reason::NotUnderstood,
            "after the end of a transaction that moved names this text may mean something else",
        )
        .hint("send the end of the transaction as a message of its own");
        let refusal = self.authorizer.refuse(&self.recorder, Some(judged), refusal);
        self.refuse_query(refusal)
    }

    fn judge_again(&mut self, judged: Rc<Judged>) -> Result<Rc<Judged>, Step> {
        self.freshen();
        if self.doubt == Doubt::Clean && judged.holds(&self.reading, &self.view) {
            return Ok(judged);
        }
        self.judge(judged.text())
    }

    /// Takes the newest shared catalogue, or falls into doubt where that is not enough.
    fn freshen(&mut self) {
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
    fn ask(&mut self) -> Step {
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

    /// Records the intent, with what an EXECUTE or FETCH runs besides its own text.
    fn permit(&mut self, judged: &Rc<Judged>) -> Result<Rc<Permit>, Stop> {
        let mut also = None;
        for statement in judged.statements() {
            for change in &statement.changes {
                let named = match change {
                    Change::Execute { name } => self.statement(name)?,
                    Change::Fetch { cursor } => self.cursor(cursor)?,
                    _ => continue,
                };
                let again = self.authorizer.judge(&self.view, &self.reading, named.text());
                if also.replace(again).is_some() {
                    return Err(Stop::Refused(
                        self.authorizer.refuse(
                            &self.recorder,
                            Some(judged),
                            Refusal::new(
                                Reason::NotUnderstood,
                                "one message may run one prepared name only",
                            )
                            .hint("send each EXECUTE or FETCH as a message of its own"),
                        ),
                    ));
                }
            }
        }
        let permit = self
            .authorizer
            .permit(&self.recorder, &self.view, judged, also.as_ref());
        let permit = permit.map_err(Stop::Refused)?;
        if let Some(also) = &also {
            self.note_running(&also.clone());
        }
        Ok(Rc::new(permit))
    }

    /// The judgement behind a statement's name, as the server will see the name.
    fn statement(&mut self, name: &str) -> Result<Rc<Judged>, Stop> {
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
                    Expected::Parse { name: parsed, .. } if **parsed == *name && behind_sync => {
                        return Err(Stop::Wait);
                    }
                    Expected::Parse {
                        name: parsed,
                        asked: Parsing::Permitted(judged),
                    } if **parsed == *name => {
                        return Ok(judged.clone());
                    }
                    _ => {}
                }
            }
        }
        let known = self.prepared.statement(name).cloned();
        known.ok_or_else(|| Stop::Unknown(unknown("prepared statement", name)))
    }

    fn portal(&mut self, name: &str) -> Result<Rc<Permit>, Stop> {
        for expected in self.expected.iter().rev() {
            match expected {
                Expected::Bind { portal, permit } if **portal == *name => return Ok(permit.clone()),
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

    fn cursor(&mut self, name: &str) -> Result<Rc<Judged>, Stop> {
        if self.names_in_flight && !self.expected.is_empty() {
            return Err(Stop::Wait);
        }
        let known = self.prepared.cursor(name).cloned();
        known.ok_or_else(|| Stop::Unknown(unknown("cursor", name)))
    }

    /// What becomes of a message of the extended protocol whose name leads nowhere now.
    fn stop_extended(&mut self, stop: Stop) -> Step {
        match stop {
            Stop::Wait => self.wait(),
            Stop::Refused(refusal) => self.refuse_extended(refusal),
            Stop::Unknown(refusal) => {
                let refusal = self.authorizer.refuse(&self.recorder, None, refusal);
                self.refuse_extended(refusal)
            }
        }
    }

    /// Remembers what a statement that now runs may change, before anything else is judged.
    fn note_running(&mut self, judged: &Rc<Judged>) {
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

    /// The text with what the client says of itself replaced by what we say: its name, and SQL_ASCII.
    fn rewritten(&mut self, judged: &Judged) -> Option<String> {
        let mut text = None;
        // From the back, so that the spans in front stay right.
        for statement in judged.statements().iter().rev() {
            for change in &statement.changes {
                let replacement = match change {
                    Change::Set { name, value, .. } if name == "application_name" => {
                        self.client_says = match value {
                            SettingValue::Text(value) => value.clone(),
                            _ => String::new(),
                        };
                        set_statement("application_name", &self.our_name)
                    }
                    Change::Reset(name) if name == "application_name" => {
                        self.client_says = String::new();
                        set_statement("application_name", &self.our_name)
                    }
                    Change::Set {
                        name,
                        value: SettingValue::Text(value),
                        ..
                    } if name == "client_encoding" => {
                        if settings::encoding(value).is_none() {
                            continue;
                        }
                        set_statement("client_encoding", "UTF8")
                    }
                    _ => continue,
                };
                let text: &mut String = text.get_or_insert_with(|| judged.text().to_owned());
                if text.get(statement.span.clone()).is_some() {
                    text.replace_range(statement.span.clone(), &replacement);
                }
            }
        }
        text
    }

    fn is_idle(&self) -> bool {
        self.expected.is_empty() && self.status == b'I' && !self.unsynced
    }

    /// A refused Query: said at once on an idle connection, else in its place in the stream.
    fn refuse_query(&mut self, refusal: Refusal) -> Step {
        if self.is_idle() {
            put_refusal(&mut self.to_client, &refusal);
            message::put_ready(&mut self.to_client, b'I');
            return Step::Instead;
        }
        message::put_query(&mut self.to_server, MUST_FAIL);
        self.expected.push_back(Expected::Query {
            asked: Asked::Refused(refusal),
            statement: 0,
        });
        self.unsynced = false;
        Step::Instead
    }

    /// A refused message of the extended protocol: the server must fail in its place, or it would commit
    /// what came before.
    fn refuse_extended(&mut self, refusal: Refusal) -> Step {
        if self.is_idle() {
            put_refusal(&mut self.to_client, &refusal);
            self.discarding = true;
            return Step::Instead;
        }
        let name = format!("{OWN_PREFIX}refused");
        message::put_parse(&mut self.to_server, &name, MUST_FAIL);
        self.pending_parses += 1;
        let _ = self.extended(Expected::Parse {
            name: name.into(),
            asked: Parsing::Refused(refusal),
        });
        Step::Instead
    }
}

/// Why a name does not lead to a judgement now.
enum Stop {
    Wait,
    /// Recorded already.
    Refused(Refusal),
    /// No judged text made the name; not recorded yet.
    Unknown(Refusal),
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
