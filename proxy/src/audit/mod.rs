//! The record of everything, on the gateway's side: what was asked is in the spool before it is asked.
//!
//! An [`Entry`] is the proof. It is made when the intent is taken, with room for its outcome, and closes
//! as *abandoned* if it is dropped before anyone says how it ended. Records are joined from parts encoded
//! once (the gateway's, the session's, the statement's), so that a request copies bytes and builds nothing.
//! Start with [`Audit::intent`]; the files are in [`spool`].

pub mod spool;
pub mod strangers;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Instant, SystemTime};

use postern_link::record::RecordId;
use postern_link::wire::{Kind, Record, Status};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, int32, int64, message, uint32, uint64};

use crate::config::Durability;
use crate::refusal::{Reason, Refusal};
use spool::{Spool, Write};

pub use spool::Error;

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Refusal {
        match error {
            Error::Full { .. } => {
                unrecorded("the gateway's audit spool is full: the limit is `spool_bytes_max`")
            }
            Error::Write(_) | Error::Sync | Error::Held => {
                unrecorded("the gateway's audit spool cannot be written")
            }
            Error::TooLarge { .. } => {
                Refusal::new(Reason::Unrecorded, "this request is too large to be recorded")
                    .detail("the limit is `record_bytes_max`")
                    .hint("send a shorter statement, or pass long values as parameters")
            }
        }
    }
}

fn unrecorded(detail: &'static str) -> Refusal {
    Refusal::new(
        Reason::Unrecorded,
        "this request cannot be recorded, so it is not sent on",
    )
    .detail(detail)
    .hint("try again later; the gateway's operators see why in its log and its metric `postern_spool_bytes`")
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome<'a> {
    pub sqlstate: &'a str,
}

/// One worker's door to its spool.
#[derive(Debug)]
pub struct Audit {
    spool: RefCell<Spool>,
    gateway: String,
    worker: u32,
    epoch: u64,
    /// `gateway`, `worker` and `epoch`, encoded once.
    gateway_part: Vec<u8>,
    durability: Durability,
    durable: Cell<u64>,
    /// The highest number that somebody waits for so that others may share the write.
    awaited: Cell<u64>,
    /// How many wait so for the next write.
    waiting: Cell<u32>,
    /// Writes in a row that nobody shared.
    unshared: Cell<u32>,
    /// What the system said it lost must not be taken for written: nothing goes on until a restart.
    sync_failed: Cell<bool>,
    awaiting_durable: RefCell<Vec<Waker>>,
    /// The task that syncs, while it has nothing to do.
    syncer: RefCell<Option<Waker>>,
}

/// Proof that the intent of one request is taken. Dropping it records the request as abandoned.
#[derive(Debug)]
pub struct Entry {
    audit: Rc<Audit>,
    number: u64,
    session: [u8; 16],
    started: Instant,
    bytes_out: Cell<u64>,
    bytes_in: Cell<u64>,
    rows: Cell<u64>,
    /// Rows seen since the last completion: a command tag counts only what was not seen.
    rows_seen: Cell<u64>,
    tag: Cell<Tag>,
    closed: Cell<bool>,
}

/// A command tag, such as `INSERT 0 1`, kept without allocating.
#[derive(Clone, Copy, Debug, Default)]
struct Tag {
    bytes: [u8; TAG_BYTES_MAX],
    length: usize,
}

const TAG_BYTES_MAX: usize = 32;

/// After so many writes that nobody shared, company is looked for only once in so many.
const UNSHARED_MAX: u32 = 16;

impl Audit {
    pub fn new(spool: Spool, gateway: &str) -> Audit {
        let (worker, epoch) = (spool.progress().worker, spool.progress().epoch);
        let gateway_part = gateway_part(gateway, worker, epoch);
        Audit {
            durability: spool.durability(),
            spool: RefCell::new(spool),
            gateway: gateway.to_owned(),
            worker,
            epoch,
            gateway_part,
            durable: Cell::new(0),
            awaited: Cell::new(0),
            waiting: Cell::new(0),
            unshared: Cell::new(0),
            sync_failed: Cell::new(false),
            awaiting_durable: RefCell::default(),
            syncer: RefCell::default(),
        }
    }

    /// The name of the record that will be written next, for a hint that must be part of it.
    pub fn next_id(&self) -> RecordId {
        self.id(self.spool.borrow().next_number())
    }

    pub fn id(&self, number: u64) -> RecordId {
        RecordId {
            gateway: self.gateway.clone(),
            worker: self.worker,
            epoch: self.epoch,
            number,
        }
    }

    /// Takes the intent of a request, which may be sent once [`Audit::poll_durable`] says so; `parts` are
    /// encoded fields of a [`Record`].
    pub fn intent(self: &Rc<Audit>, session: [u8; 16], parts: &[&[u8]]) -> Result<Entry, Error> {
        if self.sync_failed.get() {
            return Err(Error::Sync);
        }
        let number = self.spool.borrow_mut().intent(|number, buffer| {
            self.put(number, Kind::Intent, buffer);
            for part in parts {
                buffer.extend_from_slice(part);
            }
        })?;
        Ok(Entry {
            audit: self.clone(),
            number,
            session,
            started: Instant::now(),
            bytes_out: Cell::new(0),
            bytes_in: Cell::new(0),
            rows: Cell::new(0),
            rows_seen: Cell::new(0),
            tag: Cell::default(),
            closed: Cell::new(false),
        })
    }

    /// Writes a record that expects no outcome, and returns its number.
    pub fn note(&self, kind: Kind, parts: &[&[u8]]) -> Result<u64, Error> {
        self.put_note(Write::AtOnce, kind, parts)
    }

    /// Takes a record without outcome of something that goes on once [`Audit::poll_durable`] says so.
    pub fn note_before(&self, kind: Kind, parts: &[&[u8]]) -> Result<u64, Error> {
        self.put_note(Write::WithOthers, kind, parts)
    }

    fn put_note(&self, write: Write, kind: Kind, parts: &[&[u8]]) -> Result<u64, Error> {
        self.spool.borrow_mut().note(write, |number, buffer| {
            self.put(number, kind, buffer);
            for part in parts {
                buffer.extend_from_slice(part);
            }
        })
    }

    /// Gives waiting records to the operating system.
    pub fn flush(&self) -> Result<(), Error> {
        self.spool.borrow_mut().flush()
    }

    /// Whether records wait for [`Audit::flush`].
    pub fn is_pending(&self) -> bool {
        self.spool.borrow().is_pending()
    }

    /// Ready once the record is as durable as configured; until then nothing it permits may be sent.
    pub fn poll_durable(&self, number: u64, context: &Context<'_>) -> Poll<Result<(), Error>> {
        match self.durability {
            Durability::Process => self.poll_written(number, context),
            Durability::Disk => self.poll_synced(number, context),
        }
    }

    /// The sessions of one wake-up share one write: who asks first goes to the end of the line, and writes
    /// what all those before it have put there. Where nobody has come along lately, few are waited for.
    fn poll_written(&self, number: u64, context: &Context<'_>) -> Poll<Result<(), Error>> {
        let mut spool = self.spool.borrow_mut();
        if spool.progress().written() >= number {
            return Poll::Ready(Ok(()));
        }
        let unshared = self.unshared.get();
        let may_be_shared = unshared < UNSHARED_MAX || unshared.is_multiple_of(UNSHARED_MAX);
        if number > self.awaited.get() && may_be_shared {
            self.awaited.set(number);
            self.waiting.set(self.waiting.get() + 1);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let is_shared = self.waiting.replace(0) > 1;
        self.unshared
            .set(if is_shared { 0 } else { unshared.wrapping_add(1) });
        Poll::Ready(spool.flush())
    }

    fn poll_synced(&self, number: u64, context: &Context<'_>) -> Poll<Result<(), Error>> {
        if self.durable.get() >= number {
            return Poll::Ready(Ok(()));
        }
        if self.sync_failed.get() {
            return Poll::Ready(Err(Error::Sync));
        }
        let mut awaiting = self.awaiting_durable.borrow_mut();
        if !awaiting.iter().any(|waker| waker.will_wake(context.waker())) {
            awaiting.push(context.waker().clone());
            if let Some(syncer) = self.syncer.borrow_mut().take() {
                syncer.wake();
            }
        }
        Poll::Pending
    }

    /// Ready when something waits for a sync; never in `process` durability.
    pub async fn sync_wanted(&self) {
        std::future::poll_fn(|context| {
            let mut syncer = self.syncer.borrow_mut();
            if self.awaiting_durable.borrow().is_empty() {
                *syncer = Some(context.waker().clone());
                return Poll::Pending;
            }
            *syncer = None;
            Poll::Ready(())
        })
        .await;
    }

    /// Whether strangers may be written down without taking the room of intents.
    pub fn has_room_for_strangers(&self, bytes_max: u64) -> bool {
        self.spool.borrow().bytes() <= bytes_max
    }

    /// What another thread must sync, and the number that is durable once it has.
    pub fn unsynced(&self) -> std::io::Result<Option<(Vec<std::fs::File>, u64)>> {
        let mut spool = self.spool.borrow_mut();
        if spool.progress().written() <= self.durable.get() {
            return Ok(None);
        }
        spool.take_to_sync().map(Some)
    }

    pub fn synced(&self, number: u64) {
        self.durable.set(number);
        self.wake_all();
    }

    /// Refuses what waits for a sync, and every request from now on.
    pub fn fail_sync(&self) {
        self.sync_failed.set(true);
        self.wake_all();
    }

    fn wake_all(&self) {
        for waker in self.awaiting_durable.take() {
            waker.wake();
        }
    }

    fn put(&self, number: u64, kind: Kind, buffer: &mut Vec<u8>) {
        put_number(number, buffer);
        int64::encode(2, &now_us(), buffer);
        int32::encode(3, &i32::from(kind), buffer);
        buffer.extend_from_slice(&self.gateway_part);
    }
}

impl Entry {
    pub fn number(&self) -> u64 {
        self.number
    }

    pub fn id(&self) -> RecordId {
        self.audit.id(self.number)
    }

    pub fn count_out(&self, bytes: usize) {
        self.bytes_out.set(self.bytes_out.get() + bytes as u64);
    }

    pub fn count_in(&self, bytes: usize) {
        self.bytes_in.set(self.bytes_in.get() + bytes as u64);
    }

    pub fn count_row(&self) {
        self.rows.set(self.rows.get() + 1);
        self.rows_seen.set(self.rows_seen.get() + 1);
    }

    /// One statement is complete; its tag counts the rows that did not come by.
    pub fn completed(&self, rows: u64, tag: &str) {
        if self.rows_seen.replace(0) == 0 {
            self.rows.set(self.rows.get() + rows);
        }
        let mut kept = Tag {
            length: tag.len().min(TAG_BYTES_MAX),
            ..Tag::default()
        };
        for (place, byte) in kept.bytes.iter_mut().zip(tag.bytes()) {
            *place = byte;
        }
        self.tag.set(kept);
    }

    pub fn close(&self, status: Status, outcome: &Outcome<'_>) {
        if self.closed.replace(true) {
            return;
        }
        let duration_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.audit
            .spool
            .borrow_mut()
            .outcome(self.number, |number, buffer| {
                self.audit.put(number, Kind::Outcome, buffer);
                put_bytes(10, &self.session, buffer);
                uint64::encode(50, &self.number, buffer);
                int32::encode(51, &i32::from(status), buffer);
                uint64::encode(52, &self.rows.get(), buffer);
                uint64::encode(53, &self.bytes_out.get(), buffer);
                uint64::encode(54, &self.bytes_in.get(), buffer);
                uint64::encode(55, &duration_us, buffer);
                put_text(56, cut(outcome.sqlstate, 5), buffer);
                let tag = self.tag.get();
                put_bytes(57, tag.bytes.get(..tag.length).unwrap_or_default(), buffer);
            });
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.close(Status::Abandoned, &Outcome::default());
    }
}

/// Encodes a part of a record, to be joined with others. Empty fields take no room.
pub fn part(record: &Record) -> Vec<u8> {
    record.encode_to_vec()
}

/// Appends one text field to a part; an empty text takes no room.
pub fn put_text(field: u32, text: &str, buffer: &mut Vec<u8>) {
    put_bytes(field, text.as_bytes(), buffer);
}

/// Appends one bytes field to a part; an empty one takes no room.
pub fn put_bytes(field: u32, bytes: &[u8], buffer: &mut Vec<u8>) {
    if !bytes.is_empty() {
        encode_key(field, WireType::LengthDelimited, buffer);
        encode_varint(bytes.len() as u64, buffer);
        buffer.extend_from_slice(bytes);
    }
}

/// Appends the effects of a statement to its part.
pub fn put_effects(effects: &[postern_link::wire::Effect], buffer: &mut Vec<u8>) {
    message::encode_repeated(33, effects, buffer);
}

fn put_number(number: u64, buffer: &mut Vec<u8>) {
    uint64::encode(1, &number, buffer);
}

fn gateway_part(gateway: &str, worker: u32, epoch: u64) -> Vec<u8> {
    let mut part = Vec::new();
    put_text(4, gateway, &mut part);
    uint32::encode(5, &worker, &mut part);
    uint64::encode(6, &epoch, &mut part);
    part
}

/// The outcome of an intent whose gateway died: whether the target acted is not known.
pub fn unknown_outcome(gateway: &str, worker: u32, epoch: u64, of: u64) -> Vec<u8> {
    let mut record = Vec::new();
    int64::encode(2, &now_us(), &mut record);
    int32::encode(3, &i32::from(Kind::Outcome), &mut record);
    record.extend_from_slice(&gateway_part(gateway, worker, epoch));
    uint64::encode(50, &of, &mut record);
    int32::encode(51, &i32::from(Status::Unknown), &mut record);
    record
}

/// What recovery must know of a record.
enum Shape {
    Intent,
    OutcomeOf(u64),
    Other,
}

fn kind_and_of(record: &[u8]) -> Shape {
    match Record::decode(record) {
        Ok(record) if record.kind() == Kind::Intent => Shape::Intent,
        Ok(record) if record.kind() == Kind::Outcome => Shape::OutcomeOf(record.of),
        _ => Shape::Other,
    }
}

/// At most `bytes_max` bytes of a text, cut where a character ends.
fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max))
        .unwrap_or_default()
}

/// Microseconds since the epoch.
pub fn now_us() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
