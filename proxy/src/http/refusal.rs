//! Every refusal as HTTP: the one place where a [`Refusal`] becomes a response (RFC 9457), or what gRPC hears.

use bytes::Bytes;
use hyper::body::Body;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode, Version};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::refusal::{Reason, Refusal};

use super::relay::Answer;

/// What a client understands of a refusal.
#[derive(Clone, Copy)]
pub(super) struct Speaks {
    grpc: bool,
    /// Takes no body: HTTP/2 has no other way to know that there is none (RFC 9113, section 8.1).
    head_only: bool,
    /// HTTP/1.1, where a body that nobody reads must not be taken for the next request.
    leaves_body: bool,
}

impl Speaks {
    pub(super) fn of(request: &Request<impl Body>) -> Speaks {
        let content_type = request.headers().get(CONTENT_TYPE);
        Speaks {
            grpc: content_type.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")),
            head_only: request.method() == Method::HEAD,
            leaves_body: request.version() < Version::HTTP_2 && !request.body().is_end_stream(),
        }
    }
}

/// The status of a refusal (RFC 9110, section 15), and gRPC's word for it.
pub(super) fn status(reason: Reason) -> (StatusCode, u8) {
    const UNAUTHENTICATED: u8 = 16;
    const PERMISSION_DENIED: u8 = 7;
    const INVALID_ARGUMENT: u8 = 3;
    const UNIMPLEMENTED: u8 = 12;
    const RESOURCE_EXHAUSTED: u8 = 8;
    const UNAVAILABLE: u8 = 14;
    match reason {
        Reason::Unauthenticated | Reason::BadToken => (StatusCode::UNAUTHORIZED, UNAUTHENTICATED),
        Reason::Forbidden => (StatusCode::FORBIDDEN, PERMISSION_DENIED),
        Reason::Syntax | Reason::NotUnderstood | Reason::UnknownName | Reason::Malformed => {
            (StatusCode::BAD_REQUEST, INVALID_ARGUMENT)
        }
        Reason::Unsupported => (StatusCode::NOT_IMPLEMENTED, UNIMPLEMENTED),
        Reason::Unrecorded | Reason::Ended => (StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE),
        Reason::Overloaded => (StatusCode::TOO_MANY_REQUESTS, RESOURCE_EXHAUSTED),
        Reason::Unavailable => (StatusCode::BAD_GATEWAY, UNAVAILABLE),
    }
}

/// The response that refuses a request.
pub(super) fn response(refusal: &Refusal, speaks: Speaks) -> Response<Answer> {
    let (status, grpc_status) = status(refusal.reason);
    let mut response = if speaks.grpc {
        let mut response = Response::new(Answer::Whole(None));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(
            HeaderName::from_static("grpc-status"),
            u16::from(grpc_status).into(),
        );
        if let Ok(message) = HeaderValue::try_from(percent_encoded(&refusal.message)) {
            headers.insert(HeaderName::from_static("grpc-message"), message);
        }
        response
    } else {
        let problem = (!speaks.head_only).then(|| problem(refusal, status));
        let mut response = Response::new(Answer::Whole(problem));
        *response.status_mut() = status;
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    };
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        // Tools that know only passwords send none before they are asked.
        for scheme in ["Bearer realm=\"postern\"", "Basic realm=\"postern\""] {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        }
    }
    if let Some(again_in) = refusal.again_in {
        // In whole seconds (RFC 9110, section 10.2.3), and never too early.
        headers.insert(RETRY_AFTER, (again_in.as_secs() + 1).into());
    }
    let is_over = matches!(
        refusal.reason,
        Reason::Unauthenticated | Reason::BadToken | Reason::Malformed | Reason::Ended
    );
    if speaks.leaves_body || is_over {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What is said to who sends HTTP without TLS.
pub async fn refuse_plain(mut socket: TcpStream) {
    let refusal =
        Refusal::new(Reason::Unauthenticated, "connections without TLS are refused").hint("use https://");
    let body = problem(&refusal, StatusCode::BAD_REQUEST);
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    let told = socket.write_all(&[head.as_bytes(), &body].concat()).await;
    if told.is_err() || socket.shutdown().await.is_err() {
        tracing::debug!("a refused client did not wait for the reason");
    }
}

fn problem(refusal: &Refusal, status: StatusCode) -> Bytes {
    let problem = serde_json::json!({
        "title": refusal.message,
        "status": status.as_u16(),
        "detail": refusal.detail,
        "hint": refusal.hint,
        "reason": refusal.reason.name(),
    });
    Bytes::from(format!("{problem}\n"))
}

/// As gRPC writes a message ("gRPC over HTTP2", Responses).
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
