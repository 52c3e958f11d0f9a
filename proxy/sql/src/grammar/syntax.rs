//! Handing a text to PostgreSQL's parser, and its errors in the words and places a client expects.

use pg_raw_parse::list::CastNodeList;
use pg_raw_parse::nodes::{RangeVar, RawStmt};
use pg_raw_parse::{Error, Node, Owned};

use crate::Rejection;
use crate::lexer::{Lexer, characters_before};

/// A parsed text.
pub(super) struct Tree(Owned<CastNodeList<RawStmt>>);

impl Tree {
    pub(super) fn as_ref(&self) -> &CastNodeList<RawStmt> {
        &self.0
    }
}

pub(super) fn parse(text: &str) -> Result<Tree, Rejection> {
    match pg_raw_parse::parse(text) {
        Ok(parsed) => Ok(Tree(parsed.into_inner())),
        Err(Error::StatementContainedNul(error)) => Err(Rejection::Syntax {
            message: "invalid byte sequence for encoding \"UTF8\": 0x00".to_owned(),
            position: Some(characters_before(text, error.nul_position()) + 1),
            sqlstate: "22021",
        }),
        Err(error) => Err(explain(text, &message_of(&error))),
    }
}

fn message_of(error: &Error) -> String {
    match error {
        Error::Parse(inner) => inner.to_string(),
        other => other.to_string(),
    }
}

fn explain(text: &str, message: &str) -> Rejection {
    if message.contains("memory exhausted") || message.contains("stack depth limit") {
        return Rejection::TooLarge {
            limit: "levels of nesting that the parser can hold",
            limit_count: 10_000,
        };
    }
    Rejection::Syntax {
        message: message.to_owned(),
        position: position_of(text, message).map(|bytes| characters_before(text, bytes) + 1),
        sqlstate: sqlstate_of(message),
    }
}

/// The longest text in which the place of an error is looked for: the search parses it a few times.
const SEARCHED_BYTES_MAX: usize = 64 * 1024;

/// Where the parser stopped. Its wrapper keeps the place to itself, so it is found again: the first token whose
/// removal, with all that follows, makes the complaint about this token go away.
fn position_of(text: &str, message: &str) -> Option<usize> {
    if message.ends_with("at end of input") {
        return Some(text.len());
    }
    if text.len() > SEARCHED_BYTES_MAX {
        return None;
    }
    let (_, near) = message.split_once(" at or near \"")?;
    let near = near.strip_suffix('"')?;
    let mut starts: Vec<usize> = Lexer::new(text, true)
        .filter(|token| token.text(text).is_some_and(|found| found == near))
        .map(|token| token.span.start)
        .collect();
    if starts.is_empty() {
        // The scanner stopped inside a token, which may then run to the end of the text.
        if text.ends_with(near) {
            return text.rfind(near);
        }
        starts = text.match_indices(near).map(|(start, _)| start).collect();
    }
    let (mut low, mut high) = (0, starts.len().checked_sub(1)?);
    while low < high {
        let middle = usize::midpoint(low, high);
        let end = starts.get(middle)? + near.len();
        if complains_of(text.get(..end)?, message) {
            high = middle
        } else {
            low = middle + 1
        }
    }
    starts.get(low).copied()
}

fn complains_of(text: &str, message: &str) -> bool {
    matches!(pg_raw_parse::parse(text), Err(error) if message_of(&error) == message)
}

/// The parser's errors that are not plain syntax errors, by how their messages begin.
const OTHER_STATES: &[(&str, &str)] = &[
    ("unsafe use of \\'", "22P06"),
    ("invalid Unicode escape value", "42601"),
    ("invalid Unicode escape character", "42601"),
    ("invalid Unicode escape", "22025"),
    ("invalid byte sequence", "22021"),
    ("current database cannot be changed", "0A000"),
    ("CREATE ASSERTION is not yet implemented", "0A000"),
    ("DROP ASSERTION is not yet implemented", "0A000"),
    ("MATCH PARTIAL not yet implemented", "0A000"),
    ("CREATE EXTENSION ... FROM is no longer supported", "0A000"),
    ("precision for type float must be", "22023"),
    ("GROUPS frame", "0A000"),
    ("frame ", "42P20"),
    ("role name", "42939"),
    ("constraints cannot be altered", "0A000"),
    ("constraints cannot be marked", "0A000"),
    ("identifier too long", "42622"),
];

fn sqlstate_of(message: &str) -> &'static str {
    let known = OTHER_STATES
        .iter()
        .find(|(beginning, _)| message.starts_with(beginning));
    known.map_or("42601", |(_, state)| state)
}

/// The longest text whose lists of mixed kinds are copied: the copy is made by recursion on the C side.
const COPIED_BYTES_MAX: usize = 16 * 1024;

/// Visits a list whose elements are of other kinds than the parser's wrapper says.
pub(super) fn each_loosely(
    text: &str,
    list: &CastNodeList<RangeVar>,
    mut visit: impl FnMut(Node<'_>),
) -> Result<(), Rejection> {
    if text.len() > COPIED_BYTES_MAX {
        return Err(Rejection::TooLarge {
            limit: "bytes for a statement of this kind",
            limit_count: COPIED_BYTES_MAX,
        });
    }
    pg_raw_parse::make::owned(|memory| {
        let copy = memory.make_unique(list).uncast();
        if let Node::NodeList(nodes) = copy.as_ref() {
            nodes.iter().for_each(&mut visit);
        }
        memory.make_string(None)
    });
    Ok(())
}
