//! Whether the control plane lives, and whether it does its work.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Operators;
use super::problem::Problem;

/// `GET /livez`
pub async fn live() -> &'static str {
    "ok\n"
}

/// `GET /readyz`, and with `?verbose` and the token what is amiss.
///
/// Wrong resources are amiss but leave it ready: the last good ones are in force.
pub async fn ready(State(operators): State<Operators>, request: Request) -> Result<Response, Problem> {
    let writable = operators.audit.is_writable();
    let snapshot = operators
        .snapshots
        .current()
        .map(|current| current.snapshot.number);
    let ready = writable && snapshot.is_some();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let verbose = request
        .uri()
        .query()
        .is_some_and(|query| query.split('&').any(|part| part == "verbose"));
    if !verbose {
        return Ok((status, if ready { "ok\n" } else { "not ready\n" }).into_response());
    }
    if !operators.knows(&request) {
        return Err(Problem::unauthenticated());
    }
    let size = operators.audit.head().checkpoint.size;
    let indexed = operators.store.indexed();
    let body = json!({
        "ready": ready,
        "log": { "writable": writable, "records": size },
        "index": { "records": indexed, "behind": size.saturating_sub(indexed) },
        "snapshot": { "number": snapshot, "trouble": *operators.snapshots.trouble() },
        "gateways": operators.gateways.connected(),
    });
    Ok((status, Json(body)).into_response())
}
