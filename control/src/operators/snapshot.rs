//! The snapshot in force, and what is wrong with the resources if something is.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Operators;
use super::parameters::Parameters;
use super::problem::Problem;

/// `GET /v1/snapshot`
pub async fn current(
    State(operators): State<Operators>,
    parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    parameters.nothing_else()?;
    let trouble = operators.snapshots.trouble();
    let Some(current) = operators.snapshots.current() else {
        return Err(Problem::not_found(
            "there is no snapshot yet: see `/readyz?verbose`",
        ));
    };
    Ok(Json(json!({ "snapshot": current.snapshot, "trouble": *trouble })))
}
