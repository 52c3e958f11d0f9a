//! Where the rehearsed policies would have answered otherwise than those in force.

use postern_link::wire::Kind;
use rusqlite::{params, types::Value};

use super::{Error, Store, loaded, stored};

/// Requests of one workload at one target that the two sets answer differently, in the same words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub workload: String,
    pub target: String,
    /// Whether they were permitted; the rehearsed policies would have refused them. Else the other way round.
    pub permitted: bool,
    /// The refusal of the set that refuses.
    pub refusal: String,
    pub count: u64,
    pub first_us: i64,
    pub last_us: i64,
    /// The log index of the last one.
    pub last_index: u64,
}

/// Which differences are asked for. All that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub workload: Option<String>,
    pub target: Option<String>,
    /// Since this moment, in microseconds of the epoch.
    pub since_us: i64,
    pub differences_max: usize,
}

const QUESTION: &str = "
    SELECT coalesce(workload, (SELECT workload FROM sessions s WHERE s.session = r.session LIMIT 1), ''),
           coalesce(target, ''), kind = ?1, difference, count(*), min(time_us), max(time_us), max(log_index)
    FROM records r INDEXED BY records_that_differ
    WHERE difference IS NOT NULL AND time_us >= ?2
      AND (?3 IS NULL OR workload = ?3) AND (?4 IS NULL OR target = ?4)
    GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 8 DESC LIMIT ?5";

impl Store {
    /// The most frequent differences, the most frequent first.
    pub async fn differences(&self, filter: Filter) -> Result<Vec<Difference>, Error> {
        self.read(move |connection| {
            let text = |text: Option<String>| text.map_or(Value::Null, Value::Text);
            let differences_max = i64::try_from(filter.differences_max).unwrap_or(i64::MAX);
            let mut statement = connection.prepare_cached(QUESTION)?;
            let values = params![
                i32::from(Kind::Intent),
                filter.since_us,
                text(filter.workload),
                text(filter.target),
                differences_max
            ];
            let rows = statement.query_map(values, |row| {
                Ok(Difference {
                    workload: row.get(0)?,
                    target: row.get(1)?,
                    permitted: row.get(2)?,
                    refusal: row.get(3)?,
                    count: loaded(row.get(4)?),
                    first_us: row.get(5)?,
                    last_us: row.get(6)?,
                    last_index: loaded(row.get(7)?),
                })
            })?;
            rows.collect()
        })
        .await
    }

    /// Since when these files are in force without a break, in milliseconds of the epoch.
    pub async fn in_force_since(&self, sources: String, number: u64) -> Result<i64, Error> {
        self.read(move |connection| {
            let question = "
                SELECT coalesce(min(made_at_ms), 0)
                FROM snapshots JOIN history ON history.number = snapshots.number
                WHERE history.sources = ?1 AND snapshots.number <= ?2 AND snapshots.number >
                      coalesce((SELECT max(number) FROM history WHERE sources <> ?1 AND number <= ?2), 0)";
            connection.query_row(question, params![sources, stored(number)], |row| row.get(0))
        })
        .await
    }
}
