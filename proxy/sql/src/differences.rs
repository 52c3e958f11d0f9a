//! Where a server reads the same text as something else than our grammar, which is that of PostgreSQL 18.
//!
//! What an older server would merely reject is left to it. What it would read as a call of somebody's routine or as
//! somebody's column is refused here. Numbers with letters behind them, `0x1F` and `1_000` are no such case: 15
//! rejects what 16 reads.

use crate::lexer::{Kind, Lexer};
use crate::{Reading, Rejection};

/// A word that became part of the grammar, and the first server that reads it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewWord {
    pub word: &'static str,
    pub server_version: u32,
}

const V16: u32 = 160_000;
const V17: u32 = 170_000;

/// Before these versions the word was a name like any other, so with arguments it called a routine of that name.
pub(crate) const SYSTEM_USER: NewWord = NewWord {
    word: "SYSTEM_USER",
    server_version: V16,
};
pub(crate) const JSON_OBJECT: NewWord = NewWord {
    word: "JSON_OBJECT",
    server_version: V16,
};
pub(crate) const JSON_ARRAY: NewWord = NewWord {
    word: "JSON_ARRAY",
    server_version: V16,
};
pub(crate) const JSON_OBJECTAGG: NewWord = NewWord {
    word: "JSON_OBJECTAGG",
    server_version: V16,
};
pub(crate) const JSON_ARRAYAGG: NewWord = NewWord {
    word: "JSON_ARRAYAGG",
    server_version: V16,
};
pub(crate) const JSON: NewWord = NewWord {
    word: "JSON()",
    server_version: V17,
};
pub(crate) const JSON_SCALAR: NewWord = NewWord {
    word: "JSON_SCALAR",
    server_version: V17,
};
pub(crate) const JSON_SERIALIZE: NewWord = NewWord {
    word: "JSON_SERIALIZE",
    server_version: V17,
};
pub(crate) const JSON_QUERIES: NewWord = NewWord {
    word: "JSON_EXISTS, JSON_QUERY or JSON_VALUE",
    server_version: V17,
};
pub(crate) const JSON_TABLE: NewWord = NewWord {
    word: "JSON_TABLE",
    server_version: V17,
};
pub(crate) const MERGE_ACTION: NewWord = NewWord {
    word: "MERGE_ACTION",
    server_version: V17,
};

/// Names that our grammar pins to `pg_catalog` while an older server looks them up along the search path.
const PINNED: &[(&str, u32)] = &[("json_object", V16), ("json", V16)];

/// Whether an older server would look this name up along the search path although our grammar qualified it.
pub(crate) fn looked_up(reading: &Reading<'_>, name: &str) -> bool {
    let version = reading.catalogue.server_version;
    PINNED
        .iter()
        .any(|(pinned, since)| *pinned == name && version < *since)
}

/// Refuses a word that the target does not know as such.
pub(crate) fn require(reading: &Reading<'_>, new: NewWord) -> Result<(), Rejection> {
    let version = reading.catalogue.server_version;
    if version >= new.server_version {
        return Ok(());
    }
    Err(Rejection::not_understood(format!(
        "`{}` is not part of the language of PostgreSQL {} and would be read as somebody's own name",
        new.word,
        version / 10_000
    )))
}

/// Refuses a text whose literals the session reads with backslash escapes: our grammar reads them without.
pub(crate) fn check(text: &str, reading: &Reading<'_>) -> Result<(), Rejection> {
    if reading.standard_conforming_strings {
        return Ok(());
    }
    let escaped = Lexer::new(text, true)
        .filter(|token| matches!(token.kind, Kind::PlainText | Kind::NationalText))
        .find(|token| token.text(text).is_some_and(|literal| literal.contains('\\')));
    match escaped {
        Some(token) => Err(Rejection::NotUnderstood {
            what: "with `standard_conforming_strings` off a backslash in a plain literal is not understood: \
                   write the literal as E'…'"
                .to_owned(),
            position: Some(crate::lexer::characters_before(text, token.span.start) + 1),
        }),
        None => Ok(()),
    }
}
