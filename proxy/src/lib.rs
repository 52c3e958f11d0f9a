//! The gateway: every connection passes through here.
//!
//! Modules stand in floor order; each imports only from those above it. To follow one statement, read
//! `listener`, `postgres` (whose `mod.rs` is the whole life of a connection), `authorize`, `audit`.
//! `gateway` builds the house once and runs it.

// Words: import nothing from the crate.
pub mod config;
pub mod refusal;
// Who is calling.
pub mod identity;
pub mod session;
// May they.
pub mod audit;
pub mod authorize;
pub mod budgets;
pub mod fingerprints;
// Wires.
pub mod assertion;
pub mod control;
pub mod tls;
pub mod upstream;
// What all protocols stand on.
pub mod shared;
// Protocols.
pub mod http;
pub mod postgres;
// Life.
pub mod can;
pub mod health;
pub mod listener;
pub mod tasks;
// House.
pub mod gateway;
