//! What gateways decide by: workloads, targets, issuers and policies from the resources folder ([`folder`]) or
//! from an operator, with what operators have revoked. One maker ([`maker`]) makes snapshots of them, one change
//! after another: checked, numbered, signed, kept, recorded, and only then handed out. What is wrong changes
//! nothing and is told.

pub mod folder;
pub mod fresh_word;
pub mod maker;
pub mod revocations;

use std::fmt;
use std::sync::Arc;

use postern_link::resources::{self, File};
use postern_link::snapshot::{Revocation, Revoked, Snapshot};
use postern_link::wire::SignedSnapshot;
use tokio::sync::{mpsc, oneshot, watch};

use crate::audit::append::Refused;
use crate::sources::Sources;
use crate::store;
use maker::Ask;

/// Says what is wrong with a snapshot, in the words of those who know its policies.
pub type Validate = dyn Fn(&Snapshot) -> Result<(), Vec<String>> + Send + Sync;

/// The snapshot that is in force.
#[derive(Debug)]
pub struct Current {
    pub snapshot: Snapshot,
    pub signed: SignedSnapshot,
    pub sources: Arc<Sources>,
}

/// What someone wants to be otherwise.
#[derive(Clone, Debug)]
pub enum Change {
    /// These files instead of those in force.
    Apply {
        files: Vec<File>,
        /// The digest of the files that the author has seen in force: others are not written over.
        over: Option<String>,
    },
    Revoke(Revoked),
    /// A revocation, by its id.
    Lift(String),
}

/// Who wants it, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    pub name: String,
    pub reason: String,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// The snapshot in which it holds.
    pub number: u64,
    /// Whether that is a new one: to want what is so already makes none.
    pub is_new: bool,
    /// What was revoked or lifted.
    pub revocation: Option<Revocation>,
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the snapshot cannot be kept")]
    NotKept(#[from] store::Error),
    #[error("the snapshot cannot be recorded")]
    NotRecorded(#[from] Refused),
    #[error("a snapshot of {bytes} bytes is larger than `snapshot_bytes_max`")]
    TooLarge { bytes: usize },
    #[error("the resources are wrong")]
    Wrong(Vec<String>),
    #[error("resources are read from a folder of the control plane: change the files there")]
    FromFolder,
    #[error("others have changed the resources since: look at them again")]
    ChangedSince,
    #[error("{0}")]
    Unknown(String),
    #[error("there are `revocations_max` revocations already: lift some first")]
    TooManyRevocations,
    #[error("the control plane is stopping")]
    Stopping,
}

/// A gateway claims a number that we cannot have given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("snapshot number {0} is too far ahead of this control plane's")]
pub struct TooFarAhead(pub u64);

/// A handle for those who hand snapshots out and those who ask for new ones; clones share the maker.
#[derive(Clone)]
pub struct Snapshots {
    current: watch::Receiver<Option<Arc<Current>>>,
    revoked: watch::Receiver<Arc<Vec<Revocation>>>,
    trouble: watch::Receiver<Arc<Vec<String>>>,
    asks: mpsc::Sender<Ask>,
    validate: Arc<Validate>,
    jump_max: u64,
}

impl fmt::Debug for Snapshots {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Snapshots").finish_non_exhaustive()
    }
}

impl Snapshots {
    pub fn current(&self) -> Option<Arc<Current>> {
        self.current.borrow().clone()
    }

    pub fn changes(&self) -> watch::Receiver<Option<Arc<Current>>> {
        self.current.clone()
    }

    /// What is revoked now, oldest first.
    pub fn revoked(&self) -> Arc<Vec<Revocation>> {
        Arc::clone(&self.revoked.borrow())
    }

    /// What is wrong with the folder as it is now; empty if nothing.
    pub fn trouble(&self) -> Arc<Vec<String>> {
        Arc::clone(&self.trouble.borrow())
    }

    /// Makes a change, or says why not. It holds when this returns; gateways hear of it at once.
    pub async fn change(&self, change: Change, author: Author) -> Result<Made, Error> {
        let (reply, made) = oneshot::channel();
        self.ask(Ask::Change(change, author, reply)).await?;
        made.await.map_err(|_| Error::Stopping)?
    }

    /// What these files would be as a snapshot, with nothing changed.
    pub async fn check(&self, files: Vec<File>) -> Result<Snapshot, Error> {
        let validate = Arc::clone(&self.validate);
        let checked = tokio::task::spawn_blocking(move || checked(&files, &*validate));
        checked.await.map_err(|_| Error::Stopping)?.map_err(Error::Wrong)
    }

    /// Takes the folder's files as they are now. An error is ours, and the same files are worth another try.
    async fn offer(&self, files: Result<Vec<File>, String>) -> Result<(), Error> {
        let (reply, made) = oneshot::channel();
        self.ask(Ask::Folder(files, reply)).await?;
        made.await.map_err(|_| Error::Stopping)?
    }

    /// Hears that a gateway holds a snapshot of this number, so that ours must have a higher one.
    pub async fn seen(&self, number: u64) -> Result<(), TooFarAhead> {
        let ours = self.current().map_or(0, |current| current.snapshot.number);
        if number > ours.saturating_add(self.jump_max) {
            return Err(TooFarAhead(number));
        }
        if number > ours {
            // The maker may be stopping, which the stream will notice by itself.
            let _ = self.ask(Ask::Raise(number)).await;
        }
        Ok(())
    }

    async fn ask(&self, ask: Ask) -> Result<(), Error> {
        self.asks.send(ask).await.map_err(|_| Error::Stopping)
    }
}

/// The snapshot that files make, without a number; or every mistake in them.
fn checked(files: &[File], validate: &Validate) -> Result<Snapshot, Vec<String>> {
    let told = |errors: Vec<resources::Error>| errors.iter().map(ToString::to_string).collect::<Vec<_>>();
    let snapshot = resources::read(files).map_err(told)?;
    validate(&snapshot)?;
    Ok(snapshot)
}
