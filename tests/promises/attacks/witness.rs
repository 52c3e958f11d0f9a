//! The server's own testimony: what it was asked to run, what it holds, and what was permitted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Seek, SeekFrom};

use postern_tests::{Login, World, field};

use super::cases::{Case, Expected};
use super::run::{FIRST, Heard, LEAVE, Route};

/// The server's log from one moment on.
pub struct Log {
    begin: u64,
}

/// What the server was asked, by session and case.
pub struct Said {
    texts: BTreeMap<(String, usize), Vec<String>>,
}

impl Log {
    pub fn from_now(world: &World) -> Log {
        let begin = fs::metadata(&world.cluster.log).expect("the server's log").len();
        Log { begin }
    }

    pub fn read(&self, world: &World) -> Said {
        let mut file = fs::File::open(&world.cluster.log).expect("the server's log");
        file.seek(SeekFrom::Start(self.begin)).expect("it is as long");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("the server's log");
        // Other databases of the server may log what is no UTF-8; ours cannot.
        let lines = bytes.split(|byte| *byte == b'\n');
        let lines: Vec<&str> = lines
            .map(|line| std::str::from_utf8(line).unwrap_or_default())
            .collect();
        let text = lines.join("\n");
        let ours = format!("|{}|", world.database);
        let mut current: BTreeMap<String, usize> = BTreeMap::new();
        let mut texts: BTreeMap<(String, usize), Vec<String>> = BTreeMap::new();
        // A line break inside an entry is followed by a tab.
        for entry in text.replace("\n\t", "\u{1}").split('\n') {
            let Some((before, said)) = entry.split_once(&ours) else {
                continue;
            };
            let Some(asked) = asked(said) else { continue };
            let asked = asked.replace('\u{1}', "\n");
            let session = before.split('|').next().unwrap_or_default().to_owned();
            if let Some(case) = asked.strip_prefix("select 'case ") {
                let case = case.trim_end_matches('\'').parse().expect("a case's number");
                current.insert(session, case);
            } else if let Some(case) = current.get(&session) {
                texts.entry((session, *case)).or_default().push(asked);
            }
        }
        Said { texts }
    }
}

/// The text that a line of the log says was run or failed.
fn asked(said: &str) -> Option<&str> {
    if let Some(text) = said.strip_prefix("LOG:  statement: ") {
        return Some(text);
    }
    if let Some(text) = said.strip_prefix("STATEMENT:  ") {
        return Some(text);
    }
    let (name, text) = said.strip_prefix("LOG:  execute ")?.split_once(": ")?;
    // Under its own names the gateway asks what names mean.
    (!name.starts_with("_postern_")).then_some(text)
}

/// What the gateway itself says in a session.
fn is_own(text: &str) -> bool {
    text.starts_with("SET \"application_name\" TO 'postern:")
        || text == "postern refused this"
        || text == LEAVE
        || text.starts_with("SELECT pg_catalog.json_build_object(")
        || text.starts_with("WITH RECURSIVE kin (made_of, oid) AS (")
}

impl Said {
    /// What the log holds against one case by one route.
    pub fn faults_of(&self, heard: &Heard, permitted: &BTreeSet<String>) -> Vec<String> {
        let Heard { case, route, .. } = heard;
        let nothing = Vec::new();
        let said = self
            .texts
            .get(&(heard.session.clone(), case.id))
            .unwrap_or(&nothing);
        let mut faults = Vec::new();
        let text = route.text(&case.text);
        for one in said.iter().filter(|one| !is_own(one)) {
            let first = *route == Route::Pipeline && one == FIRST;
            if case.expected != Expected::Served && !first {
                faults.push(format!(
                    "{case} ({route:?}): must not reach the server, which ran `{one}`"
                ));
            }
            if !is_rewritten(case) && !permitted.contains(&without_literals(one)) {
                faults.push(format!(
                    "{case} ({route:?}): the server ran without a permit `{one}`"
                ));
            }
        }
        faults.extend(self.fault_of_answer(heard, said, &text));
        faults
    }

    fn fault_of_answer(&self, heard: &Heard, said: &[String], text: &str) -> Option<String> {
        let Heard { case, route, .. } = heard;
        let reached = said.iter().any(|one| one == text || one.trim() == text.trim());
        match case.expected {
            Expected::Served if !reached && !is_rewritten(case) => Some(format!(
                "{case} ({route:?}): must be served, was {} {}",
                heard.sqlstate, heard.message
            )),
            Expected::Refused | Expected::RefusedThoughHarmless if heard.sqlstate.is_empty() => Some(
                format!("{case} ({route:?}): must be refused, and nothing was said"),
            ),
            _ => None,
        }
    }
}

/// The gateway says these in its own words.
fn is_rewritten(case: &Case) -> bool {
    case.text.contains("application_name") || case.text.contains("client_encoding")
}

/// A text as records hold it.
fn without_literals(text: &str) -> String {
    postern_sql::redact(text, true)
}

/// Every text that a record of these workloads permits, once all of them have been told.
pub fn permitted(world: &World) -> BTreeSet<String> {
    let token = world.token("writer", &[]);
    let last = "select id as told_last from orders where id = 1";
    world.psql(Login::Token(&token), last).succeeded();
    world.until("the last record is told", || {
        !world.records("workload=writer&text=told_last").is_empty()
    });
    let of = |workload: &str| world.records(&format!("workload={workload}&permitted=true"));
    let records = of("writer").into_iter().chain(of("report"));
    records.map(|record| field(&record, "text").to_owned()).collect()
}

/// The major version of the server.
pub fn version(world: &World) -> u32 {
    let asked = "select current_setting('server_version_num')::int / 10000";
    let version = world.cluster.sql("postgres", asked).expect("a version");
    version.trim().parse().expect("a number")
}

/// A hash of every table of the database, its catalogue included, by name.
pub fn state(world: &World) -> BTreeMap<String, String> {
    let ask = |sql: &str| world.cluster.sql(&world.database, sql).expect("an answer");
    let tables = ask(
        "select c.oid::regclass from pg_class c where c.relkind in ('r', 'm', 'S') and not c.relisshared \
         and c.relnamespace <> 'pg_toast'::regnamespace and c.relname not in ('pg_statistic', 'pg_class')",
    );
    let class = "(select oid, relname, relnamespace, reltype, relowner, relfilenode, reltablespace, relkind, relnatts, \
                 relchecks, relrowsecurity, relreplident, relacl, reloptions from pg_class)";
    let roles = "(select * from pg_roles where rolname like 'shop%' or rolname like 'attack%')";
    let settings = "(select s.* from pg_db_role_setting s, pg_database d \
                    where s.setdatabase = d.oid and d.datname = current_database())";
    let tables = tables
        .lines()
        .map(str::to_owned)
        .chain([class, roles, settings].map(str::to_owned));
    let hashes: Vec<String> = tables
        .map(|table| {
            let name = table.replace('\'', "''");
            format!(
                "select '{name}' || '|' || md5(coalesce(string_agg(x::text, ' ' order by x::text), '')) from (select * from {table} t) x"
            )
        })
        .collect();
    let answer = ask(&hashes.join(" union all "));
    let pairs = answer.lines().filter_map(|line| line.rsplit_once('|'));
    pairs
        .map(|(table, hash)| (table.to_owned(), hash.to_owned()))
        .collect()
}

pub fn differences(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    assert!(before.len() > 50, "the state has few tables: {before:?}");
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .cloned()
        .collect()
}
