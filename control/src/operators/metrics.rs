//! Figures for Prometheus, in its text format 0.0.4. No label has a value that a client could choose.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use super::Operators;
use super::parameters::Parameters;
use super::problem::Problem;

/// `GET /metrics`
pub async fn all(State(operators): State<Operators>, parameters: Parameters) -> Result<Response, Problem> {
    parameters.nothing_else()?;
    let records = operators.audit.head().checkpoint.size;
    let indexed = operators.store.indexed();
    let snapshot = operators.snapshots.current();
    let gateways = operators.gateways.all();
    let connected: Vec<_> = gateways.iter().filter(|gateway| gateway.connected).collect();
    let number = snapshot.map_or(0, |current| current.snapshot.number);
    let behind = connected.iter().filter(|gateway| {
        gateway
            .health
            .is_none_or(|health| health.snapshot_number < number)
    });
    let sessions = connected.iter().filter_map(|gateway| gateway.health);
    let figures = [
        (
            "postern_log_records_total",
            "counter",
            "Records in the audit log.",
            records,
        ),
        (
            "postern_log_writable",
            "gauge",
            "1 if the last record could be written.",
            u64::from(operators.audit.is_writable()),
        ),
        (
            "postern_index_behind_records",
            "gauge",
            "Records of the log that questions do not see yet.",
            records.saturating_sub(indexed),
        ),
        (
            "postern_snapshot_number",
            "gauge",
            "The snapshot in force.",
            number,
        ),
        (
            "postern_resources_mistakes",
            "gauge",
            "Mistakes in the resources folder, whose last good state stays.",
            operators.snapshots.trouble().len() as u64,
        ),
        (
            "postern_revocations",
            "gauge",
            "Revocations that hold.",
            operators.snapshots.revoked().len() as u64,
        ),
        (
            "postern_gateways_connected",
            "gauge",
            "Gateways that are here.",
            connected.len() as u64,
        ),
        (
            "postern_gateways_behind",
            "gauge",
            "Gateways that are here and do not decide by the snapshot in force.",
            behind.count() as u64,
        ),
        (
            "postern_sessions",
            "gauge",
            "Sessions at the gateways that are here, as they said last.",
            sessions.map(|health| u64::from(health.sessions)).sum(),
        ),
    ];
    let mut body = String::new();
    for (name, kind, help, figure) in figures {
        let _ = writeln!(
            body,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {figure}"
        );
    }
    let format = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, format)], body).into_response())
}
