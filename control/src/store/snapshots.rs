//! Snapshots that were ever made, so that numbers only rise, old decisions can be explained, and what was in
//! force can be so again.

use std::sync::Arc;

use rusqlite::{OptionalExtension as _, Row};
use tokio::sync::oneshot;

use super::write::Write;
use super::{Error, Store, loaded, stored};
use crate::sources::Sources;

/// A snapshot as it was signed, who wanted it, and the files that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub made: Version,
    pub json: Arc<Vec<u8>>,
    pub signature: Arc<Vec<u8>>,
    pub sources: Arc<Sources>,
}

/// One line of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub number: u64,
    pub made_at_ms: i64,
    pub author: String,
    pub reason: String,
    /// What is other than in the snapshot before, in a few words.
    pub change: String,
    /// The digest of its files: equal ones have equal files.
    pub sources: String,
}

/// Columns of a [`Version`]; a snapshot of a store that kept no history has the first two.
const VERSION: &str = "snapshots.number, made_at_ms, coalesce(author, ''), coalesce(reason, ''), \
                       coalesce(change, ''), coalesce(history.sources, '')";
const TABLES: &str = "snapshots LEFT JOIN history ON history.number = snapshots.number";

impl Store {
    /// Keeps a new snapshot; it is on the disk when this returns.
    pub async fn keep_snapshot(&self, kept: Kept) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.write(Write::Snapshot(Box::new(kept), reply))?;
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
        self.one_snapshot("ORDER BY snapshots.number DESC LIMIT ?", 1)
            .await
    }

    pub async fn snapshot(&self, number: u64) -> Result<Option<Kept>, Error> {
        self.one_snapshot("WHERE snapshots.number = ?", number).await
    }

    /// The history, newest first, of what is older than a number.
    pub async fn versions(&self, before: Option<u64>, versions_max: usize) -> Result<Vec<Version>, Error> {
        let before = stored(before.unwrap_or(u64::MAX));
        let versions_max = i64::try_from(versions_max).unwrap_or(i64::MAX);
        self.read(move |connection| {
            let question = format!(
                "SELECT {VERSION} FROM {TABLES} WHERE snapshots.number < ? ORDER BY snapshots.number DESC LIMIT ?"
            );
            let mut statement = connection.prepare_cached(&question)?;
            let versions = statement.query_map([before, versions_max], version)?;
            versions.collect()
        })
        .await
    }

    async fn one_snapshot(&self, which: &'static str, value: u64) -> Result<Option<Kept>, Error> {
        self.read(move |connection| {
            let question = format!(
                "SELECT {VERSION}, snapshots.json, signature, coalesce(sources.json, x'') FROM {TABLES} \
                 LEFT JOIN sources ON digest = history.sources {which}"
            );
            let kept = connection.query_row(&question, [stored(value)], |row| {
                let files: Vec<u8> = row.get(8)?;
                Ok(Kept {
                    made: version(row)?,
                    json: Arc::new(row.get(6)?),
                    signature: Arc::new(row.get(7)?),
                    sources: Arc::new(Sources::from_json(&files)),
                })
            });
            kept.optional()
        })
        .await
    }
}

fn version(row: &Row<'_>) -> Result<Version, rusqlite::Error> {
    Ok(Version {
        number: loaded(row.get(0)?),
        made_at_ms: row.get(1)?,
        author: row.get(2)?,
        reason: row.get(3)?,
        change: row.get(4)?,
        sources: row.get(5)?,
    })
}
