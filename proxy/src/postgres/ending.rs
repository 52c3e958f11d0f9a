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
        by_address
            .entry(ending.gateway_dial.address.clone())
            .or_default()
            .push(ending);
    }
    for (_, endings) in by_address {
        let terminated = terminate(&endings, limits).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "backends could not be terminated");
            Vec::new()
        });
        // A cancel needs no right but the key, and the key is of this backend only.
        for ending in endings
            .iter()
            .filter(|ending| !terminated.contains(&ending.cancelable.backend_pid))
        {
            match cancel(&ending.cancelable, limits).await {
                Ok(()) => tracing::warn!("a backend was cancelled, for want of the right to terminate it"),
                Err(error) => tracing::warn!(%error, "a backend could not be cancelled either"),
            }
        }
    }
}

/// Returns the process ids that were terminated. Seeing when others' backends started takes the role
/// `pg_read_all_stats`, and ending them `pg_signal_backend`.
async fn terminate(endings: &[Ending], limits: &Limits) -> Result<Vec<i32>, connect::Error> {
    let Some(first) = endings.first() else {
        return Ok(Vec::new());
    };
    let pairs: Vec<String> = endings
        .iter()
        .filter_map(|ending| ending.cancelable.live.backend())
        .map(|backend| format!("({}, '{}')", backend.pid, backend.started.replace('\'', "''")))
        .collect();
    let mut connected = connect::connect(&first.gateway_dial, limits).await?;
    // AND has no order in SQL: the server may ask the cheaper half first, and end everybody's backends.
    let question = format!(
        "SELECT a.pid FROM pg_catalog.pg_stat_activity a \
         WHERE CASE WHEN (a.pid, pg_catalog.date_part('epoch', a.backend_start)::pg_catalog.text) IN ({}) \
         THEN pg_catalog.pg_terminate_backend(a.pid) ELSE false END",
        pairs.join(", ")
    );
    let rows = connected.wire.ask(&question).await?;
    connected.wire.goodbye().await;
    Ok(rows
        .into_iter()
        .filter_map(|row| row.first()?.as_ref()?.parse().ok())
        .collect())
}
