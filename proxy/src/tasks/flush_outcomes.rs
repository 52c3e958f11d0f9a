//! Writes outcomes that found no intent to share a write with.

use std::rc::Rc;
use std::time::Duration;

use crate::audit::Audit;

const FLUSH_INTERVAL: Duration = Duration::from_millis(10);

pub async fn run(audit: Rc<Audit>) {
    let mut interval = tokio::time::interval(FLUSH_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if audit.flush().is_err() {
            tracing::debug!("outcomes wait until the spool can be written");
        }
    }
}
