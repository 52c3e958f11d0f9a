//! The door for gateways: gRPC over TLS both ways.
//!
//! * [`certificate`] says which gateway a client certificate names.
//! * [`exchange`] is the life of one gateway's stream.
//! * [`batch`] takes records in, exactly once.

pub mod batch;
pub mod certificate;
pub mod exchange;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use postern_link::wire::link_server::{Link, LinkServer};
use postern_link::wire::{FreshWord, FromControl, FromGateway, Health};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};

use crate::audit::Audit;
use crate::config::Limits;
use crate::findings::Findings;
use crate::listener::Connection;
use crate::orders::Orders;
use crate::snapshots::Snapshots;
use crate::store::Store;
use crate::tasks::{Stop, Task, Tasks};

/// Room for a message's fields around its records.
const MESSAGE_FRAME_BYTES: usize = 64 * 1024;

/// Letters kept of what a gateway says of its build.
const BUILD_LETTERS_MAX: usize = 128;

/// What is known of a gateway since this control plane started.
#[derive(Clone, Debug)]
pub struct Gateway {
    pub name: String,
    pub connected: bool,
    pub build: String,
    pub version: u32,
    pub since_ms: i64,
    pub heard_ms: i64,
    pub health: Option<Health>,
}

/// The gateways that are or were here.
#[derive(Debug, Default)]
pub struct Gateways {
    known: Mutex<BTreeMap<String, Known>>,
    /// Counts what any says of itself, and those that go.
    news: watch::Sender<u64>,
}

#[derive(Debug)]
struct Known {
    gateway: Gateway,
    /// Counts this name's streams; the newest is the one that is served.
    stream: watch::Sender<u64>,
}

/// One stream's place in the register; it is given back when dropped.
#[derive(Debug)]
pub struct Place {
    gateways: Arc<Gateways>,
    name: String,
    number: u64,
    newest: watch::Receiver<u64>,
}

impl Gateways {
    /// Enters a gateway's new stream; an older one of the same name hears that it is replaced.
    fn enter(self: &Arc<Gateways>, name: &str, build: &str, version: u32) -> Place {
        let now = Timestamp::now().as_millisecond();
        let mut known = self.lock();
        let entry = known.entry(name.to_owned()).or_insert_with(|| Known {
            gateway: Gateway {
                name: name.to_owned(),
                connected: true,
                build: String::new(),
                version,
                since_ms: now,
                heard_ms: now,
                health: None,
            },
            stream: watch::Sender::new(0),
        });
        let number = *entry.stream.borrow() + 1;
        let newest = entry.stream.subscribe();
        entry.stream.send_replace(number);
        let gateway = &mut entry.gateway;
        gateway.build = build.chars().take(BUILD_LETTERS_MAX).collect();
        (gateway.connected, gateway.version) = (true, version);
        (gateway.since_ms, gateway.heard_ms) = (now, now);
        drop(known);
        Place {
            gateways: Arc::clone(self),
            name: name.to_owned(),
            number,
            newest,
        }
    }

    pub fn all(&self) -> Vec<Gateway> {
        self.lock().values().map(|known| known.gateway.clone()).collect()
    }

    /// The names of those that are here now.
    pub fn connected(&self) -> BTreeSet<String> {
        let known = self.lock();
        let here = known.values().filter(|known| known.gateway.connected);
        here.map(|known| known.gateway.name.clone()).collect()
    }

    /// Waits until all that are here decide by this snapshot or a later one, for a bounded time; returns those
    /// that do not.
    pub async fn decide_by(&self, number: u64, timeout: Duration) -> Vec<String> {
        let mut news = self.news.subscribe();
        let all = async { while !self.behind(number).is_empty() && news.changed().await.is_ok() {} };
        // Whether in time or not, those that are behind are the answer.
        drop(tokio::time::timeout(timeout, all).await);
        self.behind(number)
    }

    /// Those that are not here and were heard of since this moment, so that they may still serve.
    pub fn away(&self, since_ms: i64) -> Vec<String> {
        let known = self.lock();
        let gone = known.values().map(|known| &known.gateway);
        let gone = gone.filter(|gateway| !gateway.connected && gateway.heard_ms >= since_ms);
        gone.map(|gateway| gateway.name.clone()).collect()
    }

    /// Wakes those who wait for gateways to follow.
    fn tell(&self) {
        self.news.send_modify(|news| *news = news.wrapping_add(1));
    }

    fn behind(&self, number: u64) -> Vec<String> {
        let known = self.lock();
        let here = known
            .values()
            .map(|known| &known.gateway)
            .filter(|gateway| gateway.connected);
        let behind = here.filter(|gateway| {
            gateway
                .health
                .is_none_or(|health| health.snapshot_number < number)
        });
        behind.map(|gateway| gateway.name.clone()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Resolves when a newer stream of the same gateway has come.
    async fn replaced(&self) {
        let mut newest = self.newest.clone();
        drop(newest.wait_for(|newest| *newest != self.number).await);
    }

    fn heard(&self, health: Option<Health>) {
        if let Some(known) = self.gateways.lock().get_mut(&self.name) {
            known.gateway.heard_ms = Timestamp::now().as_millisecond();
            known.gateway.health = health.or(known.gateway.health);
        }
        if health.is_some() {
            self.gateways.tell();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(known) = self.gateways.lock().get_mut(&self.name)
            && *known.stream.borrow() == self.number
        {
            known.gateway.connected = false;
        }
        self.gateways.tell();
    }
}

/// Everything a stream needs; clones share it.
#[derive(Clone, Debug)]
pub struct Door {
    pub name: Arc<str>,
    pub audit: Audit,
    pub store: Store,
    pub snapshots: Snapshots,
    pub fresh_word: watch::Receiver<Option<FreshWord>>,
    pub orders: Arc<Orders>,
    pub gateways: Arc<Gateways>,
    pub findings: Arc<Findings>,
    pub tasks: Tasks,
    pub limits: Arc<Limits>,
}

/// Whose certificate a connection has shown.
#[derive(Clone, Debug)]
pub struct Peer(Result<certificate::Shown, certificate::Error>);

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        Peer(
            self.certificate()
                .ok_or(certificate::Error::None)
                .and_then(certificate::shown),
        )
    }
}

#[tonic::async_trait]
impl Link for Door {
    type ExchangeStream = ReceiverStream<Result<FromControl, Status>>;

    async fn exchange(
        &self,
        request: Request<Streaming<FromGateway>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        let peer = request.extensions().get::<Peer>().cloned();
        let peer = peer.unwrap_or(Peer(Err(certificate::Error::None)));
        let shown = peer
            .0
            .map_err(|error| Status::unauthenticated(error.to_string()))?;
        let (outbound, stream) = mpsc::channel(self.limits.outbound_messages_max);
        let exchange = exchange::run(self.clone(), shown, request.into_inner(), outbound);
        self.tasks.spawn(Task::Exchange, exchange);
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// Serves gRPC to connections until asked to stop.
pub async fn serve(door: Door, connections: mpsc::Receiver<Connection>, mut stop: Stop) {
    let limits = Arc::clone(&door.limits);
    let keepalive = Duration::from_millis(limits.keepalive_ms);
    let service = LinkServer::new(door)
        .max_decoding_message_size(limits.batch_bytes_max + MESSAGE_FRAME_BYTES)
        .max_encoding_message_size(limits.snapshot_bytes_max + MESSAGE_FRAME_BYTES);
    let served = tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(keepalive))
        .http2_keepalive_timeout(Some(keepalive))
        .max_concurrent_streams(Some(1))
        .add_service(service)
        .serve_with_incoming_shutdown(
            ReceiverStream::new(connections).map(Ok::<_, std::convert::Infallible>),
            async move { stop.asked().await },
        );
    if let Err(error) = served.await {
        tracing::error!(%error, "the gateways' door closed");
    }
}
