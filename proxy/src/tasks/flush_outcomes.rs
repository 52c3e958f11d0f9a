//! Writes outcomes that found no intent to share a write with.

use std::rc::Rc;
use std::time::Duration;

use crate::audit::Audit;

const FLUSH_INTERVAL: Duration = Duration::from_millis(10);

pub async fn run(audit: Rc<Audit>) {
    let mut interval = tokio::time::interval(FLUSH_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        interval.tick().await;
        let failed = audit.flush().inspect_err(|error| {
            if !failing {
                tracing::error!(%error, "the spool cannot be written; requests are refused until it can");
            }
        });
        failing = failed.is_err();
    }
}
