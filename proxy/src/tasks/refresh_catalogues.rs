//! Reads the targets' catalogues again, in time or when a session has seen something newer.

use std::sync::Arc;
use std::time::Duration;

use crate::postgres::Shared;

const LOOK_INTERVAL: Duration = Duration::from_secs(1);

pub async fn run(shared: Arc<Shared>) {
    loop {
        // Whichever comes first; both mean the same look.
        let _ = tokio::time::timeout(LOOK_INTERVAL, shared.catalogues.wanted()).await;
        shared.catalogues.refresh_due(&shared.limits).await;
    }
}
