//! Every refusal as PostgreSQL bytes: the one place where a [`Refusal`] becomes an `ErrorResponse`, and where
//! it takes its place in the stream.

use crate::refusal::{Reason, Refusal};

use super::dialogue::{Asked, Dialogue, Expected, OWN_PREFIX, Parsing};
use super::message::{self, put, put_text};
use super::prepared::Stop;
use super::request::Step;

/// PostgreSQL's grammar rejects this whatever the state of the session, and it defines nothing.
const MUST_FAIL: &str = "postern refused this";

/// The severity, and with it whether the connection survives, and the SQLSTATE of a refusal
/// (manual, appendix "PostgreSQL Error Codes").
fn severity_and_code(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::Unauthenticated => ("FATAL", "28000"),
        Reason::BadToken => ("FATAL", "28P01"),
        Reason::Forbidden | Reason::NotUnderstood => ("ERROR", "42501"),
        Reason::Syntax => ("ERROR", "42601"),
        Reason::UnknownName => ("ERROR", "26000"),
        Reason::Unsupported => ("ERROR", "0A000"),
        Reason::Malformed => ("FATAL", "08P01"),
        Reason::Unrecorded => ("ERROR", "53100"),
        Reason::Overloaded => ("ERROR", "53300"),
        Reason::Unavailable => ("FATAL", "08006"),
        Reason::Ended => ("FATAL", "57P01"),
    }
}

/// The SQLSTATE a client hears for this reason.
pub fn code(reason: Reason) -> &'static str {
    severity_and_code(reason).1
}

/// Appends the refusal of one request; the connection goes on unless the reason is fatal by nature.
pub fn put_refusal(buffer: &mut Vec<u8>, refusal: &Refusal) {
    put_as(buffer, refusal, severity_and_code(refusal.reason).0);
}

/// Appends a refusal after which the connection closes, whatever its reason.
pub fn put_fatal(buffer: &mut Vec<u8>, refusal: &Refusal) {
    put_as(buffer, refusal, "FATAL");
}

fn put_as(buffer: &mut Vec<u8>, refusal: &Refusal, severity: &str) {
    put(buffer, b'E', |body| {
        let mut field = |letter: u8, text: &str| {
            body.push(letter);
            put_text(body, text);
        };
        field(b'S', severity);
        field(b'V', severity);
        field(b'C', code(refusal.reason));
        field(b'M', &refusal.message);
        if let Some(detail) = &refusal.detail {
            field(b'D', detail);
        }
        if let Some(hint) = &refusal.hint {
            field(b'H', hint);
        }
        if let Some(position) = refusal.position {
            field(b'P', &position.to_string());
        }
        body.push(0);
    });
}

/// The client broke the protocol.
impl From<message::Error> for Refusal {
    fn from(error: message::Error) -> Refusal {
        Refusal::new(Reason::Malformed, error.to_string())
    }
}

impl Dialogue {
    /// A refused Query: said at once on an idle connection, else in its place in the stream.
    pub(super) fn refuse_query(&mut self, refusal: Refusal) -> Step {
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
    pub(super) fn refuse_extended(&mut self, refusal: Refusal) -> Step {
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

    /// What becomes of a message of the extended protocol whose name leads nowhere now.
    pub(super) fn stop_extended(&mut self, stop: Stop) -> Step {
        match stop {
            Stop::Wait => self.wait(),
            Stop::Refused(refusal) => self.refuse_extended(refusal),
            Stop::Unknown(refusal) => {
                let refusal = self.authorizer.refuse(&self.recorder, None, refusal);
                self.refuse_extended(refusal)
            }
        }
    }
}
