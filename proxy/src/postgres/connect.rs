//! The login to a target's PostgreSQL: TLS first, then proof, then the facts of the connection.
//!
//! The server is as hostile as the client. A password is used only in SCRAM, so it never leaves; a server
//! that asks for less than the credential expects has not proved itself and is not talked to.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS};
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::config::{Limits, Verify};
use crate::refusal::{Reason, Refusal};
use crate::tls::ALPN_POSTGRESQL;
use crate::upstream::{self, Credential, Secret, Upstream};

use super::catalogue::{self, Facts};
use super::message::{self, HEADER_BYTES, Header, put, put_query, put_text};
use super::scram::Exchange;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Upstream(#[from] upstream::Error),
    #[error("the target closed the connection")]
    Closed,
    #[error("the connection to the target failed")]
    Io(#[source] std::io::Error),
    #[error("the target broke the protocol")]
    Protocol(#[from] message::Error),
    #[error("the target asked for a login that the credential does not allow: {0}")]
    Login(&'static str),
    #[error("the target's SCRAM proof does not hold")]
    Scram,
    #[error("the target asks for more SCRAM iterations than `scram_iterations_max` allows")]
    ScramIterations,
    #[error("the target refused the login, with SQLSTATE {sqlstate}")]
    Refused { sqlstate: String },
    #[error("the target's answer about itself cannot be used")]
    Facts(#[from] catalogue::Error),
    #[error("the target did not answer within `connect_timeout_ms`")]
    TimedOut,
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Refusal {
        let detail: Cow<'static, str> = match error {
            Error::TimedOut | Error::Upstream(upstream::Error::TimedOut) => {
                "the target did not answer within `connect_timeout_ms`".into()
            }
            Error::Upstream(_) | Error::Closed | Error::Io(_) => "the target cannot be reached now".into(),
            Error::Protocol(message::Error::TooLong(limit)) => {
                format!("the target's answer is longer than `{limit}` allows").into()
            }
            Error::Facts(catalogue::Error::TooMany) => {
                "the database has more relations than `catalogue_relations_max` allows".into()
            }
            Error::Protocol(_) | Error::Facts(_) => {
                "the target's answers are not those of a PostgreSQL server".into()
            }
            Error::ScramIterations => {
                "the target asks for more SCRAM iterations than `scram_iterations_max` allows".into()
            }
            Error::Login(_) | Error::Scram => {
                "the target did not prove itself as its credential demands".into()
            }
            Error::Refused { .. } => "the target refused the gateway's login".into(),
        };
        Refusal::new(Reason::Unavailable, "the target is unavailable")
            .detail(detail)
            .hint("the gateway's operators see why with `postern check`")
    }
}

/// Where to log in, and as whom.
#[derive(Clone, Debug)]
pub struct Dial {
    pub address: String,
    pub credential: Arc<Credential>,
    pub database: String,
    pub application_name: String,
}

/// A connection that is logged in and idle, with what it said of itself.
#[derive(Debug)]
pub struct Connected {
    pub wire: Wire,
    pub pid: i32,
    pub key: Vec<u8>,
    /// What the server reported at the login.
    pub parameters: Parameters,
    pub facts: Facts,
}

impl Connected {
    /// Asks again for what a SET or a reset has changed.
    pub async fn ask_facts(&mut self) -> Result<(), Error> {
        let json = self.wire.ask_one(catalogue::facts_query()).await?;
        self.facts = catalogue::read_facts(&json)?;
        Ok(())
    }
}

/// Logs in and asks for the facts, all within `connect_timeout_ms`.
pub async fn connect(dial: &Dial, limits: &Limits) -> Result<Connected, Error> {
    let timeout = Duration::from_millis(limits.connect_timeout_ms);
    tokio::time::timeout(timeout, log_in(dial, limits))
        .await
        .map_err(|_| Error::TimedOut)?
}

async fn log_in(dial: &Dial, limits: &Limits) -> Result<Connected, Error> {
    let stream = open(dial, limits).await?;
    let mut wire = Wire::new(stream, limits);
    wire.send(&startup_packet(dial)).await?;
    authenticate(&mut wire, dial, limits).await?;
    let (mut pid, mut key, mut parameters) = (0, Vec::new(), Parameters::new());
    let mut parameter_bytes = 0;
    loop {
        let (tag, body) = wire.receive().await?;
        match tag {
            b'S' => {
                parameter_bytes += body.len();
                wire.check(parameter_bytes)?;
                let (name, value) = message::parameter(&body)?;
                parameters.insert(name.to_owned(), value.to_owned());
            }
            b'K' => {
                let mut fields = message::Fields(&body);
                pid = i32::from_be_bytes(fields.u32()?.to_be_bytes());
                key = fields.0.to_vec();
            }
            b'N' => {}
            b'Z' => break,
            b'E' => return Err(refused(&body)),
            _ => return Err(Error::Login("a message out of place")),
        }
    }
    let json = wire.ask_one(catalogue::facts_query()).await?;
    let facts = catalogue::read_facts(&json)?;
    Ok(Connected {
        wire,
        pid,
        key,
        parameters,
        facts,
    })
}

/// The socket, with TLS as the credential demands (manual, "SSL Session Encryption").
async fn open(dial: &Dial, limits: &Limits) -> Result<Upstream, Error> {
    let timeout = Duration::from_millis(limits.connect_timeout_ms);
    let mut socket = Upstream::dial(&dial.credential, &dial.address, timeout).await?;
    if dial.credential.verify == Verify::Disable {
        return Ok(Upstream::Plain(socket));
    }
    let mut request = 8_u32.to_be_bytes().to_vec();
    request.extend_from_slice(&message::SSL_REQUEST.to_be_bytes());
    socket.write_all(&request).await.map_err(Error::Io)?;
    let mut answer = [0; 1];
    socket.read_exact(&mut answer).await.map_err(Error::Io)?;
    if answer != *b"S" {
        return Err(upstream::Error::NoTls.into());
    }
    // Bytes that came with the answer were sent before TLS: whoever put them there is not the server.
    let mut early = [0; 1];
    if socket.try_read(&mut early).is_ok_and(|bytes| bytes > 0) {
        return Err(upstream::Error::EarlyBytes.into());
    }
    Ok(Upstream::secure(socket, &dial.credential, &dial.address, ALPN_POSTGRESQL).await?)
}

fn startup_packet(dial: &Dial) -> Vec<u8> {
    const PROTOCOL_3_0: u32 = 196_608;
    let mut body = PROTOCOL_3_0.to_be_bytes().to_vec();
    let parameters = [
        ("user", dial.credential.user.as_str()),
        ("database", &dial.database),
        ("client_encoding", "UTF8"),
        ("application_name", &dial.application_name),
    ];
    for (name, value) in parameters {
        put_text(&mut body, name);
        put_text(&mut body, value);
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    let mut packet = length.to_be_bytes().to_vec();
    packet.append(&mut body);
    packet
}

async fn authenticate(wire: &mut Wire, dial: &Dial, limits: &Limits) -> Result<(), Error> {
    const OK: u32 = 0;
    const SASL: u32 = 10;
    let (code, rest) = authentication(wire).await?;
    match (&dial.credential.secret, code) {
        (Secret::Trust | Secret::Certificate, OK) => Ok(()),
        (Secret::Bearer(_) | Secret::Header { .. } | Secret::Query { .. }, _) => {
            Err(Error::Login("what only an API takes"))
        }
        (Secret::Password(_), OK) => Err(Error::Login("no proof at all")),
        (Secret::Password(password), SASL) => {
            scram(wire, password.expose_secret(), &rest, limits).await?;
            match authentication(wire).await? {
                (OK, _) => Ok(()),
                _ => Err(Error::Login("more after SCRAM")),
            }
        }
        _ => Err(Error::Login("a method other than SCRAM-SHA-256")),
    }
}

/// The next Authentication message: its code and what follows.
async fn authentication(wire: &mut Wire) -> Result<(u32, Vec<u8>), Error> {
    match wire.receive().await? {
        (b'R', body) => {
            let mut fields = message::Fields(&body);
            let code = fields.u32()?;
            Ok((code, fields.0.to_vec()))
        }
        (b'E', body) => Err(refused(&body)),
        _ => Err(Error::Login("a message out of place")),
    }
}

/// SCRAM-SHA-256, bound to the TLS channel when the server offers it (RFC 5802, RFC 7677, RFC 5929).
async fn scram(wire: &mut Wire, password: &str, mechanisms: &[u8], limits: &Limits) -> Result<(), Error> {
    const CONTINUE: u32 = 11;
    const FINAL: u32 = 12;
    let offered: Vec<&[u8]> = mechanisms.split(|byte| *byte == 0).collect();
    let offers = |name: &str| offered.contains(&name.as_bytes());
    let endpoint = wire
        .stream
        .certificate()
        .map(|certificate| endpoint_hash(certificate));
    let (mechanism, binding) = match endpoint {
        Some(hash) if offers(SCRAM_SHA_256_PLUS) => {
            (SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(hash))
        }
        Some(_) if offers(SCRAM_SHA_256) => (SCRAM_SHA_256, ChannelBinding::unrequested()),
        None if offers(SCRAM_SHA_256) => (SCRAM_SHA_256, ChannelBinding::unsupported()),
        _ => return Err(Error::Login("no SCRAM mechanism that we know")),
    };
    let mut exchange = Exchange::begin(password, binding);
    let mut first = Vec::new();
    put(&mut first, b'p', |body| {
        put_text(body, mechanism);
        let message = exchange.message();
        body.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
        body.extend_from_slice(message);
    });
    wire.send(&first).await?;
    let (CONTINUE, challenge) = authentication(wire).await? else {
        return Err(Error::Scram);
    };
    exchange.challenged(&challenge, limits)?;
    let mut second = Vec::new();
    put(&mut second, b'p', |body| {
        body.extend_from_slice(exchange.message())
    });
    wire.send(&second).await?;
    let (FINAL, proof) = authentication(wire).await? else {
        return Err(Error::Scram);
    };
    exchange.proved(&proof)
}

/// The hash of a certificate by its own signature's hash, SHA-256 at least (RFC 5929, section 4.1).
fn endpoint_hash(certificate: &[u8]) -> Vec<u8> {
    use aws_lc_rs::digest;
    use x509_parser::oid_registry as oid;
    let algorithm = match x509_parser::parse_x509_certificate(certificate) {
        Ok((_, parsed)) => {
            let signature = parsed.signature_algorithm.algorithm.clone();
            if [oid::OID_SIG_ECDSA_WITH_SHA384, oid::OID_PKCS1_SHA384WITHRSA].contains(&signature) {
                &digest::SHA384
            } else if [oid::OID_SIG_ECDSA_WITH_SHA512, oid::OID_PKCS1_SHA512WITHRSA].contains(&signature) {
                &digest::SHA512
            } else {
                &digest::SHA256
            }
        }
        Err(_) => &digest::SHA256,
    };
    digest::digest(algorithm, certificate).as_ref().to_vec()
}

fn refused(body: &[u8]) -> Error {
    let fields = message::notice_fields(body).unwrap_or_default();
    let sqlstate = fields
        .iter()
        .find(|(letter, _)| *letter == b'C')
        .map_or("", |(_, code)| *code);
    let is_one = sqlstate.len() == 5 && sqlstate.bytes().all(|byte| byte.is_ascii_alphanumeric());
    Error::Refused {
        sqlstate: if is_one { sqlstate } else { "unknown" }.to_owned(),
    }
}

/// The rows of an answer as texts; a NULL is `None`.
type Rows = Vec<Vec<Option<String>>>;

/// What a server reports with ParameterStatus, by name.
pub type Parameters = BTreeMap<String, String>;

/// What one of our own questions brought.
#[derive(Debug, Default)]
struct Answer {
    rows: Rows,
    reported: Parameters,
}

/// A connection spoken to one message at a time: at login, and by the gateway's own questions.
#[derive(Debug)]
pub struct Wire {
    stream: Upstream,
    buffer: Vec<u8>,
    /// One message, and all rows of one answer together.
    bytes_max: usize,
    /// The name of that limit.
    limit: &'static str,
    answer_timeout: Duration,
}

impl Wire {
    /// The bare stream, for the relay: nothing has been read ahead of it on an idle connection.
    pub fn stream(&mut self) -> &mut Upstream {
        &mut self.stream
    }

    pub fn new(stream: Upstream, limits: &Limits) -> Wire {
        Wire {
            stream,
            buffer: Vec::new(),
            bytes_max: limits.server_message_bytes_max,
            limit: "server_message_bytes_max",
            answer_timeout: Duration::from_millis(limits.connect_timeout_ms),
        }
    }

    /// Allows the answer that is a catalogue.
    pub fn allow_catalogue(&mut self, limits: &Limits) {
        self.bytes_max = limits.catalogue_bytes_max;
        self.limit = "catalogue_bytes_max";
    }

    fn check(&self, bytes: usize) -> Result<(), message::Error> {
        if bytes > self.bytes_max {
            return Err(message::Error::TooLong(self.limit));
        }
        Ok(())
    }

    /// Whether the connection still stands and the server has said nothing unasked.
    pub fn is_alive(&self) -> bool {
        let socket = match &self.stream {
            Upstream::Plain(socket) => socket,
            Upstream::Tls(stream) => stream.get_ref().0,
        };
        let mut unasked = [0; 1];
        let silent = matches!(socket.try_read(&mut unasked), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
        silent && self.buffer.is_empty()
    }

    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stream.write_all(bytes).await.map_err(Error::Io)?;
        self.stream.flush().await.map_err(Error::Io)
    }

    /// The next whole message: its type and body.
    pub async fn receive(&mut self) -> Result<(u8, Vec<u8>), Error> {
        loop {
            if let Some(Header { tag, bytes }) = message::header(&self.buffer)? {
                self.check(bytes)?;
                if let Some(body) = self.buffer.get(HEADER_BYTES..bytes) {
                    let body = body.to_vec();
                    self.buffer.drain(..bytes);
                    return Ok((tag, body));
                }
            }
            if self.stream.read_buf(&mut self.buffer).await.map_err(Error::Io)? == 0 {
                return Err(Error::Closed);
            }
        }
    }

    /// Runs one simple Query of our own and returns its rows as texts. Not cancel safe.
    pub async fn ask(&mut self, text: &str) -> Result<Rows, Error> {
        tokio::time::timeout(self.answer_timeout, self.answer(text))
            .await
            .map_err(|_| Error::TimedOut)?
            .map(|answer| answer.rows)
    }

    /// Runs one SET of our own and returns the parameters that the server reports as changed by it.
    pub async fn set(&mut self, text: &str) -> Result<Parameters, Error> {
        tokio::time::timeout(self.answer_timeout, self.answer(text))
            .await
            .map_err(|_| Error::TimedOut)?
            .map(|answer| answer.reported)
    }

    async fn answer(&mut self, text: &str) -> Result<Answer, Error> {
        let mut query = Vec::new();
        put_query(&mut query, text);
        self.send(&query).await?;
        let (mut answer, mut answer_bytes, mut failed) = (Answer::default(), 0, None);
        loop {
            let (tag, body) = self.receive().await?;
            answer_bytes += body.len();
            self.check(answer_bytes)?;
            match tag {
                b'D' => {
                    let row = message::row_values(&body)?;
                    let row = row.into_iter().map(|value| value.map(str::to_owned));
                    answer.rows.push(row.collect());
                }
                b'S' => {
                    let (name, value) = message::parameter(&body)?;
                    answer.reported.insert(name.to_owned(), value.to_owned());
                }
                b'E' => failed = Some(refused(&body)),
                b'Z' => return failed.map_or(Ok(answer), Err),
                _ => {}
            }
        }
    }

    /// Says goodbye, so that the server frees the backend at once.
    pub async fn goodbye(&mut self) {
        let mut terminate = Vec::new();
        put(&mut terminate, b'X', |_| {});
        let _ = self.send(&terminate).await;
    }

    /// The one value of a question that has one.
    pub async fn ask_one(&mut self, text: &str) -> Result<String, Error> {
        let rows = self.ask(text).await?;
        let value = rows
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next())
            .flatten();
        value.ok_or(Error::Login("no answer about itself"))
    }
}
