//! What a client hears when the answer is no. Each floor makes its own; each protocol turns every one
//! into bytes in a single exhaustive match.

use std::borrow::Cow;
use std::time::Duration;

/// The classes of refusal, and with them the code that each protocol sends (README, "Refusals").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Nothing, or nothing valid, says who is calling.
    Unauthenticated,
    /// The token given as a password does not hold.
    BadToken,
    /// Policy does not permit it.
    Forbidden,
    /// PostgreSQL's own grammar rejects the text.
    Syntax,
    /// It parses, but its meaning cannot be judged.
    NotUnderstood,
    /// A prepared statement or portal of this name was not made by a judged text of this session.
    UnknownName,
    /// A part of the protocol that the gateway does not serve.
    Unsupported,
    /// The client broke the protocol.
    Malformed,
    /// The audit spool cannot take the record.
    Unrecorded,
    /// A limit was reached.
    Overloaded,
    /// The target cannot be reached or refused the gateway.
    Unavailable,
    /// The session is over: revoked, expired, policy changed, or the gateway is draining.
    Ended,
}

impl Reason {
    /// The word for it in records and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Unauthenticated => "unauthenticated",
            Reason::BadToken => "bad_token",
            Reason::Forbidden => "forbidden",
            Reason::Syntax => "syntax",
            Reason::NotUnderstood => "not_understood",
            Reason::UnknownName => "unknown_name",
            Reason::Unsupported => "unsupported",
            Reason::Malformed => "malformed",
            Reason::Unrecorded => "unrecorded",
            Reason::Overloaded => "overloaded",
            Reason::Unavailable => "unavailable",
            Reason::Ended => "ended",
        }
    }
}

/// The reason a client hears, in words that teach. It never carries an address, a key, a token, raw SQL
/// or another component's error text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: Reason,
    /// What was refused.
    pub message: Cow<'static, str>,
    /// Which rule said so, or that no rule permits it.
    pub detail: Option<Cow<'static, str>>,
    /// What would be right, and how to ask why.
    pub hint: Option<Cow<'static, str>>,
    /// Where in the text, in characters from 1 (only for `Syntax` and `NotUnderstood`).
    pub position: Option<usize>,
    /// When it may be tried again (only for `Overloaded`).
    pub again_in: Option<Duration>,
}

impl Refusal {
    pub fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal {
            reason,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            again_in: None,
        }
    }

    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Refusal {
        self.detail = Some(detail.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Refusal {
        self.hint = Some(hint.into());
        self
    }

    pub fn again_in(mut self, again_in: Duration) -> Refusal {
        self.again_in = Some(again_in);
        self
    }

    pub fn at(mut self, position: usize) -> Refusal {
        self.position = Some(position);
        self
    }
}
