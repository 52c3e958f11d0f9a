//! Revocations: what is stopped until it is lifted, everywhere and through every restart.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use postern_link::snapshot::{Revocation, Revoked};
use serde::Deserialize;
use serde_json::{Value, json};

use super::parameters::{Id, Parameters};
use super::problem::Problem;
use super::{Because, Operators};
use crate::audit::export::time;
use crate::snapshots::{Change, Made};

/// `GET /v1/revocations`: all that hold, oldest first.
pub async fn list(
    State(operators): State<Operators>,
    parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    parameters.nothing_else()?;
    let revocations: Vec<Value> = operators.snapshots.revoked().iter().map(export).collect();
    Ok(Json(json!({ "revocations": revocations })))
}

/// What `POST /v1/revocations` takes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    of: Revoked,
    reason: String,
}

/// `POST /v1/revocations`: holds when it is answered, at every gateway that is not told as `behind`.
pub async fn revoke(
    State(operators): State<Operators>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let shape = "an object with `reason` and `of`, which is an object with one of `workload`, `issuer`, `target`, \
                 `session`, `network` (each a text), `certificate` (`trust_domain`, `serial`), `key` (`issuer`, \
                 `key_id`) and `run` (`issuer`, `run_id`)";
    let Revoke { of, reason } = super::read_body(body, shape)?;
    let (made, answer) = operators.change(Change::Revoke(of), reason).await?;
    let status = if made.is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(with_revocation(made, answer))))
}

/// `POST /v1/revocations/{id}/lift`
pub async fn lift(
    State(operators): State<Operators>,
    Id(id): Id,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let reason = Because::read(body)?;
    let (made, answer) = operators.change(Change::Lift(id), reason).await?;
    Ok(Json(with_revocation(made, answer)))
}

fn with_revocation(made: Made, mut answer: Value) -> Value {
    if let (Some(revocation), Some(members)) = (made.revocation, answer.as_object_mut()) {
        members.insert("revocation".to_owned(), export(&revocation));
    }
    answer
}

fn export(revocation: &Revocation) -> Value {
    json!({
        "id": revocation.id,
        "of": revocation.of,
        "reason": revocation.reason,
        "by": revocation.by,
        "at": time(revocation.at_ms.saturating_mul(1000)),
    })
}
