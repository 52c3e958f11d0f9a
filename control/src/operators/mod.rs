//! The door for people and their tools: JSON over HTTP, one file per noun.
//!
//! Everything but `/livez` and `/readyz` asks for the operator token. What goes wrong is said as
//! `application/problem+json` ([`problem`]); what a query may hold is read by [`parameters`].

mod audit;
mod decisions;
mod gateways;
mod health;
mod parameters;
mod problem;
mod records;
mod sessions;
mod snapshot;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::{Semaphore, mpsc};

use crate::audit::Audit;
use crate::config::Limits;
use crate::gateways::Gateways;
use crate::keys::Token;
use crate::listener::Connection;
use crate::orders::Orders;
use crate::snapshots::Snapshots;
use crate::store::Store;
use crate::tasks::{Stop, Task, Tasks};
use problem::Problem;

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
    let asked = Router::new()
        .route("/v1/sessions", get(sessions::list))
        .route("/v1/sessions/end", post(sessions::end))
        .route("/v1/sessions/{id}", get(sessions::one))
        .route("/v1/records", get(records::list))
        .route("/v1/records/tail", get(records::tail))
        .route("/v1/decisions/{id}", get(decisions::one))
        .route("/v1/audit/checkpoint", get(audit::checkpoint))
        .route("/v1/audit/verify", post(audit::verify))
        .route("/v1/gateways", get(gateways::list))
        .route("/v1/snapshot", get(snapshot::current))
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

/// The gate before every route of `/v1`, also before those that do not exist.
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
