//! The index that questions are answered from, in SQLite: the only room that knows SQL.
//!
//! * [`schema`] has the tables; everything but the snapshots can be made again from the audit log.
//! * [`write`] is the one writer, on a thread of its own; it follows the log.
//! * [`records`], [`sessions`], [`snapshots`] and [`differences`] are the questions, one file per noun.

pub mod differences;
pub mod records;
mod schema;
pub mod sessions;
pub mod snapshots;
pub mod write;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use postern_link::wire::Record;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{Semaphore, watch};

use crate::config::Limits;

/// SQLite's virtual machine asks after this many steps whether a question has become too long.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;
const STATEMENTS_CACHED_MAX: usize = 64;

/// One worker's spool of one life of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Spool {
    pub gateway: String,
    pub worker: u32,
    pub epoch: u64,
}

/// Where a record's frame stands in the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub segment: u64,
    pub offset: u64,
}

/// A record as the log has it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its position in the whole log, from 0: also the cursor of lists.
    pub index: u64,
    pub place: Place,
    /// Where the frame behind it stands in the same segment.
    pub next: u64,
    pub record: Record,
}

/// Where a record is, as the index says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub index: u64,
    pub place: Place,
}

/// Why the store did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the store cannot be read or written")]
    Failed(#[from] rusqlite::Error),
    #[error("the store's file cannot be made")]
    NoFile(#[source] std::io::Error),
    #[error("the question took too long")]
    TooSlow,
    #[error("the store has too much to do")]
    Busy,
    #[error("the store is stopped")]
    Stopped,
    #[error("the index has not caught up with the log")]
    Behind,
}

/// A handle for asking; clones share the connections.
#[derive(Clone, Debug)]
pub struct Store {
    readers: Arc<Readers>,
    writes: std::sync::mpsc::SyncSender<write::Write>,
    indexed: watch::Receiver<u64>,
}

#[derive(Debug)]
struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
    query_timeout: Duration,
    index_wait: Duration,
}

impl Store {
    /// Opens the store for reading, and gives its writer, which must run on a thread of its own.
    pub fn open(path: &Path, limits: &Limits) -> Result<(Store, write::Writer), Error> {
        // Statements of all workloads are in it; SQLite gives its other files the same mode.
        let private = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path);
        drop(private.map_err(Error::NoFile)?);
        let connection = Connection::open(path)?;
        schema::prepare(&connection)?;
        let (writes, backlog) = std::sync::mpsc::sync_channel(limits.store_writes_max);
        let writer = write::Writer::new(connection, backlog, limits)?;
        let readers = Readers {
            path: path.to_owned(),
            idle: Mutex::new(Vec::new()),
            permits: Semaphore::new(limits.readers_max),
            query_timeout: Duration::from_millis(limits.query_timeout_ms),
            index_wait: Duration::from_millis(limits.index_wait_ms),
        };
        let indexed = writer.indexed();
        Ok((
            Store {
                readers: Arc::new(readers),
                writes,
                indexed,
            },
            writer,
        ))
    }

    /// How many records of the log are indexed.
    pub fn indexed(&self) -> u64 {
        *self.indexed.borrow()
    }

    /// Waits until the index holds the first `size` records, for a bounded time.
    pub async fn caught_up(&self, size: u64) -> Result<(), Error> {
        let mut indexed = self.indexed.clone();
        let wait = indexed.wait_for(|indexed| *indexed >= size);
        match tokio::time::timeout(self.readers.index_wait, wait).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Error::Stopped),
            Err(_) => Err(Error::Behind),
        }
    }

    /// Hands a write to the writer; refused when too many wait.
    fn write(&self, write: write::Write) -> Result<(), Error> {
        self.writes.try_send(write).map_err(|error| match error {
            std::sync::mpsc::TrySendError::Full(_) => Error::Busy,
            std::sync::mpsc::TrySendError::Disconnected(_) => Error::Stopped,
        })
    }

    /// Says that the log has grown. A full queue means that the writer will look anyway.
    pub fn advance(&self) {
        drop(self.writes.try_send(write::Write::Advance));
    }

    /// Ends the writer, after what it has been asked so far.
    pub fn stop(&self) {
        // Blocks only as long as the queue is full, and the writer empties it.
        drop(self.writes.send(write::Write::Stop));
    }

    /// Asks on a reading connection, within the time that a question may take.
    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let readers = Arc::clone(&self.readers);
        let permit = tokio::time::timeout(readers.query_timeout, self.readers.permits.acquire());
        let _permit = permit
            .await
            .map_err(|_| Error::Busy)?
            .map_err(|_| Error::Stopped)?;
        let answer = tokio::task::spawn_blocking(move || {
            let mut connection = readers.connection()?;
            let deadline = Instant::now() + readers.query_timeout;
            connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || Instant::now() > deadline))?;
            let answer = question(&connection);
            connection.progress_handler(0, None::<fn() -> bool>)?;
            readers
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
            answer
        });
        let answer = answer.await.map_err(|_| Error::Stopped)?;
        answer.map_err(|error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::OperationInterrupted) => Error::TooSlow,
            Some(_) | None => Error::Failed(error),
        })
    }
}

impl Readers {
    fn connection(&self) -> Result<Connection, rusqlite::Error> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(self.query_timeout)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED_MAX);
        Ok(connection)
    }
}

/// SQLite's integers are signed; what is beyond them was refused at the door.
fn stored(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn loaded(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
