//! The whole system started for real, once for all tests of a binary: a PostgreSQL cluster, a CI issuer,
//! both planes as the real `postern` binary, and clients that speak to it.
//!
//! [`World::shared`] is the house most tests visit; [`World::start`] builds one of its own for tests that
//! break something. Nothing stays behind: a watcher ends the binary and removes the folder with this process.

pub mod api;
pub mod between;
mod clients;
mod doors;
pub mod faults;
mod files;
pub mod frames;
mod ground;
pub mod hostile;
pub mod load;
pub mod peer;
pub mod raw;
pub mod rustls_connect;
pub mod slow;
mod world;

pub use clients::{Heard, Login, claim, heard, repository_id};
pub use doors::field;
pub use files::{Planes, Server, Wishes};
pub use ground::{create_database, create_database_with, create_empty_database, installed};
pub use world::{AUDIENCE, PATIENCE, Plane, World, binary};
