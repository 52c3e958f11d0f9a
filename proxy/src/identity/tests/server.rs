//! A real HTTP server that plays an issuer, counts its visitors and misbehaves on request.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, LOCATION};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::config::IssuerHost;

/// What the server says to one path.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Body(String),
    Status(u16),
    Redirect(String),
    /// Never.
    Silence,
}

#[derive(Debug)]
pub(super) struct Server {
    pub(super) port: u16,
    scheme: &'static str,
    discovery: Mutex<Answer>,
    keys: Mutex<Answer>,
    cache_control: Mutex<Option<String>>,
    discoveries: AtomicUsize,
    key_fetches: AtomicUsize,
    /// Answers wait for a permit each; there are many until a test takes them away.
    gate: Semaphore,
}

const GATE_OPEN: usize = 1_000_000;

impl Server {
    pub(super) async fn start(keys: &Value) -> Arc<Server> {
        Server::start_with(keys, None).await
    }

    pub(super) async fn start_with(keys: &Value, tls: Option<Arc<ServerConfig>>) -> Arc<Server> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Arc::new(Server {
            port: listener.local_addr().unwrap().port(),
            scheme: if tls.is_some() { "https" } else { "http" },
            discovery: Mutex::new(Answer::Status(404)),
            keys: Mutex::new(Answer::Body(keys.to_string())),
            cache_control: Mutex::new(None),
            discoveries: AtomicUsize::new(0),
            key_fetches: AtomicUsize::new(0),
            gate: Semaphore::new(GATE_OPEN),
        });
        let issuer = server.issuer();
        server.set_discovery(Answer::Body(
            json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")}).to_string(),
        ));
        let accepting = Arc::clone(&server);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (server, tls) = (Arc::clone(&accepting), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await {
                                server.serve(stream).await;
                            }
                        }
                        None => server.serve(stream).await,
                    }
                });
            }
        });
        server
    }

    /// Its `iss`.
    pub(super) fn issuer(&self) -> String {
        let host = if self.scheme == "https" {
            "localhost"
        } else {
            "127.0.0.1"
        };
        format!("{}://{host}:{}", self.scheme, self.port)
    }

    /// The entry of `issuer_hosts` that allows it.
    pub(super) fn allowed(&self) -> IssuerHost {
        let host = self.issuer().split_once("://").unwrap().1.to_owned();
        IssuerHost {
            host,
            plain_http: true,
            private_address: true,
            ca: None,
        }
    }

    pub(super) fn set_discovery(&self, answer: Answer) {
        *self.discovery.lock().unwrap() = answer;
    }

    pub(super) fn set_keys(&self, answer: Answer) {
        *self.keys.lock().unwrap() = answer;
    }

    pub(super) fn set_cache_control(&self, value: &str) {
        *self.cache_control.lock().unwrap() = Some(value.to_owned());
    }

    pub(super) fn discoveries(&self) -> usize {
        self.discoveries.load(Ordering::SeqCst)
    }

    pub(super) fn key_fetches(&self) -> usize {
        self.key_fetches.load(Ordering::SeqCst)
    }

    /// Answers nobody until `open_gate`.
    pub(super) fn close_gate(&self) {
        self.gate.forget_permits(GATE_OPEN);
    }

    pub(super) fn open_gate(&self) {
        self.gate.add_permits(GATE_OPEN);
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self: Arc<Server>, stream: S) {
        let service = service_fn(|request| {
            let server = Arc::clone(&self);
            async move { server.answer(request).await }
        });
        let _closed = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let answer = match request.uri().path() {
            "/.well-known/openid-configuration" => {
                self.discoveries.fetch_add(1, Ordering::SeqCst);
                self.discovery.lock().unwrap().clone()
            }
            "/keys" => {
                self.key_fetches.fetch_add(1, Ordering::SeqCst);
                self.keys.lock().unwrap().clone()
            }
            _ => Answer::Status(404),
        };
        self.gate.acquire().await.unwrap().forget();
        let mut response = Response::builder();
        if let Some(value) = self.cache_control.lock().unwrap().clone() {
            response = response.header(CACHE_CONTROL, value);
        }
        let response = match answer {
            Answer::Body(body) => response.body(Full::from(body)),
            Answer::Status(status) => response.status(status).body(Full::default()),
            Answer::Redirect(to) => response.status(302).header(LOCATION, to).body(Full::default()),
            Answer::Silence => std::future::pending().await,
        };
        Ok(response.unwrap())
    }
}
