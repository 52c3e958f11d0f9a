//! Snapshots that were ever made, so that numbers only rise and old decisions can be explained.

use std::sync::Arc;

use rusqlite::OptionalExtension as _;
use tokio::sync::oneshot;

use super::write::Write;
use super::{Error, Store, loaded, stored};

/// A snapshot as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub number: u64,
    pub made_at_ms: i64,
    pub json: Arc<Vec<u8>>,
    pub signature: Arc<Vec<u8>>,
}

impl Store {
    /// Keeps a new snapshot; it is on the disk when this returns.
    pub async fn keep_snapshot(&self, kept: Kept) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.write(Write::Snapshot(kept, reply))?;
        answer.await.map_err(|_| Error::Stopped)?
    }

    /// Remembers that numbers up to this one are taken.
    pub async fn raise_snapshot_floor(&self, number: u64) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.write(Write::Floor(number, reply))?;
        answer.await.map_err(|_| Error::Stopped)?
    }

    /// The highest number that was ever taken, 0 if none was.
    pub async fn snapshot_number(&self) -> Result<u64, Error> {
        self.read(|connection| {
            let question = "SELECT max(coalesce((SELECT max(number) FROM snapshots), 0), \
                            coalesce((SELECT max(number) FROM floor), 0))";
            connection.query_row(question, [], |row| Ok(loaded(row.get(0)?)))
        })
        .await
    }

    pub async fn newest_snapshot(&self) -> Result<Option<Kept>, Error> {
        self.one_snapshot("ORDER BY number DESC LIMIT ?", 1).await
    }

    pub async fn snapshot(&self, number: u64) -> Result<Option<Kept>, Error> {
        self.one_snapshot("WHERE number = ?", number).await
    }

    async fn one_snapshot(&self, which: &'static str, value: u64) -> Result<Option<Kept>, Error> {
        self.read(move |connection| {
            let question = format!("SELECT number, made_at_ms, json, signature FROM snapshots {which}");
            let kept = connection.query_row(&question, [stored(value)], |row| {
                Ok(Kept {
                    number: loaded(row.get(0)?),
                    made_at_ms: row.get(1)?,
                    json: Arc::new(row.get(2)?),
                    signature: Arc::new(row.get(3)?),
                })
            });
            kept.optional()
        })
        .await
    }
}
