//! The control plane: takes the records of gateways and keeps them so that they cannot be quietly changed,
//! tells gateways what to decide by, and shows both to operators.
//!
//! [`start`] builds every part once, in order, and returns what a caller needs to reach them. Modules import
//! only what stands above them in this list:
//!
//! * words: [`config`], [`keys`], [`findings`], [`tasks`]
//! * [`store`], the only code that knows there is a database, and [`audit`], the log it indexes
//! * what gateways are told: [`snapshots`], [`orders`]
//! * wires and doors: [`tls`], [`listener`], [`gateways`], [`operators`]
//! * the house: [`control`]

pub mod audit;
pub mod config;
pub mod control;
pub mod findings;
pub mod gateways;
pub mod keys;
pub mod listener;
pub mod operators;
pub mod orders;
pub mod snapshots;
pub mod store;
pub mod tasks;
pub mod tls;

pub use config::Config;
pub use control::{Error, Running, start};
