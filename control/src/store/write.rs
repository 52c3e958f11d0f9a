//! The one writer: follows the log into the index, in groups, and keeps snapshots.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use postern_link::wire::{Kind, Record};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use tokio::sync::{oneshot, watch};

use super::sessions::Change;
use super::snapshots::Kept;
use super::{Entry, Error, Place, Spool, loaded, schema, stored};
use crate::config::Limits;

/// Where records come from: those from a log index on, at most so many. The place is where the first is.
pub type Feed =
    Box<dyn FnMut(u64, Option<Place>, usize) -> Result<Vec<Entry>, Box<dyn StdError + Send + Sync>> + Send>;

/// What the writer is asked to do.
#[derive(Debug)]
pub enum Write {
    /// The log has grown.
    Advance,
    Snapshot(Box<Kept>, oneshot::Sender<Result<(), Error>>),
    /// No snapshot may ever have this number or a lower one.
    Floor(u64, oneshot::Sender<Result<(), Error>>),
    Stop,
}

/// The writing connection and how far the index is.
#[derive(Debug)]
pub struct Writer {
    connection: Connection,
    backlog: Receiver<Write>,
    spools: HashMap<Spool, i64>,
    /// Where the next record to index stands.
    place: Option<Place>,
    indexed: watch::Sender<u64>,
    index_records_max: usize,
    index_retry: Duration,
    text_bytes_max: usize,
    snapshots_kept_max: usize,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        backlog: Receiver<Write>,
        limits: &Limits,
    ) -> Result<Writer, Error> {
        connection.set_prepared_statement_cache_capacity(super::STATEMENTS_CACHED_MAX);
        Ok(Writer {
            connection,
            backlog,
            spools: HashMap::new(),
            place: None,
            indexed: watch::Sender::new(0),
            index_records_max: limits.index_records_max,
            index_retry: Duration::from_millis(limits.index_retry_ms),
            text_bytes_max: limits.indexed_text_bytes_max,
            snapshots_kept_max: limits.snapshots_kept_max,
        })
    }

    pub(super) fn indexed(&self) -> watch::Receiver<u64> {
        self.indexed.subscribe()
    }

    /// Brings the index to the end of this log before anybody asks, from nothing if it is of another log
    /// or ahead of it, and returns how far every spool is stored.
    pub fn catch_up(
        &mut self,
        log: &str,
        size: u64,
        feed: &mut Feed,
    ) -> Result<HashMap<Spool, u64>, Box<dyn StdError + Send + Sync>> {
        let progress = "SELECT log, indexed, segment, offset FROM progress";
        let known = self.connection.query_row(progress, [], |row| {
            let place = Place {
                segment: loaded(row.get(2)?),
                offset: loaded(row.get(3)?),
            };
            Ok((row.get::<_, String>(0)?, loaded(row.get(1)?), place))
        });
        match known.optional()? {
            Some((of, indexed, place)) if of == log && indexed <= size => {
                self.place = Some(place).filter(|_| indexed > 0);
                self.indexed.send_replace(indexed);
            }
            Some(_) | None => {
                schema::clear_index(&self.connection)?;
                let begin = "INSERT INTO progress (log, indexed, segment, offset) VALUES (?, 0, 0, 0)";
                self.connection.execute(begin, [log])?;
            }
        }
        // The rest of the log goes on from spools that the index knows already.
        self.positions()?;
        while *self.indexed.borrow() < size {
            self.step(feed)?;
        }
        self.positions().map_err(Into::into)
    }

    fn positions(&mut self) -> Result<HashMap<Spool, u64>, rusqlite::Error> {
        let mut statement = self
            .connection
            .prepare("SELECT gateway, worker, epoch, number, id FROM spools")?;
        let mut rows = statement.query([])?;
        let mut positions = HashMap::new();
        while let Some(row) = rows.next()? {
            let epoch: i64 = row.get(2)?;
            let spool = Spool {
                gateway: row.get(0)?,
                worker: row.get(1)?,
                epoch: epoch.cast_unsigned(),
            };
            self.spools.insert(spool.clone(), row.get(4)?);
            positions.insert(spool, loaded(row.get(3)?));
        }
        Ok(positions)
    }

    /// Writes until it is told to stop. An index that cannot be written is tried again: the log does not
    /// wait for it, and nothing of it is lost.
    pub fn run(mut self, mut feed: Feed) {
        let mut idle = false;
        let mut failing = false;
        loop {
            let write = if failing {
                self.backlog.recv_timeout(self.index_retry)
            } else if idle {
                self.backlog.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                self.backlog.try_recv().map_err(|error| match error {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                })
            };
            match write {
                Ok(Write::Advance) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Write::Snapshot(kept, reply)) => {
                    drop(reply.send(self.keep_snapshot(&kept).map_err(Error::from)));
                }
                Ok(Write::Floor(number, reply)) => {
                    drop(reply.send(self.raise_floor(number).map_err(Error::from)));
                }
                Ok(Write::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            match self.step(&mut feed) {
                Ok(count) => (idle, failing) = (count == 0, false),
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "the index cannot be written: answers will not be complete");
                    }
                    failing = true;
                }
            }
        }
    }

    /// Indexes the next records and returns how many there were.
    fn step(&mut self, feed: &mut Feed) -> Result<usize, Box<dyn StdError + Send + Sync>> {
        let indexed = *self.indexed.borrow();
        let entries = feed(indexed, self.place, self.index_records_max)?;
        let Some(last) = entries.last() else { return Ok(0) };
        let place = Place {
            segment: last.place.segment,
            offset: last.next,
        };
        let reached = last.index + 1;
        // A failed transaction may leave ids behind that the tables do not have.
        let result = self.index(&entries, reached, place);
        if result.is_err() {
            self.spools.clear();
            self.positions()?;
        }
        result?;
        self.place = Some(place);
        self.indexed.send_replace(reached);
        Ok(entries.len())
    }

    fn index(&mut self, entries: &[Entry], reached: u64, place: Place) -> Result<(), rusqlite::Error> {
        let transaction = self.connection.transaction()?;
        let mut changes: HashMap<(String, Vec<u8>), Change> = HashMap::new();
        for entry in entries {
            let spool = spool(&transaction, &mut self.spools, entry)?;
            insert(&transaction, entry, spool, self.text_bytes_max)?;
            let record = &entry.record;
            if !record.session.is_empty() {
                let key = (record.gateway.clone(), record.session.clone());
                changes
                    .entry(key)
                    .or_insert_with(|| Change::new(spool, entry.index))
                    .add(record);
            }
        }
        for ((gateway, session), change) in &changes {
            change.write(&transaction, gateway, session)?;
        }
        transaction
            .prepare_cached("UPDATE progress SET indexed = ?, segment = ?, offset = ?")?
            .execute([stored(reached), stored(place.segment), stored(place.offset)])?;
        transaction.commit()
    }

    fn keep_snapshot(&mut self, kept: &Kept) -> Result<(), rusqlite::Error> {
        let made = &kept.made;
        self.synced(|transaction, kept_max| {
            transaction.execute(
                "INSERT INTO snapshots (number, made_at_ms, json, signature) VALUES (?, ?, ?, ?)",
                params![stored(made.number), made.made_at_ms, *kept.json, *kept.signature],
            )?;
            transaction.execute(
                "INSERT OR IGNORE INTO sources (digest, json) VALUES (?, ?)",
                params![kept.sources.digest, kept.sources.json],
            )?;
            transaction.execute(
                "INSERT INTO history (number, author, reason, change, sources) VALUES (?, ?, ?, ?, ?)",
                params![
                    stored(made.number),
                    made.author,
                    made.reason,
                    made.change,
                    kept.sources.digest
                ],
            )?;
            let kept_max = i64::try_from(kept_max).unwrap_or(i64::MAX);
            transaction.execute(
                "DELETE FROM snapshots WHERE number <= \
                 (SELECT number FROM snapshots ORDER BY number DESC LIMIT 1 OFFSET ?)",
                [kept_max],
            )?;
            transaction.execute(
                "DELETE FROM history WHERE number < (SELECT min(number) FROM snapshots)",
                [],
            )?;
            transaction.execute(
                "DELETE FROM sources WHERE digest NOT IN (SELECT sources FROM history)",
                [],
            )
        })
    }

    fn raise_floor(&mut self, number: u64) -> Result<(), rusqlite::Error> {
        self.synced(|transaction, _| {
            transaction.execute("DELETE FROM floor", [])?;
            transaction.execute("INSERT INTO floor (number) VALUES (?)", [stored(number)])
        })
    }

    /// A number that was ever sent must not be given again, not even after a power cut.
    fn synced(
        &mut self,
        change: impl FnOnce(&Transaction<'_>, usize) -> Result<usize, rusqlite::Error>,
    ) -> Result<(), rusqlite::Error> {
        self.connection.pragma_update(None, "synchronous", "full")?;
        let transaction = self.connection.transaction()?;
        change(&transaction, self.snapshots_kept_max)?;
        transaction.commit()?;
        self.connection.pragma_update(None, "synchronous", "normal")
    }
}

fn spool(
    transaction: &Transaction<'_>,
    known: &mut HashMap<Spool, i64>,
    entry: &Entry,
) -> Result<i64, rusqlite::Error> {
    let Record {
        gateway,
        worker,
        epoch,
        number,
        ..
    } = &entry.record;
    let spool = Spool {
        gateway: gateway.clone(),
        worker: *worker,
        epoch: *epoch,
    };
    if let Some(id) = known.get(&spool) {
        transaction
            .prepare_cached("UPDATE spools SET number = ? WHERE id = ?")?
            .execute([stored(*number), *id])?;
        return Ok(*id);
    }
    let mut insert = transaction.prepare_cached(
        "INSERT INTO spools (gateway, worker, epoch, number, first_index) VALUES (?, ?, ?, ?, ?)",
    )?;
    let (number, first) = (stored(*number), stored(entry.index));
    let id = insert.insert(params![gateway, worker, epoch.cast_signed(), number, first])?;
    known.insert(spool, id);
    Ok(id)
}

fn insert(
    transaction: &Transaction<'_>,
    entry: &Entry,
    spool: i64,
    text_bytes_max: usize,
) -> Result<(), rusqlite::Error> {
    let record = &entry.record;
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let decision = [&record.message, &record.detail].map(String::as_str).join("\n");
    let outcome_of = (record.kind() == Kind::Outcome && record.of > 0).then(|| stored(record.of));
    transaction
        .prepare_cached(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            stored(entry.index),
            stored(entry.place.segment),
            stored(entry.place.offset),
            spool,
            stored(record.number),
            record.time_us,
            record.kind,
            (!record.session.is_empty()).then_some(&record.session),
            filled(&record.workload),
            filled(&record.target),
            filled(&record.role),
            record.permitted,
            filled(&record.rules.join("\n")),
            filled(cut(decision.trim(), text_bytes_max)),
            filled(cut(&record.text, text_bytes_max)),
            filled(&record.tag),
            outcome_of,
            record.status,
            stored(record.rows),
            difference(record).map(|text| cut(&text, text_bytes_max).to_owned()),
        ])?;
    Ok(())
}

/// What is refused to one of the two sets of policies and not to the other.
fn difference(record: &Record) -> Option<String> {
    let refusals = &record.rehearsed_refusals;
    match record.kind() {
        Kind::Intent if record.rehearsed && !refusals.is_empty() => Some(refusals.join("\n")),
        Kind::Refused if record.rehearsed && refusals.is_empty() => Some(record.message.clone()),
        _ => None,
    }
}

/// The beginning of a text that can be searched, at a character's border.
fn cut(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len()))
        .rfind(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    text.get(..end).unwrap_or("")
}
