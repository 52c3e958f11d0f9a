//! Reads the targets' catalogues again, in time or when a session has seen something newer.

use std::sync::Arc;
use std::time::Duration;

use crate::postgres::Postgres;

const LOOK_INTERVAL: Duration = Duration::from_secs(1);

pub async fn run(postgres: Arc<Postgres>) {
    loop {
        // Whichever comes first; both mean the same look.
        let _ = tokio::time::timeout(LOOK_INTERVAL, postgres.catalogues.wanted()).await;
        postgres.catalogues.refresh_due(&postgres.shared.limits).await;
    }
}
