//! Sessions: who is or was here, what one of them did, and the order to end some.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use postern_link::wire::EndSessions;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::Operators;
use super::parameters::{Id, Parameters};
use super::problem::Problem;
use crate::audit::export::{from_hex, hex, time};
use crate::orders::{self, Given};
use crate::store::records;
use crate::store::sessions::{Filter, Session, State as SessionState};
use crate::tasks::Task;

/// `GET /v1/sessions`
pub async fn list(
    State(operators): State<Operators>,
    mut parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    let filter = Filter {
        session: None,
        gateway: parameters.text("gateway"),
        workload: parameters.text("workload"),
        target: parameters.text("target"),
        live: parameters.truth("live")?,
        before: parameters.number("after")?,
        sessions_max: parameters.limit(&operators.limits)?,
    };
    parameters.nothing_else()?;
    operators
        .store
        .caught_up(operators.audit.head().checkpoint.size)
        .await?;
    let sessions_max = filter.sessions_max;
    let sessions = operators.store.sessions(filter).await?;
    let last = sessions.last().filter(|_| sessions.len() == sessions_max);
    let next = last.map(|session| session.index.to_string());
    let sessions: Vec<Value> = sessions.iter().map(export).collect();
    Ok(Json(json!({ "sessions": sessions, "next": next })))
}

/// `GET /v1/sessions/{id}`: the session and a page of its records.
pub async fn one(
    State(operators): State<Operators>,
    Id(id): Id,
    mut parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    let after = parameters.number("after")?;
    let records_max = parameters.limit(&operators.limits)?;
    parameters.nothing_else()?;
    let wrong = || Problem::bad_request("a session's id is hexadecimal");
    let bytes = from_hex(&id)
        .filter(|bytes| !bytes.is_empty())
        .ok_or_else(wrong)?;
    operators
        .store
        .caught_up(operators.audit.head().checkpoint.size)
        .await?;
    let session = operators.store.session(bytes.clone()).await?;
    let session = session.ok_or_else(|| Problem::not_found(format!("no session `{id}` is known")))?;
    let gateway = Some(session.gateway.clone());
    let filter = records::Filter {
        session: Some(bytes),
        gateway,
        after,
        records_max,
        ..records::Filter::default()
    };
    let page = operators.page(filter).await?;
    let next = page.next().map(|next| next.to_string());
    Ok(Json(
        json!({ "session": export(&session), "records": page.records, "next": next }),
    ))
}

/// What `POST /v1/sessions/end` takes; all that is given must hold for a session.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    #[serde(default)]
    sessions: Vec<String>,
    #[serde(default)]
    workload: String,
    #[serde(default)]
    target: String,
    reason: String,
}

/// `POST /v1/sessions/end`: recorded, given to all gateways, and answered when they have, or in time.
pub async fn end(
    State(operators): State<Operators>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let end = order(body, operators.limits.order_sessions_max)?;
    let (reply, given) = oneshot::channel();
    let giver = operators.clone();
    // An order that is recorded is given, also when the operator hangs up in between.
    operators.tasks.spawn(Task::GiveOrder, async move {
        let _ = reply.send(giver.give(end).await);
    });
    let given = given
        .await
        .map_err(|_| Problem::unavailable("the control plane is stopping"))??;
    let Announced { id, present, away } = given;
    let wait = Duration::from_millis(operators.limits.order_wait_ms);
    let done = operators.orders.wait(&id, &present, wait).await;
    let ended: u64 = done.iter().map(|done| u64::from(done.sessions_ended)).sum();
    let mut silent: Vec<&String> = present
        .iter()
        .filter(|name| !done.iter().any(|done| done.gateway == **name))
        .collect();
    silent.sort();
    let complete = silent.is_empty() && away.is_empty();
    let done = done.iter().map(
        |done| json!({ "gateway": done.gateway, "state": "done", "sessions_ended": done.sessions_ended }),
    );
    let silent = silent
        .iter()
        .map(|name| json!({ "gateway": name, "state": "not answered" }));
    let away = away
        .iter()
        .map(|name| json!({ "gateway": name, "state": "away" }));
    let gateways: Vec<Value> = done.chain(silent).chain(away).collect();
    Ok(Json(
        json!({ "order": id, "complete": complete, "sessions_ended": ended, "gateways": gateways }),
    ))
}

/// An order that gateways have been given.
struct Announced {
    id: String,
    present: HashSet<String>,
    /// Gateways that are not here, although sessions of theirs are meant.
    away: Vec<String>,
}

fn order(body: Result<Bytes, BytesRejection>, sessions_max: usize) -> Result<EndSessions, Problem> {
    let shape = "an object with `reason` and one or more of `sessions` (a list), `workload` and `target`";
    let end: End = super::read_body(body, shape)?;
    let End {
        sessions,
        workload,
        target,
        reason,
    } = end;
    if sessions.is_empty() && workload.is_empty() && target.is_empty() {
        return Err(Problem::bad_request(
            "name `sessions`, a `workload` or a `target` whose sessions end",
        ));
    }
    let reason = super::reason(reason)?;
    if sessions.len() > sessions_max {
        return Err(Problem::bad_request(format!(
            "one order ends at most {sessions_max} named sessions"
        )));
    }
    let sessions = sessions.iter().map(|id| {
        let bytes = from_hex(id).filter(|bytes| !bytes.is_empty());
        bytes.ok_or_else(|| Problem::bad_request("each of `sessions` must be hexadecimal"))
    });
    Ok(EndSessions {
        sessions: sessions.collect::<Result<_, _>>()?,
        workload,
        target,
        reason,
    })
}

impl Operators {
    /// What is not recorded is not done.
    async fn give(&self, end: EndSessions) -> Result<Announced, Problem> {
        let recorded = self.audit.record(orders::record(&end));
        // Those who are here must not wait for the index: it only matters for those who are away.
        let wait = Duration::from_millis(self.limits.order_lookup_ms);
        let (recorded, known) = tokio::join!(recorded, tokio::time::timeout(wait, self.live(&end)));
        recorded.map_err(|refused| Problem::unavailable(refused.to_string()))?;
        let known = known.ok().and_then(Result::ok).unwrap_or_else(|| {
            tracing::warn!("the index did not answer in time: gateways that are away will not hear an order");
            HashMap::new()
        });
        let present: HashSet<String> = self.gateways.connected().into_iter().collect();
        let id = uuid::Uuid::now_v7().to_string();
        let mut away: Vec<String> = known
            .keys()
            .filter(|name| !present.contains(*name))
            .cloned()
            .collect();
        away.sort();
        self.orders.give(Given {
            id: id.clone(),
            end,
            present: present.clone(),
            known,
        });
        Ok(Announced { id, present, away })
    }

    /// The live sessions that an order is about, as far as the log knows them, by gateway.
    async fn live(&self, end: &EndSessions) -> Result<HashMap<String, Vec<Vec<u8>>>, Problem> {
        self.store.caught_up(self.audit.head().checkpoint.size).await?;
        Ok(orders::known(&self.store, end, None, self.limits.order_sessions_max).await?)
    }
}

fn export(session: &Session) -> Value {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| {
        object.insert(name.to_owned(), value);
    };
    let state = match session.state {
        SessionState::Live => "live",
        SessionState::Ended => "ended",
        SessionState::Lost => "lost",
    };
    put("id", json!(hex(&session.session)));
    put("cursor", json!(session.index.to_string()));
    put("state", json!(state));
    put("live", json!(session.state == SessionState::Live));
    put("opened", session.opened_us.map_or(Value::Null, time));
    put("ended", session.ended_us.map_or(Value::Null, time));
    put("last", time(session.last_us));
    put("statements", json!(session.statements));
    put("refusals", json!(session.refusals));
    put("rows", json!(session.rows));
    if !session.run.is_empty() {
        put("run", json!(session.run));
    }
    for (name, text) in [
        ("ended_why", &session.ended_why),
        ("gateway", &session.gateway),
        ("workload", &session.workload),
        ("evidence", &session.evidence),
        ("issuer", &session.issuer),
        ("subject", &session.subject),
        ("certificate_serial", &session.certificate_serial),
        ("source", &session.source),
        ("client_says", &session.client_says),
        ("target", &session.target),
        ("database", &session.database),
        ("role", &session.role),
    ] {
        if !text.is_empty() {
            put(name, json!(text));
        }
    }
    Value::Object(object)
}
