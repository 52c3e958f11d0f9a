//! The admin door, for loopback: is it alive, is it ready, what does it count, and `postern can`.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use postern_link::snapshot::Target;
use postern_sql::Catalogue;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::audit::spool::Progress;
use crate::can;
use crate::postgres::{Postgres, gateway_dial};
use crate::shared::Shared;

const CONNECTIONS_MAX: usize = 64;
const QUESTION_BYTES_MAX: usize = 2 * 1024 * 1024;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What the admin door looks at.
pub struct Health {
    shared: Arc<Shared>,
    postgres: Arc<Postgres>,
    spools: Vec<Arc<Progress>>,
    spool_file_bytes_max: u64,
}

impl Health {
    pub fn new(postgres: Arc<Postgres>, spools: Vec<Arc<Progress>>, spool_file_bytes_max: u64) -> Health {
        Health {
            shared: postgres.shared.clone(),
            postgres,
            spools,
            spool_file_bytes_max,
        }
    }
}

/// Binds the door and serves it until drain.
pub async fn serve(
    address: SocketAddr,
    health: Health,
    mut drain: watch::Receiver<bool>,
) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    let bound = listener.local_addr()?;
    let health = Arc::new(health);
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
                _ = drain.wait_for(|drain| *drain) => return,
            };
            let Ok((socket, _)) = accepted else { continue };
            if connections.len() >= CONNECTIONS_MAX {
                continue;
            }
            let health = health.clone();
            connections.spawn(async move {
                let service = service_fn(|request| answer(request, &health));
                let served = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(socket), service);
                let _ = tokio::time::timeout(REQUEST_TIMEOUT, served).await;
            });
        }
    });
    Ok(bound)
}

async fn answer(request: Request<Incoming>, health: &Health) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = "text/plain; charset=utf-8";
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/livez") => (StatusCode::OK, text, "alive\n".to_owned()),
        (&Method::GET, "/readyz") => ready(health),
        (&Method::GET, "/metrics") => (StatusCode::OK, text, metrics(health)),
        (&Method::POST, "/v1/can") => match may(request, health).await {
            Ok(answer) => (StatusCode::OK, "application/json", answer),
            Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, text, format!("{error:#}\n")),
        },
        _ => (StatusCode::NOT_FOUND, text, "there is nothing here\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    Ok(response)
}

/// Ready to serve: a snapshot is there, and a fresh word has come.
fn ready(health: &Health) -> (StatusCode, &'static str, String) {
    let rules = health.shared.rules.load();
    let heard = !health
        .shared
        .last_word
        .is_older_than(Duration::from_secs(u64::from(u32::MAX)));
    let checks = [("snapshot", rules.snapshot.number > 0), ("fresh word", heard)];
    let mut body = String::new();
    for (name, good) in checks {
        let _ = writeln!(body, "{} {name}", if good { "✓" } else { "×" });
    }
    let good = checks.iter().all(|(_, good)| *good);
    let status = if good {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, "text/plain; charset=utf-8", body)
}

fn metrics(health: &Health) -> String {
    let spool_bytes: u64 = health
        .spools
        .iter()
        .map(|spool| spool.bytes(health.spool_file_bytes_max))
        .sum();
    let records: u64 = health.spools.iter().map(|spool| spool.written()).sum();
    let figures = [
        ("postern_sessions", "gauge", health.shared.sessions.count() as u64),
        (
            "postern_policy_epoch",
            "gauge",
            health.shared.rules.load().snapshot.number,
        ),
        ("postern_spool_bytes", "gauge", spool_bytes),
        ("postern_audit_records_total", "counter", records),
    ];
    let mut body = String::new();
    for (name, kind, figure) in figures {
        let _ = writeln!(body, "# TYPE {name} {kind}\n{name} {figure}");
    }
    body
}

async fn may(request: Request<Incoming>, health: &Health) -> anyhow::Result<String> {
    let body = Limited::new(request.into_body(), QUESTION_BYTES_MAX)
        .collect()
        .await;
    let body = body
        .map_err(|_| anyhow::anyhow!("the question is too large or broken"))?
        .to_bytes();
    let question: can::Question = serde_json::from_slice(&body).context("the question cannot be read")?;
    let shared = &health.shared;
    let rules = shared.rules.load_full();
    let (_, place) = can::place(&rules, &question)?;
    let Some(target) = rules.target(&place.target).and_then(Target::postgres) else {
        // What an API has is not read beforehand.
        let answer = can::answer(&rules, &Catalogue::default(), &question)?;
        return Ok(serde_json::to_string(&answer)?);
    };
    let dial =
        gateway_dial(target, &place, shared).map_err(|refusal| anyhow::anyhow!("{}", refusal.message))?;
    let age_max = target.catalogue_age_seconds_max.into();
    let catalogue = health
        .postgres
        .catalogues
        .of(&place.target, dial, age_max, &shared.limits)
        .await?;
    Ok(serde_json::to_string(&can::answer(
        &rules,
        &catalogue.newest(),
        &question,
    )?)?)
}
