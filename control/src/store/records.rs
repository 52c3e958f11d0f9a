//! Records: which are asked for, and where they are in the log. What they say is read there.

use postern_link::record::RecordId;
use postern_link::wire::Kind;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, Row, params};

use super::{Error, Found, Place, Spool, Store, loaded, stored};

/// Which records are asked for. All that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub workload: Option<String>,
    pub target: Option<String>,
    pub session: Option<Vec<u8>>,
    pub gateway: Option<String>,
    /// Any one of these; none means all.
    pub kinds: Vec<Kind>,
    pub permitted: Option<bool>,
    pub since_us: Option<i64>,
    pub until_us: Option<i64>,
    pub text_contains: Option<String>,
    pub order: Order,
    /// Only records behind this log index, in the order asked for.
    pub after: Option<u64>,
    pub records_max: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    OldestFirst,
    NewestFirst,
}

/// A record with what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    pub found: Found,
    pub ending: Ending,
}

/// How a record that asked for something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The record asked for nothing.
    NotAsked,
    Outcome(Found),
    /// It may still run.
    Running,
    /// Nobody is left who could say.
    Unknown,
}

const OUTCOME: &str = "(SELECT max(x.log_index) FROM records x WHERE x.spool = r.spool \
                       AND x.of_number = r.number)";

/// Whether nobody is left who could still write a record's outcome.
const OVER: &str = "(EXISTS (SELECT 1 FROM spools later WHERE later.gateway = p.gateway \
                    AND later.worker = p.worker AND later.first_index > p.first_index) \
                    OR EXISTS (SELECT 1 FROM sessions s WHERE s.gateway = p.gateway \
                    AND s.session = r.session AND s.ended_us IS NOT NULL))";

impl Store {
    pub async fn records(&self, filter: Filter) -> Result<Vec<Judged>, Error> {
        self.read(move |connection| {
            let (conditions, mut values) = conditions(&filter);
            let direction = match filter.order {
                Order::OldestFirst => "ASC",
                Order::NewestFirst => "DESC",
            };
            values.push(Value::Integer(
                i64::try_from(filter.records_max).unwrap_or(i64::MAX),
            ));
            let question = select(&format!(
                "{} ORDER BY r.log_index {direction} LIMIT ?",
                conditions.join(" AND ")
            ));
            let mut statement = connection.prepare_cached(&question)?;
            let rows = statement.query_map(rusqlite::params_from_iter(values), row)?;
            rows.collect()
        })
        .await
    }

    pub async fn record(&self, id: RecordId) -> Result<Option<Judged>, Error> {
        self.read(move |connection| {
            let question = select("p.gateway = ? AND p.worker = ? AND p.epoch = ? AND r.number = ?");
            let mut statement = connection.prepare_cached(&question)?;
            let values = params![id.gateway, id.worker, id.epoch.cast_signed(), stored(id.number)];
            statement.query_row(values, row).optional()
        })
        .await
    }

    /// The log indexes of the records of a spool from one number to another, in order, as (number, index).
    pub async fn log_indexes(
        &self,
        spool: Spool,
        numbers: std::ops::RangeInclusive<u64>,
    ) -> Result<Vec<(u64, u64)>, Error> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT r.number, r.log_index FROM records r JOIN spools p ON p.id = r.spool \
                 WHERE p.gateway = ? AND p.worker = ? AND p.epoch = ? AND r.number BETWEEN ? AND ? \
                 ORDER BY r.number",
            )?;
            let (first, last) = (stored(*numbers.start()), stored(*numbers.end()));
            let values = params![
                spool.gateway,
                spool.worker,
                spool.epoch.cast_signed(),
                first,
                last
            ];
            let rows = statement.query_map(values, |row| Ok((loaded(row.get(0)?), loaded(row.get(1)?))))?;
            rows.collect()
        })
        .await
    }
}

fn select(condition: &str) -> String {
    format!(
        "SELECT r.log_index, r.segment, r.offset, r.kind, o.log_index, o.segment, o.offset, \
         CASE WHEN r.kind = {intent} AND o.log_index IS NULL THEN {OVER} END \
         FROM records r JOIN spools p ON p.id = r.spool LEFT JOIN records o ON o.log_index = {OUTCOME} \
         WHERE {condition}",
        intent = i32::from(Kind::Intent),
    )
}

fn conditions(filter: &Filter) -> (Vec<String>, Vec<Value>) {
    let mut conditions = vec!["1".to_owned()];
    let mut values = Vec::new();
    let mut ask = |condition: &str, value: Option<Value>| {
        if let Some(value) = value {
            conditions.push(condition.to_owned());
            // A condition may hold its value against several columns.
            values.extend(std::iter::repeat_n(value, condition.matches('?').count()));
        }
    };
    let text = |text: &Option<String>| text.clone().map(Value::Text);
    ask("r.workload = ?", text(&filter.workload));
    ask("r.target = ?", text(&filter.target));
    ask("r.session = ?", filter.session.clone().map(Value::Blob));
    ask("p.gateway = ?", text(&filter.gateway));
    ask("r.time_us >= ?", filter.since_us.map(Value::Integer));
    ask("r.time_us < ?", filter.until_us.map(Value::Integer));
    ask(
        "(instr(r.text, ?) OR instr(r.decision, ?) OR instr(r.tag, ?) OR instr(r.rules, ?))",
        text(&filter.text_contains),
    );
    let after = filter.after.map(|after| Value::Integer(stored(after)));
    match filter.order {
        Order::OldestFirst => ask("r.log_index > ?", after),
        Order::NewestFirst => ask("r.log_index < ?", after),
    }
    let list = |kinds: &[Kind]| {
        let numbers: Vec<String> = kinds.iter().map(|kind| i32::from(*kind).to_string()).collect();
        numbers.join(", ")
    };
    if !filter.kinds.is_empty() {
        conditions.push(format!("r.kind IN ({})", list(&filter.kinds)));
    }
    let judged = list(&[Kind::Prepared, Kind::Intent]);
    match filter.permitted {
        Some(true) => conditions.push(format!("r.kind IN ({judged}) AND r.permitted")),
        Some(false) => {
            let refused = list(&[Kind::Refused, Kind::RefusedCounted, Kind::Strangers]);
            conditions.push(format!(
                "(r.kind IN ({refused}) OR r.kind IN ({judged}) AND NOT r.permitted)"
            ));
        }
        None => {}
    }
    (conditions, values)
}

fn row(row: &Row<'_>) -> Result<Judged, rusqlite::Error> {
    let found = |first: usize| -> Result<Option<Found>, rusqlite::Error> {
        let Some(index) = row.get::<_, Option<i64>>(first)? else {
            return Ok(None);
        };
        let place = Place {
            segment: loaded(row.get(first + 1)?),
            offset: loaded(row.get(first + 2)?),
        };
        Ok(Some(Found {
            index: loaded(index),
            place,
        }))
    };
    let itself = found(0)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let ending = match (found(4)?, row.get::<_, Option<bool>>(7)?) {
        (Some(outcome), _) => Ending::Outcome(outcome),
        (None, Some(true)) => Ending::Unknown,
        (None, Some(false)) => Ending::Running,
        (None, None) => Ending::NotAsked,
    };
    Ok(Judged {
        found: itself,
        ending,
    })
}
