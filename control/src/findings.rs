//! Which findings were recorded already, so that a repeated one does not fill the log.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

const REMEMBERED_MAX: usize = 10_000;

/// The findings of late; the oldest are forgotten.
#[derive(Debug, Default)]
pub struct Findings {
    known: Mutex<(HashSet<String>, VecDeque<String>)>,
}

impl Findings {
    /// Whether this was not said before, which it is from now on.
    pub fn is_new(&self, finding: String) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (set, order) = &mut *known;
        if !set.insert(finding.clone()) {
            return false;
        }
        order.push_back(finding);
        if order.len() > REMEMBERED_MAX
            && let Some(oldest) = order.pop_front()
        {
            set.remove(&oldest);
        }
        true
    }
}
