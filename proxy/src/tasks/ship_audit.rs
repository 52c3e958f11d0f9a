//! Sends records to the control plane in order, and lets go of them once they are stored there.

use std::io;
use std::sync::Arc;

use postern_link::wire::{Batch, SpoolPosition};
use tokio::sync::Notify;

use crate::audit::spool::Progress;
use crate::audit::spool::reader::Reader;

/// Records of one batch together; the record that goes over it still goes.
const BATCH_BYTES_MAX: usize = 512 * 1024;
const BATCH_RECORDS_MAX: usize = 2_000;

/// What there is to ship, and how far the control plane has stored it.
pub struct Shipping {
    spools: Vec<Shipped>,
    pub grown: Arc<Notify>,
    file_bytes_max: u64,
}

struct Shipped {
    progress: Arc<Progress>,
    stored: u64,
    /// Sent and not yet acknowledged: one batch a spool is under way at a time.
    sent: u64,
    /// The open file, where reading goes on.
    reader: Option<Reader>,
    /// Told once; tried again with the next exchange.
    unreadable: bool,
}

impl Shipping {
    pub fn new(spools: Vec<Arc<Progress>>, grown: Arc<Notify>, file_bytes_max: u64) -> Shipping {
        let spools = spools.into_iter().map(|progress| Shipped {
            progress,
            stored: 0,
            sent: 0,
            reader: None,
            unreadable: false,
        });
        Shipping {
            spools: spools.collect(),
            grown,
            file_bytes_max,
        }
    }

    /// Bytes that the spools hold.
    pub fn bytes(&self) -> u64 {
        self.spools
            .iter()
            .map(|spool| spool.progress.bytes(self.file_bytes_max))
            .sum()
    }

    /// A new exchange: what the control plane has is where shipping goes on.
    pub fn resume(&mut self, stored: &[SpoolPosition]) {
        for spool in &mut self.spools {
            let position = stored.iter().find(|position| spool.is(position));
            // It tells of many spools but not of all: of the others it says so when it is sent what is still here.
            let before_ours = spool.progress.first_number().saturating_sub(1);
            spool.stored = position.map_or(before_ours, |position| position.number);
            spool.sent = spool.stored;
            spool.reader = None;
            spool.unreadable = false;
            spool.progress.acknowledge(spool.stored);
        }
    }

    /// The control plane has stored up to here; it also answers so to what did not follow.
    pub fn acknowledged(&mut self, position: &SpoolPosition) {
        if let Some(spool) = self.spools.iter_mut().find(|spool| spool.is(position)) {
            spool.stored = position.number;
            spool.sent = position.number;
            spool.progress.acknowledge(spool.stored);
        }
    }

    /// Whether [`Shipping::next_batch`] has something to give.
    pub fn has_batch(&self) -> bool {
        self.spools.iter().any(Shipped::has_batch)
    }

    /// Whether an acknowledgement is to come, after which there may be more.
    pub fn is_under_way(&self) -> bool {
        self.spools.iter().any(|spool| spool.sent > spool.stored)
    }

    /// Whether more was written than the batches under way hold.
    pub fn is_behind(&self) -> bool {
        self.spools
            .iter()
            .any(|spool| !spool.unreadable && spool.progress.written() > spool.sent.max(spool.stored))
    }

    /// The next batch of any spool that has something new and nothing under way.
    pub fn next_batch(&mut self) -> Option<Batch> {
        self.spools.iter_mut().find_map(Shipped::next_batch)
    }
}

impl Shipped {
    fn is(&self, position: &SpoolPosition) -> bool {
        self.progress.worker == position.worker && self.progress.epoch == position.epoch
    }

    fn has_batch(&self) -> bool {
        !self.unreadable && self.sent == self.stored && self.progress.written() > self.stored
    }

    fn next_batch(&mut self) -> Option<Batch> {
        if !self.has_batch() {
            return None;
        }
        let first_number = self.stored + 1;
        let records = self.read(first_number).unwrap_or_else(|error| {
            tracing::error!(%error, first_number, "a spool file cannot be read; its records stay here");
            self.unreadable = true;
            Vec::new()
        });
        self.sent = self.stored + records.len() as u64;
        (!records.is_empty()).then(|| Batch {
            worker: self.progress.worker,
            epoch: self.progress.epoch,
            first_number,
            records,
        })
    }

    /// A batch of records, the first of which has this number, all from one file.
    fn read(&mut self, first_number: u64) -> io::Result<Vec<Vec<u8>>> {
        let written = self.progress.written();
        let (path, file_first, file_last) = self
            .progress
            .file_of(first_number)
            .ok_or(io::ErrorKind::NotFound)?;
        let mut reader = match self.reader.take() {
            Some(reader) if reader.stands_at(&path, first_number) => reader,
            _ => Reader::open(path, file_first)?,
        };
        while reader.next_number() < first_number {
            reader.next_record()?;
        }
        let last = file_last.map_or(written, |last| last.min(written));
        let (mut records, mut batch_bytes) = (Vec::new(), 0);
        while reader.next_number() <= last
            && batch_bytes < BATCH_BYTES_MAX
            && records.len() < BATCH_RECORDS_MAX
        {
            let record = reader.next_record()?;
            batch_bytes += record.len();
            records.push(record.to_vec());
        }
        self.reader = Some(reader);
        Ok(records)
    }
}
