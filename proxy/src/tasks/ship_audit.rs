//! Sends records to the control plane in order, and lets go of them once they are stored there.

use std::path::PathBuf;
use std::sync::Arc;

use postern_link::wire::{Batch, SpoolPosition};
use tokio::sync::Notify;

use crate::audit::spool::{self, Progress};

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
    reading: Option<Open>,
}

struct Open {
    path: PathBuf,
    next_number: u64,
    offset: usize,
}

impl Shipping {
    pub fn new(spools: Vec<Arc<Progress>>, grown: Arc<Notify>, file_bytes_max: u64) -> Shipping {
        let spools = spools.into_iter().map(|progress| Shipped {
            progress,
            stored: 0,
            sent: 0,
            reading: None,
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
            spool.stored = position.map_or(0, |position| position.number);
            spool.sent = spool.stored;
            spool.reading = None;
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

    /// The next batch of any spool that has something new and nothing under way.
    pub fn next_batch(&mut self) -> Option<Batch> {
        self.spools.iter_mut().find_map(Shipped::next_batch)
    }
}

impl Shipped {
    fn is(&self, position: &SpoolPosition) -> bool {
        self.progress.worker == position.worker && self.progress.epoch == position.epoch
    }

    fn next_batch(&mut self) -> Option<Batch> {
        let first_number = self.stored + 1;
        if self.sent > self.stored || self.progress.written() < first_number {
            return None;
        }
        let (path, file_first) = self.progress.file_of(first_number)?;
        let begin = match &self.reading {
            Some(open) if open.path == path && open.next_number == first_number => {
                (open.offset, first_number)
            }
            _ => (0, file_first),
        };
        let bytes = std::fs::read(&path).inspect_err(|error| {
            tracing::error!(%error, "a spool file cannot be read");
        });
        let bytes = bytes.ok()?;
        let (mut offset, mut number) = begin;
        let (mut records, mut batch_bytes) = (Vec::new(), 0);
        for record in spool::frames(bytes.get(offset..).unwrap_or_default()) {
            if number > self.progress.written()
                || batch_bytes > BATCH_BYTES_MAX
                || records.len() >= BATCH_RECORDS_MAX
            {
                break;
            }
            offset += spool::FRAME_HEADER_BYTES + record.len();
            if number >= first_number {
                batch_bytes += record.len();
                records.push(record.to_vec());
            }
            number += 1;
        }
        if records.is_empty() {
            return None;
        }
        self.sent = number - 1;
        self.reading = Some(Open {
            path,
            next_number: number,
            offset,
        });
        Some(Batch {
            worker: self.progress.worker,
            epoch: self.progress.epoch,
            first_number,
            records,
        })
    }
}
