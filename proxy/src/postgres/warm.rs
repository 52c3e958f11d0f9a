//! Upstream connections that wait: left by plain sessions and reset, or opened ahead.
//!
//! A connection serves again only the workload, role and database it was made for, and only under the
//! snapshot and the reading of credentials it was made under: when anything changes, all of them die. Each worker keeps its own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::authorize::Place;
use crate::config::Limits;

use super::connect::{self, Connected, Dial, Error};

/// What a waiting connection may serve.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub workload: String,
    pub place: Place,
    pub snapshot: u64,
    pub credentials: u64,
}

/// A connection, with what a reset brings it back to.
#[derive(Debug)]
pub struct Opened {
    pub connected: Connected,
    /// The name it was opened with.
    pub application_name: String,
    pub at: Instant,
}

/// Opens a new one.
pub async fn open(dial: &Dial, limits: &Limits) -> Result<Opened, Error> {
    Ok(Opened {
        connected: connect::connect(dial, limits).await?,
        application_name: dial.application_name.clone(),
        at: Instant::now(),
    })
}

#[derive(Debug)]
struct Kept {
    waiting: Vec<Opened>,
    dial: Dial,
    used: Instant,
}

/// One worker's waiting connections.
#[derive(Debug, Default)]
pub struct Warm {
    kept: RefCell<HashMap<Key, Kept>>,
    wanted: Notify,
}

impl Warm {
    /// A connection that waits for this key and still lives.
    pub fn take(&self, key: &Key, dial: &Dial, limits: &Limits) -> Option<Opened> {
        let mut kept = self.kept.borrow_mut();
        // Whatever was made under an older snapshot, or with an older secret, serves nobody any more.
        kept.retain(|known, _| known.snapshot >= key.snapshot && known.credentials >= key.credentials);
        let entry = kept.entry(key.clone());
        let entry = entry.or_insert_with(|| Kept {
            waiting: Vec::new(),
            dial: dial.clone(),
            used: Instant::now(),
        });
        entry.used = Instant::now();
        entry.dial = dial.clone();
        let age_max = Duration::from_secs(limits.upstream_age_seconds_max);
        let found = std::iter::from_fn(|| entry.waiting.pop())
            .find(|waiting| waiting.at.elapsed() < age_max && waiting.connected.wire.is_alive());
        if entry.waiting.is_empty() {
            self.wanted.notify_one();
        }
        found
    }

    /// Keeps a connection that has been reset, if there is room.
    pub fn give(&self, key: &Key, opened: Opened, limits: &Limits) {
        let mut kept = self.kept.borrow_mut();
        let of_target = kept
            .iter()
            .filter(|(known, _)| known.place.target == key.place.target);
        let of_target: usize = of_target.map(|(_, entry)| entry.waiting.len()).sum();
        let Some(entry) = kept.get_mut(key) else { return };
        if of_target < limits.warm_per_target_max && entry.waiting.len() < limits.warm_per_key_max {
            entry.waiting.push(opened);
        }
    }

    /// Opens ahead what was used lately and has nothing waiting; forgets what was not.
    pub async fn open_ahead(&self, limits: &Limits) {
        self.wanted.notified().await;
        let idle_max = Duration::from_secs(limits.warm_idle_seconds_max);
        let wanted: Vec<(Key, Dial)> = {
            let mut kept = self.kept.borrow_mut();
            kept.retain(|_, entry| entry.used.elapsed() < idle_max);
            let empty = kept.iter().filter(|(_, entry)| entry.waiting.is_empty());
            empty
                .map(|(key, entry)| (key.clone(), entry.dial.clone()))
                .collect()
        };
        for (key, dial) in wanted {
            match open(&dial, limits).await {
                Ok(opened) => self.give(&key, opened, limits),
                Err(error) => {
                    tracing::debug!(target = key.place.target, %error, "no connection could be opened ahead")
                }
            }
        }
    }
}

/// Makes a plain session's connection as new. It must be idle with nothing unanswered.
pub async fn reset(connected: &mut Connected) -> Result<(), Error> {
    connected.wire.ask("DISCARD ALL").await?;
    // The next session is judged by what the server has now, not by what this one's startup had set.
    connected.ask_facts().await
}
