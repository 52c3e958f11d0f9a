//! Writes down the counted refusals of strangers, while the spool has more than half its room.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use postern_link::wire::Kind;

use crate::audit::{self, Audit};
use crate::shared::Shared;

const TELL_INTERVAL: Duration = Duration::from_secs(1);

pub async fn run(shared: Arc<Shared>, audit: Rc<Audit>) {
    let mut interval = tokio::time::interval(TELL_INTERVAL);
    loop {
        interval.tick().await;
        // Otherwise they stay in their table, where they only count up.
        if !audit.has_room_for_strangers(shared.limits.spool_bytes_max / 2) {
            continue;
        }
        for record in shared.strangers.drain() {
            if let Err(error) = audit.note(Kind::Strangers, &[&audit::part(&record)]) {
                tracing::debug!(%error, "counted strangers could not be recorded");
            }
        }
    }
}
