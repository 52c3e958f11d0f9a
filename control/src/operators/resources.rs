//! Resources: the files of workloads, targets, issuers, grants and policies that are in force, and new ones.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use postern_link::resources::{File, is_read};
use serde::Deserialize;
use serde_json::json;

use super::Operators;
use super::parameters::Parameters;
use super::problem::Problem;
use crate::snapshots::Change;

/// `GET /v1/resources`: the files, with an `ETag` by which others are not written over.
pub async fn current(
    State(operators): State<Operators>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.nothing_else()?;
    let current = operators.snapshots.current();
    let current = current.ok_or_else(|| Problem::not_found("there are no resources yet: `postern apply`"))?;
    let tag = format!("\"{}\"", current.sources.digest);
    let body = json!({ "snapshot": current.snapshot.number, "files": current.sources.files });
    Ok(([(header::ETAG, tag)], Json(body)).into_response())
}

/// What `PUT /v1/resources` takes: all files there shall be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Apply {
    files: Vec<File>,
    #[serde(default)]
    reason: String,
}

/// `PUT /v1/resources`: all of it or nothing. With `dry_run=true` nothing is changed, and every mistake told.
pub async fn apply(
    State(operators): State<Operators>,
    mut parameters: Parameters,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let dry_run = parameters.truth("dry_run")?.unwrap_or(false);
    parameters.nothing_else()?;
    let shape = "an object with `reason` and `files`, a list of objects with `name` and `text`";
    let Apply { files, reason } = super::read_body(body, shape)?;
    operators.check_files(&files)?;
    if dry_run {
        let snapshot = operators.snapshots.check(files).await?;
        let counts = json!({
            "workloads": snapshot.workloads.len(),
            "targets": snapshot.targets.len(),
            "issuers": snapshot.issuers.len(),
            "grants": snapshot.grants.len(),
            "policies": snapshot.policies.len(),
        });
        return Ok(Json(json!({ "dry_run": true, "resources": counts })).into_response());
    }
    let change = Change::Apply {
        files,
        over: over(&headers)?,
    };
    let (_, answer) = operators.change(change, reason).await?;
    Ok(Json(answer).into_response())
}

/// The tag of the one version that `If-Match` names (RFC 9110, section 13.1.1).
fn over(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(given) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let tag = given
        .to_str()
        .ok()
        .and_then(|tag| tag.strip_prefix('"')?.strip_suffix('"'));
    let tag = tag.ok_or_else(|| Problem::bad_request("`If-Match` must be the `ETag` of `/v1/resources`"))?;
    Ok(Some(tag.to_owned()))
}

impl Operators {
    /// The same bounds as the folder has, and names that can be files again.
    fn check_files(&self, files: &[File]) -> Result<(), Problem> {
        if files.len() > self.limits.resources_files_max {
            let detail = format!("at most {} files are taken", self.limits.resources_files_max);
            return Err(Problem::bad_request(detail));
        }
        let bytes = files.iter().map(|file| file.text.len());
        let bytes = u64::try_from(bytes.sum::<usize>()).unwrap_or(u64::MAX);
        if bytes > self.limits.resources_bytes_max {
            let detail = format!(
                "at most {} bytes of files are taken",
                self.limits.resources_bytes_max
            );
            return Err(Problem::bad_request(detail));
        }
        let mut names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair.first() == pair.last()) {
            let detail = format!("file `{}` is given twice", twice.first().unwrap_or(&""));
            return Err(Problem::bad_request(detail));
        }
        match names.iter().find(|name| !is_safe(name)) {
            Some(name) => Err(Problem::bad_request(format!(
                "`{name}` is no name of a resource file: `.yaml`, `.yml`, `.cedar` or `.openapi.json`, below the folder"
            ))),
            None => Ok(()),
        }
    }
}

/// A path that stays below its folder, wherever it is written again, of a file that is one of ours.
fn is_safe(name: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.contains(['\\', ':'])
            && !part.contains(char::is_control)
    };
    name.split('/').all(plain) && is_read(name)
}
