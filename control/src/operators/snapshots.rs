//! Snapshots: the one in force, the history of all, and the way back to one.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use serde_json::{Value, json};

use super::parameters::{Id, Parameters};
use super::problem::Problem;
use super::{Because, Operators};
use crate::audit::export::time;
use crate::snapshots::Change;
use crate::store::snapshots::{Kept, Version};

/// `GET /v1/snapshot`: the one in force, and what is wrong with the resources if something is.
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

/// `GET /v1/snapshots`: who changed what when and why, newest first.
pub async fn list(
    State(operators): State<Operators>,
    mut parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    let before = parameters.number("after")?;
    let versions_max = parameters.limit(&operators.limits)?;
    parameters.nothing_else()?;
    let versions = operators.store.versions(before, versions_max).await?;
    let last = versions.last().filter(|_| versions.len() == versions_max);
    let next = last.map(|version| version.number.to_string());
    let versions: Vec<Value> = versions.iter().map(export).collect();
    Ok(Json(json!({ "snapshots": versions, "next": next })))
}

/// `GET /v1/snapshots/{number}`: with the files that it was read from.
pub async fn one(
    State(operators): State<Operators>,
    Id(number): Id,
    parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    parameters.nothing_else()?;
    let kept = operators.kept(&number).await?;
    let mut answer = export(&kept.made);
    if let Some(members) = answer.as_object_mut() {
        members.insert("files".to_owned(), json!(kept.sources.files));
    }
    Ok(Json(answer))
}

/// `POST /v1/snapshots/{number}/restore`: its files are applied again, as a new snapshot. What is revoked stays so.
pub async fn restore(
    State(operators): State<Operators>,
    Id(number): Id,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let reason = Because::read(body)?;
    let kept = operators.kept(&number).await?;
    if kept.sources.files.is_empty() {
        return Err(Problem::conflict(format!(
            "the files of snapshot {number} were not kept"
        )));
    }
    let change = Change::Apply {
        files: kept.sources.files.clone(),
        over: None,
    };
    let (_, answer) = operators.change(change, reason).await?;
    Ok(Json(answer))
}

impl Operators {
    async fn kept(&self, number: &str) -> Result<Kept, Problem> {
        let parsed = number.parse();
        let parsed = parsed.map_err(|_| Problem::bad_request("a snapshot is named by its number"))?;
        let kept = self.store.snapshot(parsed).await?;
        kept.ok_or_else(|| Problem::not_found(format!("snapshot {number} is not known, or no longer kept")))
    }
}

fn export(version: &Version) -> Value {
    json!({
        "number": version.number,
        "made": time(version.made_at_ms.saturating_mul(1000)),
        "by": version.author,
        "reason": version.reason,
        "change": version.change,
        "sources": version.sources,
    })
}
