//! The one writer of the log: takes what waits, writes it, syncs it, signs a checkpoint over it, and only
//! then says so.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use postern_link::wire::Record;
use prost::Message as _;
use tokio::sync::{mpsc, oneshot, watch};

use super::checkpoints::{self, Newest};
use super::note::{Checkpoint, Signer};
use super::segment::{self, Writer};
use super::tiles::Tiles;
use super::tree::{Edge, FullTile, leaf_hash};
use crate::store::Spool;

/// The log at one moment, signed.
#[derive(Clone, Debug)]
pub struct Head {
    pub checkpoint: Checkpoint,
    pub note: String,
    pub edge: Arc<Edge>,
}

/// Why records were not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The batch does not begin behind what is stored.
    #[error("the spool's records are stored up to {0}")]
    NotNext(u64),
    #[error("the audit log cannot be written")]
    Unwritable,
    #[error("too many spools are known")]
    TooManySpools,
    #[error("a record is too large")]
    TooLarge,
}

/// Consecutive records of one spool, already checked to be what they say.
#[derive(Debug)]
pub struct Batch {
    pub spool: Spool,
    pub first_number: u64,
    pub records: Vec<Bytes>,
}

/// What the writer is asked to do.
#[derive(Debug)]
pub enum Command {
    Batch(Batch, oneshot::Sender<Result<u64, Refused>>),
    /// A record of the control plane itself, which gets the next number.
    Own(Box<Record>, oneshot::Sender<Result<u64, Refused>>),
    /// Nothing more: what waits behind this is refused.
    Stop,
}

/// How far every spool is stored, for those who only look.
pub type Positions = Arc<Mutex<HashMap<Spool, u64>>>;

/// A place in the writing of a group where a test may wait or fail.
#[cfg(test)]
pub type BeforeSync = Box<dyn FnMut() -> io::Result<()> + Send>;

/// Everything the writer's thread owns.
pub struct Appender {
    pub folder: PathBuf,
    pub signer: Signer,
    pub tiles: Arc<Tiles>,
    pub edge: Edge,
    pub writer: Writer,
    pub newest: Newest,
    pub positions: Positions,
    pub own: Spool,
    pub head: watch::Sender<Arc<Head>>,
    /// Whether the last group was written.
    pub writable: watch::Sender<bool>,
    pub segment_bytes_max: u64,
    pub commit_bytes_max: usize,
    pub record_bytes_max: usize,
    pub spools_max: usize,
    /// Spools whose new positions are on the disk but under no checkpoint yet.
    pub unpublished: HashMap<Spool, u64>,
    #[cfg(test)]
    pub before_sync: Option<BeforeSync>,
}

/// One group of commands that share a sync.
#[derive(Default)]
struct Group {
    frames: Vec<u8>,
    edge: Edge,
    full: Vec<FullTile>,
    moved: HashMap<Spool, u64>,
    replies: Vec<(oneshot::Sender<Result<u64, Refused>>, u64)>,
}

impl Appender {
    /// Writes until it is told to stop, or nobody is left who could ask.
    pub fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(first) = commands.blocking_recv() {
            if matches!(first, Command::Stop) {
                return;
            }
            if !self.unpublished.is_empty() && self.publish().is_err() {
                self.refuse(first);
                continue;
            }
            let mut group = Group {
                edge: self.edge.clone(),
                ..Group::default()
            };
            self.take(first, &mut group);
            let mut stopping = false;
            while !stopping && group.frames.len() < self.commit_bytes_max {
                let Ok(next) = commands.try_recv() else { break };
                stopping = matches!(next, Command::Stop);
                self.take(next, &mut group);
            }
            self.commit(group);
            if stopping {
                return;
            }
        }
    }

    fn refuse(&self, command: Command) {
        match command {
            Command::Batch(_, reply) | Command::Own(_, reply) => {
                let _ = reply.send(Err(Refused::Unwritable));
            }
            Command::Stop => {}
        }
    }

    fn take(&self, command: Command, group: &mut Group) {
        let (batch, reply) = match command {
            Command::Batch(batch, reply) => (batch, reply),
            Command::Own(mut record, reply) => {
                let number = self.position(&self.own, group) + 1;
                record.gateway.clone_from(&self.own.gateway);
                (record.worker, record.epoch, record.number) = (self.own.worker, self.own.epoch, number);
                let records = vec![Bytes::from(record.encode_to_vec())];
                (
                    Batch {
                        spool: self.own.clone(),
                        first_number: number,
                        records,
                    },
                    reply,
                )
            }
            Command::Stop => return,
        };
        match self.take_batch(&batch, group) {
            Ok(position) => group.replies.push((reply, position)),
            Err(refused) => {
                // Whoever asked may have gone.
                let _ = reply.send(Err(refused));
            }
        }
    }

    fn take_batch(&self, batch: &Batch, group: &mut Group) -> Result<u64, Refused> {
        let stored = self.position(&batch.spool, group);
        if batch.first_number != stored + 1 {
            return Err(Refused::NotNext(stored));
        }
        if stored == 0 && group.moved.len() + self.lock().len() >= self.spools_max {
            return Err(Refused::TooManySpools);
        }
        if batch
            .records
            .iter()
            .any(|record| record.len() > self.record_bytes_max)
        {
            return Err(Refused::TooLarge);
        }
        for record in &batch.records {
            segment::frame(record, &mut group.frames).ok_or(Refused::TooLarge)?;
            group.edge.push(leaf_hash(record), &mut group.full);
        }
        let position = stored + batch.records.len() as u64;
        group.moved.insert(batch.spool.clone(), position);
        Ok(position)
    }

    fn position(&self, spool: &Spool, group: &Group) -> u64 {
        let moved = group.moved.get(spool).copied();
        moved.or_else(|| self.lock().get(spool).copied()).unwrap_or(0)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Spool, u64>> {
        self.positions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commit(&mut self, group: Group) {
        if group.frames.is_empty() {
            return answer(group.replies, None);
        }
        if let Err(error) = self.write(&group.frames) {
            tracing::error!(%error, "the audit log cannot be written: nothing is acknowledged");
            self.writable.send_replace(false);
            return answer(group.replies, Some(Refused::Unwritable));
        }
        // From here the records are on the disk and part of the log, whatever else fails.
        self.edge = group.edge;
        self.unpublished.extend(group.moved);
        self.keep_tiles(&group.full);
        let published = self.publish();
        answer(group.replies, published.err());
    }

    /// Signs a checkpoint over what is on the disk and tells everybody.
    fn publish(&mut self) -> Result<(), Refused> {
        let checkpoint = Checkpoint {
            size: self.edge.size(),
            root: self.edge.root(),
        };
        let note = checkpoint.sign(&self.signer);
        if let Err(error) = self.newest.keep(&note) {
            tracing::error!(%error, "the audit log's checkpoint cannot be written: nothing is acknowledged");
            self.writable.send_replace(false);
            return Err(Refused::Unwritable);
        }
        self.head.send_replace(Arc::new(Head {
            checkpoint,
            note,
            edge: Arc::new(self.edge.clone()),
        }));
        let unpublished = std::mem::take(&mut self.unpublished);
        self.lock().extend(unpublished);
        self.writable
            .send_if_modified(|writable| !std::mem::replace(writable, true));
        Ok(())
    }

    fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        // After a failed sync nobody knows what is on the disk, so what was not synced is cut off before
        // anything else is written; the gateway sends it again.
        if !*self.writable.borrow() {
            self.writer.cut()?;
        }
        if self.writer.bytes() >= self.segment_bytes_max {
            self.rotate()?;
        }
        #[cfg(test)]
        if let Some(before_sync) = &mut self.before_sync {
            before_sync()?;
        }
        self.writer.append(frames)
    }

    fn rotate(&mut self) -> io::Result<()> {
        let first = self.edge.size();
        let note = Checkpoint {
            size: first,
            root: self.edge.root(),
        }
        .sign(&self.signer);
        checkpoints::keep_beginning(&self.folder, &self.edge, &note)?;
        let unfinished = segment::segment_path(&self.folder, first);
        if unfinished.exists() {
            // An earlier try made the file and failed to sync it: no record is in it.
            std::fs::remove_file(unfinished)?;
        }
        self.writer = Writer::create(&self.folder, first)?;
        Ok(())
    }

    /// Tiles can be computed again, so a disk that does not take them is no reason to refuse records.
    fn keep_tiles(&self, full: &[FullTile]) {
        let kept = full
            .iter()
            .try_for_each(|tile| self.tiles.keep(tile.id, &tile.hashes));
        if let Err(error) = kept.and_then(|()| self.tiles.keep_edge(&self.edge)) {
            tracing::warn!(%error, "a hash tile of the audit log was not written");
        }
    }
}

fn answer(replies: Vec<(oneshot::Sender<Result<u64, Refused>>, u64)>, refused: Option<Refused>) {
    for (reply, position) in replies {
        // Whoever asked may have gone; the records are stored all the same.
        let _ = reply.send(refused.map_or(Ok(position), Err));
    }
}
