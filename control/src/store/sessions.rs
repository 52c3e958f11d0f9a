//! Sessions: what the records of each add up to.

use std::collections::BTreeMap;

use postern_link::wire::{Kind, Record};
use rusqlite::types::Value;
use rusqlite::{Row, Transaction, params};

use super::{Error, Store, loaded, stored};

/// What some records say of one session.
#[derive(Debug)]
pub(super) struct Change {
    spool: i64,
    first_index: u64,
    opened_us: Option<i64>,
    ended: Option<(i64, String)>,
    last_us: i64,
    /// The richest record so far: an opening one says all there is to know of the caller.
    facts: Record,
    statements: u64,
    refusals: u64,
    rows: u64,
}

impl Change {
    pub(super) fn new(spool: i64, first_index: u64) -> Change {
        Change {
            spool,
            first_index,
            opened_us: None,
            ended: None,
            last_us: i64::MIN,
            facts: Record::default(),
            statements: 0,
            refusals: 0,
            rows: 0,
        }
    }

    pub(super) fn add(&mut self, record: &Record) {
        self.last_us = self.last_us.max(record.time_us);
        match record.kind() {
            Kind::SessionOpened => self.opened_us = Some(record.time_us),
            Kind::SessionEnded => self.ended = Some((record.time_us, ended_why(record))),
            Kind::Intent => self.statements += 1,
            Kind::Outcome => self.rows = self.rows.saturating_add(record.rows),
            Kind::Refused => self.refusals += 1,
            Kind::RefusedCounted => self.refusals = self.refusals.saturating_add(record.count),
            Kind::Unspecified | Kind::Prepared | Kind::Cancel | Kind::Finding | Kind::Strangers => {}
            Kind::SnapshotMade | Kind::Ordered | Kind::Revoked | Kind::Lifted => {}
        }
        if record.kind() == Kind::SessionOpened || self.facts.workload.is_empty() {
            let Record {
                workload,
                evidence,
                issuer,
                subject,
                certificate_serial,
                ..
            } = record;
            let Record {
                run,
                source,
                client_says,
                target,
                database,
                role,
                ..
            } = record;
            self.facts = Record {
                workload: workload.clone(),
                evidence: evidence.clone(),
                issuer: issuer.clone(),
                subject: subject.clone(),
                certificate_serial: certificate_serial.clone(),
                run: run.clone(),
                source: source.clone(),
                client_says: client_says.clone(),
                target: target.clone(),
                database: database.clone(),
                role: role.clone(),
                ..Record::default()
            };
        }
    }

    pub(super) fn write(
        &self,
        transaction: &Transaction<'_>,
        gateway: &str,
        session: &[u8],
    ) -> Result<(), rusqlite::Error> {
        let run: BTreeMap<&String, &String> = self.facts.run.iter().collect();
        let run = serde_json::to_string(&run).unwrap_or_default();
        let (ended_us, ended_why) = match &self.ended {
            Some((ended_us, why)) => (Some(*ended_us), why.as_str()),
            None => (None, ""),
        };
        let facts = &self.facts;
        transaction
            .prepare_cached(
                "INSERT INTO sessions VALUES \
                 (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
                 ON CONFLICT (gateway, session) DO UPDATE SET \
                 opened_us = coalesce(opened_us, excluded.opened_us), \
                 ended_us = coalesce(ended_us, excluded.ended_us), \
                 ended_why = iif(ended_why = '', excluded.ended_why, ended_why), \
                 last_us = max(last_us, excluded.last_us), \
                 workload = iif(workload = '', excluded.workload, workload), \
                 evidence = iif(evidence = '', excluded.evidence, evidence), \
                 issuer = iif(issuer = '', excluded.issuer, issuer), \
                 subject = iif(subject = '', excluded.subject, subject), \
                 certificate_serial = \
                 iif(certificate_serial = '', excluded.certificate_serial, certificate_serial), \
                 run = iif(run = '{}', excluded.run, run), \
                 source = iif(source = '', excluded.source, source), \
                 client_says = iif(client_says = '', excluded.client_says, client_says), \
                 target = iif(target = '', excluded.target, target), \
                 database_name = iif(database_name = '', excluded.database_name, database_name), \
                 role = iif(role = '', excluded.role, role), \
                 statements = statements + excluded.statements, \
                 refusals = min(refusals + excluded.refusals, 9223372036854775807), \
                 rows = min(rows + excluded.rows, 9223372036854775807)",
            )?
            .execute(params![
                gateway,
                session,
                self.spool,
                stored(self.first_index),
                self.opened_us,
                ended_us,
                ended_why,
                self.last_us,
                facts.workload,
                facts.evidence,
                facts.issuer,
                facts.subject,
                facts.certificate_serial,
                run,
                facts.source,
                facts.client_says,
                facts.target,
                facts.database,
                facts.role,
                stored(self.statements),
                stored(self.refusals),
                stored(self.rows),
            ])?;
        Ok(())
    }
}

/// A session's end in one line; never empty, so that the first end stays.
fn ended_why(record: &Record) -> String {
    let told = [&record.message, &record.refusal, &record.tag];
    told.into_iter()
        .find(|text| !text.is_empty())
        .cloned()
        .unwrap_or_else(|| "closed".to_owned())
}

/// What became of a session, as far as the log says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Live,
    Ended,
    /// Its gateway has begun anew without saying how the session ended.
    Lost,
}

/// A session as the records tell it.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    pub index: u64,
    pub gateway: String,
    pub session: Vec<u8>,
    pub state: State,
    pub opened_us: Option<i64>,
    pub ended_us: Option<i64>,
    pub ended_why: String,
    pub last_us: i64,
    pub workload: String,
    pub evidence: String,
    pub issuer: String,
    pub subject: String,
    pub certificate_serial: String,
    pub run: BTreeMap<String, String>,
    pub source: String,
    pub client_says: String,
    pub target: String,
    pub database: String,
    pub role: String,
    pub statements: u64,
    pub refusals: u64,
    pub rows: u64,
}

/// Which sessions are asked for, newest first.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub session: Option<Vec<u8>>,
    pub gateway: Option<String>,
    pub workload: Option<String>,
    pub target: Option<String>,
    pub live: Option<bool>,
    /// Only those that began before the session with this index.
    pub before: Option<u64>,
    pub sessions_max: usize,
}

/// A session is lost when a later spool of the same worker has begun.
const LOST: &str = "EXISTS (SELECT 1 FROM spools later JOIN spools own ON own.id = s.spool \
                    WHERE later.gateway = own.gateway AND later.worker = own.worker \
                    AND later.first_index > own.first_index)";

impl Store {
    pub async fn sessions(&self, filter: Filter) -> Result<Vec<Session>, Error> {
        self.read(move |connection| {
            let mut conditions = vec!["1".to_owned()];
            let mut values = Vec::new();
            let mut ask = |condition: &str, value: Option<Value>| {
                if let Some(value) = value {
                    conditions.push(condition.to_owned());
                    values.push(value);
                }
            };
            ask("s.session = ?", filter.session.map(Value::Blob));
            ask("s.gateway = ?", filter.gateway.map(Value::Text));
            ask("s.workload = ?", filter.workload.map(Value::Text));
            ask("s.target = ?", filter.target.map(Value::Text));
            ask(
                "s.first_index < ?",
                filter.before.map(|before| Value::Integer(stored(before))),
            );
            match filter.live {
                Some(true) => conditions.push(format!("s.ended_us IS NULL AND NOT {LOST}")),
                Some(false) => conditions.push(format!("(s.ended_us IS NOT NULL OR {LOST})")),
                None => {}
            }
            values.push(Value::Integer(
                i64::try_from(filter.sessions_max).unwrap_or(i64::MAX),
            ));
            let question = format!(
                "SELECT s.*, s.ended_us IS NULL AND {LOST} AS lost FROM sessions s WHERE {} \
                 ORDER BY s.first_index DESC LIMIT ?",
                conditions.join(" AND ")
            );
            let mut statement = connection.prepare_cached(&question)?;
            let rows = statement.query_map(rusqlite::params_from_iter(values), session)?;
            rows.collect()
        })
        .await
    }

    /// Whether a session of this gateway may still run, so that its open statements are not `unknown`.
    pub async fn session(&self, id: Vec<u8>) -> Result<Option<Session>, Error> {
        let filter = Filter {
            session: Some(id),
            sessions_max: 1,
            ..Filter::default()
        };
        Ok(self.sessions(filter).await?.pop())
    }
}

fn session(row: &Row<'_>) -> Result<Session, rusqlite::Error> {
    let ended_us: Option<i64> = row.get("ended_us")?;
    let state = match (ended_us, row.get("lost")?) {
        (Some(_), _) => State::Ended,
        (None, true) => State::Lost,
        (None, false) => State::Live,
    };
    let run: String = row.get("run")?;
    Ok(Session {
        index: loaded(row.get("first_index")?),
        gateway: row.get("gateway")?,
        session: row.get("session")?,
        state,
        opened_us: row.get("opened_us")?,
        ended_us,
        ended_why: row.get("ended_why")?,
        last_us: row.get("last_us")?,
        workload: row.get("workload")?,
        evidence: row.get("evidence")?,
        issuer: row.get("issuer")?,
        subject: row.get("subject")?,
        certificate_serial: row.get("certificate_serial")?,
        run: serde_json::from_str(&run).unwrap_or_default(),
        source: row.get("source")?,
        client_says: row.get("client_says")?,
        target: row.get("target")?,
        database: row.get("database_name")?,
        role: row.get("role")?,
        statements: loaded(row.get("statements")?),
        refusals: loaded(row.get("refusals")?),
        rows: loaded(row.get("rows")?),
    })
}
