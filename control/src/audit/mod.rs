//! The audit log: append-only [`segment`]s under an RFC 6962 [`tree`] with [`tiles`] beside them and
//! signed checkpoints ([`note`], [`checkpoints`]).
//!
//! * [`append`] is the only writer; [`recover`] is what happens before it starts.
//! * [`verify`] proves the whole log from its files and the public key alone.
//! * [`export`] is how a record looks outside.
//!
//! The index that questions are answered from is not here but in `store`; it can be made again from here.

pub mod append;
pub mod checkpoints;
pub mod export;
pub mod note;
pub mod proof;
pub mod recover;
pub mod segment;
pub mod tiles;
pub mod tree;
pub mod verify;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use postern_link::wire::{Record, SpoolPosition};
use prost::Message as _;
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::Limits;
use crate::store::{Entry, Place, Spool};
use append::{Appender, Batch, Command, Head, Positions, Refused};
use note::{Checkpoint, Signer, Verifier};
use proof::Proof;
use recover::Recovered;
use tiles::Tiles;
use tree::{Edge, Hash, MissingTile, TILE_ENTRIES, TileId, Tree, leaf_hash};

/// Spools that are told apart; every start of a gateway makes one for each of its workers.
const SPOOLS_MAX: usize = 1_000_000;

/// Why something of the log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the audit log cannot be read")]
    Unreadable(#[source] io::Error),
    #[error("record {0} of the audit log is damaged")]
    Damaged(u64),
    #[error("the audit log is stopped")]
    Stopped,
}

/// A handle to the log; clones share it.
#[derive(Clone, Debug)]
pub struct Audit {
    commands: mpsc::Sender<Command>,
    head: watch::Receiver<Arc<Head>>,
    writable: watch::Receiver<bool>,
    positions: Positions,
    files: Files,
    verifier: Verifier,
}

/// The log's files, for reading.
#[derive(Clone, Debug)]
pub struct Files {
    folder: PathBuf,
    tiles: Arc<Tiles>,
    record_bytes_max: usize,
}

/// The log before anybody may write to it: recovered, and waiting to hear how far the spools are stored.
pub struct Opened {
    recovered: Recovered,
    signer: Signer,
    files: Files,
    head: watch::Sender<Arc<Head>>,
    #[cfg(test)]
    before_sync: Option<append::BeforeSync>,
}

/// Recovers the log in `folder`.
pub fn open(folder: &Path, signer: Signer, limits: &Limits) -> Result<Opened, recover::Error> {
    std::fs::create_dir_all(folder).map_err(|source| recover::Error::Unusable {
        folder: folder.to_owned(),
        source,
    })?;
    let tiles = Arc::new(Tiles::new(folder, limits.tiles_cached_max));
    let recovered = recover::recover(folder, &signer, &tiles, limits.record_bytes_max)?;
    let edge = Arc::new(recovered.edge.clone());
    let checkpoint = Checkpoint {
        size: edge.size(),
        root: edge.root(),
    };
    let head = Arc::new(Head {
        checkpoint,
        note: recovered.note.clone(),
        edge,
    });
    let files = Files {
        folder: folder.to_owned(),
        tiles,
        record_bytes_max: limits.record_bytes_max,
    };
    Ok(Opened {
        recovered,
        signer,
        files,
        head: watch::Sender::new(head),
        #[cfg(test)]
        before_sync: None,
    })
}

impl Opened {
    pub fn files(&self) -> Files {
        self.files.clone()
    }

    pub fn head(&self) -> watch::Receiver<Arc<Head>> {
        self.head.subscribe()
    }

    pub fn verifier(&self) -> &Verifier {
        self.signer.verifier()
    }

    /// Gives the handle, and the writer that must run on a thread of its own.
    pub fn start(
        self,
        own: Spool,
        positions: HashMap<Spool, u64>,
        limits: &Limits,
    ) -> (Audit, impl FnOnce() + Send + use<>) {
        let (commands, backlog) = mpsc::channel(limits.append_batches_max);
        let positions: Positions = Arc::new(Mutex::new(positions));
        let writable = watch::Sender::new(true);
        let audit = Audit {
            commands,
            head: self.head.subscribe(),
            writable: writable.subscribe(),
            positions: Arc::clone(&positions),
            files: self.files.clone(),
            verifier: self.signer.verifier().clone(),
        };
        let appender = Appender {
            folder: self.files.folder,
            signer: self.signer,
            tiles: self.files.tiles,
            edge: self.recovered.edge,
            writer: self.recovered.writer,
            newest: self.recovered.newest,
            positions,
            own,
            head: self.head,
            writable,
            segment_bytes_max: limits.segment_bytes_max,
            commit_bytes_max: limits.commit_bytes_max,
            record_bytes_max: limits.record_bytes_max,
            spools_max: SPOOLS_MAX,
            unpublished: HashMap::new(),
            #[cfg(test)]
            before_sync: self.before_sync,
        };
        (audit, move || appender.run(backlog))
    }
}

impl Audit {
    /// Stores a batch and returns the spool's new position, after it is on the disk and checkpointed.
    pub async fn append(&self, batch: Batch) -> Result<u64, Refused> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Batch(batch, reply), answer).await
    }

    /// Stores a record of the control plane itself.
    pub async fn record(&self, record: Record) -> Result<u64, Refused> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Own(Box::new(record), reply), answer).await
    }

    /// Ends the writer, after what it has been asked so far.
    pub async fn stop(&self) {
        // An error says that it has ended already.
        let _ = self.commands.send(Command::Stop).await;
    }

    async fn send(
        &self,
        command: Command,
        answer: oneshot::Receiver<Result<u64, Refused>>,
    ) -> Result<u64, Refused> {
        self.commands
            .send(command)
            .await
            .map_err(|_| Refused::Unwritable)?;
        answer.await.map_err(|_| Refused::Unwritable)?
    }

    pub fn head(&self) -> Arc<Head> {
        Arc::clone(&self.head.borrow())
    }

    /// Hears of every new head.
    pub fn heads(&self) -> watch::Receiver<Arc<Head>> {
        self.head.clone()
    }

    pub fn is_writable(&self) -> bool {
        *self.writable.borrow() && !self.commands.is_closed()
    }

    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    pub fn files(&self) -> &Files {
        &self.files
    }

    pub fn position(&self, spool: &Spool) -> u64 {
        self.lock().get(spool).copied().unwrap_or(0)
    }

    /// How far the spools of a gateway are stored, those with the highest epochs first.
    pub fn positions(&self, gateway: &str, positions_max: usize) -> Vec<SpoolPosition> {
        let mut stored: Vec<SpoolPosition> = self
            .lock()
            .iter()
            .filter(|(spool, _)| spool.gateway == gateway)
            .map(|(spool, number)| SpoolPosition {
                worker: spool.worker,
                epoch: spool.epoch,
                number: *number,
            })
            .collect();
        stored.sort_by_key(|position| std::cmp::Reverse((position.epoch, position.worker)));
        stored.truncate(positions_max);
        stored
    }

    /// The names of all gateways that have ever stored a record.
    pub fn gateways(&self) -> BTreeSet<String> {
        self.lock().keys().map(|spool| spool.gateway.clone()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Spool, u64>> {
        self.positions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The records from `place` on, which has the log index `from`: at most `entries_max` and not beyond
    /// `size`. Reads within one segment.
    pub fn entries(
        &self,
        from: u64,
        place: Option<Place>,
        size: u64,
        entries_max: usize,
    ) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        let mut index = from;
        let mut reader = None;
        while entries.len() < entries_max && index < size {
            if reader.is_none() {
                reader = Some(self.reader_at(index, place)?);
            }
            let Some((segment, open)) = reader.as_mut() else {
                break;
            };
            match open.frame().map_err(Error::Unreadable)? {
                Some(Ok(frame)) => {
                    let place = Place {
                        segment: *segment,
                        offset: frame.offset,
                    };
                    let record =
                        Record::decode(frame.record.as_slice()).map_err(|_| Error::Damaged(index))?;
                    let next = open.offset();
                    entries.push(Entry {
                        index,
                        place,
                        next,
                        record,
                    });
                    index += 1;
                }
                None if !entries.is_empty() => break,
                // The place was the end of a segment: the record begins the next one.
                None if index > *segment => reader = Some(self.reader_at(index, None)?),
                None | Some(Err(_)) => return Err(Error::Damaged(index)),
            }
        }
        Ok(entries)
    }

    /// The proof that a record is in the log, by where the index says it is. It is verified before it is given.
    pub fn proof(&self, index: u64, place: Place, head: &Head, key: &Verifier) -> Result<Proof, Error> {
        let damaged = || Error::Damaged(index);
        let (_, mut reader) = self.reader_at(index, Some(place))?;
        let frame = reader.frame().map_err(Error::Unreadable)?;
        let record = frame.and_then(Result::ok).ok_or_else(damaged)?.record;
        let proof = |hashes: Vec<Hash>| Proof {
            record: record.clone(),
            index,
            hashes,
            note: head.note.clone(),
        };
        let size = head.checkpoint.size;
        let hashes = self.tree(head).inclusion(index, size).ok().map(proof);
        if let Some(good) = hashes.filter(|proof| proof.verify(key).is_ok()) {
            return Ok(good);
        }
        let again = self
            .tree_again(head)
            .inclusion(index, size)
            .map_err(|_| damaged())?;
        Some(proof(again))
            .filter(|proof| proof.verify(key).is_ok())
            .ok_or_else(damaged)
    }

    /// One record, by where the index says it is.
    pub fn record(&self, index: u64, place: Place) -> Result<Record, Error> {
        let mut entries = self.entries(index, Some(place), index + 1, 1)?;
        entries
            .pop()
            .map(|entry| entry.record)
            .ok_or(Error::Damaged(index))
    }

    /// A reader that stands at the record with this log index.
    fn reader_at(&self, index: u64, place: Option<Place>) -> Result<(u64, segment::Reader), Error> {
        let segment = match place {
            Some(place) => place.segment,
            None => self.segment_of(index)?,
        };
        let reader = segment::Reader::open(&self.folder, segment, self.record_bytes_max);
        let mut reader = reader
            .map_err(Error::Unreadable)?
            .map_err(|_| Error::Damaged(segment))?;
        match place {
            Some(place) => reader.seek(place.offset).map_err(Error::Unreadable)?,
            None => {
                for passed in segment..index {
                    let frame = reader.frame().map_err(Error::Unreadable)?;
                    frame.and_then(Result::ok).ok_or(Error::Damaged(passed))?;
                }
            }
        }
        Ok((segment, reader))
    }

    fn segment_of(&self, index: u64) -> Result<u64, Error> {
        let firsts = segment::list(&self.folder).map_err(Error::Unreadable)?;
        firsts
            .into_iter()
            .rfind(|first| *first <= index)
            .ok_or(Error::Damaged(index))
    }

    /// The tree at a head, with tiles that are missing computed again from the segments.
    pub fn tree<'a>(
        &'a self,
        head: &'a Head,
    ) -> Tree<'a, impl Fn(TileId) -> Result<Arc<[Hash]>, MissingTile> + 'a> {
        Tree {
            edge: &head.edge,
            tiles: |id| self.tiles.full(id).or_else(|_| self.remade(id)),
        }
    }

    /// The same tree from the segments alone, for when the tiles turn out to be wrong; they are replaced.
    fn tree_again<'a>(
        &'a self,
        head: &'a Head,
    ) -> Tree<'a, impl Fn(TileId) -> Result<Arc<[Hash]>, MissingTile> + 'a> {
        Tree {
            edge: &head.edge,
            tiles: |id| self.remade(id),
        }
    }

    /// The proof that an older checkpoint is the beginning of a head. It is verified before it is given: a
    /// damaged tile must not look like a fork to a gateway.
    pub fn consistency(&self, old: &Checkpoint, head: &Head) -> Result<Vec<Hash>, MissingTile> {
        let new = &head.checkpoint;
        let good =
            |proof: &Vec<Hash>| tree::is_consistent((old.size, &old.root), (new.size, &new.root), proof);
        let proof = self.tree(head).consistency(old.size, new.size);
        match proof.ok().filter(good) {
            Some(proof) => Ok(proof),
            None => self.tree_again(head).consistency(old.size, new.size),
        }
    }

    /// A full tile computed from the records below it, and kept.
    fn remade(&self, id: TileId) -> Result<Arc<[Hash]>, MissingTile> {
        tracing::warn!(
            level = id.level,
            tile = id.index,
            "computing a hash tile again from the records"
        );
        let missing = || MissingTile(id);
        let width = (TILE_ENTRIES as u64)
            .checked_pow(u32::from(id.level) + 1)
            .ok_or_else(missing)?;
        let mut index = id.index.checked_mul(width).ok_or_else(missing)?;
        let end = index + width;
        // Tiles are aligned, so the records below one make it by themselves.
        let (mut edge, mut full) = (Edge::default(), Vec::new());
        while index < end {
            let begun = index;
            let (_, mut reader) = self.reader_at(index, None).map_err(|_| missing())?;
            while index < end
                && let Some(frame) = reader.frame().map_err(|_| missing())?
            {
                edge.push(leaf_hash(&frame.map_err(|_| missing())?.record), &mut full);
                index += 1;
            }
            if index == begun {
                return Err(missing());
            }
        }
        let tile = full
            .into_iter()
            .rfind(|tile| tile.id.level == id.level)
            .ok_or_else(missing)?;
        if let Err(error) = self.tiles.keep(id, &tile.hashes) {
            tracing::warn!(%error, "a hash tile of the audit log was not written");
        }
        Ok(tile.hashes)
    }
}

#[cfg(test)]
mod tests;
