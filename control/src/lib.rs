//! The control plane: takes the records of gateways and keeps them so that they cannot be quietly changed,
//! tells gateways what to decide by, and shows both to operators.
//!
//! [`start`] builds every part once, in order, and returns what a caller needs to reach them. Modules import
//! only what stands above them in this list:
//!
//! * words: [`config`], [`keys`], [`findings`], [`sources`], [`tasks`]
//! * [`store`], the only code that knows there is a database, and [`audit`], the log it indexes
//! * what gateways are told: [`snapshots`], [`orders`]
//! * wires and doors: [`tls`], [`listener`], [`gateways`], [`operators`]
//! * the house: [`control`]

// Blank lines keep the floors apart: the formatter sorts only between them.
pub mod config;
pub mod findings;
pub mod keys;
pub mod sources;
pub mod tasks;

pub mod store;

pub mod audit;

pub mod orders;
pub mod snapshots;

pub mod tls;

pub mod listener;

pub mod gateways;

pub mod operators;

pub mod control;

pub use config::Config;
pub use control::{Error, Running, start};
