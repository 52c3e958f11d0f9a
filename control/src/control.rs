//! The house: builds every part once, in order; runs; stops.

use std::fs::{DirBuilder, File, TryLockError};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::audit::note::Signer;
use crate::audit::{self, Audit, Files};
use crate::config::{self, Config, Limits};
use crate::gateways::Gateways;
use crate::keys::{self, SigningKey, Token};
use crate::listener::{Door, Encryption};
use crate::operators::Operators;
use crate::orders::Orders;
use crate::snapshots::{Snapshots, Validate, fresh_word};
use crate::store::write::Feed;
use crate::store::{self, Spool, Store};
use crate::tasks::{Task, Tasks};
use crate::{gateways, listener, operators, orders, snapshots, tls};

/// Connections that have shaken hands and wait to be served.
const READY_CONNECTIONS_MAX: usize = 64;

/// Why the control plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error("cannot use data folder `{path}`")]
    Data { path: PathBuf, source: std::io::Error },
    #[error("data folder `{path}` is in use by another control plane")]
    InUse { path: PathBuf },
    #[error("cannot listen on `{address}`")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error(transparent)]
    Keys(#[from] keys::Error),
    #[error(transparent)]
    Tls(#[from] tls::Error),
    #[error(transparent)]
    Log(#[from] audit::recover::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the index of the audit log cannot be made")]
    Index(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A control plane at work. Dropping it leaves the tasks to the runtime; `stop` ends them.
#[derive(Debug)]
pub struct Running {
    /// Where gateways connect, with the port that was given for 0.
    pub gateways_address: SocketAddr,
    /// Where operators ask, with the port that was given for 0.
    pub operators_address: SocketAddr,
    /// The scheme, host and port for operators.
    pub operators_url: String,
    pub operator_token: Token,
    /// The log's public key as a C2SP note verifier key.
    pub log_key: String,
    /// The Ed25519 public key of snapshots and fresh words, in base64.
    pub snapshot_key: String,
    audit: Audit,
    store: Store,
    snapshots: Snapshots,
    tasks: Tasks,
    stop_timeout: Duration,
    _lock: File,
}

impl Running {
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    pub fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    /// Takes nothing new, finishes what is running, and returns when all is written.
    pub async fn stop(self) {
        self.tasks.stop(self.stop_timeout).await;
        self.audit.stop().await;
        self.store.stop();
        self.tasks.join_threads().await;
    }
}

/// Starts the control plane: when this returns, both doors are open.
///
/// `validate` says what is wrong with a snapshot before it is signed.
pub async fn start(config: Config, validate: Arc<Validate>) -> Result<Running, Error> {
    config.check()?;
    let lock = take_folder(&config)?;
    let tls = watch::Sender::new(tls::load(&config.tls)?);
    let operator_token = Token::open(&config.data.join("operator.token"))?;
    let snapshot_key = Arc::new(SigningKey::open(&config.data.join("snapshot.key"))?);
    let log_key = SigningKey::open(&config.data.join("log.key"))?;
    let signer = Signer::new(&config.log_origin, log_key);
    let log_key = signer.verifier().to_string();
    let gateways_door = bind(config.listen_gateways).await?;
    let operators_door = bind(config.listen_operators).await?;

    let limits = Arc::new(config.limits.clone());
    let tasks = Tasks::default();
    let (audit, store) = open_log(&config, signer, &tasks).await?;
    let opened = snapshots::maker::open(
        Arc::clone(&snapshot_key),
        validate,
        store.clone(),
        audit.clone(),
        snapshots::maker::From {
            control: &config.name,
            folder: config.resources.as_deref(),
        },
        &limits,
    );
    let (snapshots, maker) = opened.await?;
    let orders = Orders::new(&limits);
    orders::restore(&orders, &store, &audit, &limits).await?;
    let parts = Parts {
        name: config.name.as_str().into(),
        token: operator_token.clone(),
        audit: audit.clone(),
        store: store.clone(),
        snapshots: snapshots.clone(),
        orders: Arc::new(orders),
        gateways: Arc::default(),
        tasks: tasks.clone(),
        limits: Arc::clone(&limits),
    };

    let key = Arc::clone(&snapshot_key);
    let told = Told {
        config: config.clone(),
        maker,
        key,
        tls: tls.subscribe(),
    };
    parts.open_gateways(gateways_door.0, told);
    let encrypted = !config.listen_operators.ip().is_loopback();
    let encryption = if encrypted {
        Encryption::Operators(tls.subscribe())
    } else {
        Encryption::None
    };
    parts.open_operators(operators_door.0, encryption);
    let poll = Duration::from_millis(limits.resources_poll_ms);
    tasks.spawn(
        Task::ReloadCertificates,
        tls::reload(config.tls.clone(), tls, poll, tasks.stop_signal()),
    );

    let (gateways_address, operators_address) = (gateways_door.1, operators_door.1);
    let scheme = if encrypted { "https" } else { "http" };
    tracing::info!(%gateways_address, %operators_address, "the control plane is up");
    Ok(Running {
        gateways_address,
        operators_address,
        operators_url: format!("{scheme}://{operators_address}"),
        operator_token,
        log_key,
        snapshot_key: BASE64_STANDARD.encode(snapshot_key.public()),
        audit,
        store,
        snapshots,
        stop_timeout: Duration::from_millis(limits.stop_timeout_ms),
        tasks,
        _lock: lock,
    })
}

/// What both doors are made of.
struct Parts {
    name: Arc<str>,
    token: Token,
    audit: Audit,
    store: Store,
    snapshots: Snapshots,
    orders: Arc<Orders>,
    gateways: Arc<Gateways>,
    tasks: Tasks,
    limits: Arc<Limits>,
}

impl Parts {
    /// Makes snapshots and fresh words, and opens the door to those who are told them.
    fn open_gateways(&self, listener: TcpListener, told: Told) {
        let Told {
            config,
            maker,
            key,
            tls,
        } = told;
        let (tasks, limits) = (&self.tasks, &self.limits);
        let word = watch::Sender::new(None);
        let door = gateways::Door {
            name: Arc::clone(&self.name),
            audit: self.audit.clone(),
            store: self.store.clone(),
            snapshots: self.snapshots.clone(),
            fresh_word: word.subscribe(),
            orders: Arc::clone(&self.orders),
            gateways: Arc::clone(&self.gateways),
            findings: Arc::default(),
            tasks: tasks.clone(),
            limits: Arc::clone(limits),
        };
        tasks.spawn(Task::MakeSnapshots, maker.run(tasks.stop_signal()));
        if let Some(folder) = config.resources {
            let snapshots = self.snapshots.clone();
            let watched = snapshots::folder::watch(folder, snapshots, config.limits, tasks.stop_signal());
            tasks.spawn(Task::WatchResources, watched);
        }
        let interval = Duration::from_millis(limits.fresh_word_ms);
        let words = fresh_word::run(key, self.snapshots.clone(), word, interval, tasks.stop_signal());
        tasks.spawn(Task::FreshWord, words);
        tasks.spawn(
            Task::AdvanceIndex,
            advance(self.audit.clone(), self.store.clone(), tasks.stop_signal()),
        );
        let (ready, connections) = mpsc::channel(READY_CONNECTIONS_MAX);
        tasks.spawn(
            Task::ServeGateways,
            gateways::serve(door, connections, tasks.stop_signal()),
        );
        let door = Door {
            listener,
            encryption: Encryption::Gateways(tls),
            connections_max: limits.gateways_max,
            handshake_timeout: Duration::from_millis(limits.handshake_timeout_ms),
        };
        tasks.spawn(
            Task::AcceptGateways,
            listener::run(door, tasks.clone(), ready, tasks.stop_signal()),
        );
    }

    fn open_operators(&self, listener: TcpListener, encryption: Encryption) {
        let (tasks, limits) = (&self.tasks, &self.limits);
        let operators = Operators {
            name: Arc::clone(&self.name),
            token: self.token.clone(),
            audit: self.audit.clone(),
            store: self.store.clone(),
            snapshots: self.snapshots.clone(),
            orders: Arc::clone(&self.orders),
            gateways: Arc::clone(&self.gateways),
            verifying: Arc::new(Semaphore::new(1)),
            limits: Arc::clone(limits),
            tasks: tasks.clone(),
        };
        let (ready, connections) = mpsc::channel(READY_CONNECTIONS_MAX);
        tasks.spawn(
            Task::ServeOperators,
            operators::serve(operators, connections, tasks.stop_signal()),
        );
        let door = Door {
            listener,
            encryption,
            connections_max: limits.operator_connections_max,
            handshake_timeout: Duration::from_millis(limits.handshake_timeout_ms),
        };
        tasks.spawn(
            Task::AcceptOperators,
            listener::run(door, tasks.clone(), ready, tasks.stop_signal()),
        );
    }
}

/// What gateways are told by, besides what both doors share.
struct Told {
    config: Config,
    maker: snapshots::maker::Maker,
    key: Arc<SigningKey>,
    tls: watch::Receiver<tls::Doors>,
}

/// Makes the data folder, for its owner only, and keeps others out: two writers of one log would each sign
/// what the other does not have.
fn take_folder(config: &Config) -> Result<File, Error> {
    let path = &config.data;
    let unusable = |source| Error::Data {
        path: path.clone(),
        source,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(unusable)?;
    let file = File::create(path.join("lock")).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { path: path.clone() }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// Recovers the log, brings its index to its end, and starts the threads that write both.
async fn open_log(config: &Config, signer: Signer, tasks: &Tasks) -> Result<(Audit, Store), Error> {
    let (data, limits) = (config.data.clone(), config.limits.clone());
    let own = Spool {
        gateway: config.name.clone(),
        worker: 0,
        epoch: 0,
    };
    let opened = tokio::task::spawn_blocking(move || {
        let opened = audit::open(&data.join("audit"), signer, &limits)?;
        let (store, mut writer) = Store::open(&data.join("index.sqlite"), &limits)?;
        let size = opened.head().borrow().checkpoint.size;
        let mut feed = feed(opened.files(), opened.head());
        let log = opened.verifier().to_string();
        let positions = writer.catch_up(&log, size, &mut feed).map_err(Error::Index)?;
        let (audit, append) = opened.start(own, positions, &limits);
        Ok::<_, Error>((audit, append, store, writer, feed))
    });
    let stopped = |_| Error::Store(store::Error::Stopped);
    let (audit, append, store, writer, feed) = opened.await.map_err(stopped)??;
    let unusable = |source| Error::Data {
        path: config.data.clone(),
        source,
    };
    tasks.thread(Task::AppendAudit, append).map_err(unusable)?;
    tasks
        .thread(Task::WriteStore, move || writer.run(feed))
        .map_err(unusable)?;
    Ok((audit, store))
}

/// Reads the log for the index, never beyond what is acknowledged.
fn feed(files: Files, head: watch::Receiver<Arc<audit::append::Head>>) -> Feed {
    Box::new(move |from, place, entries_max| {
        let size = head.borrow().checkpoint.size;
        files.entries(from, place, size, entries_max).map_err(Into::into)
    })
}

async fn advance(audit: Audit, store: Store, mut stop: crate::tasks::Stop) {
    let mut heads = audit.heads();
    loop {
        store.advance();
        tokio::select! {
            changed = heads.changed() => if changed.is_err() { return },
            () = stop.asked() => return,
        }
    }
}

/// Listens, and says where: port 0 was any.
async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
