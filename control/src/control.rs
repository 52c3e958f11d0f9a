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
use crate::config::{self, Config};
use crate::keys::{self, SigningKey, Token};
use crate::listener::{Door, Encryption};
use crate::operators::Operators;
use crate::orders::Orders;
use crate::snapshots::{Validate, fresh_word};
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
    snapshots: snapshots::Snapshots,
    tasks: Tasks,
    stop_timeout: Duration,
    _lock: File,
}

impl Running {
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    pub fn snapshots(&self) -> &snapshots::Snapshots {
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
    let limits = Arc::new(config.limits.clone());
    let data = &config.data;
    let unusable = |source| Error::Data {
        path: data.clone(),
        source,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .map_err(unusable)?;
    let lock = lock(&config)?;
    let doors = watch::Sender::new(tls::load(&config.tls)?);
    let token = Token::open(&data.join("operator.token"))?;
    let snapshot_key = Arc::new(SigningKey::open(&data.join("snapshot.key"))?);
    let signer = Signer::new(&config.log_origin, SigningKey::open(&data.join("log.key"))?);
    let log_key = signer.verifier().to_string();

    let tasks = Tasks::default();
    let (audit, store) = open_log(&config, signer, &tasks).await?;
    let (snapshots, maker) = snapshots::open(
        Arc::clone(&snapshot_key),
        validate,
        store.clone(),
        audit.clone(),
        &limits,
    )
    .await?;
    let orders = Arc::new(Orders::new(&limits));
    orders::restore(&orders, &store, &audit, &limits).await?;
    let registry = Arc::new(gateways::Gateways::default());
    let fresh_word = watch::Sender::new(None);

    let gateways_listener = bind(config.listen_gateways).await?;
    let operators_listener = bind(config.listen_operators).await?;
    let (gateways_address, operators_address) = (
        address(&gateways_listener, config.listen_gateways)?,
        address(&operators_listener, config.listen_operators)?,
    );
    let encrypted = !config.listen_operators.ip().is_loopback();
    let encryption = if encrypted {
        Encryption::Operators(doors.subscribe())
    } else {
        Encryption::None
    };

    let gateways_door = gateways::Door {
        name: config.name.as_str().into(),
        audit: audit.clone(),
        store: store.clone(),
        snapshots: snapshots.clone(),
        fresh_word: fresh_word.subscribe(),
        orders: Arc::clone(&orders),
        gateways: Arc::clone(&registry),
        findings: Arc::default(),
        tasks: tasks.clone(),
        limits: Arc::clone(&limits),
    };
    let operators_door = Operators {
        name: config.name.as_str().into(),
        token: token.clone(),
        audit: audit.clone(),
        store: store.clone(),
        snapshots: snapshots.clone(),
        orders,
        gateways: registry,
        verifying: Arc::new(Semaphore::new(1)),
        limits: Arc::clone(&limits),
        tasks: tasks.clone(),
    };

    // Everything that runs from here on.
    let stop = || tasks.stop_signal();
    let handshake_timeout = Duration::from_millis(limits.handshake_timeout_ms);
    let (gateways_ready, gateways_connections) = mpsc::channel(READY_CONNECTIONS_MAX);
    let (operators_ready, operators_connections) = mpsc::channel(READY_CONNECTIONS_MAX);
    let poll = Duration::from_millis(limits.resources_poll_ms);
    tasks.spawn(
        Task::WatchResources,
        snapshots::folder::watch(config.resources.clone(), maker, config.limits.clone(), stop()),
    );
    let interval = Duration::from_millis(limits.fresh_word_ms);
    tasks.spawn(
        Task::FreshWord,
        fresh_word::run(
            Arc::clone(&snapshot_key),
            snapshots.clone(),
            fresh_word,
            interval,
            stop(),
        ),
    );
    tasks.spawn(Task::AdvanceIndex, advance(audit.clone(), store.clone(), stop()));
    tasks.spawn(
        Task::ServeGateways,
        gateways::serve(gateways_door, gateways_connections, stop()),
    );
    tasks.spawn(
        Task::ServeOperators,
        operators::serve(operators_door, operators_connections, stop()),
    );
    let door = Door {
        listener: gateways_listener,
        encryption: Encryption::Gateways(doors.subscribe()),
        connections_max: limits.gateways_max,
        handshake_timeout,
    };
    tasks.spawn(
        Task::AcceptGateways,
        listener::run(door, tasks.clone(), gateways_ready, stop()),
    );
    let door = Door {
        listener: operators_listener,
        encryption,
        connections_max: limits.operator_connections_max,
        handshake_timeout,
    };
    tasks.spawn(
        Task::AcceptOperators,
        listener::run(door, tasks.clone(), operators_ready, stop()),
    );
    tasks.spawn(
        Task::ReloadCertificates,
        tls::reload(config.tls.clone(), doors, poll, stop()),
    );

    let scheme = if encrypted { "https" } else { "http" };
    tracing::info!(%gateways_address, %operators_address, "the control plane is up");
    Ok(Running {
        gateways_address,
        operators_address,
        operators_url: format!("{scheme}://{operators_address}"),
        operator_token: token,
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

/// Two writers of one log would each sign what the other does not have.
fn lock(config: &Config) -> Result<File, Error> {
    let path = config.data.join("lock");
    let file = File::create(&path).map_err(|source| Error::Data {
        path: config.data.clone(),
        source,
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse {
            path: config.data.clone(),
        }),
        Err(TryLockError::Error(source)) => Err(Error::Data {
            path: config.data.clone(),
            source,
        }),
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

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address)
        .await
        .map_err(|source| Error::Listen { address, source })
}

fn address(listener: &TcpListener, asked: SocketAddr) -> Result<SocketAddr, Error> {
    listener.local_addr().map_err(|source| Error::Listen {
        address: asked,
        source,
    })
}
