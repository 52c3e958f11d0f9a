//! The client's half of a conversation: each message is judged, and becomes a [`Step`] for the relay.
//!
//! No socket is touched here. Bytes of ours go into `to_server` and `to_client`, in front of what follows.
//! Read [`Dialogue::client_says`] first; the server's half is in `answer`.

use std::rc::Rc;

use postern_sql::Change;
use postern_sql::settings::is_plain_name;

use crate::authorize::{Judged, Permit};
use crate::refusal::{Reason, Refusal};

use super::dialogue::Dialogue;
use super::dialogue::{Asked, Expected, OWN_PREFIX, Parsing};
use super::message::{self, Frontend, Named, Types, Values};
use super::prepared::Stop;

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

impl Dialogue {
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
        if self.expected.len() >= self.limits.unanswered_max {
            return self.wait();
        }
        let ends_skipping = matches!(frontend, Frontend::Sync | Frontend::Terminate);
        if (self.skipping || self.discarding) && !ends_skipping {
            return Step::Instead;
        }
        match frontend {
            Frontend::Query { text } => self.query(text),
            Frontend::Parse { name, text, types } => self.parse(name, text, types, bytes),
            Frontend::Bind {
                portal,
                statement,
                values,
            } => self.bind(portal, statement, values),
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

    fn query(&mut self, text: &str) -> Step {
        if let Err(refusal) = self.short_enough(text) {
            return self.refuse_query(refusal);
        }
        let judged = match self.judge(text, &[]) {
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
        self.unsure = Some(permit.entry.number());
        self.expected.push_back(Expected::Query {
            asked: Asked::Permitted(permit),
            statement: 0,
        });
        self.unsynced = false;
        step
    }

    fn parse(&mut self, name: &str, text: &str, types: Types<'_>, bytes: &[u8]) -> Step {
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
        let judged = match self.judge(text, &types.numbers()) {
            Ok(judged) => judged,
            Err(step) => return step,
        };
        let room = self.prepared.take_statement_room(name, text, &self.limits);
        if let Err(stop) = self.room_or_stop(room, &judged) {
            return self.stop_extended(stop);
        }
        let noted = self
            .authorizer
            .prepared(&self.recorder, &self.view, &judged, name);
        match noted {
            Ok(number) => self.unsure = Some(number),
            Err(refusal) => return self.refuse_extended(refusal),
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

    fn bind(&mut self, portal: &str, statement: &str, values: Values<'_>) -> Step {
        let judged = match self.statement(statement) {
            Ok(judged) => judged,
            Err(stop) => return self.stop_extended(stop),
        };
        let judged = match self.judge_again(judged) {
            Ok(judged) => judged,
            Err(step) => return step,
        };
        let judged = self.with_values(judged, values);
        let room = self.prepared.take_portal_room(portal, &self.limits);
        let room = self.room_or_stop(room, &judged);
        let room = room.and_then(|()| self.take_room_of_names(&judged));
        let permit = match room.and_then(|()| self.permit(&judged)) {
            Ok(permit) => permit,
            Err(stop) => return self.stop_extended(stop),
        };
        // Planning may already run functions, so the statement counts as running from here.
        self.note_running(&judged);
        self.unsure = Some(permit.entry.number());
        self.extended(Expected::Bind {
            portal: portal.into(),
            permit,
        })
    }

    /// What names something by a parameter is judged by its value; a value that no plain name is leaves it refused.
    fn with_values(&self, judged: Rc<Judged>, values: Values<'_>) -> Rc<Judged> {
        let named = judged
            .waits_for()
            .filter_map(|number| Some((number, values.text(number)?)));
        let named: Vec<(u16, &str)> = named.filter(|(_, value)| is_plain_name(value)).collect();
        if named.is_empty() {
            return judged;
        }
        self.authorizer
            .judge_bound(&self.view, &self.reading, &judged, &named)
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
                let judged = self.authorizer.judge_again(&self.view, &self.reading, &judged);
                self.permit(&judged)
            }),
            portal => portal,
        };
        let permit = match permit {
            Ok(permit) => permit,
            Err(stop) => return self.stop_extended(stop),
        };
        if self.prepared_portal_is_late(portal, &permit) {
            return self.execute_late(permit);
        }
        // The plan was fixed at Bind; only what policy says of it may have changed since.
        if !permit.judged().is_view(&self.view) {
            let judged = self
                .authorizer
                .judge_again(&self.view, &self.reading, permit.judged());
            if let Some(refusal) = judged.refusal() {
                let refusal = self
                    .authorizer
                    .refuse(&self.recorder, Some(&judged), refusal.clone());
                return self.refuse_extended(refusal);
            }
        }
        let judged = permit.judged().clone();
        self.note_running(&judged);
        self.extended(Expected::Execute { permit })
    }

    /// Whether a portal finds its names only when it runs, and something else may have run since its Bind: a plan is
    /// made at Bind, but COPY, EXECUTE, LOCK and every definition look their names up while they run.
    fn prepared_portal_is_late(&self, portal: &str, permit: &Permit) -> bool {
        let planned = |tag: &str| matches!(tag, "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "MERGE");
        let mut statements = permit.judged().statements().iter();
        if statements.all(|statement| planned(statement.tag)) || self.prepared.cursor(portal).is_some() {
            return false;
        }
        let mut since = self.expected.iter().rev();
        let last_run =
            since.find(|expected| !matches!(expected, Expected::Describe | Expected::Parse { .. }));
        !matches!(last_run, Some(Expected::Bind { portal: bound, .. }) if **bound == *portal)
    }

    fn execute_late(&mut self, permit: Rc<Permit>) -> Step {
        let judged = match self.judge_again(permit.judged().clone()) {
            Ok(judged) => judged,
            Err(step) => return step,
        };
        // What the name of an EXECUTE stands for may be another text by now.
        let permit = if Rc::ptr_eq(&judged, permit.judged()) && !runs_a_name(&judged) {
            Ok(permit)
        } else {
            self.permit(&judged)
        };
        match permit {
            Ok(permit) => {
                self.note_running(&judged);
                self.extended(Expected::Execute { permit })
            }
            Err(stop) => self.stop_extended(stop),
        }
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

    pub(super) fn extended(&mut self, expected: Expected) -> Step {
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
    pub(super) fn wait(&mut self) -> Step {
        if self.unsynced && !self.flushed && !self.expected.is_empty() {
            message::put(&mut self.to_server, b'H', |_| {});
            self.flushed = true;
        }
        Step::Wait
    }

    fn short_enough(&self, text: &str) -> Result<(), Refusal> {
        let bytes_max = self.limits.statement_bytes_max;
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

    /// Records the intent, with what an EXECUTE or FETCH runs besides its own text.
    fn permit(&mut self, judged: &Rc<Judged>) -> Result<Rc<Permit>, Stop> {
        let mut also = None;
        let mut names_moved = false;
        for statement in judged.statements() {
            for change in &statement.changes {
                let named = match change {
                    Change::Execute { .. } if names_moved => {
                        let refusal = Refusal::new(
                            Reason::NotUnderstood,
                            "what EXECUTE runs may mean something else after what this text does before it",
                        )
                        .hint("send the EXECUTE as a message of its own");
                        let refusal = self.authorizer.refuse(&self.recorder, Some(judged), refusal);
                        return Err(Stop::Refused(refusal));
                    }
                    Change::Execute { name } => self.statement(name)?,
                    Change::Fetch { cursor } => self.cursor(cursor)?,
                    _ => continue,
                };
                let again = self.authorizer.judge_again(&self.view, &self.reading, &named);
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
            names_moved |= statement.moves_names;
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
}

fn runs_a_name(judged: &Judged) -> bool {
    let mut changes = judged
        .statements()
        .iter()
        .flat_map(|statement| &statement.changes);
    changes.any(|change| matches!(change, Change::Execute { .. }))
}
