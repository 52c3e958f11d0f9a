//! SQL text and a reading in, effects out.
//!
//! [`analyse`] says what a text would do to which objects, as PostgreSQL itself would read it under the given
//! [`Reading`], or refuses: whatever it does not know is not understood. It does no I/O and reads no clock.
//!
//! Start at [`effect`] for what comes out and at [`catalogue`] for what goes in. `grammar` holds the one parser and
//! the visitor over its tree. `names` decides which object a name means, `declared` what earlier statements of the same
//! text made of that, `scope` which relation a column belongs to; `ledger` collects what was touched. [`routines`],
//! [`settings`], `built_in`, `parameters` and `differences` are knowledge about PostgreSQL, mostly data. [`redact()`] needs no parser.

mod built_in;
pub mod catalogue;
mod declared;
mod differences;
pub mod effect;
mod grammar;
mod ledger;
mod lexer;
mod names;
mod parameters;
pub mod redact;
pub mod routines;
mod scope;
pub mod settings;

pub use catalogue::{Catalogue, Relation, RelationKind, Schema};
pub use effect::{Action, Analysis, Change, Detail, Discard, Effect, Object, Scope, SettingValue, Statement};
pub use redact::redact;
pub use routines::Class;

/// The longest text that is analysed.
pub const STATEMENT_BYTES_MAX: usize = 1024 * 1024;
/// Queries within queries, joins within joins, definitions within definitions.
pub const NESTING_MAX: usize = 100;
/// Nodes of one text that are looked at.
pub const NODES_MAX: usize = 3_000_000;
/// Steps that PostgreSQL's scanner may take over signs in a row: it looks at the rest of a row again for each comment
/// that opens and each sign that it takes off, so its work grows with the square of their number.
pub const SIGN_STEPS_MAX: usize = 20_000_000;
/// Statements in one text.
pub const STATEMENTS_MAX: usize = 10_000;

/// What fixes the meaning of a text.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    pub catalogue: &'a Catalogue,
    /// As `current_schemas(true)` gives it on this connection, implicit schemas included, in search order.
    pub search_path: &'a [String],
    /// The current role.
    pub role: &'a str,
    pub standard_conforming_strings: bool,
}

/// Why a text has no analysis.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// PostgreSQL's own parser refuses it, in its own words.
    #[error("{message}")]
    Syntax {
        message: String,
        /// Counted in characters from 1; `None` where the parser does not tell.
        position: Option<usize>,
        sqlstate: &'static str,
    },
    /// It parses, but what it does cannot be told.
    #[error("{what}")]
    NotUnderstood { what: String, position: Option<usize> },
    #[error("the text has more than {limit_count} {limit}")]
    TooLarge { limit: &'static str, limit_count: usize },
}

impl Rejection {
    pub(crate) fn not_understood(what: impl Into<String>) -> Self {
        Self::NotUnderstood {
            what: what.into(),
            position: None,
        }
    }

    pub(crate) fn moved(name: &str) -> Self {
        Self::not_understood(format!(
            "`{name}` may mean another object after what this text did before it: send it as a text of its own"
        ))
    }
}

/// The same of a text whose parameters have these types, by number, as a Parse message gives them.
pub fn analyse_typed(text: &str, reading: &Reading<'_>, types: &[u32]) -> Result<Analysis, Rejection> {
    let mut analysis = analyse(text, reading)?;
    parameters::add(&mut analysis, reading, types)?;
    Ok(analysis)
}

/// Says what a text would do, or why that cannot be told.
pub fn analyse(text: &str, reading: &Reading<'_>) -> Result<Analysis, Rejection> {
    grammar::analyse(text, reading)
}
