//! Where connections come in: counted before anyone is known, then handed to the worker with the fewest.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use crate::audit::strangers::network_of;
use crate::audit::strangers::nobody;
use crate::config::Limits;
use crate::http;
use crate::postgres::{self, Postgres};
use crate::refusal::{Reason, Refusal};
use crate::shared::Shared;
use crate::tls::{self, ALPN_POSTGRESQL, Incoming};
use crate::upstream::tune;

/// Accepted connections that wait for one worker to take them.
const HANDOVER_MAX: usize = 1_024;
/// After the system refuses a new socket, so that a full table does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The fixed part of a PROXY protocol v2 header (haproxy, "The PROXY protocol", section 2.2).
const PROXY_SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Addresses and extensions after it; more is refused.
const PROXY_HEADER_BYTES_MAX: u16 = 536;

/// Callers who have not yet shown who they are.
#[derive(Debug)]
pub struct Strangers {
    by_network: Mutex<HashMap<IpNet, usize>>,
    total: AtomicUsize,
    total_max: usize,
    per_network_max: usize,
}

/// One stranger's place; given back when dropped.
#[derive(Debug)]
pub struct Pass {
    strangers: Arc<Strangers>,
    network: IpNet,
}

impl Strangers {
    pub fn new(limits: &Limits) -> Arc<Strangers> {
        Arc::new(Strangers {
            by_network: Mutex::default(),
            total: AtomicUsize::new(0),
            total_max: limits.strangers_max,
            per_network_max: limits.strangers_per_network_max,
        })
    }

    pub fn admit(self: &Arc<Strangers>, source: IpAddr) -> Option<Pass> {
        let network = network_of(source);
        let mut by_network = self.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        let of_network = by_network.get(&network).copied().unwrap_or(0);
        if of_network >= self.per_network_max || self.total.load(Ordering::Relaxed) >= self.total_max {
            return None;
        }
        // Only who is admitted takes a row, or networks that are turned away would fill the table.
        by_network.insert(network, of_network + 1);
        self.total.fetch_add(1, Ordering::Relaxed);
        Some(Pass {
            strangers: self.clone(),
            network,
        })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut by_network = self
            .strangers
            .by_network
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(of_network) = by_network.get_mut(&self.network) {
            *of_network -= 1;
            if *of_network == 0 {
                by_network.remove(&self.network);
            }
        }
        self.strangers.total.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection on its way to a worker.
pub struct Accepted {
    socket: std::net::TcpStream,
    source: IpAddr,
    speaks_proxy: bool,
    pass: Pass,
}

/// The accepting end of one worker.
#[derive(Clone)]
pub struct Door {
    accepted: mpsc::Sender<Accepted>,
    connections: Arc<AtomicUsize>,
}

/// The worker's end of its door.
pub struct Handover {
    accepted: mpsc::Receiver<Accepted>,
    connections: Arc<AtomicUsize>,
}

pub fn door() -> (Door, Handover) {
    let (sender, accepted) = mpsc::channel(HANDOVER_MAX);
    let connections = Arc::new(AtomicUsize::new(0));
    (
        Door {
            accepted: sender,
            connections: connections.clone(),
        },
        Handover {
            accepted,
            connections,
        },
    )
}

/// Accepts until told to drain.
pub async fn accept(
    listener: TcpListener,
    doors: Vec<Door>,
    strangers: Arc<Strangers>,
    proxies: Vec<IpNet>,
    mut drain: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = drain.wait_for(|drain| *drain) => return,
        };
        match accepted {
            Ok((socket, peer)) => hand_over(socket, peer, &doors, &strangers, &proxies),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn hand_over(
    socket: TcpStream,
    peer: SocketAddr,
    doors: &[Door],
    strangers: &Arc<Strangers>,
    proxies: &[IpNet],
) {
    let source = peer.ip().to_canonical();
    let Some(pass) = strangers.admit(source) else {
        tracing::debug!("a connection was closed: too many strangers from its network, or in all");
        return;
    };
    let speaks_proxy = proxies.iter().any(|network| network.contains(&source));
    let least = doors
        .iter()
        .min_by_key(|door| door.connections.load(Ordering::Relaxed));
    let (Some(door), Ok(socket)) = (least, socket.into_std()) else {
        return;
    };
    if door
        .accepted
        .try_send(Accepted {
            socket,
            source,
            speaks_proxy,
            pass,
        })
        .is_ok()
    {
        door.connections.fetch_add(1, Ordering::Relaxed);
    }
}

/// What one worker serves connections with.
#[derive(Clone)]
pub struct Worker {
    pub postgres: Rc<postgres::Worker>,
    pub http: Rc<http::Worker>,
}

/// Serves what is handed over, each connection as a task of this worker's own runtime.
pub async fn serve(mut handover: Handover, postgres: Arc<Postgres>, worker: Worker) {
    while let Some(accepted) = handover.accepted.recv().await {
        let (postgres, worker) = (postgres.clone(), worker.clone());
        let connection = Connection(handover.connections.clone());
        tokio::task::spawn_local(async move {
            let _connection = connection;
            serve_one(accepted, postgres, worker).await;
        });
    }
}

/// One port for all: the first byte tells TLS from the rest, and TLS names what is spoken inside (RFC 7301).
async fn serve_one(accepted: Accepted, postgres: Arc<Postgres>, worker: Worker) {
    let Accepted {
        socket,
        mut source,
        speaks_proxy,
        pass,
    } = accepted;
    let Ok(mut socket) = TcpStream::from_std(socket) else {
        return;
    };
    if tune(&socket).is_err() {
        return;
    }
    let shared = postgres.shared.clone();
    // Whoever speaks from loopback himself: nobody between could have listened.
    let may_be_plain = shared.plain_http_on_loopback && !speaks_proxy && source.is_loopback();
    let deadline = Instant::now() + Duration::from_millis(shared.limits.login_timeout_ms);
    if speaks_proxy {
        match timeout_at(deadline, proxied_source(&mut socket)).await {
            Ok(Ok(Some(said))) => source = said,
            // A health check of the proxy itself speaks for nobody else.
            Ok(Ok(None)) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
    let arrived = match timeout_at(deadline, arrive(socket, may_be_plain, &shared)).await {
        Ok(arrived) => arrived,
        Err(_) => Arrived::Turned("timeout", "nobody logged in in time"),
    };
    match arrived {
        Arrived::Postgres(socket) => {
            postgres::serve(socket, source, pass, deadline, postgres, worker.postgres).await;
        }
        Arrived::Http(stream) => http::serve(stream, source, pass, deadline, shared, worker.http).await,
        Arrived::PlainHttp(socket) => {
            let refused = Refusal::new(Reason::Unauthenticated, "HTTP without TLS");
            shared.strangers.count(nobody("plaintext"), source, &refused);
            let _ = timeout_at(deadline, http::refuse_plain(socket)).await;
        }
        Arrived::Turned(reason, message) => {
            let refused = Refusal::new(Reason::Unauthenticated, message);
            shared.strangers.count(nobody(reason), source, &refused);
        }
        Arrived::Gone => tracing::debug!("a connection went away before it said anything"),
    }
}

/// What the first bytes of a connection have made it.
enum Arrived {
    Postgres(Incoming),
    Http(Incoming),
    PlainHttp(TcpStream),
    /// Nobody who could be told why.
    Turned(&'static str, &'static str),
    Gone,
}

async fn arrive(socket: TcpStream, may_be_plain: bool, shared: &Shared) -> Arrived {
    /// The first byte of a TLS record that begins a handshake (RFC 8446, section 5.1).
    const HANDSHAKE: u8 = 0x16;
    let mut first = [0; 1];
    match (socket.peek(&mut first).await, first) {
        (Ok(1), [HANDSHAKE]) => {}
        // A method's first letter; a PostgreSQL startup begins with the high byte of a small length.
        (Ok(1), [b'A'..=b'Z']) if may_be_plain => return Arrived::Http(Incoming::Plain(socket)),
        (Ok(1), [b'A'..=b'Z']) => return Arrived::PlainHttp(socket),
        (Ok(1), _) => return Arrived::Postgres(Incoming::Plain(socket)),
        _ => return Arrived::Gone,
    }
    let Ok(stream) = shared.tls.accept(socket).await else {
        return Arrived::Turned("tls", tls::HANDSHAKE_FAILED);
    };
    match stream.get_ref().1.alpn_protocol() {
        Some(ALPN_POSTGRESQL) => Arrived::Postgres(Incoming::Tls(Box::new(stream))),
        // Many HTTP clients name no protocol.
        _ => Arrived::Http(Incoming::Tls(Box::new(stream))),
    }
}

struct Connection(Arc<AtomicUsize>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The client's address as the proxy in front tells it (PROXY protocol version 2, section 2.2).
async fn proxied_source(socket: &mut TcpStream) -> std::io::Result<Option<IpAddr>> {
    let malformed = || std::io::Error::from(std::io::ErrorKind::InvalidData);
    let mut signature = [0; 12];
    socket.read_exact(&mut signature).await?;
    let (version_and_command, family) = (socket.read_u8().await?, socket.read_u8().await?);
    let length = socket.read_u16().await?;
    if signature != PROXY_SIGNATURE || version_and_command >> 4 != 2 || length > PROXY_HEADER_BYTES_MAX {
        return Err(malformed());
    }
    let mut addresses = vec![0; usize::from(length)];
    socket.read_exact(&mut addresses).await?;
    match (version_and_command & 0x0f, family) {
        (0, _) => Ok(None),
        (1, 0x11) => {
            let address = addresses.first_chunk::<4>().filter(|_| addresses.len() >= 12);
            address
                .map(|address| Some(IpAddr::from(*address)))
                .ok_or_else(malformed)
        }
        (1, 0x21) => {
            let address = addresses.first_chunk::<16>().filter(|_| addresses.len() >= 36);
            address
                .map(|address| Some(IpAddr::from(*address).to_canonical()))
                .ok_or_else(malformed)
        }
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strangers(total_max: usize, per_network_max: usize) -> Arc<Strangers> {
        Strangers::new(&Limits {
            strangers_max: total_max,
            strangers_per_network_max: per_network_max,
            ..Limits::default()
        })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_network_has_its_own_number_of_strangers_and_no_more() {
        let strangers = strangers(10, 2);
        let first = strangers.admit(address("192.0.2.1")).unwrap();
        let _second = strangers.admit(address("192.0.2.2")).unwrap();
        assert!(strangers.admit(address("192.0.2.3")).is_none());
        assert!(strangers.admit(address("198.51.100.1")).is_some());
        drop(first);
        assert!(strangers.admit(address("192.0.2.3")).is_some());
    }

    #[test]
    fn all_networks_together_have_a_number_of_strangers_and_leave_nothing_behind() {
        let strangers = strangers(3, 2);
        let admitted: Vec<Pass> = ["192.0.2.1", "198.51.100.1", "203.0.113.1"]
            .map(|source| strangers.admit(address(source)).unwrap())
            .into();
        for number in 0..1_000 {
            assert!(
                strangers
                    .admit(address(&format!("2001:db8:0:{number:x}::1")))
                    .is_none()
            );
        }
        assert_eq!(strangers.by_network.lock().unwrap().len(), 3);
        drop(admitted);
        assert!(strangers.by_network.lock().unwrap().is_empty());
        assert!(strangers.admit(address("2001:db8::1")).is_some());
    }
}
