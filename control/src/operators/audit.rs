//! The audit log itself: its newest checkpoint, and the proof that it is whole.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Operators;
use super::parameters::Parameters;
use super::problem::Problem;
use crate::audit::verify;

/// `GET /v1/audit/checkpoint`: the signed note, as C2SP has it.
pub async fn checkpoint(
    State(operators): State<Operators>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.nothing_else()?;
    let note = operators.audit.head().note.clone();
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response())
}

/// `POST /v1/audit/verify`: computes everything again, up to the newest checkpoint. One at a time.
pub async fn verify(
    State(operators): State<Operators>,
    parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    parameters.nothing_else()?;
    let busy = |_| Problem::unavailable("the log is being verified already");
    let permit = std::sync::Arc::clone(&operators.verifying)
        .try_acquire_owned()
        .map_err(busy)?;
    let (audit, head) = (operators.audit.clone(), operators.audit.head());
    let record_bytes_max = operators.limits.record_bytes_max;
    let size = head.checkpoint.size;
    let verified = tokio::task::spawn_blocking(move || {
        // Held to the end of the work, also when the operator has gone.
        let _permit = permit;
        verify::verify(
            audit.files().folder(),
            audit.verifier(),
            &[],
            Some(size),
            record_bytes_max,
        )
    });
    let report = verified
        .await
        .map_err(|_| Problem::ours("the verification was given up"))?;
    let report = report.map_err(|error| {
        tracing::error!(%error, "the audit log could not be verified");
        Problem::ours("the audit log cannot be read")
    })?;
    let mut told = report.to_json();
    if let Some(members) = told.as_object_mut() {
        let same = report.root == head.checkpoint.root;
        members.insert("good".to_owned(), json!(report.is_good() && same));
        members.insert("checkpoint".to_owned(), json!(head.note));
    }
    Ok(Json(told))
}
