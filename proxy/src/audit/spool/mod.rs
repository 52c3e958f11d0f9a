//! The durable local queue of one worker: preallocated files of framed records, numbered from 1.
//!
//! A frame is `length: u32 le`, `crc32c: u32 le`, record. A length of zero ends a file. Files are allocated
//! whole before they are used, so that the room which an intent reserves for its outcome is really there.
//! Each begins with the numbers of the intents that are open then, so that it tells, once the files before it
//! are deleted, which outcomes are still to come.
//! Only the owning worker writes; the shipper reads what [`Progress`] says is written.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::config::Durability;

pub mod reader;

/// Bytes of a frame before the record.
pub const FRAME_HEADER_BYTES: usize = 8;

/// The room kept for the outcome of an open intent, frame included.
pub const OUTCOME_BYTES_MAX: usize = 320;

/// The first byte of a file's first frame, which lists the open intents. No record begins so.
const OPEN_INTENTS: u8 = 0;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the spool has reached its limit `spool_bytes_max`, {bytes_max} bytes")]
    Full { bytes_max: u64 },
    #[error("a record of {bytes} bytes is larger than `record_bytes_max`")]
    TooLarge { bytes: usize },
    #[error("the spool cannot be written")]
    Write(#[source] io::Error),
    #[error("the spool cannot be synced to the disk")]
    Sync,
    #[error("another process holds the spool")]
    Held,
}

/// Bytes of records that wait to be written together.
const PENDING_BYTES_MAX: usize = 64 * 1024;

/// When a record is given to the operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    AtOnce,
    /// With those of the same wake-up, by the next [`Spool::flush`].
    WithOthers,
}

/// How large a spool may be and how sure, from the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub spool_bytes_max: u64,
    pub file_bytes_max: u64,
    pub record_bytes_max: usize,
    pub durability: Durability,
}

/// What the shipper may know of a spool: one for each epoch on the disk.
#[derive(Debug)]
pub struct Progress {
    pub worker: u32,
    pub epoch: u64,
    /// The highest number written to the operating system.
    written: AtomicU64,
    files: Mutex<VecDeque<SpoolFile>>,
    grown: Arc<Notify>,
}

/// One file of a spool, oldest first in [`Progress`].
#[derive(Clone, Debug)]
struct SpoolFile {
    path: PathBuf,
    first_number: u64,
    /// The highest number in it, once nothing more will be added.
    last_number: Option<u64>,
}

impl Progress {
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// The path of the file that holds `number`, the number of its first record, and of its last if it is full.
    pub fn file_of(&self, number: u64) -> Option<(PathBuf, u64, Option<u64>)> {
        let files = self.files();
        let file = files.iter().rev().find(|file| file.first_number <= number)?;
        Some((file.path.clone(), file.first_number, file.last_number))
    }

    /// The number from which records are still on the disk.
    pub fn first_number(&self) -> u64 {
        self.files().front().map_or(1, |file| file.first_number)
    }

    /// Deletes the files whose records are all stored, oldest first and none before the one that precedes it:
    /// what a file says about open intents holds only together with all that follow.
    pub fn acknowledge(&self, stored: u64) {
        let is_stored = |file: &&SpoolFile| file.last_number.is_some_and(|last| last <= stored);
        loop {
            // The worker does not wait for the disk here: the list is not held while a file is deleted.
            let oldest = self
                .files()
                .front()
                .filter(is_stored)
                .map(|file| file.path.clone());
            let Some(path) = oldest else { return };
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // It stays listed and is tried again with the next acknowledgement.
                Err(_) => return,
            }
            self.files().pop_front();
        }
    }

    pub fn bytes(&self, file_bytes_max: u64) -> u64 {
        u64::try_from(self.files().len())
            .unwrap_or(u64::MAX)
            .saturating_mul(file_bytes_max)
    }

    fn files(&self) -> MutexGuard<'_, VecDeque<SpoolFile>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writing end. It is full, or broken, until a write succeeds again; it never loses a number.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    room: Room,
    progress: Arc<Progress>,
    /// What earlier processes left and is not yet stored: it takes room too.
    earlier: Vec<Arc<Progress>>,
    file: Option<File>,
    /// Full files, and the folder for a new one's name, since the last [`Spool::take_to_sync`]; few.
    to_sync: Vec<File>,
    /// Where the next frame goes in the current file.
    offset: u64,
    /// Frames not yet given to the operating system; they wait here for company.
    pending: Vec<u8>,
    next_number: u64,
    /// Invariant: the current file has room for `pending` and for the outcomes of all open intents.
    open: BTreeSet<u64>,
    /// The last record could not be taken or written; told once. Until one can, each is written by itself.
    failing: bool,
    _lock: File,
}

impl Spool {
    /// Takes the folder for this process, closes what an earlier one left open as *unknown*, starts an epoch.
    ///
    /// Returns the spool and the progress of every earlier epoch that still has records to ship.
    pub fn open(
        folder: &Path,
        worker: u32,
        epoch: u64,
        room: Room,
        grown: &Arc<Notify>,
        unknown: impl Fn(u64, u64) -> Vec<u8>,
    ) -> Result<(Spool, Vec<Arc<Progress>>), Error> {
        fs::create_dir_all(folder).map_err(Error::Write)?;
        let lock = File::create(folder.join("lock")).map_err(Error::Write)?;
        lock.try_lock().map_err(|_| Error::Held)?;
        let mut earlier = Vec::new();
        for (epoch, files) in epochs_on_disk(folder).map_err(Error::Write)? {
            if let Some(progress) = recover(worker, epoch, files, grown, |of| unknown(epoch, of))? {
                earlier.push(progress);
            }
        }
        let progress = Arc::new(Progress {
            worker,
            epoch,
            written: AtomicU64::new(0),
            files: Mutex::new(VecDeque::new()),
            grown: grown.clone(),
        });
        let spool = Spool {
            folder: folder.to_owned(),
            room,
            progress,
            earlier: earlier.clone(),
            file: None,
            to_sync: Vec::new(),
            offset: 0,
            pending: Vec::new(),
            next_number: 1,
            open: BTreeSet::new(),
            failing: false,
            _lock: lock,
        };
        Ok((spool, earlier))
    }

    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    pub fn durability(&self) -> Durability {
        self.room.durability
    }

    /// The number that the next record must carry.
    pub fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Takes an intent and reserves the room of its outcome. Nothing may be done on the strength of it
    /// before [`Spool::flush`] has written it.
    pub fn intent(&mut self, encode: impl FnOnce(u64, &mut Vec<u8>)) -> Result<u64, Error> {
        let number = self.append(OUTCOME_BYTES_MAX, Write::WithOthers, encode)?;
        self.open.insert(number);
        Ok(number)
    }

    /// Takes a record that expects no outcome.
    pub fn note(&mut self, write: Write, encode: impl FnOnce(u64, &mut Vec<u8>)) -> Result<u64, Error> {
        self.append(0, write, encode)
    }

    /// Queues the outcome of intent `of`; [`Spool::flush`] or the next intent writes it.
    pub fn outcome(&mut self, of: u64, encode: impl FnOnce(u64, &mut Vec<u8>)) {
        frame(&mut self.pending, self.next_number, encode);
        self.next_number += 1;
        self.open.remove(&of);
    }

    /// Bytes of all its files, those of earlier epochs included.
    pub fn bytes(&self) -> u64 {
        let all = self.earlier.iter().chain([&self.progress]);
        all.map(|progress| progress.bytes(self.room.file_bytes_max)).sum()
    }

    /// Whether records wait for [`Spool::flush`].
    pub fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Gives what waits to the operating system.
    pub fn flush(&mut self) -> Result<(), Error> {
        let result = self.write();
        self.tell(&result);
        result
    }

    fn write(&mut self) -> Result<(), Error> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let Some(file) = &self.file else {
            return Err(Error::Full {
                bytes_max: self.room.spool_bytes_max,
            });
        };
        // On failure nothing moves: the same bytes are written again to the same place.
        file.write_all_at(&self.pending, self.offset)
            .map_err(Error::Write)?;
        self.offset += self.pending.len() as u64;
        self.pending.clear();
        self.progress
            .written
            .store(self.next_number - 1, Ordering::Release);
        self.progress.grown.notify_one();
        Ok(())
    }

    /// Handles by which another thread can sync all that is written so far, and the number it will reach.
    pub fn take_to_sync(&mut self) -> io::Result<(Vec<File>, u64)> {
        let current = self.file.as_ref().map(File::try_clone).transpose()?;
        let files = self.to_sync.drain(..).chain(current).collect();
        Ok((files, self.progress.written()))
    }

    fn append(
        &mut self,
        reserve: usize,
        write: Write,
        encode: impl FnOnce(u64, &mut Vec<u8>),
    ) -> Result<u64, Error> {
        let before = self.pending.len();
        let number = self.next_number;
        frame(&mut self.pending, number, encode);
        let bytes = self.pending.len() - before;
        let result = if bytes > self.room.record_bytes_max {
            Err(Error::TooLarge { bytes })
        } else {
            self.make_room(before, reserve)
        };
        let at_once = write == Write::AtOnce
            || self.failing
            || self.room.durability == Durability::Disk
            || self.pending.len() >= PENDING_BYTES_MAX;
        let result = result.and_then(|()| {
            self.next_number += 1;
            if at_once { self.write() } else { Ok(()) }
        });
        self.tell(&result);
        if let Err(error) = result {
            // What waited before it may have been written meanwhile, so `before` is no longer where it begins.
            self.pending.truncate(self.pending.len() - bytes);
            self.next_number = number;
            return Err(error);
        }
        Ok(number)
    }

    /// Logs that nothing can be recorded, and so nothing is served, when that begins and when it ends.
    fn tell(&mut self, result: &Result<(), Error>) {
        let worker = self.progress.worker;
        match result {
            Err(error @ (Error::Full { .. } | Error::Write(_) | Error::Held)) if !self.failing => {
                self.failing = true;
                tracing::error!(worker, %error, "no request is served until records can be taken again");
            }
            Ok(()) if self.failing => {
                self.failing = false;
                tracing::info!(worker, "records can be taken again");
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Starts a new file if the current one cannot hold `pending` and every reserved outcome.
    fn make_room(&mut self, before: usize, reserve: usize) -> Result<(), Error> {
        let reserved = (self.open.len() * OUTCOME_BYTES_MAX + reserve) as u64;
        let waiting = self.pending.len() as u64;
        if self.file.is_some() && self.offset + waiting + reserved <= self.room.file_bytes_max {
            return Ok(());
        }
        let begin = open_intents(&self.open).len() as u64;
        if begin + waiting - before as u64 + reserved > self.room.file_bytes_max {
            return Err(Error::Full {
                bytes_max: self.room.spool_bytes_max,
            });
        }
        // What waited before this record still belongs to the file where its room was kept.
        if let (Some(file), true) = (&self.file, before > 0) {
            let waiting = self.pending.get(..before).unwrap_or_default();
            file.write_all_at(waiting, self.offset).map_err(Error::Write)?;
            self.offset += before as u64;
            self.pending.drain(..before);
            self.progress
                .written
                .store(self.next_number - 1, Ordering::Release);
            self.progress.grown.notify_one();
        }
        self.rotate()
    }

    fn rotate(&mut self) -> Result<(), Error> {
        if self.bytes() + self.room.file_bytes_max > self.room.spool_bytes_max {
            return Err(Error::Full {
                bytes_max: self.room.spool_bytes_max,
            });
        }
        let path = self.folder.join(file_name(self.progress.epoch, self.next_number));
        let begin = open_intents(&self.open);
        let file = allocate(&path, self.room.file_bytes_max, &begin).inspect_err(|_| {
            let _ = fs::remove_file(&path);
        });
        let file = file.map_err(Error::Write)?;
        let mut files = self.progress.files();
        if let Some(last) = files.back_mut() {
            last.last_number = Some(self.next_number - 1);
        }
        files.push_back(SpoolFile {
            path,
            first_number: self.next_number,
            last_number: None,
        });
        drop(files);
        let full = self.file.replace(file);
        if self.room.durability == Durability::Disk {
            self.to_sync.extend(full);
            self.to_sync.push(File::open(&self.folder).map_err(Error::Write)?);
        }
        self.offset = begin.len() as u64;
        Ok(())
    }
}

fn allocate(path: &Path, bytes: u64, begin: &[u8]) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes)?;
    file.write_all_at(begin, 0)?;
    Ok(file)
}

/// The frame that begins a file.
fn open_intents(open: &BTreeSet<u64>) -> Vec<u8> {
    let mut begin = Vec::new();
    frame(&mut begin, 0, |_, buffer| {
        buffer.push(OPEN_INTENTS);
        open.iter()
            .for_each(|number| buffer.extend_from_slice(&number.to_le_bytes()));
    });
    begin
}

/// What [`open_intents`] has written, if a frame is that and no record.
fn read_open_intents(frame: &[u8]) -> Option<BTreeSet<u64>> {
    let (_, numbers) = frame.split_first().filter(|(first, _)| **first == OPEN_INTENTS)?;
    let (numbers, _) = numbers.as_chunks::<8>();
    Some(numbers.iter().copied().map(u64::from_le_bytes).collect())
}

fn frame(buffer: &mut Vec<u8>, number: u64, encode: impl FnOnce(u64, &mut Vec<u8>)) {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
    encode(number, buffer);
    let record = buffer.get(start + FRAME_HEADER_BYTES..).unwrap_or_default();
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes();
    let crc = crc32c::crc32c(record).to_le_bytes();
    for (place, byte) in buffer.iter_mut().skip(start).zip(length.into_iter().chain(crc)) {
        *place = byte;
    }
}

/// Reads the frames of one spool file, until its end or its first frame that does not hold.
pub fn frames(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (crc, tail) = tail.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let record = tail.get(..length).filter(|record| !record.is_empty())?;
        if crc32c::crc32c(record) != u32::from_le_bytes(*crc) {
            return None;
        }
        rest = tail.get(length..)?;
        Some(record)
    })
}

/// The frames of one spool file that are records.
pub fn records(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    frames(bytes).filter(|frame| read_open_intents(frame).is_none())
}

fn file_name(epoch: u64, first_number: u64) -> String {
    format!("{epoch:016x}-{first_number:016x}.spool")
}

fn epochs_on_disk(folder: &Path) -> io::Result<BTreeMap<u64, BTreeMap<u64, PathBuf>>> {
    let mut epochs: BTreeMap<u64, BTreeMap<u64, PathBuf>> = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_suffix(".spool"));
        let Some((epoch, first)) = name.and_then(|name| name.split_once('-')) else {
            continue;
        };
        if let (Ok(epoch), Ok(first)) = (u64::from_str_radix(epoch, 16), u64::from_str_radix(first, 16)) {
            epochs.entry(epoch).or_default().insert(first, path);
        }
    }
    Ok(epochs)
}

/// Ends an epoch that an earlier process left: a torn last frame is cut, open intents are closed as unknown.
fn recover(
    worker: u32,
    epoch: u64,
    paths: BTreeMap<u64, PathBuf>,
    grown: &Arc<Notify>,
    unknown: impl Fn(u64) -> Vec<u8>,
) -> Result<Option<Arc<Progress>>, Error> {
    let mut open = BTreeSet::new();
    let mut files = VecDeque::new();
    let (mut last_number, mut end, mut torn) = (0, 0, 0);
    for (first_number, path) in paths {
        let bytes = fs::read(&path).map_err(Error::Write)?;
        let (mut number, mut offset) = (first_number, 0);
        for record in frames(&bytes) {
            offset += FRAME_HEADER_BYTES + record.len();
            if let Some(begun) = read_open_intents(record) {
                // Later files only repeat what those before them say.
                if files.is_empty() {
                    open = begun;
                }
                continue;
            }
            match super::kind_and_of(record) {
                super::Shape::Intent => drop(open.insert(number)),
                super::Shape::OutcomeOf(of) => drop(open.remove(&of)),
                super::Shape::Other => {}
            }
            number += 1;
        }
        // A file without a record is kept only where outcomes have no other.
        if number == first_number && (open.is_empty() || !files.is_empty()) {
            fs::remove_file(&path).map_err(Error::Write)?;
            continue;
        }
        (last_number, end) = (number - 1, offset);
        let rest = bytes.get(offset..).unwrap_or_default();
        torn = rest
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        files.push_back(SpoolFile {
            path,
            first_number,
            last_number: Some(last_number),
        });
    }
    let Some(last) = files.back_mut() else {
        return Ok(None);
    };
    let file = OpenOptions::new()
        .write(true)
        .open(&last.path)
        .map_err(Error::Write)?;
    let mut closing = Vec::new();
    for of in open {
        last_number += 1;
        frame(&mut closing, last_number, |number, buffer| {
            super::put_number(number, buffer);
            buffer.extend_from_slice(&unknown(of));
        });
    }
    let closed = (end + closing.len()) as u64;
    closing.resize(closing.len().max(torn), 0);
    // The outcomes go where their room was kept, and only then is what is left of it given back.
    file.write_all_at(&closing, end as u64).map_err(Error::Write)?;
    file.set_len(closed).map_err(Error::Write)?;
    file.sync_all().map_err(Error::Write)?;
    last.last_number = Some(last_number);
    let progress = Progress {
        worker,
        epoch,
        written: AtomicU64::new(last_number),
        files: Mutex::new(files),
        grown: grown.clone(),
    };
    Ok(Some(Arc::new(progress)))
}

#[cfg(test)]
mod tests;
