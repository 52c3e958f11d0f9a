//! The house: builds every part once, in order; runs; drains.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use aws_lc_rs::{hmac, rand};
use postern_link::snapshot::Snapshot;
use tokio::net::TcpListener;
use tokio::runtime::LocalRuntime;
use tokio::sync::{Notify, mpsc, watch};

use crate::assertion::Assertions;
use crate::audit::spool::{Progress, Room, Spool};
use crate::audit::strangers::Strangers;
use crate::audit::{Audit, unknown_outcome};
use crate::authorize::{Authorizer, Rules};
use crate::budgets::Budgets;
use crate::config::{Config, DecideBy, Limits};
use crate::control::witness::Witness;
use crate::control::{Control, LastWord};
use crate::fingerprints::Fingerprints;
use crate::health::{self, Health};
use crate::http;
use crate::identity::Identities;
use crate::listener::{self, Handover};
use crate::postgres::cancel::CancelKeys;
use crate::postgres::catalogue::Catalogues;
use crate::postgres::ending::Ending;
use crate::postgres::pipe::Buffers;
use crate::postgres::warm::Warm;
use crate::postgres::{self, Postgres};
use crate::session::{Ended, Sessions};
use crate::shared::Shared;
use crate::tasks::{self, House};
use crate::tls::ServerTls;
use crate::upstream::Credentials;

/// Ended sessions whose backends wait to be terminated.
const ENDINGS_MAX: usize = 100_000;

/// A gateway that is up.
pub struct Running {
    pub address: std::net::SocketAddr,
    pub admin_address: std::net::SocketAddr,
    shared: Arc<Shared>,
    drain: watch::Sender<bool>,
    workers: Vec<thread::JoinHandle<()>>,
    drain_seconds_max: u64,
}

/// Builds and starts everything. Must be called on a tokio runtime, which then runs the house's tasks.
pub async fn start(newest: watch::Receiver<Config>) -> anyhow::Result<Running> {
    let config = newest.borrow().clone();
    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("cannot make `{}`", config.data.display()))?;
    let limits = &config.limits;
    let (endings_sender, endings) = mpsc::channel(ENDINGS_MAX);
    let (postgres, control, witness) = postgres(&config, endings_sender)?;
    let shared = &postgres.shared;

    let workers_count = match limits.workers {
        0 => thread::available_parallelism().map_or(1, usize::from),
        count => count,
    };
    let grown = Arc::new(Notify::new());
    let (mut doors, mut workers, mut spools) = (Vec::new(), Vec::new(), Vec::new());
    let digest_key = digest_key(&config.data)?;
    for number in 0..workers_count {
        let (spool, earlier) = open_spool(&config, number, &grown)?;
        spools.extend(earlier);
        spools.push(spool.progress().clone());
        let (door, handover) = listener::door();
        doors.push(door);
        let (postgres, config, digest_key) = (postgres.clone(), config.clone(), digest_key.clone());
        let worker = thread::Builder::new().name(format!("worker-{number}"));
        workers.push(worker.spawn(move || run_worker(spool, handover, postgres, &config, digest_key))?);
    }

    let (drain, draining) = watch::channel(false);
    let listening = TcpListener::bind(config.listen).await;
    let listening = listening.with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listening.local_addr()?;
    let health = Health::new(
        postgres.clone(),
        spools.clone(),
        config.limits.spool_file_bytes_max,
    );
    let admin_address = health::serve(config.listen_admin, health, draining.clone()).await?;
    let strangers = listener::Strangers::new(limits);
    let proxies = config.proxy_protocol_from.clone();
    let drain_seconds_max = limits.drain_seconds_max;
    tokio::spawn(listener::accept(
        listening,
        doors,
        strangers,
        proxies,
        draining.clone(),
    ));
    tasks::start_house(House {
        config,
        newest,
        shared: shared.clone(),
        postgres: postgres.clone(),
        control,
        witness,
        spools,
        grown,
        endings,
        drain: draining,
    });
    tracing::info!(%address, %admin_address, "the gateway is up");
    Ok(Running {
        address,
        admin_address,
        shared: shared.clone(),
        drain,
        workers,
        drain_seconds_max,
    })
}

impl Running {
    /// Takes nothing new, lets sessions finish for a while, ends the rest, waits until all is written.
    pub async fn stop(self) {
        let _ = self.drain.send(true);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(self.drain_seconds_max);
        let empty = async {
            while self.shared.sessions.count() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout_at(deadline, empty).await.is_err() {
            for live in self.shared.sessions.all() {
                live.end(Ended::Draining);
            }
        }
        let workers = self.workers;
        let joined = tokio::task::spawn_blocking(move || {
            for worker in workers {
                if worker.join().is_err() {
                    tracing::error!("a worker had panicked");
                }
            }
        });
        if joined.await.is_err() {
            tracing::error!("the workers could not be waited for");
        }
    }
}

fn postgres(
    config: &Config,
    endings: mpsc::Sender<Ending>,
) -> anyhow::Result<(Arc<Postgres>, Arc<Control>, Witness)> {
    let limits = &config.limits;
    let identities =
        Identities::new(limits, &config.issuer_hosts).context("cannot set up the issuers' keys")?;
    for finding in identities.set_bundles(tasks::bundles(config).context("cannot read a trust bundle")?) {
        tracing::warn!(finding, "a trust bundle holds something unusable");
    }
    let credentials = Credentials::load(&config.credentials)?;
    for name in credentials.without_tls() {
        tracing::warn!(
            credential = name,
            "this credential is used without TLS, by `verify: disable`"
        );
    }
    let DecideBy::Control(link) = &config.decide_by;
    let control = Control::new(link, &config.data, limits.snapshot_bytes_max)?;
    let witness = Witness::load(&link.log_key, &config.data)?;
    let nothing = Rules::load(Snapshot::default()).map_err(|errors| anyhow::anyhow!(errors.join("\n")))?;
    let shared = Arc::new(Shared {
        gateway: config.gateway.clone(),
        limits: Arc::new(limits.clone()),
        plain_http_on_loopback: config.plain_http_on_loopback,
        assertions: config.assertions.as_ref().map(Assertions::load).transpose()?,
        tls: ServerTls::load(&config.tls, limits).context("cannot use the listener's certificate")?,
        identities,
        rules: ArcSwap::from_pointee(nothing),
        credentials: ArcSwap::from_pointee(credentials),
        sessions: Sessions::with_capacity(limits.sessions_max),
        strangers: Strangers::new(limits.strangers_counted_max),
        last_word: LastWord::default(),
        fingerprints: Fingerprints::load(&config.data)?,
        budgets: Budgets::default(),
    });
    let postgres = Arc::new(Postgres {
        shared,
        cancel_keys: CancelKeys::new(limits),
        catalogues: Catalogues::default(),
        endings,
    });
    if let Some((signed, _)) = control.kept()? {
        // A fresh word must still come before anyone is served by it.
        if let Err(errors) = tasks::take_snapshot(&postgres, &control, &signed) {
            tracing::error!(?errors, "the kept snapshot cannot be used");
        }
    }
    Ok((postgres, Arc::new(control), witness))
}

fn open_spool(
    config: &Config,
    number: usize,
    grown: &Arc<Notify>,
) -> anyhow::Result<(Spool, Vec<Arc<Progress>>)> {
    let room = Room {
        spool_bytes_max: config.limits.spool_bytes_max,
        file_bytes_max: config.limits.spool_file_bytes_max,
        record_bytes_max: config.limits.record_bytes_max,
        durability: config.durability,
    };
    let worker = u32::try_from(number)?;
    let folder = config.data.join("spool").join(number.to_string());
    let gateway = config.gateway.clone();
    let unknown = move |epoch, of| unknown_outcome(&gateway, worker, epoch, of);
    Spool::open(&folder, worker, epoch()?, room, grown, unknown)
        .with_context(|| format!("cannot open the spool in `{}`", folder.display()))
}

/// A spool's epoch: later ones are higher, and a copied machine's differ by their random part.
fn epoch() -> anyhow::Result<u64> {
    const RANDOM_BITS: u32 = 20;
    let mut random = [0; 8];
    rand::fill(&mut random).map_err(|_| anyhow::anyhow!("the operating system gives no random bytes"))?;
    let milliseconds = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .as_millis();
    let random = u64::from_le_bytes(random) >> (u64::BITS - RANDOM_BITS);
    Ok((u64::try_from(milliseconds)? << RANDOM_BITS) | random)
}

/// The key of the digests of raw texts: kept, so that equal texts have equal digests for ever.
fn digest_key(data: &Path) -> anyhow::Result<hmac::Key> {
    let path = data.join("digest.key");
    let bytes = match std::fs::read(&path) {
        Ok(bytes) if bytes.len() == 32 => bytes,
        _ => {
            let mut bytes = vec![0; 32];
            rand::fill(&mut bytes)
                .map_err(|_| anyhow::anyhow!("the operating system gives no random bytes"))?;
            write_secret(&path, &bytes).with_context(|| format!("cannot write `{}`", path.display()))?;
            bytes
        }
    };
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn write_secret(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// One worker's whole life: its own runtime, its own spool, the connections it was handed.
fn run_worker(
    spool: Spool,
    handover: Handover,
    postgres: Arc<Postgres>,
    config: &Config,
    digest_key: hmac::Key,
) {
    let runtime = match LocalRuntime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "a worker's runtime could not be started");
            return;
        }
    };
    let limits: &Limits = &config.limits;
    runtime.block_on(async {
        let audit = Rc::new(Audit::new(spool, &config.gateway));
        let authorizer = Rc::new(Authorizer::new(audit.clone(), digest_key, limits));
        let worker = listener::Worker {
            postgres: Rc::new(postgres::Worker {
                authorizer: authorizer.clone(),
                buffers: Buffers::default(),
                warm: Warm::default(),
            }),
            http: Rc::new(http::Worker {
                authorizer,
                pool: http::Pool::new(limits),
            }),
        };
        tasks::start_worker(&postgres.shared, &worker, &audit);
        listener::serve(handover, postgres.clone(), worker).await;
        // The door is closed; what still runs may finish, and then the last outcomes are written.
        while postgres.shared.sessions.count() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if let Err(error) = audit.flush() {
            tracing::error!(%error, "the last outcomes could not be written");
        }
    });
}
