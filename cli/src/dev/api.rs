//! A sample API: it announces releases and pays refunds to whoever has its one key, and keeps what it was asked. At
//! `/mcp` it is an MCP server too, of three tools.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What is read of one request's body.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// A running API, until it is dropped.
pub struct Api {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
}

impl Api {
    /// Serves on loopback, for those who show `key` as a bearer token.
    pub async fn start(key: String) -> io::Result<Api> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let asked = Arc::default();
        let server = tokio::spawn(serve(listener, format!("Bearer {key}"), Arc::clone(&asked)));
        Ok(Api {
            address,
            asked,
            server,
        })
    }

    /// Every request that came with the key, as method and path; of messages to the MCP server, what they ask.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, proof: String, asked: Arc<Mutex<Vec<String>>>) {
    while let Ok((socket, _)) = listener.accept().await {
        let (proof, asked) = (proof.clone(), asked.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, &proof, &asked));
            let server = hyper::server::conn::http1::Builder::new();
            if let Err(error) = server.serve_connection(TokioIo::new(socket), service).await {
                tracing::debug!(%error, "a caller of the sample API went away");
            }
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    proof: &str,
    asked: &Mutex<Vec<String>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let shown = parts.headers.get(AUTHORIZATION);
    let (status, text) = if shown.is_none_or(|shown| shown != proof) {
        (StatusCode::UNAUTHORIZED, "this is not the key\n".to_owned())
    } else {
        let line = format!("{} {}", parts.method, parts.uri.path());
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        let said = body.map(|body| String::from_utf8(body.to_bytes().into()));
        let message = match &said {
            Ok(Ok(said)) if line == "POST /mcp" => serde_json::from_str::<Value>(said).ok(),
            _ => None,
        };
        let kept = message.as_ref().map_or_else(|| line.clone(), words);
        asked.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
        if let Some(message) = message {
            let mut response = Response::new(Full::from(told(&message).to_string()));
            let kind = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            return Ok(response);
        }
        match (line.as_str(), said) {
            ("POST /v1/releases", Ok(Ok(said))) => (StatusCode::CREATED, format!("announced: {said}\n")),
            ("POST /v1/refunds", Ok(Ok(said))) => (StatusCode::CREATED, format!("paid: {said}\n")),
            ("GET /v1/releases", _) => (StatusCode::OK, "2026.11\n".to_owned()),
            (_, Ok(Ok(_))) => (StatusCode::NOT_FOUND, "there is no such thing\n".to_owned()),
            _ => (StatusCode::BAD_REQUEST, "this is not understood\n".to_owned()),
        }
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}

/// What a message asks: its method, and the tool that it names.
fn words(message: &Value) -> String {
    let text = |pointer| {
        message
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    format!("{} {}", text("/method"), text("/params/name"))
        .trim_end()
        .to_owned()
}

/// What the MCP server says (MCP of 2026-07-28).
fn told(message: &Value) -> Value {
    let tool = |name: &str, description: &str| {
        json!({
            "name": name,
            "description": description,
            "inputSchema": { "type": "object", "properties": { "about": { "type": "string" } } },
        })
    };
    let result = match words(message).as_str() {
        "tools/list" => json!({
            "tools": [
                tool("find_tickets", "Finds tickets of customers"),
                tool("answer_ticket", "Answers a ticket of a customer"),
                tool("close_account", "Closes the account of a customer"),
            ],
            "resultType": "complete",
            "ttlMs": 60_000,
            "cacheScope": "public",
        }),
        asked => json!({
            "content": [{ "type": "text", "text": format!("done: {asked}") }],
            "resultType": "complete",
        }),
    };
    json!({ "jsonrpc": "2.0", "id": message.get("id"), "result": result })
}
