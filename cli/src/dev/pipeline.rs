//! What the sample's jobs try with the real psql and curl, and what must become of each.
//!
//! A step is good only if the client heard what it should and the target, asked by itself, agrees.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::files;
use super::machine::Machine;
use super::page;
use super::sample::{self, AUDIENCE};
use crate::door::{SLOW_ANSWER_TIMEOUT, with_query};
use crate::output::{self, Colours, text_of};
use crate::sessions::entries;
use crate::trouble::{Result, Trouble};

/// The revision of MCP that the sample's agent speaks.
const MCP_VERSION: &str = "2026-07-28";

const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);
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
    /// It is told of these tools, and of no others.
    Tools(&'static [&'static str]),
    /// The session stands and what was asked is refused, with this SQLSTATE, status of HTTP or code of JSON-RPC.
    Refused(&'static str),
    /// There is no session at all.
    TurnedAway,
}

/// What a job asks, and with which program.
#[derive(Clone, Copy, Debug)]
pub enum Asks {
    Psql(&'static str),
    /// A POST to this path, with this body.
    Curl(&'static str, &'static str),
    /// A message to the MCP server: its method, and the tool it names.
    Mcp(&'static str, Option<&'static str>),
}

impl Asks {
    /// What a person would read of it.
    pub fn shown(&self) -> String {
        match self {
            Asks::Psql(sql) => (*sql).to_owned(),
            Asks::Curl(path, body) => format!("POST {path}  {body}"),
            Asks::Mcp(method, tool) => format!("{method} {}", tool.unwrap_or_default()),
        }
    }
}

/// What a target itself must say afterwards.
#[derive(Clone, Copy, Debug)]
pub enum Witness {
    /// The database, to this question.
    Database(&'static str, &'static str),
    /// The API has been asked this, and nothing else, since it stands.
    Api(&'static [&'static str]),
}

/// One thing that a job tries.
#[derive(Clone, Debug)]
pub struct Step {
    pub title: &'static str,
    pub who: &'static str,
    pub evidence: Evidence,
    pub asks: Asks,
    pub times: usize,
    pub expected: Expected,
    pub witness: Option<Witness>,
}

/// What a client did.
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
            Expected::Allowed(_) | Expected::Tools(_) if failed => Some("it should have been allowed".into()),
            Expected::Tools(expected) => {
                let told = tools(&self.output);
                (told != expected).then(|| format!("it was told of: {}", told.join(", ")))
            }
            Expected::Allowed(part) if !self.output.contains(part) => {
                Some(format!("it should have printed `{part}`"))
            }
            Expected::Refused(_) | Expected::TurnedAway if !failed => {
                Some("it should have been refused".into())
            }
            Expected::Refused(code) if !self.heard_code(code) => Some(format!("it should have heard {code}")),
            Expected::TurnedAway if !self.errors.contains("FATAL:") => {
                Some("it should have been turned away before it had a session".into())
            }
            Expected::Allowed(_) | Expected::Refused(_) | Expected::TurnedAway => None,
        }
    }
}

impl Heard {
    /// What came of a message: an error is one also where HTTP brought it well.
    fn of_message(mut self) -> Heard {
        let message: Value = serde_json::from_str(&self.output).unwrap_or_default();
        if let Some(error) = message.get("error") {
            let detail = error.get("data").map(|data| text_of(data, "detail"));
            self.code = Some(1);
            self.errors = format!(
                "JSON-RPC error {}: {}\n{}\n",
                text_of(error, "code"),
                text_of(error, "message"),
                detail.unwrap_or_default()
            );
        }
        self
    }

    /// psql prints the SQLSTATE of an error; curl says which status it failed with.
    fn heard_code(&self, code: &str) -> bool {
        let forms = [
            format!("ERROR:  {code}:"),
            format!("returned error: {code}"),
            format!("JSON-RPC error {code}: "),
        ];
        forms.iter().any(|form| self.errors.contains(form))
    }
}

/// Runs every step and shows it, then the record of all. True if everything was as it should be.
pub async fn run(machine: &Machine, colours: Colours) -> Result<bool> {
    let started = Timestamp::now();
    let mut good = true;
    let steps = steps(machine)?;
    for (number, step) in (1..).zip(&steps) {
        output::print(&page::before(number, step, colours))?;
        let mut wrong = None;
        let mut heard = Heard::default();
        for _ in 0..step.times {
            heard = ask(machine, step).await?;
            wrong = wrong.or_else(|| heard.differs(step.expected));
        }
        if let Some(witness) = step.witness {
            wrong = wrong.or(contradicts(machine, witness)?);
        }
        good &= wrong.is_none();
        output::print(&page::after(step, &heard, wrong.as_deref(), colours))?;
    }
    let record = record(machine, &steps, started).await?;
    good &= record.wrong.is_none();
    output::print(&page::record(&record, colours))?;
    Ok(good)
}

/// What a target says to the contrary.
fn contradicts(machine: &Machine, witness: Witness) -> Result<Option<String>> {
    match witness {
        Witness::Database(question, expected) => {
            let answer = machine.cluster.sql("orders", question);
            let answer = answer.map_err(|error| Trouble::from_error(&error))?;
            let said = format!("the database says `{}` to `{question}`", answer.trim());
            Ok((answer.trim() != expected).then_some(said))
        }
        Witness::Api(expected) => {
            let asked = machine.api.asked();
            Ok((asked != expected).then(|| format!("the API was asked: {}", asked.join(", "))))
        }
    }
}

/// The psql that people type, or the server's own.
fn psql(machine: &Machine) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("psql"))
        .find(|program| program.is_file());
    found.unwrap_or_else(|| machine.cluster.binaries.join("psql"))
}

async fn ask(machine: &Machine, step: &Step) -> Result<Heard> {
    let evidence = &step.evidence;
    match step.asks {
        Asks::Psql(sql) => hear(psql_command(machine, evidence), sql).await,
        Asks::Curl(path, body) => hear(curl_command(machine, evidence, path)?, body).await,
        Asks::Mcp(method, tool) => {
            let command = mcp_command(machine, evidence, method, tool)?;
            Ok(hear(command, &message(method, tool)).await?.of_message())
        }
    }
}

/// Posts a message with the headers that repeat it.
fn mcp_command(machine: &Machine, evidence: &Evidence, method: &str, tool: Option<&str>) -> Result<Command> {
    let mut command = curl_command(machine, evidence, "/helpdesk/mcp")?;
    let name = tool.map(|tool| format!("Mcp-Name: {tool}"));
    let headers = [
        "Content-Type: application/json".to_owned(),
        "Accept: application/json, text/event-stream".to_owned(),
        format!("MCP-Protocol-Version: {MCP_VERSION}"),
        format!("Mcp-Method: {method}"),
    ];
    for header in headers.into_iter().chain(name) {
        command.arg("--header").arg(header);
    }
    Ok(command)
}

fn message(method: &str, tool: Option<&str>) -> String {
    let mut params = json!({
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": MCP_VERSION,
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    });
    if let (Some(tool), Some(params)) = (tool, params.as_object_mut()) {
        params.insert("name".to_owned(), tool.into());
        params.insert("arguments".to_owned(), json!({ "about": "parcels" }));
    }
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()
}

/// The names in a list of tools.
fn tools(listed: &str) -> Vec<String> {
    let message: Value = serde_json::from_str(listed).unwrap_or_default();
    let listed = message.pointer("/result/tools").and_then(Value::as_array);
    let names = listed.into_iter().flatten().map(|tool| text_of(tool, "name"));
    names.collect()
}

fn psql_command(machine: &Machine, evidence: &Evidence) -> Command {
    let mut command = Command::new(psql(machine));
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
    command.env("PGCONNECT_TIMEOUT", "10");
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
    match evidence {
        Evidence::Token(token) => {
            command.env("PGPASSWORD", token);
        }
        Evidence::Certificate(name) => {
            command.env("PGSSLCERT", machine.certificate(&format!("{name}.pem")));
            command.env("PGSSLKEY", machine.certificate(&format!("{name}.key")));
        }
    }
    command
}

/// Posts what it reads. The token goes by a file of its owner only: arguments can be seen by others.
fn curl_command(machine: &Machine, evidence: &Evidence, path: &str) -> Result<Command> {
    let mut command = Command::new("curl");
    command
        .args([
            "--disable",
            "--silent",
            "--show-error",
            "--fail-with-body",
            "--max-time",
            "20",
        ])
        .args(["--resolve", &format!("localhost:{}:127.0.0.1", machine.port)])
        .args(["--data-binary", "@-"])
        .arg("--cacert")
        .arg(machine.certificate("gateway-ca.pem"));
    match evidence {
        Evidence::Token(token) => {
            let header = machine.data.join("tokens/curl");
            let line = format!("Authorization: Bearer {token}\n");
            files::write_secret(&header, line.as_bytes())
                .map_err(|error| Trouble::new("a token could not be written").because(&error))?;
            command.arg("--header").arg(format!("@{}", header.display()));
        }
        Evidence::Certificate(name) => {
            let file = |ending: &str| machine.certificate(&format!("{name}.{ending}"));
            command
                .arg("--cert")
                .arg(file("pem"))
                .arg("--key")
                .arg(file("key"));
        }
    }
    command.arg(format!("https://localhost:{}{path}", machine.port));
    Ok(command)
}

/// Runs a client to its end.
async fn hear(mut command: Command, input: &str) -> Result<Heard> {
    let program = PathBuf::from(command.as_std().get_program());
    let failed =
        |error: std::io::Error| Trouble::new(format!("cannot run `{}`", program.display())).because(&error);
    command
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(failed)?;
    let told = async {
        if let Some(mut asked) = child.stdin.take() {
            // A client that was turned away does not read what it was to ask.
            drop(asked.write_all(input.as_bytes()).await);
        }
        child.wait_with_output().await
    };
    let told = tokio::time::timeout(CLIENT_TIMEOUT, told).await;
    let told = told.map_err(|_| {
        let seconds = CLIENT_TIMEOUT.as_secs();
        Trouble::new(format!(
            "`{}` did not end within {seconds} seconds",
            program.display()
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
        asks: Asks::Psql(sql),
        times: 1,
        expected,
        witness: None,
    };
    Ok(vec![
        Step {
            witness: Some(Witness::Database(
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
            witness: Some(Witness::Database("select count(*) from orders", "5000")),
            ..step(
                "a deploy bot that forgot its filter",
                "a GitHub job of acme/orders, deploy.yml in environment production",
                Evidence::Token(deploy.clone()),
                "delete from orders;\n",
                Expected::Refused("42501"),
            )
        },
        Step {
            witness: Some(Witness::Database("select count(*) from orders", "4999")),
            ..step(
                "the same bot, with a filter",
                "the same GitHub job",
                Evidence::Token(deploy.clone()),
                "delete from orders where id = 5 and status = 'draft';\n",
                Expected::Allowed("DELETE 1"),
            )
        },
        Step {
            asks: Asks::Curl("/backoffice/v1/releases", "orders 2026.11"),
            witness: Some(Witness::Api(&["POST /v1/releases"])),
            ..step(
                "the bot announces its release to the back office",
                "the same GitHub job, its token as bearer token of curl",
                Evidence::Token(deploy.clone()),
                "",
                Expected::Allowed("announced: orders 2026.11"),
            )
        },
        Step {
            asks: Asks::Curl("/backoffice/v1/refunds", "100 EUR to mallory"),
            witness: Some(Witness::Api(&["POST /v1/releases"])),
            ..step(
                "the bot, talked into a refund",
                "the same GitHub job",
                Evidence::Token(deploy),
                "",
                Expected::Refused("403"),
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
        Step {
            asks: Asks::Mcp("tools/list", None),
            ..step(
                "the agent looks what tools there are: of three it sees its one",
                "the same agent, at the help desk's MCP server",
                Evidence::Certificate("orders-agent"),
                "",
                Expected::Tools(&["find_tickets"]),
            )
        },
        Step {
            asks: Asks::Mcp("tools/call", Some("find_tickets")),
            ..step(
                "the agent reads tickets",
                "the same agent",
                Evidence::Certificate("orders-agent"),
                "",
                Expected::Allowed("done: tools/call find_tickets"),
            )
        },
        Step {
            asks: Asks::Mcp("tools/call", Some("close_account")),
            witness: Some(Witness::Api(&[
                "POST /v1/releases",
                "tools/list",
                "tools/call find_tickets",
            ])),
            ..step(
                "the agent, told by a ticket to close an account",
                "the same agent",
                Evidence::Certificate("orders-agent"),
                "",
                Expected::Refused("-32003"),
            )
        },
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
        let denied = heard(22, "{}", "curl: (22) The requested URL returned error: 403\n");
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
        assert_eq!(denied.differs(Expected::Refused("403")), None);
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
            (&denied, Expected::Refused("401")),
            (&denied, Expected::TurnedAway),
        ] {
            assert!(heard.differs(expected).is_some(), "{heard:?} {expected:?}");
        }
    }
}
