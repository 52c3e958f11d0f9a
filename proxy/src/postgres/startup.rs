//! From the first byte to who is calling: TLS by SSLRequest or direct, the startup packet, the evidence.
//!
//! Nothing sent before TLS is interpreted but the request for TLS itself and a cancel (manual, "Message
//! Flow"). The password is asked for only inside TLS, and it is a token, not a secret of the target.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::server::TlsStream;

use crate::audit;
use crate::audit::strangers::nobody;
use crate::config::Limits;
use crate::identity::{Identities, Identity, Stranger};
use crate::refusal::{Reason, Refusal};
use crate::shared::Shared;
use crate::tls::{self, ALPN_POSTGRESQL, Incoming};

use super::cancel::CancelKey;
use super::message::{self, CANCEL_REQUEST, GSSENC_REQUEST, HEADER_BYTES, SSL_REQUEST, put, put_text};
use super::refusal::put_fatal;
use super::settings::{self, Startup};

/// The newest protocol that we speak: 3.2 has longer cancel keys (manual, "Protocol Versions").
const NEWEST_MINOR: u16 = 2;
/// The first minor version whose cancel keys may be longer than four bytes.
const LONG_KEYS_MINOR: u16 = 2;
/// A CancelRequest: length, code, process id and the longest key of 3.2.
const CANCEL_BYTES_MAX: usize = 12 + 256;

/// Who arrived, once it is known.
pub enum Arrival {
    Client(Box<Client>),
    Cancel(CancelKey),
}

/// A client that has shown who it is and waits for the answer to its login.
pub struct Client {
    pub stream: TlsStream<TcpStream>,
    pub identity: Identity,
    pub startup: Startup,
    pub server_name: Option<String>,
    pub long_keys: bool,
}

/// Why an arrival came to nothing, and for whom it is counted.
pub struct Turned {
    pub stranger: Stranger,
    pub refusal: Refusal,
}

/// The connection went away by itself; there is nobody to tell.
pub enum Failure {
    Gone,
    /// The client has been told.
    Turned(Box<Turned>),
}

impl From<std::io::Error> for Failure {
    fn from(_: std::io::Error) -> Failure {
        Failure::Gone
    }
}

/// Brings a connection to an identity before the deadline.
pub async fn arrive(
    socket: Incoming,
    source: IpAddr,
    deadline: Instant,
    shared: &Shared,
) -> Result<Arrival, Failure> {
    let mut stream = match timeout_at(deadline, secure(socket, shared)).await {
        Ok(Ok(Secured::Tls(stream))) => stream,
        Ok(Ok(Secured::Cancel(key))) => return Ok(Arrival::Cancel(key)),
        Ok(Err(failure)) => return Err(failure),
        // Before TLS there is nobody who could be told.
        Err(_) => {
            return Err(Failure::Turned(Box::new(Turned {
                stranger: nobody("timeout"),
                refusal: too_late(),
            })));
        }
    };
    match timeout_at(deadline, inside_tls(&mut stream, source, shared)).await {
        Ok(Ok(Inside::Known {
            identity,
            startup,
            long_keys,
        })) => Ok(Arrival::Client(Box::new(Client {
            server_name: stream.get_ref().1.server_name().map(str::to_owned),
            stream: *stream,
            identity,
            startup,
            long_keys,
        }))),
        Ok(Ok(Inside::Cancel(key))) => Ok(Arrival::Cancel(key)),
        Ok(Err(failure)) => Err(failure),
        Err(_) => Err(turn(&mut *stream, nobody("timeout"), too_late(), shared).await),
    }
}

fn too_late() -> Refusal {
    Refusal::new(Reason::Unauthenticated, "nobody logged in in time")
        .detail("the limit is `login_timeout_ms`")
}

/// What a connection has become once it speaks TLS, or needs none.
enum Secured {
    Tls(Box<TlsStream<TcpStream>>),
    Cancel(CancelKey),
}

/// TLS by SSLRequest, where it does not stand already.
async fn secure(socket: Incoming, shared: &Shared) -> Result<Secured, Failure> {
    let mut socket = match socket {
        Incoming::Plain(socket) => socket,
        Incoming::Tls(stream) => return Ok(Secured::Tls(stream)),
    };
    let mut gss_asked = false;
    loop {
        let (length, code) = (socket.read_u32().await?, socket.read_u32().await?);
        match (length, code) {
            (8, SSL_REQUEST) => {
                socket.write_all(b"S").await?;
                break;
            }
            (8, GSSENC_REQUEST) if !gss_asked => {
                gss_asked = true;
                socket.write_all(b"N").await?;
            }
            (length, CANCEL_REQUEST) => return Ok(Secured::Cancel(read_cancel(&mut socket, length).await?)),
            (_, code) => {
                let refusal = match code >> 16 {
                    3 => Refusal::new(Reason::Unauthenticated, "connections without TLS are refused")
                        .hint("use sslmode=verify-full"),
                    _ => Refusal::new(Reason::Malformed, "this is not a PostgreSQL startup"),
                };
                return Err(turn(&mut socket, nobody("plaintext"), refusal, shared).await);
            }
        }
    }
    let mut stream = shared.tls.accept(socket).await.map_err(|_| {
        Failure::Turned(Box::new(Turned {
            stranger: nobody("tls"),
            refusal: Refusal::new(Reason::Malformed, tls::HANDSHAKE_FAILED),
        }))
    })?;
    let protocol = stream.get_ref().1.alpn_protocol();
    if protocol.is_some_and(|protocol| protocol != ALPN_POSTGRESQL) {
        let refusal = Refusal::new(
            Reason::Malformed,
            "what follows an SSLRequest is PostgreSQL, and its ALPN protocol `postgresql`",
        );
        return Err(turn(&mut stream, nobody("alpn"), refusal, shared).await);
    }
    Ok(Secured::Tls(Box::new(stream)))
}

/// What was said inside TLS.
enum Inside {
    Known {
        identity: Identity,
        startup: Startup,
        long_keys: bool,
    },
    Cancel(CancelKey),
}

async fn inside_tls(
    stream: &mut TlsStream<TcpStream>,
    source: IpAddr,
    shared: &Shared,
) -> Result<Inside, Failure> {
    let length = stream.read_u32().await?;
    let length_max = u32::try_from(shared.limits.startup_bytes_max).unwrap_or(u32::MAX);
    if !(8..=length_max).contains(&length) {
        let refusal = Refusal::new(
            Reason::Malformed,
            "the startup packet has a length that is not allowed",
        )
        .detail("the limit is `startup_bytes_max`");
        return Err(turn(stream, nobody("startup_length"), refusal, shared).await);
    }
    let code = stream.read_u32().await?;
    if code == CANCEL_REQUEST {
        return Ok(Inside::Cancel(read_cancel(stream, length).await?));
    }
    let (major, minor) = (code >> 16, u16::try_from(code & 0xffff).unwrap_or(u16::MAX));
    if major != 3 {
        let refusal = Refusal::new(Reason::Unsupported, "only protocol 3 is served");
        return Err(turn(stream, nobody("version"), refusal, shared).await);
    }
    let mut body = Vec::new();
    let body_bytes = u64::from(length) - 8;
    if (&mut *stream).take(body_bytes).read_to_end(&mut body).await? as u64 != body_bytes {
        return Err(Failure::Gone);
    }
    let startup = match settings::read_startup(&body) {
        Ok(startup) => startup,
        Err(refusal) => return Err(turn(stream, nobody("startup"), refusal, shared).await),
    };
    if minor > NEWEST_MINOR || !startup.unknown_extensions.is_empty() {
        stream
            .write_all(&negotiation(minor, &startup.unknown_extensions))
            .await?;
    }
    match identify(stream, source, shared).await? {
        Ok(identity) => Ok(Inside::Known {
            identity,
            startup,
            long_keys: minor >= LONG_KEYS_MINOR,
        }),
        Err((stranger, refusal)) => Err(turn(stream, stranger, refusal, shared).await),
    }
}

/// `NegotiateProtocolVersion`: the newest version up to what was asked, and the extensions we do not know.
fn negotiation(minor: u16, unknown: &[String]) -> Vec<u8> {
    let mut answer = Vec::new();
    put(&mut answer, b'v', |body| {
        let version = (3_u32 << 16) | u32::from(minor.min(NEWEST_MINOR));
        body.extend_from_slice(&version.to_be_bytes());
        body.extend_from_slice(&u32::try_from(unknown.len()).unwrap_or(0).to_be_bytes());
        for extension in unknown {
            put_text(body, extension);
        }
    });
    answer
}

type Identified = Result<Identity, (Stranger, Refusal)>;

/// A certificate if one was shown, else a token asked for as the password. Never both, never ignored.
async fn identify(
    stream: &mut TlsStream<TcpStream>,
    source: IpAddr,
    shared: &Shared,
) -> Result<Identified, Failure> {
    let identities: &Identities = &shared.identities;
    let now_ms = audit::now_us() / 1_000;
    let chain: Option<Vec<CertificateDer<'static>>> =
        stream.get_ref().1.peer_certificates().map(<[_]>::to_vec);
    let result = match chain.filter(|chain| !chain.is_empty()) {
        Some(chain) => identities.by_certificate(&chain, source, now_ms),
        None => {
            let mut ask = Vec::new();
            put(&mut ask, b'R', |body| {
                body.extend_from_slice(&3_u32.to_be_bytes())
            });
            stream.write_all(&ask).await?;
            match read_password(stream, shared.limits.token_bytes_max).await? {
                Ok(token) => identities.by_token(&token, source, now_ms).await,
                Err(refusal) => return Ok(Err((nobody("password"), refusal))),
            }
        }
    };
    Ok(result.map_err(|error| (error.stranger(), Refusal::from(&error))))
}

/// The token, in memory that is wiped when it is dropped.
async fn read_password(
    stream: &mut TlsStream<TcpStream>,
    token_bytes_max: usize,
) -> Result<Result<zeroize::Zeroizing<Vec<u8>>, Refusal>, Failure> {
    let mut head = [0; HEADER_BYTES];
    stream.read_exact(&mut head).await?;
    let malformed = |message: &'static str| Ok(Err(Refusal::new(Reason::Malformed, message)));
    let Ok(Some(header)) = message::header(&head) else {
        return malformed("the answer to the password request is malformed");
    };
    if header.tag != b'p' {
        return malformed("a password was expected");
    }
    let body_bytes = header.bytes - HEADER_BYTES;
    if body_bytes > token_bytes_max + 1 {
        return Ok(Err(Refusal::new(
            Reason::BadToken,
            "the token is larger than `token_bytes_max`",
        )));
    }
    let mut body = zeroize::Zeroizing::new(vec![0; body_bytes]);
    stream.read_exact(&mut body).await?;
    match body.iter().position(|byte| *byte == 0) {
        Some(end) if end + 1 == body.len() => {
            body.truncate(end);
            Ok(Ok(body))
        }
        _ => malformed("the password has no end, or more than one"),
    }
}

async fn read_cancel(stream: &mut (impl AsyncReadExt + Unpin), length: u32) -> Result<CancelKey, Failure> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if !(16..=CANCEL_BYTES_MAX).contains(&length) {
        return Err(Failure::Gone);
    }
    let pid = stream.read_u32().await?;
    let mut secret = vec![0; length - 12];
    stream.read_exact(&mut secret).await?;
    Ok(CancelKey { pid, secret })
}

async fn turn(
    stream: &mut (impl AsyncWriteExt + Unpin),
    stranger: Stranger,
    refusal: Refusal,
    shared: &Shared,
) -> Failure {
    say(stream, &refusal, &shared.limits).await;
    Failure::Turned(Box::new(Turned { stranger, refusal }))
}

/// Tells a refused client why, if it listens within `goodbye_timeout_ms`.
pub async fn say(stream: &mut (impl AsyncWriteExt + Unpin), refusal: &Refusal, limits: &Limits) {
    let mut bytes = Vec::new();
    put_fatal(&mut bytes, refusal);
    let told = async {
        stream.write_all(&bytes).await?;
        stream.shutdown().await
    };
    let timeout = Duration::from_millis(limits.goodbye_timeout_ms);
    if !matches!(tokio::time::timeout(timeout, told).await, Ok(Ok(()))) {
        tracing::debug!("a refused client did not wait for the reason");
    }
}

/// The end of the client's login: what the server reported, with our own key and the client's own name.
pub(super) fn login_answer<'a>(
    parameters: impl Iterator<Item = (&'a String, &'a String)>,
    client_says: &'a str,
    key: &CancelKey,
) -> Vec<u8> {
    // The last word on each counts.
    let mut parameters: BTreeMap<&str, &str> = parameters
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    if let Some(name) = parameters.get_mut("application_name") {
        *name = client_says;
    }
    let mut answer = Vec::new();
    message::put(&mut answer, b'R', |body| body.extend_from_slice(&[0; 4]));
    for (name, value) in parameters {
        message::put(&mut answer, b'S', |body| {
            message::put_text(body, name);
            message::put_text(body, value);
        });
    }
    message::put(&mut answer, b'K', |body| {
        body.extend_from_slice(&key.pid.to_be_bytes());
        body.extend_from_slice(&key.secret);
    });
    message::put_ready(&mut answer, b'I');
    answer
}
