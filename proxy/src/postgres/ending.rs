//! Ending the backends of sessions that were ended: by the gateway's own login, else by a cancel.

use std::collections::HashMap;

use crate::config::Limits;

use super::cancel::{Cancelable, cancel};
use super::connect::{self, Dial};

/// A backend that must not go on.
#[derive(Debug)]
pub struct Ending {
    pub gateway_dial: Dial,
    pub cancelable: Cancelable,
}

/// Ends all of them with one question a target; a pid counts only with the start time of its backend.
pub async fn end_backends(endings: Vec<Ending>, limits: &Limits) {
    let mut by_address: HashMap<String, Vec<Ending>> = HashMap::new();
    for ending in endings {
        by_address.entry(ending.gateway_dial.address.clone()).or_default().push(ending);
    }
    for (_, endings) in by_address {
        if let Err(error) = terminate(&endings, limits).await {
            tracing::warn!(%error, "backends could not be terminated; their statements are cancelled instead");
            for ending in &endings {
                if let Err(error) = cancel(&ending.cancelable, limits).await {
                    tracing::warn!(%error, "a backend could not be cancelled either");
                }
            }
        }
    }
}

async fn terminate(endings: &[Ending], limits: &Limits) -> Result<(), connect::Error> {
    let Some(first) = endings.first() else { return Ok(()) };
    let pairs: Vec<String> = endings
        .iter()
        .filter_map(|ending| ending.cancelable.live.backend())
        .map(|backend| format!("({}, '{}')", backend.pid, backend.started.replace('\'', "''")))
        .collect();
    let mut connected = connect::connect(&first.gateway_dial, limits).await?;
    let question = format!(
        "SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a \
         WHERE (a.pid, pg_catalog.date_part('epoch', a.backend_start)::pg_catalog.text) IN ({})",
        pairs.join(", ")
    );
    connected.wire.ask(&question).await?;
    connected.wire.goodbye().await;
    Ok(())
}
