//! Gateways: who is here, how they are, and how far their records are stored.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Operators;
use super::parameters::Parameters;
use super::problem::Problem;
use crate::audit::export::time;
use crate::gateways::Gateway;

/// `GET /v1/gateways`: also those that have only left records, before this control plane started.
pub async fn list(
    State(operators): State<Operators>,
    parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    parameters.nothing_else()?;
    let here: BTreeMap<String, Gateway> = operators
        .gateways
        .all()
        .into_iter()
        .map(|gateway| (gateway.name.clone(), gateway))
        .collect();
    let mut names = operators.audit.gateways();
    names.remove(&*operators.name);
    names.extend(here.keys().cloned());
    let shown: Vec<Value> = names
        .iter()
        .map(|name| operators.show(name, here.get(name)))
        .collect();
    Ok(Json(json!({ "gateways": shown })))
}

impl Operators {
    fn show(&self, name: &str, gateway: Option<&Gateway>) -> Value {
        let stored = self.audit.positions(name, self.limits.positions_told_max);
        let stored: Vec<Value> = stored
            .iter()
            .map(|at| json!({ "worker": at.worker, "epoch": at.epoch.to_string(), "number": at.number }))
            .collect();
        let Some(gateway) = gateway else {
            return json!({ "name": name, "connected": false, "stored": stored });
        };
        let health = gateway.health.map(|health| {
            json!({
                "sessions": health.sessions,
                "spool_bytes": health.spool_bytes,
                "snapshot_number": health.snapshot_number,
            })
        });
        json!({
            "name": name,
            "connected": gateway.connected,
            "build": gateway.build,
            "link_version": gateway.version,
            "since": time(gateway.since_ms.saturating_mul(1000)),
            "heard": time(gateway.heard_ms.saturating_mul(1000)),
            "health": health,
            "stored": stored,
        })
    }
}
