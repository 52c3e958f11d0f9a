//! Terminates the backends of sessions that were ended, all that wait at once.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::postgres::ending::{Ending, end_backends};
use crate::shared::Shared;

const AT_ONCE_MAX: usize = 1_000;

pub async fn run(shared: Arc<Shared>, mut endings: mpsc::Receiver<Ending>) {
    let mut waiting = Vec::new();
    while endings.recv_many(&mut waiting, AT_ONCE_MAX).await > 0 {
        end_backends(std::mem::take(&mut waiting), &shared.limits).await;
    }
}
