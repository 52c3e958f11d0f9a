//! Records: lists by question, and a tail that waits for new ones.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use postern_link::record::RecordId;
use postern_link::wire::{Kind, Record};
use prost::Message as _;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::Operators;
use super::parameters::{Id, Parameters};
use super::problem::Problem;
use crate::audit::{Error, Files, export};
use crate::store::records::{Ending, Filter, Judged, Order};

/// `GET /v1/records`
pub async fn list(
    State(operators): State<Operators>,
    mut parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    let mut filter = filter(&mut parameters, &operators)?;
    let order = parameters.read("order", "`oldest` or `newest`", |text| match text {
        "oldest" => Some(Order::OldestFirst),
        "newest" => Some(Order::NewestFirst),
        _ => None,
    })?;
    filter.order = order.unwrap_or_default();
    parameters.nothing_else()?;
    operators
        .store
        .caught_up(operators.audit.head().checkpoint.size)
        .await?;
    let page = operators.page(filter).await?;
    Ok(answer(&page.records, page.next()))
}

/// `GET /v1/records/tail`: what is behind the cursor, or waits until something is. Without a cursor it
/// begins with the newest records there are.
pub async fn tail(
    State(operators): State<Operators>,
    mut parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    let mut filter = filter(&mut parameters, &operators)?;
    let wait_ms = parameters.number("wait_ms")?;
    parameters.nothing_else()?;
    let wait_ms_max = operators.limits.tail_wait_ms_max;
    let deadline = Instant::now() + Duration::from_millis(wait_ms.unwrap_or(wait_ms_max).min(wait_ms_max));
    let from_the_end = filter.after.is_none();
    if from_the_end {
        filter.order = Order::NewestFirst;
    }
    let mut heads = operators.audit.heads();
    let mut stop = operators.tasks.stop_signal();
    loop {
        let size = heads.borrow_and_update().checkpoint.size;
        operators.store.caught_up(size).await?;
        let page = operators.page(filter.clone()).await?;
        // Whatever was there when the question began has been looked at, unless the page was too small.
        let looked_at = size.checked_sub(1);
        if from_the_end {
            let newest = page.first.max(looked_at);
            let records: Vec<Value> = page.records.into_iter().rev().collect();
            return Ok(answer(&records, newest));
        }
        let next = if page.more {
            page.last
        } else {
            page.last.max(looked_at).max(filter.after)
        };
        if !page.records.is_empty() {
            return Ok(answer(&page.records, next));
        }
        filter.after = next;
        tokio::select! {
            changed = heads.changed() => if changed.is_err() { return Ok(answer(&[], next)) },
            () = tokio::time::sleep_until(deadline) => return Ok(answer(&[], next)),
            () = stop.asked() => return Ok(answer(&[], next)),
        }
    }
}

/// `GET /v1/records/{id}/proof`: that it is in the log, for who has only the log's key (C2SP `tlog-proof@v1`).
pub async fn proof(
    State(operators): State<Operators>,
    Id(id): Id,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.nothing_else()?;
    let parsed: RecordId = id
        .parse()
        .map_err(|_| Problem::bad_request(format!("`{id}` is not the id of a record")))?;
    let head = operators.audit.head();
    operators.store.caught_up(head.checkpoint.size).await?;
    let judged = operators.store.record(parsed.clone()).await?;
    let found = judged
        .map(|judged| judged.found)
        .filter(|found| found.index < head.checkpoint.size);
    let found = found.ok_or_else(|| Problem::not_found(format!("no record `{id}` is known")))?;
    let audit = operators.audit.clone();
    let proof = tokio::task::spawn_blocking(move || {
        audit
            .files()
            .proof(found.index, found.place, &head, audit.verifier())
    });
    let proof = proof
        .await
        .map_err(|_| Problem::ours("the answer was given up"))??;
    // The index said where it is, and the index can be changed.
    let record = Record::decode(proof.record.as_slice()).ok();
    if record.is_none_or(|record| RecordId::of(&record) != parsed) {
        return Err(Problem::ours(
            "the index names another record: run `postern audit verify`",
        ));
    }
    Ok((
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
        proof.to_text(),
    )
        .into_response())
}

fn filter(parameters: &mut Parameters, operators: &Operators) -> Result<Filter, Problem> {
    let kinds = parameters.read(
        "kind",
        &format!("one or more of {}", export::kind_names()),
        |text| {
            text.split(',')
                .map(export::kind_named)
                .collect::<Option<Vec<Kind>>>()
        },
    )?;
    Ok(Filter {
        workload: parameters.text("workload"),
        target: parameters.text("target"),
        session: parameters.bytes("session")?,
        gateway: parameters.text("gateway"),
        kinds: kinds.unwrap_or_default(),
        permitted: parameters.truth("permitted")?,
        since_us: parameters.time_us("since")?,
        until_us: parameters.time_us("until")?,
        text_contains: parameters.text("text"),
        order: Order::default(),
        after: parameters.number("after")?,
        records_max: parameters.limit(&operators.limits)?,
    })
}

fn answer(records: &[Value], next: Option<u64>) -> Json<Value> {
    Json(json!({ "records": records, "next": next.map(|next| next.to_string()) }))
}

/// A part of a list.
#[derive(Debug)]
pub struct Page {
    pub records: Vec<Value>,
    /// The log indexes of the first and the last of them.
    first: Option<u64>,
    last: Option<u64>,
    /// Whether there may be others behind the last.
    more: bool,
}

impl Page {
    /// The cursor behind the page; `None` at the end of the list.
    pub fn next(&self) -> Option<u64> {
        self.last.filter(|_| self.more)
    }
}

impl Operators {
    /// The records that a filter finds, read from the log itself, up to the bytes that a page may have.
    pub async fn page(&self, filter: Filter) -> Result<Page, Problem> {
        let records_max = filter.records_max;
        let found = self.store.records(filter).await?;
        let (files, bytes_max) = (self.audit.files().clone(), self.limits.page_bytes_max);
        let read = move || {
            let more = found.len() == records_max;
            let mut page = Page {
                records: Vec::new(),
                first: None,
                last: None,
                more,
            };
            let mut bytes = 0;
            for judged in &found {
                let (record, record_bytes) = read(&files, judged)?;
                bytes += record_bytes;
                if bytes > bytes_max && !page.records.is_empty() {
                    page.more = true;
                    break;
                }
                page.records.push(record);
                page.first = page.first.or(Some(judged.found.index));
                page.last = Some(judged.found.index);
            }
            Ok::<_, Error>(page)
        };
        let read = tokio::task::spawn_blocking(read).await;
        Ok(read.map_err(|_| Problem::ours("the answer was given up"))??)
    }

    /// One record with what became of it.
    pub async fn read(&self, judged: Judged) -> Result<Value, Problem> {
        let files = self.audit.files().clone();
        let read = tokio::task::spawn_blocking(move || read(&files, &judged)).await;
        let (record, _) = read.map_err(|_| Problem::ours("the answer was given up"))??;
        Ok(record)
    }
}

/// A record's JSON, and about how many bytes it takes.
fn read(files: &Files, judged: &Judged) -> Result<(Value, usize), Error> {
    let record = files.record(judged.found.index, judged.found.place)?;
    let mut bytes = prost::Message::encoded_len(&record);
    let mut object = export::record(judged.found.index, &record);
    let outcome = match judged.ending {
        Ending::NotAsked => None,
        Ending::Running => Some(json!({ "status": "running" })),
        Ending::Unknown => Some(json!({ "status": "unknown" })),
        Ending::Outcome(found) => {
            let outcome = files.record(found.index, found.place)?;
            bytes += prost::Message::encoded_len(&outcome);
            Some(Value::Object(ending(export::record(found.index, &outcome))))
        }
    };
    if let Some(outcome) = outcome {
        object.insert("outcome".to_owned(), outcome);
    }
    Ok((Value::Object(object), bytes))
}

/// What an outcome adds to its intent, which has told the rest.
fn ending(outcome: Map<String, Value>) -> Map<String, Value> {
    const ADDED: [&str; 12] = [
        "id",
        "time",
        "status",
        "rows",
        "bytes_out",
        "bytes_in",
        "duration_us",
        "sqlstate",
        "tag",
        "message",
        "detail",
        "hint",
    ];
    outcome
        .into_iter()
        .filter(|(name, _)| ADDED.contains(&name.as_str()))
        .collect()
}
