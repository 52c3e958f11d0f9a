//! Everything the gateway does besides serving connections: a named, complete list of tasks.
//!
//! Each is idempotent, stops on drain, and logs its own failures. The house's tasks run on the house's
//! runtime; a worker's tasks run on the worker's own.

mod close_idle;
mod end_backends;
mod end_sessions;
mod flush_outcomes;
mod follow_control;
mod open_ahead;
mod refresh_catalogues;
mod refresh_keys;
mod reload_files;
mod ship_audit;
mod sync_spool;
mod tell_strangers;

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc, watch};

use crate::audit::Audit;
use crate::audit::spool::Progress;
use crate::config::Config;
use crate::control::Control;
use crate::control::witness::Witness;
use crate::listener::Worker;
use crate::postgres::Postgres;
use crate::postgres::ending::Ending;
use crate::shared::Shared;

pub use follow_control::take_snapshot;
pub use reload_files::bundles;

/// What the house's tasks need.
pub struct House {
    /// What the gateway was started with.
    pub config: Config,
    /// What its file says now.
    pub newest: watch::Receiver<Config>,
    pub shared: Arc<Shared>,
    pub postgres: Arc<Postgres>,
    pub control: Arc<Control>,
    pub witness: Witness,
    pub spools: Vec<Arc<Progress>>,
    pub grown: Arc<Notify>,
    pub endings: mpsc::Receiver<Ending>,
    pub drain: watch::Receiver<bool>,
}

/// Starts the house's tasks.
pub fn start_house(house: House) {
    let House {
        config,
        newest,
        shared,
        postgres,
        control,
        witness,
        spools,
        grown,
        endings,
        drain,
    } = house;
    let shipping = ship_audit::Shipping::new(spools, grown, config.limits.spool_file_bytes_max);
    spawn(
        "follow-control",
        follow_control::run(postgres.clone(), control, witness, shipping, drain),
    );
    spawn("end-backends", end_backends::run(shared.clone(), endings));
    spawn("end-sessions", end_sessions::run(shared.clone()));
    spawn("refresh-catalogues", refresh_catalogues::run(postgres.clone()));
    spawn("refresh-keys", refresh_keys::run(shared));
    spawn("reload-files", reload_files::run(config, newest, postgres));
}

/// Starts the tasks of one worker, on its own runtime.
pub fn start_worker(shared: &Arc<Shared>, worker: &Worker, audit: &Rc<Audit>) {
    spawn_local("flush-outcomes", flush_outcomes::run(audit.clone()));
    spawn_local("sync-spool", sync_spool::run(audit.clone()));
    let (postgres, http) = (worker.postgres.clone(), worker.http.clone());
    spawn_local("open-ahead", open_ahead::run(shared.clone(), postgres));
    spawn_local("close-idle", close_idle::run(http));
    spawn_local(
        "tell-strangers",
        tell_strangers::run(shared.clone(), audit.clone()),
    );
}

fn spawn(name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(async move {
        task.await;
        tracing::debug!(task = name, "a task has ended");
    });
}

fn spawn_local(name: &'static str, task: impl Future<Output = ()> + 'static) {
    tokio::task::spawn_local(async move {
        task.await;
        tracing::debug!(task = name, "a task has ended");
    });
}
