//! What the server says of itself: the facts of a connection and the names of a database.
//!
//! Both are asked in SQL that means the same under every `search_path`, because a session's own connection
//! is asked too: each name is qualified, each operator is `pg_catalog`'s, no cast is left to be guessed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use arc_swap::ArcSwap;
use dashmap::DashMap;
use postern_sql::Catalogue;
use serde::Deserialize;
use tokio::sync::{Notify, OnceCell};

use crate::config::Limits;

use super::connect::{self, Dial};

/// A server's answer could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the server's answer about itself cannot be read")]
    Unreadable(#[from] serde_json::Error),
    #[error("the server's answer about itself has no stamp")]
    NoStamp,
    #[error("the database has more than `catalogue_relations_max` relations")]
    TooMany,
}

/// The names of a database, and the stamp of the rows that they were read from.
#[derive(Clone, Debug)]
pub struct Told {
    pub catalogue: Arc<Catalogue>,
    /// Equal stamps of one database mean the same rows, and so the same names.
    pub stamp: Box<str>,
}

/// What fixes the meaning of names on one connection, as its server has it now.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Facts {
    pub search_path: Vec<String>,
    pub role: String,
    pub session_role: String,
    pub standard_conforming_strings: bool,
    pub client_encoding: String,
    pub server_encoding: String,
    pub server_version: u32,
    pub backend_start: String,
    /// The transaction sees the database as it was at its beginning; names the server looks up as they are now.
    pub snapshot_stays: bool,
    /// The texts behind the names that the server knows now: functions may have changed them.
    pub prepared: BTreeMap<String, String>,
    pub cursors: BTreeMap<String, String>,
    /// What the role could do beyond any policy: superuser, or reach files, programs or other sessions.
    pub dangers: Vec<String>,
}

/// Asks for [`Facts`], as one JSON text.
pub fn facts_query() -> &'static str {
    &FACTS
}

/// Asks for a [`Catalogue`], as one JSON text.
pub fn catalogue_query() -> &'static str {
    &CATALOGUE
}

/// Asks for the stamp of what a session can have changed.
pub fn stamp_query() -> &'static str {
    &STAMP
}

/// Asks for what a session can have changed, everything but the contents of [`FIXED_SCHEMAS`], behind its stamp.
pub fn moving_query() -> &'static str {
    &MOVING
}

pub fn read_facts(json: &str) -> Result<Facts, Error> {
    Ok(serde_json::from_str(json)?)
}

impl Facts {
    /// Why this database cannot be served: names are cut at 63 bytes of the database's encoding, which only in
    /// UTF-8 is where our parser cuts them, so that elsewhere two tables could be taken for each other.
    pub fn other_encoding(&self) -> Option<String> {
        (self.server_encoding != "UTF8").then(|| {
            format!(
                "the database is encoded in {}, and the gateway serves only UTF8",
                self.server_encoding
            )
        })
    }
}

/// Reads a catalogue and gives it a version of its own, unless it says the same as `known`.
pub fn read_catalogue(
    json: &str,
    known: Option<&Arc<Catalogue>>,
    relations_max: usize,
) -> Result<Arc<Catalogue>, Error> {
    versioned(serde_json::from_str(json)?, known, relations_max)
}

/// Reads what [`moving_query`] tells, beside what is known of the schemas that it leaves out.
pub fn read_moving(text: &str, known: &Arc<Catalogue>, relations_max: usize) -> Result<Told, Error> {
    let (stamp, json) = text.split_at_checked(STAMP_BYTES).ok_or(Error::NoStamp)?;
    let mut catalogue: Catalogue = serde_json::from_str(json)?;
    for name in FIXED_SCHEMAS {
        let (Some(told), Some(fixed)) = (catalogue.schemas.get_mut(name), known.schemas.get(name)) else {
            continue;
        };
        // A cast to a built-in type may be anybody's.
        let mut whole = fixed.clone();
        if whole.casts != told.casts {
            Arc::make_mut(&mut whole).casts = told.casts.clone();
        }
        *told = whole;
    }
    Ok(Told {
        catalogue: versioned(catalogue, Some(known), relations_max)?,
        stamp: stamp.into(),
    })
}

fn versioned(
    mut catalogue: Catalogue,
    known: Option<&Arc<Catalogue>>,
    relations_max: usize,
) -> Result<Arc<Catalogue>, Error> {
    static VERSION: AtomicU64 = AtomicU64::new(1);
    if catalogue
        .schemas
        .values()
        .map(|schema| schema.relations.len())
        .sum::<usize>()
        > relations_max
    {
        return Err(Error::TooMany);
    }
    if let Some(known) = known {
        catalogue.version = known.version;
        if catalogue == **known {
            return Ok(known.clone());
        }
    }
    catalogue.version = VERSION.fetch_add(1, Ordering::Relaxed);
    Ok(Arc::new(catalogue))
}

static FACTS: LazyLock<String> = LazyLock::new(|| qualified(FACTS_TEXT));
static CATALOGUE: LazyLock<String> = LazyLock::new(|| qualified(&moving(|_| "true".to_owned())));
static STAMP: LazyLock<String> = LazyLock::new(|| qualified(&stamp()));
static STAMPED: LazyLock<String> = LazyLock::new(|| stamped(&CATALOGUE));
static MOVING: LazyLock<String> = LazyLock::new(|| {
    let names: Vec<String> = FIXED_SCHEMAS.iter().map(|name| format!("'{name}'")).collect();
    stamped(&qualified(&moving(|column| {
        format!(
            "{column} <> ALL (ARRAY(SELECT s.oid FROM pg_catalog.pg_namespace s \
             WHERE s.nspname = ANY (ARRAY[{}]::pg_catalog.name[])))",
            names.join(", ")
        )
    })))
});

/// SHA-256 in hexadecimal.
const STAMP_BYTES: usize = 64;

/// The tables that [`CATALOGUE_TEXT`] looks at, each with the column that says which rows are not PostgreSQL's own;
/// of a table without one every row counts.
const STAMPED_TABLES: [(&str, &str); 16] = [
    ("pg_namespace", ""),
    ("pg_class", "oid"),
    ("pg_attribute", "attrelid"),
    ("pg_attrdef", ""),
    ("pg_type", "oid"),
    ("pg_range", "rngtypid"),
    ("pg_proc", "oid"),
    ("pg_operator", "oid"),
    ("pg_cast", "oid"),
    ("pg_constraint", "oid"),
    ("pg_index", "indexrelid"),
    ("pg_inherits", ""),
    ("pg_trigger", ""),
    ("pg_rewrite", "oid"),
    ("pg_policy", ""),
    ("pg_depend", "objid"),
];

/// A digest of which rows there are. A row that is written anew has another writer or another place (manual,
/// "System Columns"), and who makes rows cannot choose either. Whose temporary tables count hangs on who asks.
fn stamp() -> String {
    let rows = STAMPED_TABLES.map(|(table, own)| {
        let told = format!(
            "SELECT pg_catalog.concat(r.tableoid, '.'::pg_catalog.text, r.xmin, r.ctid) FROM pg_catalog.{table} r"
        );
        match own {
            "" => told,
            own => format!("{told} WHERE r.{own} >= '16384'::pg_catalog.oid"),
        }
    });
    format!(
        "SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.concat(\
         pg_catalog.pg_my_temp_schema(), pg_catalog.string_agg(r.told, ''::pg_catalog.text)), 'UTF8')), 'hex')\n\
         FROM ({}) r (told)",
        rows.join("\nUNION ALL ")
    )
}

/// One statement for both, so that they are of the same moment.
fn stamped(catalogue: &str) -> String {
    format!("SELECT pg_catalog.concat(({}), ({catalogue}))", *STAMP)
}

/// Schemas that only a superuser or an extension adds to. They are most of a small database's names, and a
/// name that is newer than what was read of them is unknown, which is judged as the worst it could be.
const FIXED_SCHEMAS: [&str; 2] = ["pg_catalog", "information_schema"];

/// The catalogue's text with this condition for each `{moving column}`.
fn moving(condition: impl Fn(&str) -> String) -> String {
    let mut parts = CATALOGUE_TEXT.split("{moving ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (column, rest) in parts.filter_map(|part| part.split_once('}')) {
        text.push_str(&condition(column));
        text.push_str(rest);
    }
    text
}

/// Makes every operator of our own texts `pg_catalog`'s.
fn qualified(text: &str) -> String {
    let mut text = text.to_owned();
    for operator in ["=", "<>", ">=", "~"] {
        text = text.replace(
            &format!(" {operator} "),
            &format!(" OPERATOR(pg_catalog.{operator}) "),
        );
    }
    text
}

const FACTS_TEXT: &str = "SELECT pg_catalog.json_build_object(
  'search_path', pg_catalog.current_schemas(true),
  'role', current_user,
  'session_role', session_user,
  'standard_conforming_strings', pg_catalog.current_setting('standard_conforming_strings') = 'on',
  'client_encoding', pg_catalog.current_setting('client_encoding'),
  'server_encoding', pg_catalog.current_setting('server_encoding'),
  'server_version', pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
  'backend_start', coalesce((SELECT pg_catalog.date_part('epoch', a.backend_start)::pg_catalog.text FROM pg_catalog.pg_stat_activity a
    WHERE a.pid = pg_catalog.pg_backend_pid()), ''),
  'snapshot_stays', pg_catalog.current_setting('transaction_isolation') = ANY (ARRAY['repeatable read', 'serializable']::pg_catalog.text[]),
  'prepared', coalesce((SELECT pg_catalog.json_object_agg(s.name, s.statement)
    FROM pg_catalog.pg_prepared_statements s), '{}'::pg_catalog.json),
  'cursors', coalesce((SELECT pg_catalog.json_object_agg(c.name, c.statement)
    FROM pg_catalog.pg_cursors c), '{}'::pg_catalog.json),
  'dangers', coalesce((SELECT pg_catalog.json_agg(r.rolname) FROM pg_catalog.pg_roles r
    WHERE (r.rolsuper OR r.rolname = ANY (ARRAY['pg_read_server_files', 'pg_write_server_files',
        'pg_execute_server_program', 'pg_signal_backend',
        'pg_monitor', 'pg_read_all_stats']::pg_catalog.name[]))
      AND pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')), '[]'::pg_catalog.json)
)::pg_catalog.text";

const CATALOGUE_TEXT: &str = "WITH RECURSIVE kin (made_of, oid) AS (
  SELECT t.typbasetype, t.oid FROM pg_catalog.pg_type t WHERE t.typtype = 'd'::pg_catalog.\"char\"
  UNION ALL SELECT t.typelem, t.oid FROM pg_catalog.pg_type t
    WHERE t.typtype = 'b'::pg_catalog.\"char\" AND t.typelem >= '16384'::pg_catalog.oid
  UNION ALL SELECT a.atttypid, c.reltype FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    WHERE a.atttypid >= '16384'::pg_catalog.oid AND c.reltype <> 0::pg_catalog.oid
  UNION ALL SELECT r.rngsubtype, r.rngtypid FROM pg_catalog.pg_range r
  UNION ALL SELECT r.rngtypid, r.rngmultitypid FROM pg_catalog.pg_range r
), running (oid, calls) AS (
  SELECT k.contypid, EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.objid = k.oid
      AND d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass::pg_catalog.oid
      AND d.refobjid >= '16384'::pg_catalog.oid AND d.refobjid <> k.contypid)
    FROM pg_catalog.pg_constraint k
    WHERE k.contypid >= '16384'::pg_catalog.oid AND k.contype = 'c'::pg_catalog.\"char\"
  UNION SELECT kin.oid, running.calls FROM running JOIN kin ON kin.made_of = running.oid
), code (relid) AS (
  SELECT t.tgrelid FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal
  UNION SELECT w.ev_class FROM pg_catalog.pg_rewrite w WHERE w.rulename <> '_RETURN'::pg_catalog.name
  UNION SELECT p.polrelid FROM pg_catalog.pg_policy p
  UNION SELECT a.attrelid FROM pg_catalog.pg_attribute a JOIN running ON running.oid = a.atttypid AND running.calls
  UNION SELECT coalesce(w.ev_class, a.adrelid, k.conrelid)
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_proc f ON f.oid = d.refobjid AND f.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace::pg_catalog.oid
    LEFT JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass::pg_catalog.oid
    LEFT JOIN pg_catalog.pg_attrdef a ON a.oid = d.objid AND d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass::pg_catalog.oid
    LEFT JOIN pg_catalog.pg_constraint k ON k.oid = d.objid AND d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass::pg_catalog.oid
    WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid
), relations (namespace, list) AS (
  SELECT c.relnamespace, pg_catalog.json_object_agg(c.relname, pg_catalog.json_build_object(
    'kind', CASE WHEN c.relkind = 'p'::pg_catalog.\"char\" THEN 'partitioned_table'
      WHEN c.relkind = 'v'::pg_catalog.\"char\" THEN 'view'
      WHEN c.relkind = 'm'::pg_catalog.\"char\" THEN 'materialized_view'
      WHEN c.relkind = 'S'::pg_catalog.\"char\" THEN 'sequence'
      WHEN c.relkind = 'i'::pg_catalog.\"char\" OR c.relkind = 'I'::pg_catalog.\"char\" THEN 'index'
      WHEN c.relkind = 'f'::pg_catalog.\"char\" THEN 'foreign_table'
      WHEN c.relkind = 'c'::pg_catalog.\"char\" THEN 'composite_type'
      ELSE 'table' END,
    'columns', coalesce((SELECT pg_catalog.json_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum >= 1::pg_catalog.int2 AND NOT a.attisdropped), '[]'::pg_catalog.json),
    'parents', coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_array(pn.nspname, pc.relname))
      FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class pc ON pc.oid = i.inhparent
      JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace WHERE i.inhrelid = c.oid), '[]'::pg_catalog.json),
    'serves', (SELECT pg_catalog.json_build_array(tn.nspname, tc.relname)
      FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class tc ON tc.oid = x.indrelid
      JOIN pg_catalog.pg_namespace tn ON tn.oid = tc.relnamespace WHERE x.indexrelid = c.oid),
    'references', coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_array(rn.nspname, rc.relname))
      FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class rc ON rc.oid = k.confrelid
      JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
      WHERE k.conrelid = c.oid AND k.contype = 'f'::pg_catalog.\"char\"), '[]'::pg_catalog.json),
    'runs_code', c.oid = ANY (SELECT code.relid FROM code WHERE code.relid IS NOT NULL)))
  FROM pg_catalog.pg_class c WHERE c.relkind <> 't'::pg_catalog.\"char\" AND {moving c.relnamespace} GROUP BY c.relnamespace
), routines (namespace, list) AS (
  SELECT f.pronamespace, pg_catalog.json_agg(DISTINCT f.proname::pg_catalog.text)
  FROM pg_catalog.pg_proc f WHERE {moving f.pronamespace} GROUP BY f.pronamespace
), operators (namespace, list) AS (
  SELECT o.oprnamespace, pg_catalog.json_agg(DISTINCT o.oprname::pg_catalog.text)
  FROM pg_catalog.pg_operator o WHERE {moving o.oprnamespace} GROUP BY o.oprnamespace
), types (namespace, list) AS (
  SELECT t.typnamespace, pg_catalog.json_agg(t.typname)
  FROM pg_catalog.pg_type t WHERE t.typrelid = 0::pg_catalog.oid AND {moving t.typnamespace} GROUP BY t.typnamespace
), numbers (namespace, quiet, running) AS (
  SELECT t.typnamespace,
    pg_catalog.json_agg(t.oid::pg_catalog.int8) FILTER (WHERE NOT t.runs),
    pg_catalog.json_object_agg(t.oid::pg_catalog.text, coalesce(e.typname, t.typname)) FILTER (WHERE t.runs)
  FROM (SELECT t.oid, t.typname, t.typnamespace, t.oid = ANY (SELECT running.oid FROM running) AS runs,
      CASE WHEN t.typtype = 'b'::pg_catalog.\"char\" THEN t.typelem END AS element
    FROM pg_catalog.pg_type t WHERE t.oid >= '16384'::pg_catalog.oid AND {moving t.typnamespace}) t
  LEFT JOIN pg_catalog.pg_type e ON e.oid = t.element AND e.typnamespace = t.typnamespace GROUP BY t.typnamespace
), casts (namespace, list) AS (
  SELECT by_type.namespace, pg_catalog.json_object_agg(by_type.name, by_type.list) FROM (
    SELECT t.typnamespace, t.typname, pg_catalog.json_agg(pg_catalog.json_build_array(n.nspname, f.proname))
    FROM pg_catalog.pg_cast k JOIN pg_catalog.pg_proc f ON f.oid = k.castfunc
    JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace AND n.nspname <> 'pg_catalog'::pg_catalog.name
    JOIN pg_catalog.pg_type t ON t.oid = k.casttarget GROUP BY t.typnamespace, t.typname
  ) by_type (namespace, name, list) GROUP BY by_type.namespace
) SELECT pg_catalog.json_build_object(
  'database', pg_catalog.current_database(),
  'server_version', pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
  'schemas', coalesce(pg_catalog.json_object_agg(n.nspname, pg_catalog.json_build_object(
    'relations', coalesce(relations.list, '{}'::pg_catalog.json),
    'routines', coalesce(routines.list, '[]'::pg_catalog.json),
    'operators', coalesce(operators.list, '[]'::pg_catalog.json),
    'types', coalesce(types.list, '[]'::pg_catalog.json),
    'casts', coalesce(casts.list, '{}'::pg_catalog.json),
    'types_quiet', coalesce(numbers.quiet, '[]'::pg_catalog.json),
    'types_running', coalesce(numbers.running, '{}'::pg_catalog.json))), '{}'::pg_catalog.json)
)::pg_catalog.text
FROM pg_catalog.pg_namespace n
LEFT JOIN relations ON relations.namespace = n.oid
LEFT JOIN routines ON routines.namespace = n.oid
LEFT JOIN operators ON operators.namespace = n.oid
LEFT JOIN types ON types.namespace = n.oid
LEFT JOIN numbers ON numbers.namespace = n.oid
LEFT JOIN casts ON casts.namespace = n.oid
WHERE NOT pg_catalog.pg_is_other_temp_schema(n.oid) AND NOT pg_catalog.starts_with(n.nspname::pg_catalog.text, 'pg_toast')";

/// The names of one database of one target, read by the gateway's own login and shared by all sessions.
#[derive(Debug)]
pub struct SharedCatalogue {
    dial: Dial,
    newest: ArcSwap<Told>,
    /// When it was last confirmed, in milliseconds since `born`.
    confirmed_ms: AtomicU64,
    used_ms: AtomicU64,
    /// A session has seen something newer; until it is read, the age alone says what is stale.
    outdated: AtomicBool,
    born: Instant,
    age_seconds_max: u64,
    wanted: Arc<Notify>,
}

impl SharedCatalogue {
    /// One that nothing reads again, for tests.
    #[cfg(test)]
    pub fn fixed(json: &str) -> Arc<SharedCatalogue> {
        let credential =
            serde_json::json!({ "user": "gateway", "only_to": ["nowhere:1"], "verify": "disable" });
        let credential = serde_json::from_value(credential).expect("a credential");
        let credentials = crate::upstream::Credentials::load(&[("gateway".to_owned(), credential)].into());
        let credential = credentials.and_then(|all| all.for_address("gateway", "nowhere:1"));
        let dial = Dial {
            address: "nowhere:1".into(),
            credential: credential.expect("the credential"),
            database: "d".into(),
            application_name: "test".into(),
        };
        Arc::new(SharedCatalogue {
            dial,
            newest: ArcSwap::from_pointee(Told {
                catalogue: read_catalogue(json, None, usize::MAX).expect("a catalogue"),
                stamp: Box::default(),
            }),
            confirmed_ms: AtomicU64::new(1),
            used_ms: AtomicU64::new(1),
            outdated: AtomicBool::new(false),
            born: Instant::now(),
            age_seconds_max: 1_000,
            wanted: Arc::default(),
        })
    }

    pub fn newest(&self) -> Arc<Catalogue> {
        self.newest.load().catalogue.clone()
    }

    /// The newest names with their stamp.
    pub fn told(&self) -> Arc<Told> {
        self.newest.load_full()
    }

    /// Older than the target allows: then a session asks for itself.
    pub fn is_stale(&self) -> bool {
        self.age_ms() > self.age_seconds_max.saturating_mul(1_000)
    }

    pub fn age_seconds_max(&self) -> u64 {
        self.age_seconds_max
    }

    /// A session has seen something newer.
    pub fn refresh_soon(&self) {
        self.outdated.store(true, Ordering::Relaxed);
        self.wanted.notify_one();
    }

    /// From when the newest names tell all that there was, in the time of [`SharedCatalogue::now_ms`].
    pub fn confirmed_ms(&self) -> u64 {
        self.confirmed_ms.load(Ordering::Relaxed)
    }

    fn age_ms(&self) -> u64 {
        self.now_ms().saturating_sub(self.confirmed_ms())
    }

    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .saturating_add(1)
    }

    async fn refresh(&self, limits: &Limits) -> Result<(), connect::Error> {
        let began_ms = self.now_ms();
        let told = load(&self.dial, Some(&self.newest()), limits).await?;
        self.newest.store(Arc::new(told));
        self.confirmed_ms.store(began_ms, Ordering::Relaxed);
        Ok(())
    }
}

/// Every shared catalogue in use.
#[derive(Debug, Default)]
pub struct Catalogues {
    by_place: DashMap<(String, String), Arc<OnceCell<Arc<SharedCatalogue>>>>,
    wanted: Arc<Notify>,
}

/// A catalogue that nobody has used for this long is no longer read.
const UNUSED_MS_MAX: u64 = 10 * 60 * 1_000;

impl Catalogues {
    /// The shared catalogue of a place, read now if nobody has asked for it before.
    pub async fn of(
        &self,
        target: &str,
        dial: Dial,
        age_seconds_max: u64,
        limits: &Limits,
    ) -> Result<Arc<SharedCatalogue>, connect::Error> {
        let cell = self
            .by_place
            .entry((target.to_owned(), dial.database.clone()))
            .or_default()
            .clone();
        let loaded = cell.get_or_try_init(|| async {
            let born = Instant::now();
            let told = load(&dial, None, limits).await?;
            Ok::<_, connect::Error>(Arc::new(SharedCatalogue {
                dial,
                newest: ArcSwap::from_pointee(told),
                confirmed_ms: AtomicU64::new(1),
                used_ms: AtomicU64::new(1),
                outdated: AtomicBool::new(false),
                born,
                age_seconds_max,
                wanted: self.wanted.clone(),
            }))
        });
        let shared = loaded.await?.clone();
        shared.used_ms.store(shared.now_ms(), Ordering::Relaxed);
        Ok(shared)
    }

    /// Forgets what was read by other ways than today's; called when targets change.
    pub fn forget(&self) {
        self.by_place.clear();
    }

    /// Wakes when someone wants a refresh before its time.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Reads again what is half as old as allowed, and lets go of what nobody uses.
    pub async fn refresh_due(&self, limits: &Limits) {
        let all: Vec<_> = self
            .by_place
            .iter()
            .filter_map(|cell| Some((cell.key().clone(), cell.get()?.clone())))
            .collect();
        for (place, shared) in all {
            let unused_ms = shared
                .now_ms()
                .saturating_sub(shared.used_ms.load(Ordering::Relaxed));
            if unused_ms > UNUSED_MS_MAX && Arc::strong_count(&shared) <= 2 {
                self.by_place.remove(&place);
                continue;
            }
            let outdated = shared.outdated.swap(false, Ordering::Relaxed);
            if !outdated && shared.age_ms() < shared.age_seconds_max.saturating_mul(500) {
                continue;
            }
            if let Err(error) = shared.refresh(limits).await {
                tracing::warn!(target = place.0, %error, "a target's catalogue could not be read again");
            }
        }
    }
}

/// Reads the names of a database by a connection of its own.
async fn load(dial: &Dial, known: Option<&Arc<Catalogue>>, limits: &Limits) -> Result<Told, connect::Error> {
    let mut connected = connect::connect(dial, limits).await?;
    connected.wire.allow_catalogue(limits);
    let text = connected.wire.ask_one(&STAMPED).await?;
    connected.wire.goodbye().await;
    let (stamp, json) = text.split_at_checked(STAMP_BYTES).ok_or(Error::NoStamp)?;
    Ok(Told {
        catalogue: read_catalogue(json, known, limits.catalogue_relations_max)?,
        stamp: stamp.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue(schemas: &str) -> String {
        format!("{{\"database\": \"d\", \"server_version\": 150000, \"schemas\": {{{schemas}}}}}")
    }

    fn stamped(catalogue: &str) -> String {
        format!("{}{catalogue}", "0".repeat(STAMP_BYTES))
    }

    const FIXED: &str = r#""pg_catalog": {"routines": ["lower"], "types": ["text"]}"#;
    const PUBLIC: &str = r#""public": {"relations": {"t": {"columns": ["a"]}}}"#;

    #[test]
    fn what_a_session_tells_is_joined_with_what_is_known_of_the_fixed_schemas() {
        let known = read_catalogue(&catalogue(&format!("{FIXED}, {PUBLIC}")), None, 10).unwrap();
        let told = stamped(&catalogue(&format!(r#""pg_catalog": {{}}, {PUBLIC}"#)));
        let same = read_moving(&told, &known, 10).unwrap();
        assert!(Arc::ptr_eq(&same.catalogue, &known), "nothing has moved");
        assert_eq!(*same.stamp, "0".repeat(STAMP_BYTES));

        let told = stamped(&catalogue(r#""pg_catalog": {}, "public": {}"#));
        let moved = read_moving(&told, &known, 10).unwrap().catalogue;
        assert_ne!(moved.version, known.version);
        assert!(moved.relation("public", "t").is_none());
        assert!(moved.schemas["pg_catalog"].routines.contains("lower"));
    }

    #[test]
    fn a_cast_to_a_built_in_type_is_never_taken_for_known() {
        let known = read_catalogue(&catalogue(FIXED), None, 10).unwrap();
        let told = stamped(&catalogue(
            r#""pg_catalog": {"casts": {"text": [["public", "evil"]]}}"#,
        ));
        let moved = read_moving(&told, &known, 10).unwrap().catalogue;
        let fixed = &moved.schemas["pg_catalog"];
        assert!(fixed.casts.contains_key("text") && fixed.routines.contains("lower"));
        assert!(!known.schemas["pg_catalog"].casts.contains_key("text"));
    }

    #[test]
    fn the_stamp_is_of_every_table_that_the_names_are_read_from() {
        let words = CATALOGUE_TEXT.split(|letter: char| !(letter.is_alphanumeric() || "._".contains(letter)));
        let tables: std::collections::BTreeSet<&str> = words
            .scan("", |before, word| Some((std::mem::replace(before, word), word)))
            .filter(|(before, _)| ["FROM", "JOIN"].contains(before))
            .filter_map(|(_, word)| word.strip_prefix("pg_catalog."))
            .collect();
        let stamped = STAMPED_TABLES.iter().map(|(table, _)| *table).collect();
        assert_eq!(tables, stamped);
    }

    #[test]
    fn only_the_contents_of_fixed_schemas_are_left_out() {
        assert!(!catalogue_query().contains("{moving") && !moving_query().contains("{moving"));
        assert!(!catalogue_query().contains("ALL (ARRAY(SELECT"));
        assert_eq!(moving_query().matches("ALL (ARRAY(SELECT").count(), 5);
    }
}
