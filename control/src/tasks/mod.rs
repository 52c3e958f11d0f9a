//! Everything that runs beside a request: the complete list, and how it is stopped.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

/// All tasks there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Accepts and shakes hands with gateways.
    AcceptGateways,
    /// Accepts operators.
    AcceptOperators,
    /// Serves gRPC to the connections of gateways.
    ServeGateways,
    /// Serves HTTP to the connections of operators.
    ServeOperators,
    /// One TLS handshake.
    Handshake,
    /// One operator's connection.
    OperatorConnection,
    /// Records an order and gives it to the gateways.
    GiveOrder,
    /// One gateway's stream.
    Exchange,
    /// Makes snapshots, one change after another.
    MakeSnapshots,
    /// Reads the resources folder.
    WatchResources,
    /// Signs fresh words.
    FreshWord,
    /// Reads certificates again when their files change.
    ReloadCertificates,
    /// Tells the store's writer that the log has grown.
    AdvanceIndex,
    /// The thread that writes the audit log.
    AppendAudit,
    /// The thread that writes the store.
    WriteStore,
}

/// The running tasks; clones share them.
#[derive(Clone, Debug)]
pub struct Tasks {
    running: Arc<Mutex<JoinSet<Task>>>,
    threads: Arc<Mutex<Vec<Thread>>>,
    stopping: watch::Sender<bool>,
}

type Thread = (Task, JoinHandle<()>);

impl Default for Tasks {
    fn default() -> Tasks {
        Tasks {
            running: Arc::default(),
            threads: Arc::default(),
            stopping: watch::Sender::new(false),
        }
    }
}

/// Resolves when everything has to stop.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    pub async fn asked(&mut self) {
        // The sender lives as long as any task; were it gone, stopping would be right.
        drop(self.0.wait_for(|stopping| *stopping).await);
    }
}

impl Tasks {
    pub fn stop_signal(&self) -> Stop {
        Stop(self.stopping.subscribe())
    }

    pub fn spawn(&self, task: Task, work: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(ended) = running.try_join_next() {
            report(ended);
        }
        running.spawn(async move {
            work.await;
            task
        });
    }

    /// Runs blocking work on a thread of its own, which must end when its channel closes.
    pub fn thread(&self, task: Task, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        let name = format!("{task:?}");
        let handle = std::thread::Builder::new().name(name).spawn(work)?;
        self.threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((task, handle));
        Ok(())
    }

    /// Asks all tasks to stop and waits for them; those that do not end in time are aborted.
    pub async fn stop(&self, timeout: Duration) {
        self.stopping.send_replace(true);
        let mut running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        let ended = tokio::time::timeout(timeout, async {
            while let Some(ended) = running.join_next().await {
                report(ended);
            }
        });
        if ended.await.is_err() {
            tracing::warn!(
                tasks = running.len(),
                "some tasks did not stop in time and were aborted"
            );
            running.shutdown().await;
        }
    }

    /// Waits for the threads, whose channels must be closed.
    pub async fn join_threads(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for (task, handle) in threads {
            let joined = tokio::task::spawn_blocking(move || handle.join().is_ok()).await;
            if !joined.unwrap_or(false) {
                tracing::error!(?task, "a thread ended by a panic");
            }
        }
    }
}

fn report(ended: Result<Task, tokio::task::JoinError>) {
    match ended {
        Ok(task) => tracing::trace!(?task, "a task ended"),
        Err(error) if error.is_panic() => tracing::error!("a task ended by a panic"),
        Err(_) => {}
    }
}
