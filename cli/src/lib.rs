//! The words people type. It does no work itself: it starts the two planes, or asks one of them.
//!
//! [`arguments`] is every command there is; [`command`] runs one. What both need:
//!
//! * [`trouble`]: what went wrong, what to do next, and the exit code
//! * [`output`]: tables, JSON, YAML and names, with nothing in them that a terminal would obey
//! * [`config`]: `postern.yaml`, with the place of every mistake
//! * [`door`]: one question to an operators' or admin door
//!
//! Then one file a noun, as on every floor: [`sessions`], [`audit`] with [`evidence`] and [`export`], [`can`],
//! [`explain`], [`check`], [`catalogue`], [`resources`], [`changes`], [`policy`], [`revocations`], [`planes`]. [`dev`] is everything on one machine, and its parts serve the tests too.

pub mod arguments;
pub mod audit;
pub mod can;
pub mod catalogue;
pub mod changes;
pub mod check;
pub mod command;
pub mod config;
pub mod dev;
pub mod door;
pub mod evidence;
pub mod explain;
pub mod export;
pub mod output;
pub mod planes;
pub mod policy;
pub mod resources;
pub mod revocations;
pub mod sessions;
pub mod trouble;
