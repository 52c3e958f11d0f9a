//! Fetches token issuers' keys before they are needed.

use std::sync::Arc;
use std::time::Duration;

use crate::shared::Shared;

const LOOK_INTERVAL: Duration = Duration::from_secs(10);

pub async fn run(shared: Arc<Shared>) {
    loop {
        shared.identities.refresh_keys().await;
        let _ = tokio::time::timeout(LOOK_INTERVAL, shared.identities.keys_wanted()).await;
    }
}
