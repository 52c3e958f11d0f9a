//! A target that is an MCP server: [`pass_on`] is the life of one message and of what it is answered.
//!
//! `message` says what a client asks for, read by `json` as all readers read it; `session` keeps a session its
//! opener's; `reply` says what the server may answer, and `events` does so for streams.

mod events;
mod json;
pub mod message;
mod reply;
mod session;

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, ORIGIN,
};
use hyper::{Response, StatusCode};
use postern_link::snapshot::McpServer;
use postern_link::wire::Status;
use serde_json::{Value, json};

use crate::authorize::call::Method;
use crate::authorize::offer::{self, Offer};
use crate::refusal::{Reason, Refusal};

use super::relay::{Answer, Upload};
use super::request::Wanted;
use super::{Asked, Asking, refusal};

use message::{Fault, Message, Revision, code};
use reply::Reply;

pub(super) use events::Events;

const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

/// The version of a request, in its own words (MCP of 2026-07-28, per-request fields).
const VERSION_FIELD: &str = "io.modelcontextprotocol/protocolVersion";

/// Passes one message on, or refuses it in JSON-RPC's words. A refusal that is an error here is said as HTTP says it.
pub(super) async fn pass_on<P: 'static>(
    asking: Asking<'_, P>,
    wanted: &Wanted<'_>,
    server: &McpServer,
    head: HeaderMap,
    body: &mut Option<Incoming>,
) -> Result<Response<Answer>, Refusal> {
    let outside = |refusal| asking.authorizer().refuse(&asking.visit.recorder, None, refusal);
    may_come_here(wanted, server, &head).map_err(outside)?;
    let bytes_max = asking.connection.shared.limits.mcp_message_bytes_max;
    let body = match (wanted.method, body) {
        (Method::Post, Some(body)) => whole(body, bytes_max, asking.limit()).await.map_err(outside)?,
        (Method::Post | Method::Get | Method::Delete, _) => Bytes::new(),
        _ => return Ok(not_allowed()),
    };
    let (message, read) = match wanted.method {
        Method::Post => match Message::read(&body) {
            Ok(message) => (Some(message), Ok(())),
            Err(fault) => (None, Err(fault)),
        },
        _ => (None, Ok(())),
    };
    let id = message.as_ref().and_then(Message::id).cloned();
    let words = words(wanted.method, message.as_ref());
    let said = offer::Message {
        method: wanted.method,
        endpoint: &wanted.path,
        words: &words,
        body: &body,
        offers: &[],
    };
    let judged = read.and_then(|()| {
        let asked = judge(&asking, wanted, server, head, message.as_ref())?;
        has_not_changed(&asking, wanted, server, &asked.offers)?;
        Ok(asked)
    });
    let asked = match judged {
        Ok(asked) => asked,
        Err(Fault { code, refusal }) => {
            let refusal = asking
                .authorizer()
                .refuse_message(&asking.visit.recorder, &said, refusal);
            return Ok(refused(id, code, &refusal));
        }
    };
    let said = offer::Message {
        offers: &asked.offers,
        ..said
    };
    let permit = asking
        .authorizer()
        .permit_message(&asking.visit.recorder, &asking.view, &said);
    let permit = match permit {
        Ok(permit) => permit,
        Err(refusal) => {
            let code = Fault::from(refusal.clone()).code;
            return Ok(refused(id, code, &refusal));
        }
    };
    let reply = Reply {
        shared: asking.connection.shared.clone(),
        authorizer: asking.authorizer().clone(),
        recorder: asking.visit.recorder.clone(),
        view: asking.view.clone(),
        target: wanted.target.name.clone(),
        server: server.clone(),
        revision: asked.revision,
        id,
    };
    let owner = session::Owner::of(&asking, wanted);
    let upload = |exchange| Upload::whole(body, exchange);
    let Asked { parts, download } = asking.ask(permit, wanted, asked.head, upload).await?;
    let mut response = Response::from_parts(parts, ());
    if let Some(theirs) = response.headers().get(&SESSION) {
        let ours = owner.given(theirs.as_bytes());
        response.headers_mut().insert(SESSION, ours);
    }
    let (mut parts, ()) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    match kind(&parts.headers) {
        _ if parts.status.is_redirection() || parts.headers.contains_key(CONTENT_ENCODING) => {
            download.close(Status::Failed);
            let refusal = Refusal::new(Reason::Unavailable, "the server does not keep to its protocol");
            let refusal = refusal.detail("it sent its client elsewhere, or what was not asked for");
            Err(reply.authorizer.refuse(&reply.recorder, None, refusal))
        }
        Some("text/event-stream") => {
            let events = Events::new(download, reply, bytes_max);
            Ok(Response::from_parts(parts, Answer::Events(Box::new(events))))
        }
        Some("application/json") => {
            let said = whole(download, bytes_max, LONG).await;
            let judged = said.and_then(|said| judged_whole(&reply, &said));
            match judged {
                Ok(said) => Ok(Response::from_parts(parts, Answer::Whole(said.map(Bytes::from)))),
                Err(refusal) => {
                    let refusal = reply.authorizer.refuse(&reply.recorder, None, refusal);
                    let code = Fault::from(refusal.clone()).code;
                    Ok(refused(reply.id.clone(), code, &refusal))
                }
            }
        }
        // Words for people, which nobody has judged.
        _ => {
            drop(whole(download, bytes_max, LONG).await);
            parts.headers.remove(CONTENT_TYPE);
            Ok(Response::from_parts(parts, Answer::Whole(None)))
        }
    }
}

/// The session's own end bounds how long a server may take for its answer.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// What a message is sent with, and what it would use.
struct Judged {
    revision: Revision,
    offers: Vec<Offer>,
    head: HeaderMap,
}

/// A server has one place, and no page of another may have a browser speak with it.
fn may_come_here(wanted: &Wanted<'_>, server: &McpServer, head: &HeaderMap) -> Result<(), Refusal> {
    if wanted.path != server.endpoint || wanted.query.is_some() {
        let refusal = Refusal::new(Reason::Forbidden, "this target is spoken to at one place only");
        return Err(refusal.hint("it is the target's `mcp.endpoint`"));
    }
    let mut origins = head.get_all(ORIGIN).iter();
    let is_ours = |origin: &HeaderValue| {
        server
            .origins
            .iter()
            .any(|ours| ours.as_bytes() == origin.as_bytes())
    };
    match origins.all(is_ours) {
        true => Ok(()),
        false => Err(Refusal::new(
            Reason::Forbidden,
            "pages of this `Origin` may not speak with the server",
        )
        .hint("the target's `mcp.origins` names those that may")),
    }
}

/// What is asked for, where all that say it agree.
fn judge<P: 'static>(
    asking: &Asking<'_, P>,
    wanted: &Wanted<'_>,
    server: &McpServer,
    mut head: HeaderMap,
    message: Option<&Message>,
) -> Result<Judged, Fault> {
    for name in [&PROTOCOL_VERSION, &METHOD, &NAME, &SESSION, &LAST_EVENT] {
        if head.get_all(name).iter().nth(1).is_some() {
            let message = format!("the header `{name}` stands twice");
            return Err(Fault::new(code::HEADER_MISMATCH, message));
        }
    }
    let revision = revision(&head, message)?;
    if let Some(message) = message {
        agree(&head, revision, message)?;
    } else if revision == Revision::Of2026 {
        let message = "this revision has neither streams that clients open nor sessions to end";
        return Err(Fault::new(code::METHOD_NOT_FOUND, message));
    }
    // What comes back is read.
    head.remove(ACCEPT_ENCODING);
    match head.get(&SESSION) {
        Some(_) if revision == Revision::Of2026 => drop(head.remove(&SESSION)),
        Some(ours) => {
            let theirs = session::Owner::of(asking, wanted).taken(ours.as_bytes());
            let theirs = theirs.ok_or_else(|| {
                let message = "no session of this workload has this `Mcp-Session-Id`";
                Fault::new(code::UNKNOWN_SESSION, message)
            })?;
            head.insert(SESSION, theirs);
        }
        // A stream is taken up again by who has opened it, which only a session tells.
        None if head.contains_key(&LAST_EVENT) => {
            let message = "a stream is taken up again only within a session";
            return Err(Fault::new(code::INVALID_REQUEST, message));
        }
        None => {}
    }
    let offers = match message {
        Some(message) => message.offers(revision, server)?,
        None => vec![Offer::Server],
    };
    Ok(Judged {
        revision,
        offers,
        head,
    })
}

/// The revision that header and message agree on.
fn revision(head: &HeaderMap, message: Option<&Message>) -> Result<Revision, Fault> {
    let unsupported = |version: &str| {
        let served = Revision::ALL.map(Revision::name).join(", ");
        let mut fault = Fault::new(
            code::UNSUPPORTED_VERSION,
            format!("version {} of the protocol is not served", version.escape_debug()),
        );
        fault.refusal = fault.refusal.hint(format!("served are: {served}"));
        fault
    };
    let said = head
        .get(&PROTOCOL_VERSION)
        .map(|version| version.to_str().unwrap_or_default());
    match (said, message.and_then(Message::method)) {
        (None, Some("initialize")) => Ok(Revision::Of2025),
        (None, _) => Err(Fault::new(
            code::HEADER_MISMATCH,
            "a request says its version: `MCP-Protocol-Version`",
        )),
        (Some(version), _) => Revision::named(version).ok_or_else(|| unsupported(version)),
    }
}

/// Headers repeat what the message says, so that all on the way see the same.
fn agree(head: &HeaderMap, revision: Revision, message: &Message) -> Result<(), Fault> {
    let mismatch = |header: &HeaderName| {
        let message = format!("the header `{header}` is not what the message says");
        Fault::new(code::HEADER_MISMATCH, message)
    };
    let is_required = revision == Revision::Of2026;
    for (header, said) in [(METHOD, message.method()), (NAME, message.name())] {
        let value = head.get(&header).map(decoded);
        let agrees = match (&value, said) {
            (None, said) => !is_required || said.is_none(),
            (Some(value), said) => value.as_deref() == said && said.is_some(),
        };
        if !agrees {
            return Err(mismatch(&header));
        }
    }
    let fields = message.params().and_then(|params| params.get("_meta"));
    let version = fields.and_then(|fields| fields.get(VERSION_FIELD));
    let agrees = match version {
        Some(version) => version.as_str() == Some(revision.name()),
        None => !is_required || !matches!(message, Message::Request { .. }),
    };
    match agrees {
        true => Ok(()),
        false => Err(mismatch(&PROTOCOL_VERSION)),
    }
}

/// The text of a header that may be written in Base64 (MCP of 2026-07-28, header encoding); none if it is no text.
fn decoded(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    let encoded = text
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="));
    match encoded {
        None => Some(text.to_owned()),
        Some(encoded) => String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok(),
    }
}

/// A tool that says something else of itself than was accepted is not called.
fn has_not_changed<P: 'static>(
    asking: &Asking<'_, P>,
    wanted: &Wanted<'_>,
    server: &McpServer,
    offers: &[Offer],
) -> Result<(), Fault> {
    for offer in offers {
        if let Offer::Tool { name, .. } = offer {
            let fingerprints = &asking.connection.shared.fingerprints;
            fingerprints
                .check(&wanted.target.name, name, &server.accepted)
                .map_err(|changed| Fault::from(reply::has_changed(name, &changed)))?;
        }
    }
    Ok(())
}

/// For the record: the method, and what it names.
fn words(method: Method, message: Option<&Message>) -> String {
    match (method, message) {
        (Method::Get, _) => "open a stream".to_owned(),
        (Method::Delete, _) => "end the session".to_owned(),
        (_, None) => "a message that is none".to_owned(),
        (_, Some(message)) => match (message.method(), message.name()) {
            (Some(method), Some(name)) => format!("{method} {name}"),
            (Some(method), None) => method.to_owned(),
            (None, _) => "answer the server".to_owned(),
        },
    }
}

/// A whole body, within a limit.
async fn whole<B>(body: B, bytes_max: usize, limit: Duration) -> Result<Bytes, Refusal>
where
    B: hyper::body::Body<Data = Bytes>,
{
    let mut body = std::pin::pin!(body);
    let reading = async {
        let mut read = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Refusal::new(Reason::Malformed, "the message was broken off"))?;
            let data = frame.into_data().unwrap_or_default();
            if read.len() + data.len() > bytes_max {
                return Err(events::too_large());
            }
            read.extend_from_slice(&data);
        }
        Ok(read.freeze())
    };
    let late = |_| {
        Refusal::new(
            Reason::Malformed,
            "the message did not come within `http_response_seconds_max`",
        )
    };
    tokio::time::timeout(limit, reading).await.map_err(late)?
}

fn judged_whole(reply: &Reply, said: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
    if said.is_empty() {
        return Ok(None);
    }
    let broken = || {
        let refusal = Refusal::new(Reason::Unavailable, "the server does not keep to its protocol");
        refusal.detail("it answered with what is no JSON, or twice the same name")
    };
    let message: Value = json::read(said).map_err(|_| broken())?;
    let passed = reply.judged(message)?;
    Ok(passed.map(|message| message.to_string().into_bytes()))
}

/// What a body is, without its parameters.
fn kind(headers: &HeaderMap) -> Option<&str> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    kind.split(';').next().map(str::trim)
}

/// The status of an error (MCP of 2026-07-28, Streamable HTTP). What policy refuses is an answer like others, which
/// clients hand to who has asked.
fn refused(id: Option<Value>, code: i32, refusal: &Refusal) -> Response<Answer> {
    let status = match code {
        code::FORBIDDEN => StatusCode::OK,
        code::METHOD_NOT_FOUND | code::UNKNOWN_SESSION => StatusCode::NOT_FOUND,
        code::INTERNAL => refusal::status(refusal.reason).0,
        _ => StatusCode::BAD_REQUEST,
    };
    let body = reply::error(id.unwrap_or(Value::Null), code, refusal).to_string();
    let mut response = Response::new(Answer::Whole(Some(Bytes::from(body))));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn not_allowed() -> Response<Answer> {
    let mut response = Response::new(Answer::Whole(None));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    let methods = HeaderValue::from_static("POST, GET, DELETE");
    response.headers_mut().insert(ALLOW, methods);
    response
}
