//! One question to an operators' door or a gateway's admin door, and its answer.
//!
//! A token goes only where nobody else can read it: over TLS, or to this machine.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::trouble::{Exit, Result, Trouble};

/// A tail waits up to 25 seconds at the other side.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Verifying a log reads all of it.
pub const SLOW_ANSWER_TIMEOUT: Duration = Duration::from_secs(60 * 60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
const SYSTEM_AUTHORITIES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// A bearer token, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// The token itself, or `file:` and the path of a file that holds it.
    pub fn read(reference: &str) -> Result<Token> {
        let text = match reference.strip_prefix("file:") {
            Some(path) => std::fs::read_to_string(path).map_err(|error| {
                Trouble::new(format!("cannot read the token in `{path}`"))
                    .because(&error)
                    .exit(Exit::NotAuthenticated)
            })?,
            None => reference.to_owned(),
        };
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(
                Trouble::new("the operator token is empty or has characters that no token has")
                    .exit(Exit::NotAuthenticated)
                    .next("give it as `POSTERN_TOKEN=file:/path/of/operator.token`"),
            );
        }
        Ok(Token(token.to_owned()))
    }
}

/// Where to ask, and as whom.
#[derive(Clone, Debug)]
pub struct Door {
    host: String,
    port: u16,
    encryption: Encryption,
    token: Option<Token>,
}

#[derive(Clone, Debug)]
enum Encryption {
    None,
    /// By these authorities, or the system's.
    Tls(Option<PathBuf>),
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
}

impl Door {
    pub fn new(url: &str, token: Option<Token>, authorities: Option<PathBuf>) -> Result<Door> {
        let wrong = || {
            Trouble::usage(format!("`{url}` is not the address of a door"))
                .next("it has the form `http://127.0.0.1:8443` or `https://host:port`")
        };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let host = uri.host().ok_or_else(wrong)?.trim_matches(['[', ']']).to_owned();
        if !["", "/"].contains(&uri.path()) || uri.query().is_some() {
            return Err(wrong());
        }
        let (encryption, usual_port) = match uri.scheme_str() {
            Some("http") => (Encryption::None, 80),
            Some("https") => (Encryption::Tls(authorities), 443),
            _ => return Err(wrong()),
        };
        if token.is_some() && matches!(encryption, Encryption::None) && !is_this_machine(&host) {
            return Err(
                Trouble::usage(format!("`{url}` would send the operator token in plain text"))
                    .next("use https, or a tunnel that ends on this machine"),
            );
        }
        Ok(Door {
            port: uri.port_u16().unwrap_or(usual_port),
            host,
            encryption,
            token,
        })
    }

    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.ask(Method::GET, path, None, ANSWER_TIMEOUT).await
    }

    pub async fn post(&self, path: &str, body: Option<&Value>, timeout: Duration) -> Result<Answer> {
        self.ask(Method::POST, path, body, timeout).await
    }

    pub async fn put(&self, path: &str, body: &Value, timeout: Duration) -> Result<Answer> {
        self.ask(Method::PUT, path, Some(body), timeout).await
    }

    /// Asks and waits; what answers in JSON with success is the value, anything else is told.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        timeout: Duration,
    ) -> Result<Answer> {
        let place = format!("{}:{}", self.host, self.port);
        let unreachable = |error: &(dyn std::error::Error + 'static)| {
            Trouble::new(format!("nobody answers at `{place}`"))
                .because(error)
                .next("is it running, and is the address right? `postern check` says more on its host")
        };
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let socket = match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) => return Err(unreachable(&error)),
            Err(elapsed) => return Err(unreachable(&elapsed)),
        };
        let body = body.map(|body| Bytes::from(body.to_string()));
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &place);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.0));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::new(body.unwrap_or_default()))
            .map_err(|error| Trouble::from_error(&error))?;
        let exchange = async {
            match &self.encryption {
                Encryption::None => exchange(socket, request).await,
                Encryption::Tls(authorities) => {
                    let name = ServerName::try_from(self.host.clone()).map_err(|error| {
                        Trouble::usage(format!("`{}` is no server name", self.host)).because(&error)
                    })?;
                    let connector = tokio_rustls::TlsConnector::from(client_config(authorities.as_deref())?);
                    let stream = connector.connect(name, socket).await.map_err(|error| {
                        unreachable(&error).next("name the authority of its certificate with `--ca`")
                    })?;
                    exchange(stream, request).await
                }
            }
        };
        let elapsed = |_| {
            Trouble::new(format!(
                "`{place}` took longer than {} seconds to answer",
                timeout.as_secs()
            ))
        };
        tokio::time::timeout(timeout, exchange).await.map_err(elapsed)?
    }
}

impl Answer {
    /// The text of a success; anything else is told as [`Answer::json`] does.
    pub fn text(&self) -> Result<String> {
        if !self.status.is_success() {
            self.json()?;
        }
        let text = std::str::from_utf8(&self.body);
        text.map(str::to_owned)
            .map_err(|error| Trouble::new("the answer is no text").because(&error))
    }

    /// The JSON of a success. A refusal of the door becomes trouble with the door's own words.
    pub fn json(&self) -> Result<Value> {
        if self.status.is_success() {
            return serde_json::from_slice(&self.body).map_err(|error| {
                Trouble::new("the answer is not the JSON that was expected").because(&error)
            });
        }
        let told: Option<Value> = serde_json::from_slice(&self.body).ok();
        let detail = told
            .as_ref()
            .and_then(|told| told.get("detail"))
            .and_then(Value::as_str);
        let words = match detail {
            Some(detail) => detail.to_owned(),
            None => std::str::from_utf8(&self.body).unwrap_or("").trim().to_owned(),
        };
        let trouble = Trouble::new(if words.is_empty() {
            format!("it answers {}", self.status)
        } else {
            words
        });
        let mut trouble = trouble;
        let errors = told.as_ref().and_then(|told| told.get("errors")?.as_array());
        let errors = errors.into_iter().flatten().filter_map(Value::as_str);
        trouble.causes.extend(errors.map(str::to_owned));
        Err(match self.status {
            StatusCode::UNAUTHORIZED => trouble
                .exit(Exit::NotAuthenticated)
                .next("set `POSTERN_TOKEN`, or `--token file:…/operator.token` from the control plane's data folder"),
            _ => trouble,
        })
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| Trouble::new("the conversation broke off").because(&error);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // Driven here, beside the exchange, so that both end together.
    let driven = async {
        drop(connection.await);
        std::future::pending::<()>().await;
    };
    let exchange = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await;
        let body = body
            .map_err(|error| Trouble::new(format!("the answer broke off: {error}")))?
            .to_bytes();
        Ok(Answer { status, body })
    };
    tokio::select! {
        biased;
        answer = exchange => answer,
        () = driven => Err(Trouble::new("the conversation broke off")),
    }
}

fn client_config(authorities: Option<&Path>) -> Result<Arc<ClientConfig>> {
    let found = SYSTEM_AUTHORITIES
        .iter()
        .map(Path::new)
        .find(|path| path.is_file());
    let path = authorities.or(found).ok_or_else(|| {
        Trouble::new("this machine has no list of public authorities").next("name one with `--ca`")
    })?;
    let unreadable =
        |error| Trouble::new(format!("cannot read authorities in `{}`", path.display())).because(&error);
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path)
        .map_err(unreadable)?
        .filter_map(std::result::Result::ok);
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(Trouble::new(format!("`{}` holds no authority", path.display())));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Trouble::from_error(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A path with a query; values may hold anything.
pub fn with_query(path: &str, parameters: &[(&str, Option<String>)]) -> String {
    let given = parameters
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let pairs: Vec<String> = given
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    if pairs.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", pairs.join("&"))
    }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
pub fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_sent_in_plain_text_to_another_machine() {
        let token = || Some(Token::read("abc").unwrap());
        assert!(Door::new("http://127.0.0.1:1", token(), None).is_ok());
        assert!(Door::new("http://[::1]:1", token(), None).is_ok());
        assert!(Door::new("https://control.example", token(), None).is_ok());
        assert!(Door::new("http://control.example", None, None).is_ok());
        let trouble = Door::new("http://control.example", token(), None).unwrap_err();
        assert_eq!(trouble.exit, Exit::Usage);
        for wrong in [
            "",
            "localhost:1",
            "ftp://localhost",
            "http://localhost/path",
            "http://localhost?x",
        ] {
            assert!(Door::new(wrong, None, None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_token_is_never_printed() {
        let door = Door::new(
            "http://localhost",
            Some(Token::read("secret-token").unwrap()),
            None,
        )
        .unwrap();
        assert!(!format!("{door:?}").contains("secret"));
    }

    #[test]
    fn a_refusal_of_the_door_keeps_its_words_and_has_its_exit_code() {
        let answer = |status, body: &str| Answer {
            status,
            body: Bytes::from(body.to_owned()),
        };
        let refused = answer(StatusCode::UNAUTHORIZED, r#"{"detail":"send the token"}"#)
            .json()
            .unwrap_err();
        assert_eq!(
            (refused.exit, refused.message.as_str()),
            (Exit::NotAuthenticated, "send the token")
        );
        let missing = answer(StatusCode::NOT_FOUND, "nothing here\n")
            .json()
            .unwrap_err();
        assert_eq!(
            (missing.exit, missing.message.as_str()),
            (Exit::Failure, "nothing here")
        );
        assert!(answer(StatusCode::OK, "not json").json().is_err());
    }

    #[test]
    fn a_query_value_cannot_become_another_parameter() {
        let parameters = [("text", Some("a&b=c d/é".to_owned())), ("none", None)];
        assert_eq!(
            with_query("/v1/records", &parameters),
            "/v1/records?text=a%26b%3Dc%20d%2F%C3%A9"
        );
        assert_eq!(with_query("/x", &[]), "/x");
    }
}
