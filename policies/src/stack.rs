//! Room for recursion: Cedar reads, validates and converts a rule one level deeper for each of its operators.

use std::io::Error;
use std::panic::resume_unwind;
use std::thread::{Builder, scope};

/// Without optimisation Cedar needs up to 100 kB for a level. What is not touched costs nothing.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Does the work on a thread whose stack the deepest rule fits, whatever the caller's is.
pub(crate) fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Error> {
    scope(|scope| {
        let thread = Builder::new().name("policies".to_owned()).stack_size(STACK_BYTES);
        let working = thread.spawn_scoped(scope, work)?;
        Ok(working.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}
