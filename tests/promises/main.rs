//! Every promise of the README, tried against the real binary, a real PostgreSQL and real clients.
//! One file a promise; all share one house, but for those that break theirs.

mod clients;
mod identity;
mod limits;
mod names;
mod policy;
mod protocol;
mod record;
mod refusal;
mod revocation;
mod rows;
mod secrets;
mod targets;
mod times;
