//! What workloads may do: the Cedar schema, the indexed policy set, the one function that decides.
//!
//! Pure: no I/O, no clock, nothing async. Start with `PolicySet::load`, then `PolicySet::slice` once
//! per identity, then `Slice::decide` once per effect.

mod answer;
mod facts;
mod identifier;
mod library;
mod load;
mod question;
mod reads;
mod rule;
mod set;
mod slice;
mod vocabulary;

pub use answer::{Answer, Reason, RuleId};
pub use identifier::entity_id;
pub use library::{Grantee, LibrarySet, Link, library};
pub use load::{LOAD_ERRORS_MAX, LoadError, RULE_BYTES_MAX, RULES_MAX, Source};
pub use question::{Context, Question, Resource, Run};
pub use reads::ReadSet;
pub use set::PolicySet;
pub use slice::Slice;
pub use vocabulary::{Attribute, SCHEMA};
