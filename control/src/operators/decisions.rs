//! Decisions: everything that explains one.

use axum::Json;
use axum::extract::{Path, State};
use postern_link::record::RecordId;
use postern_link::snapshot::Snapshot;
use serde_json::{Value, json};

use super::Operators;
use super::parameters::Parameters;
use super::problem::Problem;

/// `GET /v1/decisions/{id}`: the record with its outcome, and its rules as they stood then.
pub async fn one(
    State(operators): State<Operators>,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    parameters.nothing_else()?;
    let parsed: RecordId = id.parse().map_err(|_| {
        Problem::bad_request(format!(
            "`{id}` is not a decision id: it has the form `gateway.worker.epoch.number`"
        ))
    })?;
    operators
        .store
        .caught_up(operators.audit.head().checkpoint.size)
        .await?;
    let judged = operators.store.record(parsed).await?;
    let judged = judged.ok_or_else(|| Problem::not_found(format!("no decision `{id}` is known")))?;
    let record = operators.read(judged).await?;
    let number = record.get("policy_epoch").and_then(Value::as_u64);
    let kept = match number {
        Some(number) => operators.store.snapshot(number).await?,
        None => None,
    };
    let snapshot: Option<Snapshot> = kept.and_then(|kept| serde_json::from_slice(&kept.json).ok());
    let rules = record.get("rules").and_then(Value::as_array);
    let rules: Vec<Value> = rules
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|rule| explained(rule, snapshot.as_ref()))
        .collect();
    let snapshot = snapshot.map(|snapshot| {
        let made = crate::audit::export::time(snapshot.made_at_ms.saturating_mul(1000));
        json!({ "number": snapshot.number, "made": made })
    });
    Ok(Json(
        json!({ "decision": record, "rules": rules, "snapshot": snapshot }),
    ))
}

/// A rule with the policy file that holds it. A rule's name begins with its file's.
fn explained(rule: &str, snapshot: Option<&Snapshot>) -> Value {
    let policies = snapshot
        .map(|snapshot| snapshot.policies.as_slice())
        .unwrap_or_default();
    let within = |name: &str| {
        rule.strip_prefix(name)
            .is_some_and(|rest| !rest.starts_with(|letter: char| letter.is_alphanumeric()))
    };
    let file = policies
        .iter()
        .filter(|policy| within(&policy.name))
        .max_by_key(|policy| policy.name.len());
    match file {
        Some(policy) => json!({ "rule": rule, "file": policy.name, "text": policy.text }),
        None => json!({ "rule": rule }),
    }
}
