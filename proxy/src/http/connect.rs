//! Asking a target: a connection that waits or a new one, the target's own credential, and one request.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::{TokioIo, TokioTimer};
use postern_link::snapshot::HttpVersion;
use secrecy::ExposeSecret;
use zeroize::{Zeroize as _, Zeroizing};

use crate::config::{Limits, Verify};
use crate::refusal::{Reason, Refusal};
use crate::shared::Shared;
use crate::tls::{ALPN_HTTP_1, ALPN_HTTP_2};
use crate::upstream::{Credential, Secret, Upstream};

use super::OnThisThread;
use super::pool::{Connected, Driver, Key, Pool, Sender};
use super::relay::{self, Exchange, Upload};
use super::request::Wanted;
use super::tunnel;

/// What a target may send of one response, and of all on a connection, before its clients have taken it.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// No client's word: what begins with `postern-` does not cross the gateway.
const ASSERTION: HeaderName = HeaderName::from_static("postern-assertion");

/// Sends one request, and gives the head of its response with the connection that it came by.
pub(super) async fn ask(
    wanted: &Wanted<'_>,
    exchange: &Rc<Exchange>,
    headers: HeaderMap,
    upload: Upload,
    shared: &Shared,
    pool: &Pool,
) -> Result<(Response<Incoming>, Connected), Refusal> {
    let address = &wanted.api.address;
    let credential = exchange
        .credentials
        .for_address(&wanted.api.credential, address)
        .map_err(|error| {
            tracing::warn!(%error, "a target's credential cannot be used");
            unavailable()
                .detail("the gateway has no credential that may be used there")
                .hint("the gateway's operators see why with `postern check`")
        })?;
    let key = Key {
        address: address.clone(),
        protocol: wanted.api.protocol,
        credential: credential.name.clone(),
        reading: credential.reading,
        workload: matches!(credential.secret, Secret::Certificate)
            .then(|| exchange.visit.workload().to_owned()),
    };
    let mut request = request(wanted, exchange, headers, upload, &credential, shared)?;
    // One that has waited may have been closed meanwhile: what was never sent is sent over the next.
    while let Some(mut connected) = pool.take(&key) {
        match connected.send(request).await {
            Ok(response) => return Ok((response, connected)),
            Err(mut error) => match error.take_message() {
                Some(unsent) => request = unsent,
                None => return Err(unanswered(wanted, error.error())),
            },
        }
    }
    let mut connected = connect(key, &credential, &shared.limits).await.map_err(|error| {
        tracing::warn!(target = wanted.target.name, %error, "a target could not be reached");
        unavailable()
    })?;
    pool.share(&connected);
    let asked = connected.send(request).await;
    let response = asked.map_err(|error| unanswered(wanted, error.error()))?;
    Ok((response, connected))
}

/// The request in the form and with the words that the target is to see: its method and path are those of the permit.
fn request(
    wanted: &Wanted<'_>,
    exchange: &Rc<Exchange>,
    headers: HeaderMap,
    upload: Upload,
    credential: &Credential,
    shared: &Shared,
) -> Result<Request<Upload>, Refusal> {
    let unusable = || unavailable().detail("the target's `host` or credential is no text for a header");
    let permitted = exchange.permit.judged();
    let host = wanted.api.host.as_ref().unwrap_or(&wanted.api.address);
    let is_tls = credential.verify != Verify::Disable;
    let before = match (wanted.api.protocol, is_tls) {
        (HttpVersion::One, _) => String::new(),
        // It says scheme and authority beside the path (RFC 9113, section 8.3.1).
        (HttpVersion::Two, true) => format!("https://{host}"),
        (HttpVersion::Two, false) => format!("http://{host}"),
    };
    let mut target = format!("{before}{}", permitted.path());
    let asks = query(wanted.query.as_deref(), credential)?;
    if let Some(asks) = &asks {
        target.extend(["?", asks.as_str()]);
    }
    let uri = Uri::try_from(&target).map_err(|_| unusable());
    target.zeroize();
    let uri = uri?;
    let method = hyper::Method::from_bytes(permitted.method().sent().as_bytes()).map_err(|_| unusable())?;
    let mut request = Request::new(upload);
    *request.uri_mut() = uri;
    *request.method_mut() = method;
    *request.headers_mut() = headers;
    let headers = request.headers_mut();
    if wanted.api.protocol == HttpVersion::One {
        headers.insert(HOST, HeaderValue::try_from(host).map_err(|_| unusable())?);
    }
    if let Some(protocol) = &wanted.upgrade {
        tunnel::ask_for(headers, protocol);
    }
    if let Some(wants) = &wanted.api.assertion {
        headers.insert(ASSERTION, assertion(exchange, &wants.audience, shared)?);
    }
    if let Some((name, value)) = proof(credential) {
        let mut value = HeaderValue::from_bytes(&value).map_err(|_| unusable())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(request)
}

/// Our signed word about who asks.
fn assertion(exchange: &Exchange, audience: &str, shared: &Shared) -> Result<HeaderValue, Refusal> {
    let record = exchange.permit.entry.id().to_string();
    let signer = shared.assertions.as_ref();
    let signed = signer.and_then(|signer| signer.sign(exchange.visit.workload(), audience, &record));
    let value = signed.and_then(|signed| HeaderValue::try_from(signed).ok());
    let mut value = value.ok_or_else(|| {
        unavailable()
            .detail("the target wants to know who asks, and the gateway has nothing to sign that with")
            .hint("the gateway's file needs `assertions`")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// The header that proves us to the target.
fn proof(credential: &Credential) -> Option<(HeaderName, Zeroizing<Vec<u8>>)> {
    let text = |text: String| Zeroizing::new(text.into_bytes());
    match &credential.secret {
        Secret::Bearer(token) => Some((AUTHORIZATION, text(format!("Bearer {}", token.expose_secret())))),
        Secret::Password(password) => {
            let pair = Zeroizing::new(format!("{}:{}", credential.user, password.expose_secret()));
            let encoded = BASE64_STANDARD.encode(pair.as_bytes());
            Some((AUTHORIZATION, text(format!("Basic {encoded}"))))
        }
        Secret::Header { name, value } => Some((name.clone(), text(value.expose_secret().to_owned()))),
        Secret::Query { .. } | Secret::Certificate | Secret::Trust => None,
    }
}

/// The query that the target sees: the client's, and the key where it is read there, which no client can say itself.
fn query(asked: Option<&str>, credential: &Credential) -> Result<Option<Zeroizing<String>>, Refusal> {
    let Secret::Query { name, value } = &credential.secret else {
        return Ok(asked.map(|asked| Zeroizing::new(asked.to_owned())));
    };
    // Some servers take `;` for `&`.
    let mut said = asked.unwrap_or_default().split(['&', ';']);
    if said
        .any(|pair| form_urlencoded::parse(pair.as_bytes()).any(|(said, _)| said.eq_ignore_ascii_case(name)))
    {
        let refusal = Refusal::new(Reason::Malformed, "this query says what only the gateway says");
        return Err(refusal.detail("the target's credential is read from a parameter of this name"));
    }
    let mut asks = Zeroizing::new(String::new());
    if let Some(asked) = asked.filter(|asked| !asked.is_empty()) {
        asks.extend([asked, "&"]);
    }
    for part in form_urlencoded::byte_serialize(name.as_bytes()) {
        asks.push_str(part);
    }
    asks.push('=');
    for part in form_urlencoded::byte_serialize(value.expose_secret().as_bytes()) {
        asks.push_str(part);
    }
    Ok(Some(asks))
}

async fn connect(key: Key, credential: &Arc<Credential>, limits: &Limits) -> anyhow::Result<Connected> {
    let timeout = Duration::from_millis(limits.connect_timeout_ms);
    let connecting = async {
        let socket = Upstream::dial(credential, &key.address, timeout).await?;
        let alpn = match key.protocol {
            HttpVersion::One => ALPN_HTTP_1,
            HttpVersion::Two => ALPN_HTTP_2,
        };
        let stream = TokioIo::new(Upstream::secure(socket, credential, &key.address, alpn).await?);
        anyhow::Ok(match key.protocol {
            HttpVersion::One => {
                let (sender, connection) = http1::Builder::new()
                    .max_headers(limits.http_headers_max)
                    .max_header_size(limits.http_head_bytes_max)
                    .max_buf_size(limits.http_head_bytes_max.max(relay::PIECE_BYTES_MAX))
                    .handshake(stream)
                    .await?;
                (Sender::One(sender), run(connection.with_upgrades()))
            }
            HttpVersion::Two => {
                let (sender, connection) = http2::Builder::new(OnThisThread)
                    .timer(TokioTimer::new())
                    .initial_stream_window_size(STREAM_WINDOW_BYTES)
                    .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
                    .max_send_buf_size(relay::PIECE_BYTES_MAX)
                    .max_header_list_size(u32::try_from(limits.http_head_bytes_max).unwrap_or(u32::MAX))
                    .keep_alive_interval(Duration::from_secs(limits.http_upstream_idle_seconds_max))
                    .handshake(stream)
                    .await?;
                (Sender::Many(sender), run(connection))
            }
        })
    };
    let (sender, driver) = tokio::time::timeout(timeout, connecting).await??;
    Ok(Connected::new(key, sender, driver))
}

/// Moves what a connection has to move, for as long as somebody holds it.
fn run(connection: impl Future<Output = hyper::Result<()>> + 'static) -> Driver {
    let driving = tokio::task::spawn_local(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to a target ended in disorder");
        }
    });
    Driver(driving.abort_handle())
}

fn unavailable() -> Refusal {
    Refusal::new(Reason::Unavailable, "the target is unavailable")
}

fn unanswered(wanted: &Wanted<'_>, error: &hyper::Error) -> Refusal {
    tracing::warn!(target = wanted.target.name, %error, "a target did not answer a request");
    unavailable().detail("it did not answer the request as HTTP does")
}

pub(super) fn too_late() -> Refusal {
    unavailable().detail("it did not answer within `http_response_seconds_max`")
}
