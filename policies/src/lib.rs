//! What workloads may do: the Cedar schema, the indexed policy set, the one function that decides.
//!
//! Pure: no I/O, no clock, nothing async. Start with `PolicySet::load`, then `PolicySet::slice` once
//! per identity, then `Slice::decide` once per effect.

mod answer;
mod facts;
mod fault;
mod identifier;
mod library;
mod load;
pub mod path;
mod question;
mod reach;
mod reads;
mod rule;
mod set;
mod slice;
mod stack;
mod text;
mod vocabulary;

pub use answer::{Answer, Reason, RuleId};
pub use fault::{LOAD_ERRORS_MAX, LoadError};
pub use identifier::entity_id;
pub use library::{Grantee, LibrarySet, Link, library};
pub use load::{RULES_MAX, Source};
pub use question::{Context, Question, Resource, Run};
pub use reads::ReadSet;
pub use set::PolicySet;
pub use slice::Slice;
pub use text::{RULE_BYTES_MAX, RULE_IFS_MAX, RULE_NESTING_MAX, RULE_OPERATORS_MAX};
pub use vocabulary::{Attribute, SCHEMA};
