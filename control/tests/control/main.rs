//! The control plane through its doors, one file per promise. One program, so that it is linked once.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that panics has done its work"
)]

mod changes;
mod exactly_once;
mod floors;
mod house;
mod limits;
mod operators;
mod snapshots;
mod support;
mod witness;
