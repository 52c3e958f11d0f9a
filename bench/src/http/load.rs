//! The load: asks for invoices one after another and counts only answers that are whole and say 200.
//!
//! On a core of its own, beside the API that answers. Every caller offers the same TLS, so that no way is spared work.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::try_join_all;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::header::ACCEPT;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Paths that are asked for in turn: an API's clients seldom ask for one thing only.
const INVOICES: u64 = 1_000;

/// Each connection asks this often before it counts, so that every way has its connections to the API.
pub const BEFORE: u64 = 10;

/// Nothing that is answered at all takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the requests follow each other.
#[derive(Clone, Copy, Debug)]
pub enum Pattern {
    /// Each connection asks again once it is answered.
    KeepAlive { connections: u32 },
    /// The same by each stream of some HTTP/2 connections.
    Streams { connections: u32, streams: u32 },
    /// A connection and a full handshake for each request.
    HandshakeEach { connections: u32 },
    /// So many a second, however slow the answers: the time counts from when a request was to be sent.
    Fixed { connections: u32, per_second: u32 },
}

/// Which door is asked, and what is shown there.
#[derive(Clone)]
pub struct Caller {
    pub port: u16,
    pub tls: Option<Arc<ClientConfig>>,
    /// Each connection shows one of them, with each request.
    pub tokens: Vec<String>,
}

/// What one run came to.
#[derive(Debug, Default)]
pub struct Counted {
    /// Answers, those that do not count for time included.
    pub asked: u64,
    pub answered: u64,
    pub seconds: f64,
    /// In microseconds, sorted.
    pub latencies: Vec<f64>,
}

impl Counted {
    pub fn percentile_ms(&self, percent: usize) -> f64 {
        let place = self.latencies.len().saturating_sub(1) * percent / 100;
        self.latencies.get(place).copied().unwrap_or_default() / 1_000.0
    }
}

/// Why a run counts for nothing.
pub type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// What a handshake may agree on, one choice or the library's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Groups {
    /// What all of them know.
    X25519,
    /// Also X25519MLKEM768, first; who does not know it takes X25519.
    PostQuantum,
}

/// A client's side of TLS 1.3 with AES-128-GCM, which never resumes.
pub fn client(
    ca: &Path,
    certificate: Option<&(PathBuf, PathBuf)>,
    alpn: &[u8],
    groups: Groups,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).expect("the authority") {
        roots
            .add(certificate.expect("a certificate"))
            .expect("an authority");
    }
    let mut provider = CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
        ..aws_lc_rs::default_provider()
    };
    if groups == Groups::X25519 {
        provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3");
    let builder = builder.with_root_certificates(roots);
    let mut config = match certificate {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = CertificateDer::pem_file_iter(certificate).expect("the certificate");
            let chain = chain.collect::<Result<Vec<_>, _>>().expect("certificates");
            let key = PrivateKeyDer::from_pem_file(key).expect("the key");
            builder
                .with_client_auth_cert(chain, key)
                .expect("they belong together")
        }
    };
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![alpn.to_vec()];
    Arc::new(config)
}

/// Runs a pattern for a time; `begin` is called when all connections stand and have been answered.
pub async fn run(
    caller: &Caller,
    pattern: Pattern,
    time: Duration,
    begin: impl FnOnce(),
) -> Result<Counted, Trouble> {
    let mut counted = match pattern {
        Pattern::KeepAlive { connections } => {
            let mut askers = open(caller, connections).await?;
            let begun = start(begin);
            let runs = askers.iter_mut().map(|asker| asker.until(begun + time));
            count(u64::from(connections) * BEFORE, begun, try_join_all(runs).await?)
        }
        Pattern::Streams { connections, streams } => {
            let senders = try_join_all((0..connections).map(|_| open_http_2(caller))).await?;
            let begun = start(begin);
            let streams = senders
                .iter()
                .flat_map(|sender| (0..streams).map(move |number| (sender.clone(), number)));
            let runs = streams.map(|(sender, number)| stream_until(sender, number.into(), begun + time));
            count(u64::from(connections) * BEFORE, begun, try_join_all(runs).await?)
        }
        Pattern::HandshakeEach { connections } => {
            drop(open(caller, connections).await?);
            let begun = start(begin);
            let runs = (0..connections).map(|number| shake_until(caller, number.into(), begun + time));
            count(u64::from(connections) * BEFORE, begun, try_join_all(runs).await?)
        }
        Pattern::Fixed {
            connections,
            per_second,
        } => fixed(caller, connections, per_second, time, begin)?,
    };
    counted.latencies.sort_by(f64::total_cmp);
    Ok(counted)
}

fn start(begin: impl FnOnce()) -> Instant {
    begin();
    Instant::now()
}

fn count(before: u64, begun: Instant, runs: Vec<Vec<f64>>) -> Counted {
    let seconds = begun.elapsed().as_secs_f64();
    let latencies = runs.concat();
    let answered = latencies.len() as u64;
    Counted {
        asked: before + answered,
        answered,
        seconds,
        latencies,
    }
}

/// Connections that have been answered and now stay.
pub async fn open(caller: &Caller, connections: u32) -> Result<Vec<Asker>, Trouble> {
    try_join_all((0..connections).map(|number| async move {
        let mut asker = Asker::connect(caller, number.into()).await?;
        for _ in 0..BEFORE {
            asker.ask().await?;
        }
        Ok(asker)
    }))
    .await
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<W: AsyncRead + AsyncWrite + Unpin + Send> Wire for W {}

/// One connection of HTTP/1.1.
pub struct Asker {
    wire: Box<dyn Wire>,
    token: Option<String>,
    invoice: u64,
    answer: Vec<u8>,
}

impl Asker {
    pub async fn connect(caller: &Caller, number: u64) -> Result<Asker, Trouble> {
        Ok(Asker {
            wire: connect(caller).await?,
            token: token(caller, number),
            // Connections do not walk over the same paths in step.
            invoice: number * 61,
            answer: Vec::with_capacity(16 * 1024),
        })
    }

    pub async fn ask(&mut self) -> Result<(), Trouble> {
        self.invoice += 1;
        let request = request(self.invoice, self.token.as_deref());
        self.wire.write_all(&request).await?;
        self.wire.flush().await?;
        self.answer.clear();
        while !is_whole(&self.answer)? {
            if self.wire.read_buf(&mut self.answer).await? == 0 {
                return Err("the connection was closed before its answer was whole".into());
            }
        }
        Ok(())
    }

    async fn until(&mut self, end: Instant) -> Result<Vec<f64>, Trouble> {
        let mut latencies = Vec::new();
        loop {
            let asked = Instant::now();
            if asked >= end {
                return Ok(latencies);
            }
            self.ask().await?;
            latencies.push(microseconds(asked));
        }
    }
}

fn token(caller: &Caller, number: u64) -> Option<String> {
    let count = caller.tokens.len().max(1);
    caller
        .tokens
        .get(usize::try_from(number).unwrap_or_default() % count)
        .cloned()
}

fn microseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}

async fn connect(caller: &Caller) -> Result<Box<dyn Wire>, Trouble> {
    let socket = TcpStream::connect(address(caller)).await?;
    socket.set_nodelay(true)?;
    match &caller.tls {
        None => Ok(Box::new(socket)),
        Some(tls) => Ok(Box::new(
            TlsConnector::from(tls.clone()).connect(name(), socket).await?,
        )),
    }
}

fn address(caller: &Caller) -> SocketAddr {
    ([127, 0, 0, 1], caller.port).into()
}

fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

fn path(invoice: u64) -> String {
    format!("/v1/invoices/{}", invoice % INVOICES)
}

fn request(invoice: u64, token: Option<&str>) -> Vec<u8> {
    let path = path(invoice);
    let proof = token.map_or(String::new(), |token| {
        format!("authorization: Bearer {token}\r\n")
    });
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n{proof}\r\n").into_bytes()
}

/// Whether a whole answer is there; one that does not say 200, or not how long it is, is no answer.
fn is_whole(answer: &[u8]) -> Result<bool, Trouble> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(head) = answer.windows(END.len()).position(|window| window == END) else {
        return Ok(false);
    };
    let said = std::str::from_utf8(answer.get(..head).unwrap_or_default())?;
    if !said.starts_with("HTTP/1.1 200 ") {
        return Err(format!("answered: {}", said.lines().next().unwrap_or_default()).into());
    }
    let headers = said.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = headers.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let (_, length) = lengths.next().ok_or("an answer does not say how long it is")?;
    let length: usize = length.trim().parse()?;
    Ok(answer.len() >= head + END.len() + length)
}

async fn open_http_2(caller: &Caller) -> Result<SendRequest<Empty<Bytes>>, Trouble> {
    let wire = connect(caller).await?;
    let executor = TokioExecutor::new();
    let (mut sender, connection) = http2::handshake(executor, TokioIo::new(wire)).await?;
    tokio::spawn(connection);
    for invoice in 0..BEFORE {
        ask_http_2(&mut sender, invoice).await?;
    }
    Ok(sender)
}

async fn stream_until(
    mut sender: SendRequest<Empty<Bytes>>,
    number: u64,
    end: Instant,
) -> Result<Vec<f64>, Trouble> {
    let mut latencies = Vec::new();
    let mut invoice = number * 61;
    loop {
        let asked = Instant::now();
        if asked >= end {
            return Ok(latencies);
        }
        invoice += 1;
        ask_http_2(&mut sender, invoice).await?;
        latencies.push(microseconds(asked));
    }
}

async fn ask_http_2(sender: &mut SendRequest<Empty<Bytes>>, invoice: u64) -> Result<(), Trouble> {
    sender.ready().await?;
    let request = Request::get(format!("https://localhost{}", path(invoice)))
        .header(ACCEPT, "application/json")
        .body(Empty::new())?;
    let response = sender.send_request(request).await?;
    if response.status() != StatusCode::OK {
        return Err(format!("answered: {}", response.status()).into());
    }
    if response.into_body().collect().await?.to_bytes().is_empty() {
        return Err("an answer is empty".into());
    }
    Ok(())
}

async fn shake_until(caller: &Caller, number: u64, end: Instant) -> Result<Vec<f64>, Trouble> {
    let mut latencies = Vec::new();
    let mut invoice = number * 61;
    loop {
        let asked = Instant::now();
        if asked >= end {
            return Ok(latencies);
        }
        let mut asker = Asker::connect(caller, number).await?;
        invoice += 1;
        asker.invoice = invoice;
        asker.ask().await?;
        latencies.push(microseconds(asked));
        // It has its answer; what becomes of the farewell is no part of it.
        let _ = asker.wire.shutdown().await;
    }
}

/// Each connection is a thread that sleeps until its turn: the runtime's clock is too coarse for this.
fn fixed(
    caller: &Caller,
    connections: u32,
    per_second: u32,
    time: Duration,
    begin: impl FnOnce(),
) -> Result<Counted, Trouble> {
    let all_stand = Barrier::new(connections as usize + 1);
    let interval = Duration::from_secs(1) * connections / per_second;
    let (told, results) = mpsc::channel();
    std::thread::scope(|scope| {
        let mut starts = Vec::new();
        for number in 0..connections {
            let (start, started) = mpsc::channel::<Instant>();
            starts.push(start);
            let (told, all_stand) = (told.clone(), &all_stand);
            scope.spawn(move || {
                let opened = open_blocking(caller, number.into());
                all_stand.wait();
                let first = started.recv().expect("the beginning") + interval * number / connections;
                let ran = opened.and_then(|mut wire| {
                    ask_on_time(&mut wire, number.into(), first, interval, first + time)
                });
                told.send(ran).expect("somebody counts");
            });
        }
        all_stand.wait();
        let begun = self::start(begin);
        for start in starts {
            start.send(begun).expect("a thread that waits");
        }
        drop(told);
        let runs: Result<Vec<_>, _> = results.iter().collect();
        Ok(count(u64::from(connections) * BEFORE, begun, runs?))
    })
}

type BlockingWire = StreamOwned<ClientConnection, std::net::TcpStream>;

fn open_blocking(caller: &Caller, number: u64) -> Result<BlockingWire, Trouble> {
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
    let mut wire = shake(caller)?;
    for invoice in 0..BEFORE {
        ask_blocking(&mut wire, number + invoice)?;
    }
    Ok(wire)
}

fn shake(caller: &Caller) -> Result<BlockingWire, Trouble> {
    let tls = caller.tls.clone().ok_or("only over TLS")?;
    let socket = std::net::TcpStream::connect(address(caller))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut wire = StreamOwned::new(ClientConnection::new(tls, name())?, socket);
    wire.conn.complete_io(&mut wire.sock)?;
    Ok(wire)
}

fn ask_on_time(
    wire: &mut BlockingWire,
    number: u64,
    first: Instant,
    interval: Duration,
    end: Instant,
) -> Result<Vec<f64>, Trouble> {
    let mut latencies = Vec::new();
    let (mut turn, mut invoice) = (first, number * 61);
    while turn < end {
        std::thread::sleep(turn.saturating_duration_since(Instant::now()));
        invoice += 1;
        ask_blocking(wire, invoice)?;
        // From its turn, also where the answer before came later than that.
        latencies.push(microseconds(turn));
        turn += interval;
    }
    Ok(latencies)
}

fn ask_blocking(wire: &mut BlockingWire, invoice: u64) -> Result<(), Trouble> {
    wire.write_all(&request(invoice, None))?;
    wire.flush()?;
    let (mut answer, mut piece) = (Vec::new(), [0; 16 * 1024]);
    while !is_whole(&answer)? {
        let read = wire.read(&mut piece)?;
        if read == 0 {
            return Err("the connection was closed before its answer was whole".into());
        }
        answer.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
    Ok(())
}

/// What a way and our client agree on, in words.
pub fn agreed(caller: &Caller) -> Result<String, Trouble> {
    let wire = shake(caller)?;
    let suite = wire.conn.negotiated_cipher_suite().map(|suite| suite.suite());
    let group = wire
        .conn
        .negotiated_key_exchange_group()
        .map(|group| group.name());
    Ok(format!(
        "{:?} with {:?}",
        suite.ok_or("no cipher suite")?,
        group.ok_or("no group")?
    ))
}
