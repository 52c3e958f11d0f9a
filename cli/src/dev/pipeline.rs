//! What the sample's jobs try with the real psql, and what must become of each.
//!
//! A step is good only if psql heard what it should and the database, asked by itself, agrees.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::machine::Machine;
use super::page;
use super::sample::{self, AUDIENCE};
use crate::door::{SLOW_ANSWER_TIMEOUT, with_query};
use crate::output::{self, Colours, text_of};
use crate::sessions::entries;
use crate::trouble::{Result, Trouble};

const PSQL_TIMEOUT: Duration = Duration::from_secs(30);
/// Records travel on their own; this is how long the page waits for the last of them.
const RECORDS_TIMEOUT: Duration = Duration::from_secs(15);
const RECORDS_POLL: Duration = Duration::from_millis(100);

/// What a job shows.
#[derive(Clone, Debug)]
pub enum Evidence {
    Token(String),
    /// The name of a pair in the folder of certificates.
    Certificate(&'static str),
}

/// What must become of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It runs, and prints this among other things.
    Allowed(&'static str),
    /// The session stands and the statement is refused, with this SQLSTATE.
    Refused(&'static str),
    /// There is no session at all.
    TurnedAway,
}

/// One thing that a job tries.
#[derive(Clone, Debug)]
pub struct Step {
    pub title: &'static str,
    pub who: &'static str,
    pub evidence: Evidence,
    pub sql: &'static str,
    pub times: usize,
    pub expected: Expected,
    /// What the database itself answers afterwards.
    pub witness: Option<(&'static str, &'static str)>,
}

/// What psql did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    pub code: Option<i32>,
    pub output: String,
    pub errors: String,
}

impl Heard {
    /// Why it is not what was expected, if it is not.
    pub fn differs(&self, expected: Expected) -> Option<String> {
        let failed = self.code != Some(0);
        match expected {
            Expected::Allowed(_) if failed => Some("it should have been allowed".into()),
            Expected::Allowed(part) if !self.output.contains(part) => {
                Some(format!("it should have printed `{part}`"))
            }
            Expected::Refused(_) | Expected::TurnedAway if !failed => {
                Some("it should have been refused".into())
            }
            Expected::Refused(sqlstate) if !self.errors.contains(&format!("ERROR:  {sqlstate}:")) => {
                Some(format!("it should have heard SQLSTATE {sqlstate}"))
            }
            Expected::TurnedAway if !self.errors.contains("FATAL:") => {
                Some("it should have been turned away before it had a session".into())
            }
            Expected::Allowed(_) | Expected::Refused(_) | Expected::TurnedAway => None,
        }
    }
}

/// Runs every step and shows it, then the record of all. True if everything was as it should be.
pub async fn run(machine: &Machine, colours: Colours) -> Result<bool> {
    let psql = psql(machine);
    let started = Timestamp::now();
    let mut good = true;
    let steps = steps(machine)?;
    for (number, step) in (1..).zip(&steps) {
        output::print(&page::before(number, step, colours))?;
        let mut wrong = None;
        let mut heard = Heard::default();
        for _ in 0..step.times {
            heard = ask(machine, &psql, step).await?;
            wrong = wrong.or_else(|| heard.differs(step.expected));
        }
        if let Some((question, expected)) = step.witness {
            let answer = machine
                .cluster
                .sql("orders", question)
                .map_err(|error| Trouble::from_error(&error))?;
            if answer.trim() != expected {
                wrong =
                    wrong.or_else(|| Some(format!("the database says `{}` to `{question}`", answer.trim())));
            }
        }
        good &= wrong.is_none();
        output::print(&page::after(step, &heard, wrong.as_deref(), colours))?;
    }
    let record = record(machine, &steps, started).await?;
    good &= record.wrong.is_none();
    output::print(&page::record(&record, colours))?;
    Ok(good)
}

/// The psql that people type, or the server's own.
fn psql(machine: &Machine) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("psql"))
        .find(|program| program.is_file());
    found.unwrap_or_else(|| machine.cluster.binaries.join("psql"))
}

async fn ask(machine: &Machine, psql: &Path, step: &Step) -> Result<Heard> {
    let failed =
        |error: std::io::Error| Trouble::new(format!("cannot run `{}`", psql.display())).because(&error);
    let mut command = Command::new(psql);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
        command.env_remove(name);
    }
    command.args([
        "--no-psqlrc",
        "--set",
        "ON_ERROR_STOP=1",
        "--set",
        "VERBOSITY=verbose",
        "--file",
        "-",
    ]);
    command.env("LC_ALL", "C.UTF-8").env("PGCONNECT_TIMEOUT", "10");
    // The address beside the name: a machine may know `localhost` by an address that nobody listens on.
    command
        .env("PGHOST", "localhost")
        .env("PGHOSTADDR", "127.0.0.1")
        .env("PGPORT", machine.port.to_string());
    command
        .env("PGUSER", "postern")
        .env("PGDATABASE", "orders")
        .env("PGSSLMODE", "verify-full");
    command.env("PGSSLROOTCERT", machine.certificate("gateway-ca.pem"));
    // No files of the user's own: what is shown is what the step says.
    command
        .env("HOME", &machine.data)
        .env("PGPASSFILE", machine.data.join("no-password-file"));
    match &step.evidence {
        Evidence::Token(token) => {
            command.env("PGPASSWORD", token);
        }
        Evidence::Certificate(name) => {
            command.env("PGSSLCERT", machine.certificate(&format!("{name}.pem")));
            command.env("PGSSLKEY", machine.certificate(&format!("{name}.key")));
        }
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(failed)?;
    let told = async {
        if let Some(mut input) = child.stdin.take() {
            // A psql that was turned away does not read what it was to ask.
            drop(input.write_all(step.sql.as_bytes()).await);
        }
        child.wait_with_output().await
    };
    let told = tokio::time::timeout(PSQL_TIMEOUT, told).await;
    let told = told.map_err(|_| {
        Trouble::new(format!(
            "psql did not end within {} seconds",
            PSQL_TIMEOUT.as_secs()
        ))
    })?;
    let told = told.map_err(failed)?;
    let text = |bytes| String::from_utf8(bytes).unwrap_or_else(|_| "(not UTF-8)".to_owned());
    Ok(Heard {
        code: told.status.code(),
        output: text(told.stdout),
        errors: text(told.stderr),
    })
}

fn steps(machine: &Machine) -> Result<Vec<Step>> {
    let failed = |error: std::io::Error| Trouble::new("a token could not be made").because(&error);
    let issuer = &machine.issuer;
    let github = |job: &_, audience: &str| issuer.token(&issuer.github_claims(job, audience)?);
    let migration = github(&sample::migration_job(), AUDIENCE).map_err(failed)?;
    let deploy = github(&sample::deploy_job(), AUDIENCE).map_err(failed)?;
    let fork = github(&sample::forked_job("pull_request"), AUDIENCE).map_err(failed)?;
    let target_fork = github(&sample::forked_job("pull_request_target"), AUDIENCE).map_err(failed)?;
    let stolen = github(&sample::deploy_job(), "https://vault.shop.example").map_err(failed)?;
    let report = issuer
        .gitlab_claims(&sample::report_job(), AUDIENCE)
        .map_err(failed)?;
    let report = issuer.token(&report).map_err(failed)?;
    let step = |title, who, evidence, sql, expected| Step {
        title,
        who,
        evidence,
        sql,
        times: 1,
        expected,
        witness: None,
    };
    Ok(vec![
        Step {
            witness: Some((
                "select count(*) from schema_migrations where version = '20261123_shipments'",
                "1",
            )),
            ..step(
                "a migration",
                "a GitHub job of acme/orders, migrate.yml on its protected main branch",
                Evidence::Token(migration),
                "begin;\n\
                 create table shipments (id bigint generated always as identity primary key, order_id bigint not null references orders, carrier text not null);\n\
                 alter table orders add column channel text not null default 'web';\n\
                 create index shipments_order on shipments (order_id);\n\
                 insert into schema_migrations (version) values ('20261123_shipments');\n\
                 commit;\n",
                Expected::Allowed("COMMIT"),
            )
        },
        step(
            "a report that counts customers by country",
            "a scheduled GitLab job of acme/analytics/orders-report",
            Evidence::Token(report.clone()),
            "select country, count(id) as customers, max(created_at)::date as newest from customers group by country order by country;\n",
            Expected::Allowed("(5 rows)"),
        ),
        step(
            "the same report, asking for more than it may read",
            "the same GitLab job",
            Evidence::Token(report),
            "select id, full_name, ssn from customers limit 5;\n",
            Expected::Refused("42501"),
        ),
        Step {
            witness: Some(("select count(*) from orders", "5000")),
            ..step(
                "a deploy bot that forgot its filter",
                "a GitHub job of acme/orders, deploy.yml in environment production",
                Evidence::Token(deploy.clone()),
                "delete from orders;\n",
                Expected::Refused("42501"),
            )
        },
        Step {
            witness: Some(("select count(*) from orders", "4999")),
            ..step(
                "the same bot, with a filter",
                "the same GitHub job",
                Evidence::Token(deploy),
                "delete from orders where id = 5 and status = 'draft';\n",
                Expected::Allowed("DELETE 1"),
            )
        },
        step(
            "a pull request from a fork",
            "a GitHub job of event pull_request, by mallory",
            Evidence::Token(fork),
            "select 1;\n",
            Expected::TurnedAway,
        ),
        step(
            "a pull request from a fork, run as its target",
            "a GitHub job of event pull_request_target, by mallory",
            Evidence::Token(target_fork),
            "select 1;\n",
            Expected::TurnedAway,
        ),
        Step {
            times: 5,
            ..step(
                "a rogue script, five times, with the deploy bot's token for another service",
                "somebody who found a token in a log",
                Evidence::Token(stolen),
                "insert into payments (order_id, method, amount_cents, paid_at) values (1, 'card', 1, now());\n",
                Expected::TurnedAway,
            )
        },
        step(
            "the script again, with a certificate that names no workload",
            "spiffe://dev.postern.example/workload/orders-stranger",
            Evidence::Certificate("orders-stranger"),
            "select * from customers;\n",
            Expected::TurnedAway,
        ),
        step(
            "the script again, with the certificate of a workload whose time is over",
            "spiffe://dev.postern.example/workload/orders-backfill",
            Evidence::Certificate("orders-backfill"),
            "select * from customers;\n",
            Expected::TurnedAway,
        ),
        step(
            "an AI agent that sums up sales",
            "spiffe://dev.postern.example/workload/orders-agent, by certificate: no password at all",
            Evidence::Certificate("orders-agent"),
            "select country, sum(orders) as orders from order_totals where currency = 'EUR' group by country order by country;\n",
            Expected::Allowed("rows)"),
        ),
        step(
            "the agent, curious",
            "the same agent",
            Evidence::Certificate("orders-agent"),
            "select * from customers;\n",
            Expected::Refused("42501"),
        ),
    ])
}

/// What the control plane has of this run.
#[derive(Debug, Default)]
pub struct Record {
    pub sessions: Vec<Value>,
    pub refusals: Vec<Value>,
    pub verified: Value,
    /// What is missing in it.
    pub wrong: Option<String>,
}

/// Waits until every session of the run has arrived, ended, and every refusal with it.
async fn record(machine: &Machine, steps: &[Step], started: Timestamp) -> Result<Record> {
    let sessions_expected = steps
        .iter()
        .filter(|step| step.expected != Expected::TurnedAway)
        .count();
    let refused_expected = steps
        .iter()
        .filter(|step| matches!(step.expected, Expected::Refused(_)))
        .count();
    let strangers_expected: usize = steps
        .iter()
        .filter(|step| step.expected == Expected::TurnedAway)
        .map(|step| step.times)
        .sum();
    let refused = [
        ("kind", Some("refused,strangers".to_owned())),
        ("since", Some(started.to_string())),
        ("limit", Some("1000".to_owned())),
    ];
    let deadline = Instant::now() + RECORDS_TIMEOUT;
    loop {
        let listed = machine.operators.get("/v1/sessions?limit=1000").await?.json()?;
        let ours = |session: &&Value| {
            text_of(session, "opened")
                .parse::<Timestamp>()
                .is_ok_and(|opened| opened >= started)
        };
        let sessions: Vec<Value> = entries(&listed, "sessions")
            .iter()
            .filter(ours)
            .cloned()
            .collect();
        let listed = machine
            .operators
            .get(&with_query("/v1/records", &refused))
            .await?
            .json()?;
        let refusals = entries(&listed, "records").to_vec();
        let ended = sessions
            .iter()
            .filter(|session| text_of(session, "state") == "ended")
            .count();
        let counted: u64 = refusals
            .iter()
            .filter_map(|record| record.get("count"))
            .filter_map(Value::as_u64)
            .sum();
        let named = refusals
            .iter()
            .filter(|record| text_of(record, "kind") == "refused")
            .count();
        let strangers = usize::try_from(counted).unwrap_or(usize::MAX);
        let missing = [
            (ended, sessions_expected, "ended sessions"),
            (named, refused_expected, "refused statements"),
            (strangers, strangers_expected, "strangers"),
        ];
        let wrong = missing.iter().find(|(found, expected, _)| found < expected);
        let wrong =
            wrong.map(|(found, expected, what)| format!("{found} of {expected} {what} are in the record"));
        if wrong.is_some() && Instant::now() < deadline {
            tokio::time::sleep(RECORDS_POLL).await;
            continue;
        }
        let verified = machine
            .operators
            .post("/v1/audit/verify", None, SLOW_ANSWER_TIMEOUT)
            .await?
            .json()?;
        let whole = verified.get("good").and_then(Value::as_bool) == Some(true);
        let wrong = wrong.or_else(|| (!whole).then(|| "the log does not verify".to_owned()));
        return Ok(Record {
            sessions,
            refusals,
            verified,
            wrong,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(code: i32, output: &str, errors: &str) -> Heard {
        Heard {
            code: Some(code),
            output: output.into(),
            errors: errors.into(),
        }
    }

    #[test]
    fn a_step_is_good_only_with_its_own_outcome() {
        let refused = heard(
            3,
            "",
            "psql:<stdin>:1: ERROR:  42501: select on customers is refused\nDETAIL:  …\n",
        );
        let away = heard(
            2,
            "",
            "psql: error: connection failed: FATAL:  the token is for another audience\n",
        );
        let allowed = heard(0, "DELETE 1\n", "");
        let unreachable = heard(2, "", "psql: error: connection refused\n");
        assert_eq!(refused.differs(Expected::Refused("42501")), None);
        assert_eq!(away.differs(Expected::TurnedAway), None);
        assert_eq!(allowed.differs(Expected::Allowed("DELETE 1")), None);
        for (heard, expected) in [
            (&refused, Expected::Allowed("")),
            (&refused, Expected::Refused("42601")),
            (&refused, Expected::TurnedAway),
            (&away, Expected::Refused("42501")),
            (&away, Expected::Allowed("")),
            (&allowed, Expected::Refused("42501")),
            (&allowed, Expected::TurnedAway),
            (&allowed, Expected::Allowed("DELETE 2")),
            (&unreachable, Expected::TurnedAway),
            (&unreachable, Expected::Refused("42501")),
        ] {
            assert!(heard.differs(expected).is_some(), "{heard:?} {expected:?}");
        }
    }
}
