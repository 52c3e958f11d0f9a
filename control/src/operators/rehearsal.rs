//! The rehearsed policies: where they would have answered otherwise than those in force.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Operators;
use super::parameters::Parameters;
use super::problem::Problem;
use crate::audit::export::time;
use crate::store::differences::{Difference, Filter};

/// `GET /v1/rehearsal`: by workload and what it asked for, the most frequent first; since the files in force are so,
/// if `since` says nothing else.
pub async fn differences(
    State(operators): State<Operators>,
    mut parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    let since_us = parameters.time_us("since")?;
    let (workload, target) = (parameters.text("workload"), parameters.text("target"));
    let differences_max = parameters.limit(&operators.limits)?;
    parameters.nothing_else()?;
    let Some(current) = operators.snapshots.current() else {
        return Err(Problem::not_found("there are no policies yet"));
    };
    let since_us = match since_us {
        Some(since_us) => since_us,
        None => {
            let sources = current.sources.digest.clone();
            let since_ms = operators.store.in_force_since(sources, current.snapshot.number);
            since_ms.await?.saturating_mul(1000)
        }
    };
    let size = operators.audit.head().checkpoint.size;
    operators.store.caught_up(size).await?;
    let filter = Filter {
        workload,
        target,
        since_us,
        differences_max,
    };
    let differences = operators.store.differences(filter).await?;
    Ok(Json(json!({
        "rehearsing": current.snapshot.rehearsed.is_some(),
        "since": time(since_us),
        "differences": differences.iter().map(export).collect::<Vec<Value>>(),
    })))
}

fn export(difference: &Difference) -> Value {
    let said = |permitted: bool| if permitted { "permitted" } else { "refused" };
    json!({
        "workload": difference.workload,
        "target": difference.target,
        "in_force": said(difference.permitted),
        "rehearsed": said(!difference.permitted),
        "refusal": difference.refusal,
        "count": difference.count,
        "first": time(difference.first_us),
        "last": time(difference.last_us),
        "last_cursor": difference.last_index.to_string(),
    })
}
