//! Replaces what may be secret in a text: every string, number and comment. Works on texts that do not parse, too.

use crate::lexer::{Kind, Lexer};

/// The text with every string, number and comment replaced by a placeholder; the result is never much longer.
pub fn redact(text: &str, standard_conforming_strings: bool) -> String {
    let mut redacted = String::with_capacity(text.len().min(crate::STATEMENT_BYTES_MAX));
    for token in Lexer::new(text, standard_conforming_strings) {
        match token.kind {
            Kind::Text | Kind::PlainText | Kind::NationalText => redacted.push_str("'?'"),
            Kind::Number => redacted.push('?'),
            Kind::Comment => redacted.push(' '),
            _ => redacted.push_str(token.text(text).unwrap_or_default()),
        }
    }
    redacted
}
