//! The door for people and their tools: JSON over HTTP, one file per noun.
//!
//! Everything but `/livez` and `/readyz` asks for the operator token, `/metrics` too. What goes wrong is said as
//! `application/problem+json` ([`problem`]); what a query may hold is read by [`parameters`].

mod audit;
mod decisions;
mod gateways;
mod health;
mod metrics;
mod parameters;
mod problem;
mod records;
mod rehearsal;
mod resources;
mod revocations;
mod sessions;
mod snapshots;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post, put};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use crate::audit::Audit;
use crate::config::Limits;
use crate::gateways::Gateways;
use crate::keys::Token;
use crate::listener::Connection;
use crate::orders::Orders;
use crate::snapshots::{Author, Change, Made, Snapshots};
use crate::store::Store;
use crate::tasks::{Stop, Task, Tasks};
use problem::Problem;

/// Who shows the operator token, as records name them.
const OPERATOR: &str = "operator";
/// Of a reason, which stands in records and snapshots.
const REASON_BYTES_MAX: usize = 1024;

/// Everything an answer needs; clones share it.
#[derive(Clone, Debug)]
pub struct Operators {
    pub name: Arc<str>,
    pub token: Token,
    pub audit: Audit,
    pub store: Store,
    pub snapshots: Snapshots,
    pub orders: Arc<Orders>,
    pub gateways: Arc<Gateways>,
    /// One verification at a time: it reads the whole log.
    pub verifying: Arc<Semaphore>,
    pub limits: Arc<Limits>,
    pub tasks: Tasks,
}

/// All there is to ask.
fn routes(operators: Operators) -> Router {
    let apply = put(resources::apply).layer(DefaultBodyLimit::max(operators.limits.apply_bytes_max));
    let asked = Router::new()
        .route("/v1/sessions", get(sessions::list))
        .route("/v1/sessions/end", post(sessions::end))
        .route("/v1/sessions/{id}", get(sessions::one))
        .route("/v1/records", get(records::list))
        .route("/v1/records/tail", get(records::tail))
        .route("/v1/records/{id}/proof", get(records::proof))
        .route("/v1/decisions/{id}", get(decisions::one))
        .route("/v1/audit/checkpoint", get(audit::checkpoint))
        .route("/v1/audit/verify", post(audit::verify))
        .route("/metrics", get(metrics::all))
        .route("/v1/gateways", get(gateways::list))
        .route("/v1/snapshot", get(snapshots::current))
        .route("/v1/snapshots", get(snapshots::list))
        .route("/v1/snapshots/{number}", get(snapshots::one))
        .route("/v1/snapshots/{number}/restore", post(snapshots::restore))
        .route("/v1/rehearsal", get(rehearsal::differences))
        .route("/v1/resources", apply.get(resources::current))
        .route(
            "/v1/revocations",
            get(revocations::list).post(revocations::revoke),
        )
        .route("/v1/revocations/{id}/lift", post(revocations::lift))
        .fallback(nothing_here)
        .layer(DefaultBodyLimit::max(operators.limits.request_bytes_max))
        .layer(middleware::from_fn_with_state(operators.clone(), authenticate));
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .merge(asked)
        .method_not_allowed_fallback(not_so)
        .with_state(operators)
}

async fn nothing_here() -> Problem {
    Problem::not_found("there is nothing at this path")
}

async fn not_so() -> Problem {
    Problem::method_not_allowed()
}

/// What a request's body says, or what it should say: `shape` in words.
fn read_body<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>, shape: &str) -> Result<T, Problem> {
    let body = body.map_err(|_| Problem::bad_request("the body is too large or cannot be read"))?;
    serde_json::from_slice(&body).map_err(|error| {
        Problem::bad_request(format!(
            "the body must be {shape}; it is not at line {}, column {}",
            error.line(),
            error.column()
        ))
    })
}

/// What is asked with a reason and nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Because {
    reason: String,
}

impl Because {
    fn read(body: Result<Bytes, BytesRejection>) -> Result<String, Problem> {
        let Because { reason } = read_body(body, "an object with `reason`")?;
        Ok(reason)
    }
}

/// Why someone does something; it is recorded.
fn reason(given: String) -> Result<String, Problem> {
    if given.trim().is_empty() || given.len() > REASON_BYTES_MAX {
        let detail = format!("`reason` must say why, in at most {REASON_BYTES_MAX} bytes");
        return Err(Problem::bad_request(detail));
    }
    Ok(given)
}

/// The gate before every other route, also before those that do not exist.
async fn authenticate(
    State(operators): State<Operators>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if operators.knows(&request) {
        Ok(next.run(request).await)
    } else {
        Err(Problem::unauthenticated())
    }
}

impl Operators {
    /// Makes a change for whoever has shown the operator token, and tells which gateways decide by it.
    async fn change(&self, change: Change, reason: String) -> Result<(Made, Value), Problem> {
        let author = Author {
            name: OPERATOR.to_owned(),
            reason: self::reason(reason)?,
        };
        let made = self.snapshots.change(change, author).await?;
        let wait = Duration::from_millis(self.limits.order_wait_ms);
        let behind = self.gateways.decide_by(made.number, wait).await;
        let current = self.snapshots.current();
        let leases = current.iter().flat_map(|current| &current.snapshot.targets);
        let longest = leases.map(|target| i64::from(target.unheard_seconds_max)).max();
        let since_ms = Timestamp::now().as_millisecond() - longest.unwrap_or(0).saturating_mul(1000);
        let away = self.gateways.away(since_ms);
        let answer = json!({
            "snapshot": made.number,
            "new": made.is_new,
            "complete": behind.is_empty() && away.is_empty(),
            "behind": behind,
            "away": away,
        });
        Ok((made, answer))
    }

    fn knows(&self, request: &Request) -> bool {
        let mut shown = request.headers().get_all(header::AUTHORIZATION).iter();
        let (Some(shown), None) = (shown.next(), shown.next()) else {
            return false;
        };
        let Some((scheme, token)) = shown.to_str().ok().and_then(|shown| shown.split_once(' ')) else {
            return false;
        };
        scheme.eq_ignore_ascii_case("bearer") && self.token.is(token)
    }
}

/// Serves HTTP to connections until asked to stop.
pub async fn serve(operators: Operators, mut connections: mpsc::Receiver<Connection>, mut stop: Stop) {
    let head_timeout = Duration::from_millis(operators.limits.request_head_timeout_ms);
    let tasks = operators.tasks.clone();
    let routes = routes(operators);
    loop {
        let connection = tokio::select! {
            connection = connections.recv() => connection,
            () = stop.asked() => return,
        };
        let Some(connection) = connection else { return };
        let (service, mut stop) = (TowerToHyperService::new(routes.clone()), stop.clone());
        tasks.spawn(Task::OperatorConnection, async move {
            let mut server = hyper::server::conn::http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(head_timeout);
            let served = server.serve_connection(TokioIo::new(connection), service);
            tokio::pin!(served);
            let ended = tokio::select! {
                ended = served.as_mut() => ended,
                () = stop.asked() => {
                    served.as_mut().graceful_shutdown();
                    served.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "an operator's connection ended");
            }
        });
    }
}
