//! What gateways decide by: read from the resources folder ([`folder`]), checked, numbered, signed, kept,
//! recorded, and only then handed out. A folder that is wrong changes nothing and is reported.

pub mod folder;
pub mod fresh_word;

use std::sync::Arc;

use jiff::Timestamp;
use postern_link::resources;
use postern_link::snapshot::Snapshot;
use postern_link::wire::{Kind, Record, SignedSnapshot};
use tokio::sync::{mpsc, watch};

use crate::audit::Audit;
use crate::config::Limits;
use crate::keys::SigningKey;
use crate::store::records::{Filter, Order};
use crate::store::snapshots::Kept;
use crate::store::{self, Store};

/// Says what is wrong with a snapshot, in the words of those who know its policies.
pub type Validate = dyn Fn(&Snapshot) -> Result<(), Vec<String>> + Send + Sync;

/// Requests for a higher number that may wait.
const RAISES_MAX: usize = 16;

/// The snapshot that is in force.
#[derive(Debug)]
pub struct Current {
    pub snapshot: Snapshot,
    pub signed: SignedSnapshot,
}

/// A handle for those who hand snapshots out.
#[derive(Clone, Debug)]
pub struct Snapshots {
    current: watch::Receiver<Option<Arc<Current>>>,
    trouble: watch::Receiver<Arc<Vec<String>>>,
    raises: mpsc::Sender<u64>,
    jump_max: u64,
}

/// A gateway claims a number that we cannot have given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("snapshot number {0} is too far ahead of this control plane's")]
pub struct TooFarAhead(pub u64);

impl Snapshots {
    pub fn current(&self) -> Option<Arc<Current>> {
        self.current.borrow().clone()
    }

    pub fn changes(&self) -> watch::Receiver<Option<Arc<Current>>> {
        self.current.clone()
    }

    /// What is wrong with the folder as it is now; empty if nothing.
    pub fn trouble(&self) -> Arc<Vec<String>> {
        Arc::clone(&self.trouble.borrow())
    }

    /// Hears that a gateway holds a snapshot of this number, so that ours must have a higher one.
    pub async fn seen(&self, number: u64) -> Result<(), TooFarAhead> {
        let ours = self.current().map_or(0, |current| current.snapshot.number);
        if number > ours.saturating_add(self.jump_max) {
            return Err(TooFarAhead(number));
        }
        if number > ours {
            // The maker may be stopping, which the stream will notice by itself.
            let _ = self.raises.send(number).await;
        }
        Ok(())
    }
}

/// The only one who makes snapshots.
pub struct Maker {
    key: Arc<SigningKey>,
    validate: Arc<Validate>,
    store: Store,
    audit: Audit,
    current: watch::Sender<Option<Arc<Current>>>,
    trouble: watch::Sender<Arc<Vec<String>>>,
    raises: mpsc::Receiver<u64>,
    bytes_max: usize,
}

/// Why no snapshot was made of good resources.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the snapshot cannot be kept")]
    NotKept(#[from] store::Error),
    #[error("the snapshot cannot be recorded")]
    NotRecorded(#[from] crate::audit::append::Refused),
    #[error("a snapshot of {bytes} bytes is larger than `snapshot_bytes_max`")]
    TooLarge { bytes: usize },
}

/// Gives the maker, with the newest snapshot that was ever made already in force.
pub async fn open(
    key: Arc<SigningKey>,
    validate: Arc<Validate>,
    store: Store,
    audit: Audit,
    limits: &Limits,
) -> Result<(Snapshots, Maker), store::Error> {
    let recorded = recorded_number(&store, &audit).await?;
    if recorded > store.snapshot_number().await? {
        store.raise_snapshot_floor(recorded).await?;
    }
    let kept = store.newest_snapshot().await?;
    let current = kept.and_then(|kept| {
        let snapshot = serde_json::from_slice(&kept.json).ok()?;
        Some(Arc::new(Current {
            snapshot,
            signed: signed(&kept),
        }))
    });
    let (raises, backlog) = mpsc::channel(RAISES_MAX);
    let (current, trouble) = (watch::Sender::new(current), watch::Sender::new(Arc::default()));
    let snapshots = Snapshots {
        current: current.subscribe(),
        trouble: trouble.subscribe(),
        raises,
        jump_max: limits.snapshot_jump_max,
    };
    let bytes_max = limits.snapshot_bytes_max;
    let maker = Maker {
        key,
        validate,
        store,
        audit,
        current,
        trouble,
        raises: backlog,
        bytes_max,
    };
    Ok((snapshots, maker))
}

/// The highest number that the log knows, which outlives a lost store.
async fn recorded_number(store: &Store, audit: &Audit) -> Result<u64, store::Error> {
    let filter = Filter {
        kinds: vec![Kind::SnapshotMade],
        order: Order::NewestFirst,
        records_max: 1,
        ..Filter::default()
    };
    let made = store.records(filter).await?;
    let record = made
        .first()
        .and_then(|made| audit.files().record(made.found.index, made.found.place).ok());
    Ok(record.map_or(0, |record| record.policy_epoch))
}

fn signed(kept: &Kept) -> SignedSnapshot {
    SignedSnapshot {
        snapshot: kept.json.to_vec(),
        signature: kept.signature.to_vec(),
    }
}

impl Maker {
    /// Takes the folder's files as they are now. An error is ours, and the same files are worth another try.
    async fn offer(&mut self, files: Result<Vec<resources::File>, String>) -> Result<(), Error> {
        let read = files.map_err(|trouble| vec![trouble]).and_then(|files| {
            let snapshot = resources::read(&files)
                .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
            (self.validate)(&snapshot)?;
            Ok(snapshot)
        });
        let (made, trouble) = match read {
            Ok(snapshot) => match self.make(snapshot).await {
                Ok(()) => (Ok(()), Vec::new()),
                Err(error) => {
                    let trouble = vec![error.to_string()];
                    (Err(error), trouble)
                }
            },
            Err(trouble) => (Ok(()), trouble),
        };
        self.trouble.send_if_modified(|known| {
            if **known == trouble {
                return false;
            }
            for line in &trouble {
                tracing::error!(
                    trouble = line,
                    "the resources cannot be used: the last good ones stay"
                );
            }
            *known = Arc::new(trouble);
            true
        });
        made
    }

    /// Makes a snapshot in force, unless it says the same as the present one.
    async fn make(&mut self, mut snapshot: Snapshot) -> Result<(), Error> {
        let present = self.current.borrow().clone();
        if let Some(present) = &present {
            (snapshot.number, snapshot.made_at_ms) = (present.snapshot.number, present.snapshot.made_at_ms);
            snapshot.revoked.clone_from(&present.snapshot.revoked);
            if snapshot == present.snapshot {
                return Ok(());
            }
        }
        self.publish(snapshot).await
    }

    async fn publish(&mut self, mut snapshot: Snapshot) -> Result<(), Error> {
        snapshot.number = self.store.snapshot_number().await?.saturating_add(1);
        snapshot.made_at_ms = Timestamp::now().as_millisecond();
        let json = serde_json::to_vec(&snapshot).unwrap_or_default();
        if json.is_empty() || json.len() > self.bytes_max {
            return Err(Error::TooLarge { bytes: json.len() });
        }
        let signature = self.key.sign(&json);
        let kept = Kept {
            number: snapshot.number,
            made_at_ms: snapshot.made_at_ms,
            json: Arc::new(json),
            signature: Arc::new(signature),
        };
        self.store.keep_snapshot(kept.clone()).await?;
        self.audit
            .record(Record {
                time_us: Timestamp::now().as_microsecond(),
                kind: Kind::SnapshotMade.into(),
                policy_epoch: snapshot.number,
                message: format!(
                    "snapshot {} with {} workloads, {} targets, {} issuers, {} grants and {} policy files",
                    snapshot.number,
                    snapshot.workloads.len(),
                    snapshot.targets.len(),
                    snapshot.issuers.len(),
                    snapshot.grants.len(),
                    snapshot.policies.len()
                ),
                ..Record::default()
            })
            .await?;
        tracing::info!(number = snapshot.number, "a new snapshot is in force");
        self.current.send_replace(Some(Arc::new(Current {
            snapshot,
            signed: signed(&kept),
        })));
        Ok(())
    }

    /// A gateway holds a number above ours: ours begins again above it.
    async fn raise(&mut self, number: u64) -> Result<(), Error> {
        let present = self.current.borrow().clone();
        if present
            .as_ref()
            .is_some_and(|present| present.snapshot.number > number)
        {
            return Ok(());
        }
        if self.store.snapshot_number().await? < number {
            self.store.raise_snapshot_floor(number).await?;
        }
        match present {
            Some(present) => self.publish(present.snapshot.clone()).await,
            None => Ok(()),
        }
    }
}
