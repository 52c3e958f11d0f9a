//! Gateways: who is here, how they are, and how far their records are stored.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Operators;
use super::parameters::Parameters;
use super::problem::Problem;
use crate::audit::export::time;

/// `GET /v1/gateways`
pub async fn list(
    State(operators): State<Operators>,
    parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    parameters.nothing_else()?;
    let told_max = operators.limits.positions_told_max;
    let gateways: Vec<Value> = operators
        .gateways
        .all()
        .into_iter()
        .map(|gateway| {
            let stored = operators.audit.positions(&gateway.name, told_max);
            let stored: Vec<Value> = stored
                .iter()
                .map(|at| json!({ "worker": at.worker, "epoch": at.epoch.to_string(), "number": at.number }))
                .collect();
            let health = gateway.health.map(|health| {
                json!({
                    "sessions": health.sessions,
                    "spool_bytes": health.spool_bytes,
                    "snapshot_number": health.snapshot_number,
                })
            });
            json!({
                "name": gateway.name,
                "connected": gateway.connected,
                "build": gateway.build,
                "link_version": gateway.version,
                "since": time(gateway.since_ms.saturating_mul(1000)),
                "heard": time(gateway.heard_ms.saturating_mul(1000)),
                "health": health,
                "stored": stored,
            })
        })
        .collect();
    Ok(Json(json!({ "gateways": gateways })))
}
