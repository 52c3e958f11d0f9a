//! Every refusal as PostgreSQL bytes: the one place where a [`Refusal`] becomes an `ErrorResponse`.

use crate::refusal::{Reason, Refusal};

use super::message::{self, put, put_text};

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
