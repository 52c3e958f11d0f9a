//! Runs one plane or both from the configuration, until asked to stop.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use postern_link::snapshot::Snapshot;
use postern_proxy::authorize::Rules;
use postern_proxy::gateway;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::config::{self, File};
use crate::trouble::{Exit, Result, Trouble};

const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The signals that mean an end; a terminal that goes away is none.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    pub fn listen() -> Result<Signals> {
        let listen =
            |kind| signal(kind).map_err(|error| Trouble::new("cannot listen for signals").because(&error));
        Ok(Signals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for the order to stop. Files are read again by themselves, so a hang-up changes nothing.
    pub async fn stop_asked(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hang_up.recv() => tracing::info!("certificates, keys and resources are read again as they change"),
            }
        }
    }
}

/// What is running. The control plane outlives the gateway, so that the last records arrive.
pub struct Planes {
    pub gateway: Option<gateway::Running>,
    /// Where the gateway hears what its file says now.
    newest: Option<watch::Sender<postern_proxy::config::Config>>,
    pub control: Option<postern_control::Running>,
}

impl Planes {
    /// Starts whatever the file has a section for.
    pub async fn start(file: File) -> Result<Planes> {
        let mut planes = Planes {
            gateway: None,
            newest: None,
            control: None,
        };
        if let Some(config) = file.control {
            planes.control = Some(start_control(config).await?);
        }
        if let Some(config) = file.proxy {
            let (newest, following) = watch::channel(config);
            planes.newest = Some(newest);
            match start_gateway(following).await {
                Ok(gateway) => planes.gateway = Some(gateway),
                Err(trouble) => {
                    planes.stop().await;
                    return Err(trouble);
                }
            }
        }
        Ok(planes)
    }

    pub async fn stop(self) {
        if let Some(gateway) = self.gateway {
            gateway.stop().await;
        }
        if let Some(control) = self.control {
            control.stop().await;
        }
    }
}

/// Runs until a signal; a second one does not wait for sessions that are still at work.
pub async fn run(file: File, path: &Path) -> Result<Exit> {
    let mut signals = Signals::listen()?;
    let mut planes = Planes::start(file).await?;
    tokio::select! {
        () = follow(path, planes.newest.take()) => {}
        () = signals.stop_asked() => {}
    }
    tracing::info!("stopping: no new connections; what is running may finish");
    tokio::select! {
        () = planes.stop() => Ok(Exit::Success),
        () = signals.stop_asked() => Err(Trouble::new("stopped before everything had finished")),
    }
}

/// Tells the gateway what its file says, each time it changes; what is not valid is told to people instead.
async fn follow(path: &Path, newest: Option<watch::Sender<postern_proxy::config::Config>>) {
    let Some(newest) = newest else {
        return std::future::pending().await;
    };
    let changed_at = || std::fs::metadata(path).and_then(|known| known.modified()).ok();
    let mut seen = changed_at();
    let mut interval = tokio::time::interval(LOOK_INTERVAL);
    loop {
        interval.tick().await;
        let now = changed_at();
        if now == seen {
            continue;
        }
        seen = now;
        match config::load(path).and_then(File::proxy) {
            Ok(config) => drop(newest.send_replace(config)),
            Err(trouble) => {
                tracing::error!("the configuration cannot be used; the last good one stays: {trouble}");
            }
        }
    }
}

async fn start_gateway(config: watch::Receiver<postern_proxy::config::Config>) -> Result<gateway::Running> {
    gateway::start(config).await.map_err(|error| {
        let mut chain = error.chain().map(ToString::to_string);
        let mut trouble = Trouble::new(format!(
            "the gateway did not start: {}",
            chain.next().unwrap_or_default()
        ));
        trouble.causes = chain.collect();
        trouble.next("`postern check` looks at everything that the configuration names")
    })
}

async fn start_control(config: postern_control::Config) -> Result<postern_control::Running> {
    // A set of resources that a gateway would not load is not signed.
    let validate = Arc::new(|snapshot: &Snapshot| Rules::load(snapshot.clone()).map(drop));
    postern_control::start(config, validate).await.map_err(|error| {
        Trouble::new("the control plane did not start")
            .because(&error)
            .next("`postern check` looks at everything that the configuration names")
    })
}
