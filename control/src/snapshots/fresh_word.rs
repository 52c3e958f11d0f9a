//! Fresh words: proof that whoever shows one has heard what is current.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use postern_link::wire::FreshWord;
use tokio::sync::watch;

use super::Snapshots;
use crate::keys::SigningKey;
use crate::tasks::Stop;

/// The bytes that a fresh word's signature is over.
pub fn signed_text(snapshot_number: u64, time_ms: i64) -> String {
    format!("postern fresh word\n{snapshot_number}\n{time_ms}\n")
}

/// Signs a word at every interval, and at once for a new snapshot.
pub async fn run(
    key: Arc<SigningKey>,
    snapshots: Snapshots,
    word: watch::Sender<Option<FreshWord>>,
    interval: Duration,
    mut stop: Stop,
) {
    let mut changes = snapshots.changes();
    loop {
        let current = changes.borrow_and_update().clone();
        if let Some(current) = current {
            let (snapshot_number, time_ms) = (current.snapshot.number, Timestamp::now().as_millisecond());
            let signature = key.sign(signed_text(snapshot_number, time_ms).as_bytes());
            word.send_replace(Some(FreshWord {
                snapshot_number,
                time_ms,
                signature,
            }));
        }
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            changed = changes.changed() => if changed.is_err() { return },
            () = stop.asked() => return,
        }
    }
}
