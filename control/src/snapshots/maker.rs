//! The only one who makes snapshots: takes one change after another, so that each sees what the last one made.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use postern_link::resources::File;
use postern_link::snapshot::{Revocation, Revoked, Snapshot};
use postern_link::wire::{Kind, Record, SignedSnapshot};
use tokio::sync::{mpsc, oneshot, watch};

use super::revocations::{self, in_words};
use super::{Author, Change, Current, Error, Made, Snapshots, Validate, checked};
use crate::audit::Audit;
use crate::config::Limits;
use crate::keys::SigningKey;
use crate::sources::Sources;
use crate::store::records::{Filter, Order};
use crate::store::snapshots::{Kept, Version};
use crate::store::{self, Store};
use crate::tasks::Stop;

/// Changes that may wait.
const ASKS_MAX: usize = 16;

/// What the maker is asked.
pub(super) enum Ask {
    /// The resources folder as it is now.
    Folder(Result<Vec<File>, String>, oneshot::Sender<Result<(), Error>>),
    Change(Change, Author, oneshot::Sender<Result<Made, Error>>),
    /// A gateway holds a snapshot of this number.
    Raise(u64),
}

pub struct Maker {
    key: Arc<SigningKey>,
    validate: Arc<Validate>,
    store: Store,
    audit: Audit,
    current: watch::Sender<Option<Arc<Current>>>,
    revoked: watch::Sender<Arc<Vec<Revocation>>>,
    trouble: watch::Sender<Arc<Vec<String>>>,
    asks: mpsc::Receiver<Ask>,
    /// Where resources are read from; else operators apply them.
    folder: Option<PathBuf>,
    /// The highest number that was tried here, in force or not: the log may have it.
    taken: u64,
    bytes_max: usize,
    revocations_max: usize,
}

/// Whose snapshots they are, and where their resources are read from; else operators apply them.
#[derive(Clone, Copy, Debug)]
pub struct From<'a> {
    pub control: &'a str,
    pub folder: Option<&'a Path>,
}

/// Gives the maker, with the newest snapshot that was ever made already in force.
pub async fn open(
    key: Arc<SigningKey>,
    validate: Arc<Validate>,
    store: Store,
    audit: Audit,
    from: From<'_>,
    limits: &Limits,
) -> Result<(Snapshots, Maker), store::Error> {
    let recorded = recorded_number(from.control, &store, &audit).await?;
    let kept = store.newest_snapshot().await?;
    if recorded > store.snapshot_number().await? {
        // A lost store keeps nothing, and is no finding.
        if kept.is_some()
            && let Err(error) = audit.record(never_in_force(recorded)).await
        {
            tracing::error!(%error, recorded, "a snapshot was recorded and not kept, which could not be recorded");
        }
        store.raise_snapshot_floor(recorded).await?;
    }
    let current = kept.and_then(restored);
    // A store that is older than the log has lost what was revoked since.
    let revoked = match &current {
        Some(current) if current.snapshot.number >= recorded => current.snapshot.revoked.clone(),
        Some(_) | None => revocations::restored(from.control, &store, &audit).await?,
    };
    let (asks, backlog) = mpsc::channel(ASKS_MAX);
    let current = watch::Sender::new(current.map(Arc::new));
    let (revoked, trouble) = (watch::Sender::new(Arc::new(revoked)), watch::Sender::default());
    let snapshots = Snapshots {
        current: current.subscribe(),
        revoked: revoked.subscribe(),
        trouble: trouble.subscribe(),
        asks,
        validate: Arc::clone(&validate),
        jump_max: limits.snapshot_jump_max,
    };
    let maker = Maker {
        key,
        validate,
        store,
        audit,
        current,
        revoked,
        trouble,
        asks: backlog,
        folder: from.folder.map(Path::to_owned),
        taken: recorded,
        bytes_max: limits.snapshot_bytes_max,
        revocations_max: limits.revocations_max,
    };
    Ok((snapshots, maker))
}

/// The highest number that the log knows, which outlives a lost store.
async fn recorded_number(own: &str, store: &Store, audit: &Audit) -> Result<u64, store::Error> {
    let filter = Filter {
        kinds: vec![Kind::SnapshotMade],
        gateway: Some(own.to_owned()),
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

fn restored(kept: Kept) -> Option<Current> {
    Some(Current {
        snapshot: serde_json::from_slice(&kept.json).ok()?,
        signed: signed(&kept),
        sources: kept.sources,
    })
}

fn signed(kept: &Kept) -> SignedSnapshot {
    SignedSnapshot {
        snapshot: kept.json.to_vec(),
        signature: kept.signature.to_vec(),
    }
}

/// What a snapshot is made of.
struct Draft {
    snapshot: Snapshot,
    sources: Arc<Sources>,
    author: Author,
    /// What is other than before, in a few words.
    change: String,
    /// Recorded with the snapshot, before it is in force.
    also: Option<Record>,
}

impl Maker {
    /// Makes changes until asked to stop.
    pub async fn run(mut self, mut stop: Stop) {
        if let Err(error) = self.revoke_again().await {
            tracing::error!(%error, "what the log says is revoked could not be put in force");
        }
        loop {
            let ask = tokio::select! {
                ask = self.asks.recv() => ask,
                () = stop.asked() => return,
            };
            // Who has gone hears nothing; what they asked for is done all the same.
            match ask {
                Some(Ask::Folder(files, reply)) => drop(reply.send(self.follow(files).await)),
                Some(Ask::Change(change, author, reply)) => {
                    drop(reply.send(self.change(change, author).await));
                }
                Some(Ask::Raise(number)) => {
                    if let Err(error) = self.raise(number).await {
                        tracing::error!(%error, number, "the snapshot number could not be raised");
                    }
                }
                None => return,
            }
        }
    }

    /// Puts in force what the log has revoked and the newest snapshot has not, after its store was lost or set back.
    async fn revoke_again(&mut self) -> Result<(), Error> {
        let current = self.current.borrow().clone();
        let revoked = Arc::clone(&self.revoked.borrow());
        let Some(current) = current.filter(|current| current.snapshot.revoked != *revoked) else {
            return Ok(());
        };
        let draft = Draft {
            snapshot: current.snapshot.clone(),
            sources: Arc::clone(&current.sources),
            author: Author {
                name: "control plane".to_owned(),
                reason: "the store was older than the log: its resources may be, too".to_owned(),
            },
            change: "revocations of the log".to_owned(),
            also: None,
        };
        self.publish(draft, revoked).await.map(drop)
    }

    async fn follow(&mut self, files: Result<Vec<File>, String>) -> Result<(), Error> {
        let author = Author {
            name: "folder".to_owned(),
            reason: "its files changed".to_owned(),
        };
        let made = match files {
            Ok(files) => self.apply(files, author).await,
            Err(trouble) => Err(Error::Wrong(vec![trouble])),
        };
        let (made, trouble) = match made {
            Ok(_) => (Ok(()), Vec::new()),
            Err(Error::Wrong(trouble)) => (Ok(()), trouble),
            Err(error) => {
                let trouble = vec![error.to_string()];
                (Err(error), trouble)
            }
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

    async fn change(&mut self, change: Change, author: Author) -> Result<Made, Error> {
        match change {
            Change::Apply { .. } if self.folder.is_some() => Err(Error::FromFolder),
            Change::Apply { files, over } => {
                let present = self.current.borrow().clone();
                let present = present.map(|present| present.sources.digest.clone());
                if over.is_some() && over != present {
                    return Err(Error::ChangedSince);
                }
                self.apply(files, author).await
            }
            Change::Revoke(of) => self.revoke(of, author).await,
            Change::Lift(id) => self.lift(&id, author).await,
        }
    }

    /// Makes a snapshot of files, unless what they say is in force.
    async fn apply(&mut self, files: Vec<File>, author: Author) -> Result<Made, Error> {
        let validate = Arc::clone(&self.validate);
        let read = tokio::task::spawn_blocking(move || {
            checked(&files, &*validate).map(|snapshot| (snapshot, Sources::new(files)))
        });
        let (snapshot, sources) = read.await.map_err(|_| Error::Stopping)?.map_err(Error::Wrong)?;
        let present = self.current.borrow().clone();
        if let Some(present) = present
            && present.sources.digest == sources.digest
            // The same files may say more to a later version.
            && present.snapshot.has_same_resources(&snapshot)
        {
            return Ok(Made {
                number: present.snapshot.number,
                is_new: false,
                revocation: None,
            });
        }
        let draft = Draft {
            change: "resources".to_owned(),
            snapshot,
            sources: Arc::new(sources),
            author,
            also: None,
        };
        let revoked = Arc::clone(&self.revoked.borrow());
        let number = self.publish(draft, revoked).await?;
        Ok(Made {
            number,
            is_new: true,
            revocation: None,
        })
    }

    async fn revoke(&mut self, of: Revoked, author: Author) -> Result<Made, Error> {
        let current = self.current.borrow().clone();
        let of = revocations::check(of, current.as_ref().map(|current| &current.snapshot))?;
        let current = current.ok_or(Error::Stopping)?;
        let revoked = Arc::clone(&self.revoked.borrow());
        if let Some(known) = revoked.iter().find(|known| known.of == of) {
            return Ok(Made {
                number: current.snapshot.number,
                is_new: false,
                revocation: Some(known.clone()),
            });
        }
        if revoked.len() >= self.revocations_max {
            return Err(Error::TooManyRevocations);
        }
        let revocation = Revocation {
            id: format!("r{}", self.next_number().await?),
            reason: author.reason.clone(),
            by: author.name.clone(),
            at_ms: Timestamp::now().as_millisecond(),
            of,
        };
        let draft = Draft {
            change: format!("revoked {}", in_words(&revocation.of)),
            snapshot: current.snapshot.clone(),
            sources: Arc::clone(&current.sources),
            author,
            also: Some(revocations::record(&revocation)),
        };
        let revoked = revoked.iter().cloned().chain([revocation.clone()]).collect();
        let number = self.publish(draft, Arc::new(revoked)).await?;
        Ok(Made {
            number,
            is_new: true,
            revocation: Some(revocation),
        })
    }

    async fn lift(&mut self, id: &str, author: Author) -> Result<Made, Error> {
        let mut revoked = self.revoked.borrow().to_vec();
        let unknown = || Error::Unknown(format!("there is no revocation `{id}`"));
        let place = revoked
            .iter()
            .position(|known| known.id == id)
            .ok_or_else(unknown)?;
        let revocation = revoked.remove(place);
        let current = self.current.borrow().clone().ok_or_else(unknown)?;
        let lifted = revocations::lifted(&revocation, &author);
        let draft = Draft {
            change: format!("lifted {}", in_words(&revocation.of)),
            snapshot: current.snapshot.clone(),
            sources: Arc::clone(&current.sources),
            author,
            also: None,
        };
        let number = self.publish(draft, Arc::new(revoked)).await?;
        // Only now: a lost store must not be told of an end that never came. The snapshot's own record says it too.
        if let Err(error) = self.audit.record(lifted).await {
            tracing::error!(%error, id, "the end of a revocation is in force and could not be recorded by itself");
        }
        Ok(Made {
            number,
            is_new: true,
            revocation: Some(revocation),
        })
    }

    async fn next_number(&self) -> Result<u64, Error> {
        let kept = self.store.snapshot_number().await?;
        Ok(kept.max(self.taken).saturating_add(1))
    }

    /// Records, keeps and hands out, in this order: nothing is ever in force that the log does not have.
    async fn publish(&mut self, draft: Draft, revoked: Arc<Vec<Revocation>>) -> Result<u64, Error> {
        let Draft {
            mut snapshot,
            sources,
            author,
            change,
            also,
        } = draft;
        snapshot.number = self.next_number().await?;
        snapshot.made_at_ms = Timestamp::now().as_millisecond();
        snapshot.revoked = revoked.to_vec();
        let json = serde_json::to_vec(&snapshot).unwrap_or_default();
        if json.is_empty() || json.len() > self.bytes_max {
            return Err(Error::TooLarge { bytes: json.len() });
        }
        let signature = self.key.sign(&json);
        let made = made(&snapshot, &author, &change);
        let kept = Kept {
            made: Version {
                number: snapshot.number,
                made_at_ms: snapshot.made_at_ms,
                author: author.name,
                reason: author.reason,
                change,
                sources: sources.digest.clone(),
            },
            json: Arc::new(json),
            signature: Arc::new(signature),
            sources,
        };
        let number = snapshot.number;
        self.taken = number;
        self.audit.record(made).await?;
        if let Err(error) = self.keep(also, &kept).await {
            // The next start says it again where the log is what failed.
            if let Err(unrecorded) = self.audit.record(never_in_force(number)).await {
                tracing::error!(%unrecorded, number, "a snapshot that is recorded was not kept");
            }
            return Err(error);
        }
        tracing::info!(number, "a new snapshot is in force");
        self.revoked.send_replace(revoked);
        self.current.send_replace(Some(Arc::new(Current {
            snapshot,
            signed: signed(&kept),
            sources: kept.sources,
        })));
        Ok(number)
    }

    async fn keep(&self, also: Option<Record>, kept: &Kept) -> Result<(), Error> {
        if let Some(record) = also {
            self.audit.record(record).await?;
        }
        Ok(self.store.keep_snapshot(kept.clone()).await?)
    }

    /// A gateway holds a number above ours: ours begins again above it.
    async fn raise(&mut self, number: u64) -> Result<(), Error> {
        let present = self.current.borrow().clone();
        let number_now = present.as_ref().map_or(0, |present| present.snapshot.number);
        if number_now > number {
            return Ok(());
        }
        if self.store.snapshot_number().await? < number {
            self.store.raise_snapshot_floor(number).await?;
        }
        let Some(present) = present else { return Ok(()) };
        let draft = Draft {
            snapshot: present.snapshot.clone(),
            sources: Arc::clone(&present.sources),
            author: Author {
                name: "control plane".to_owned(),
                reason: format!("a gateway holds snapshot {number}"),
            },
            change: "its number".to_owned(),
            also: None,
        };
        let revoked = Arc::clone(&self.revoked.borrow());
        self.publish(draft, revoked).await.map(drop)
    }
}

/// The record that a snapshot, whose record is there, was not kept: its number is taken, and nobody decided by it.
fn never_in_force(number: u64) -> Record {
    Record {
        time_us: Timestamp::now().as_microsecond(),
        kind: Kind::Finding.into(),
        message: format!("snapshot {number} was recorded and could not be kept: it was never in force"),
        ..Record::default()
    }
}

/// The record of a snapshot.
fn made(snapshot: &Snapshot, author: &Author, change: &str) -> Record {
    Record {
        time_us: Timestamp::now().as_microsecond(),
        kind: Kind::SnapshotMade.into(),
        policy_epoch: snapshot.number,
        evidence: "operator".to_owned(),
        subject: author.name.clone(),
        message: format!(
            "snapshot {} with {} workloads, {} targets, {} issuers, {} grants, {} policy files and {} revocations",
            snapshot.number,
            snapshot.workloads.len(),
            snapshot.targets.len(),
            snapshot.issuers.len(),
            snapshot.grants.len(),
            snapshot.policies.len(),
            snapshot.revoked.len()
        ),
        detail: format!("{change}: {}", author.reason),
        ..Record::default()
    }
}
