//! The doctor: looks at everything that the configuration names, and says why not and what next.

use std::path::Path;
use std::time::Duration;

use postern_link::snapshot::{DangerousRole, HttpTarget, Snapshot};
use postern_proxy::assertion::Assertions;
use postern_proxy::authorize::Rules;
use postern_proxy::config::{DecideBy, Verify};
use postern_proxy::postgres::catalogue::Facts;
use postern_proxy::tls::{ALPN_HTTP_1, ServerTls};
use postern_proxy::upstream::{Credentials, Upstream};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::net::TcpStream;

use crate::arguments::Configured;
use crate::catalogue::{Login, log_in};
use crate::config::{self, File};
use crate::door::Door;
use crate::output::{self, Colours};
use crate::resources;
use crate::trouble::{Exit, Result, Trouble};

const REACH_TIMEOUT: Duration = Duration::from_secs(5);

/// What has been looked at, in order.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

#[derive(Debug)]
struct Finding {
    what: String,
    grade: Grade,
}

#[derive(Debug)]
enum Grade {
    Good,
    /// It works, and somebody should know.
    Odd(String),
    Bad(Trouble),
}

impl Findings {
    fn add<T>(&mut self, what: impl Into<String>, result: Result<T>) -> Option<T> {
        let (grade, value) = match result {
            Ok(value) => (Grade::Good, Some(value)),
            Err(trouble) => (Grade::Bad(trouble), None),
        };
        self.0.push(Finding {
            what: what.into(),
            grade,
        });
        value
    }

    fn odd(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.0.push(Finding {
            what: what.into(),
            grade: Grade::Odd(why.into()),
        });
    }

    fn is_good(&self) -> bool {
        !self
            .0
            .iter()
            .any(|finding| matches!(finding.grade, Grade::Bad(_)))
    }

    fn show(&self, colours: Colours) -> String {
        let mut shown = String::new();
        for Finding { what, grade } in &self.0 {
            let what = output::escape(what);
            let line = match grade {
                Grade::Good => format!("{} {what}\n", colours.good("✓")),
                Grade::Odd(why) => format!("! {what}: {}\n", output::escape(why)),
                Grade::Bad(trouble) => {
                    let why = trouble.to_string().replace('\n', "\n  ");
                    format!("{} {what}\n    {why}\n", colours.bad("×"))
                }
            };
            shown.push_str(&line);
        }
        shown
    }
}

pub async fn run(configured: Configured) -> Result<Exit> {
    let mut findings = Findings::default();
    let loaded = config::load(&configured.config);
    let file = findings.add(format!("configuration `{}`", configured.config.display()), loaded);
    if let Some(file) = file {
        look(&file, &mut findings).await;
    }
    output::print(&findings.show(Colours::of_output()))?;
    Ok(if findings.is_good() {
        Exit::Success
    } else {
        Exit::Failure
    })
}

async fn look(file: &File, findings: &mut Findings) {
    let mut snapshot = None;
    if let Some(control) = &file.control {
        look_at_control(control, findings);
    }
    let read = resources::decided_by(file).transpose();
    if let Some(read) = read {
        let rules = read.and_then(|snapshot| {
            Rules::load(snapshot).map_err(|errors| {
                let mut trouble = Trouble::new("the resources cannot be used");
                trouble.causes = errors;
                trouble
            })
        });
        let folder = file
            .control
            .as_ref()
            .and_then(|control| control.resources.as_ref());
        let what = match folder {
            Some(folder) => format!("resources and policies in `{}`", folder.display()),
            None => "resources and policies that the gateway has heard last".to_owned(),
        };
        snapshot = findings.add(what, rules).map(|rules| rules.snapshot);
    }
    if let Some(proxy) = &file.proxy {
        let credentials = look_at_gateway(proxy, findings);
        look_at_link(proxy, findings).await;
        if let (Some(credentials), Some(snapshot)) = (credentials, &snapshot) {
            look_at_targets(snapshot, &credentials, proxy, findings).await;
        }
        look_at_running(proxy, findings).await;
    }
}

fn look_at_control(control: &postern_control::Config, findings: &mut Findings) {
    let loaded = postern_control::tls::load(&control.tls).map_err(|error| Trouble::from_error(&error));
    findings.add("the control plane's certificates", loaded);
}

fn look_at_gateway(proxy: &postern_proxy::config::Config, findings: &mut Findings) -> Option<Credentials> {
    let loaded = ServerTls::load(&proxy.tls, &proxy.limits).map_err(|error| Trouble::from_error(&error));
    findings.add("the listener's certificate and key", loaded);
    for (domain, path) in &proxy.trust_domains {
        findings.add(
            format!("the bundle of trust domain `{domain}`"),
            certificates(path),
        );
    }
    if let Some(assertions) = &proxy.assertions {
        let loaded = Assertions::load(assertions).map_err(|error| Trouble::from_error(&error));
        findings.add("the key that says who asks", loaded);
    }
    let loaded = Credentials::load(&proxy.credentials).map_err(|error| Trouble::from_error(&error));
    let credentials = findings.add("credentials", loaded);
    for (name, credential) in &proxy.credentials {
        if credential.verify == Verify::Disable {
            let why = "`verify: disable` sends what it asks and hears in plain text";
            findings.odd(format!("credential `{name}`"), why);
        }
    }
    credentials
}

fn certificates(path: &Path) -> Result<usize> {
    let unreadable = |error: &(dyn std::error::Error + 'static)| {
        Trouble::new(format!(
            "`{}` cannot be read as certificates in PEM",
            path.display()
        ))
        .because(error)
    };
    let read = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))?;
    let count = read
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| unreadable(&error))?
        .len();
    if count == 0 {
        return Err(Trouble::new(format!("`{}` holds no certificate", path.display())));
    }
    Ok(count)
}

async fn look_at_link(proxy: &postern_proxy::config::Config, findings: &mut Findings) {
    let DecideBy::Control(link) = &proxy.decide_by;
    for (what, path) in [("authority", &link.ca), ("certificate", &link.certificate)] {
        findings.add(
            format!("the {what} of the link to the control plane"),
            certificates(path),
        );
    }
    let reached = reach(&link.address).await;
    findings.add(
        format!("the control plane at `{}` is reachable", link.address),
        reached,
    );
}

async fn reach(url: &str) -> Result<()> {
    let place = url.strip_prefix("https://").unwrap_or(url).trim_end_matches('/');
    let unreachable = |error: &(dyn std::error::Error + 'static)| {
        Trouble::new(format!("nobody listens at `{place}`"))
            .because(error)
            .next("start it: `postern control`, or `postern up`")
    };
    match tokio::time::timeout(REACH_TIMEOUT, TcpStream::connect(place)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(unreachable(&error)),
        Err(elapsed) => Err(unreachable(&elapsed)),
    }
}

/// Logs in to each target as each role that workloads may assume there, and as the gateway itself.
async fn look_at_targets(
    snapshot: &Snapshot,
    credentials: &Credentials,
    proxy: &postern_proxy::config::Config,
    findings: &mut Findings,
) {
    let apis = snapshot
        .targets
        .iter()
        .filter_map(|target| Some((&target.name, target.http()?)));
    for (name, api) in apis {
        let what = format!("target `{name}` with credential `{}`", api.credential);
        findings.add(what, reach_api(api, credentials, proxy).await);
        if api.assertion.is_some() && proxy.assertions.is_none() {
            let nothing = Trouble::new("the gateway has nothing to sign that with");
            let what = format!("target `{name}` wants to know who asks");
            findings.add::<()>(what, Err(nothing.next("give the gateway's file `assertions`")));
        }
    }
    let databases = snapshot
        .targets
        .iter()
        .filter_map(|target| Some((&target.name, target.postgres()?)));
    for (name, target) in databases {
        let database = target.databases.first().cloned().unwrap_or_default();
        for (role, credential) in &target.roles {
            let login = Login {
                credential,
                target,
                database: database.clone(),
            };
            let what = format!("target `{name}` as role `{role}`");
            findings.add(what, judge_role(role, &login, credentials, proxy).await);
        }
        for database in target.databases.iter().skip(1) {
            let login = Login {
                credential: &target.gateway_role,
                target,
                database: database.clone(),
            };
            let what = format!("database `{database}` of target `{name}`");
            findings.add(what, reads_as_we_do(&login, credentials, proxy).await);
        }
        let login = Login {
            credential: &target.gateway_role,
            target,
            database,
        };
        let what = format!("target `{name}` as the gateway itself");
        let ends = ends_backends(&login, credentials, proxy).await;
        if let Some(false) = findings.add(what.clone(), ends) {
            let why = "it may not end other roles' backends, so a revoked session's statement is only cancelled: \
                       `grant pg_signal_backend, pg_read_all_stats`";
            findings.odd(what, why);
        }
    }
}

/// Connects as the gateway does, TLS included where the credential demands it; asks for nothing.
async fn reach_api(
    api: &HttpTarget,
    credentials: &Credentials,
    proxy: &postern_proxy::config::Config,
) -> Result<()> {
    let from_error = |error: postern_proxy::upstream::Error| Trouble::from_error(&error);
    let credential = credentials
        .for_address(&api.credential, &api.address)
        .map_err(from_error)?;
    let timeout = Duration::from_millis(proxy.limits.connect_timeout_ms);
    let socket = Upstream::dial(&credential, &api.address, timeout)
        .await
        .map_err(from_error)?;
    let secured = Upstream::secure(socket, &credential, &api.address, ALPN_HTTP_1);
    secured.await.map(drop).map_err(from_error)
}

async fn judge_role(
    role: &str,
    login: &Login<'_>,
    credentials: &Credentials,
    proxy: &postern_proxy::config::Config,
) -> Result<()> {
    let facts = facts_of(login, credentials, proxy).await?;
    if facts.role != role {
        return Err(Trouble::new(format!(
            "the credential `{}` logs in as `{}`",
            login.credential, facts.role
        ))
        .next("name a credential of the role itself: the gateway never goes down from a stronger one"));
    }
    in_our_encoding(&facts)?;
    let refused = login.target.dangerous_role == DangerousRole::Refused;
    if refused && !facts.dangers.is_empty() {
        return Err(
            Trouble::new(format!("the role is too strong: {}", facts.dangers.join(", ")))
                .next("give the target a lesser role, or say `dangerous_role: accepted` there"),
        );
    }
    Ok(())
}

async fn reads_as_we_do(
    login: &Login<'_>,
    credentials: &Credentials,
    proxy: &postern_proxy::config::Config,
) -> Result<()> {
    in_our_encoding(&facts_of(login, credentials, proxy).await?)
}

/// What a server says of the login, which is left again.
async fn facts_of(
    login: &Login<'_>,
    credentials: &Credentials,
    proxy: &postern_proxy::config::Config,
) -> Result<Facts> {
    let mut connected = log_in(login, credentials, &proxy.limits).await?;
    connected.wire.goodbye().await;
    Ok(connected.facts)
}

fn in_our_encoding(facts: &Facts) -> Result<()> {
    match facts.other_encoding() {
        Some(why) => Err(Trouble::new(why).next("move the data to a database made with `encoding 'UTF8'`")),
        None => Ok(()),
    }
}

async fn ends_backends(
    login: &Login<'_>,
    credentials: &Credentials,
    proxy: &postern_proxy::config::Config,
) -> Result<bool> {
    // The second tells which backend a process id is now; without it the wrong one could be ended.
    const QUESTION: &str = "select (pg_catalog.pg_has_role('pg_signal_backend', 'usage') \
        and pg_catalog.pg_has_role('pg_read_all_stats', 'usage'))::pg_catalog.text";
    let mut connected = log_in(login, credentials, &proxy.limits).await?;
    let answer = connected
        .wire
        .ask_one(QUESTION)
        .await
        .map_err(|error| Trouble::from_error(&error));
    connected.wire.goodbye().await;
    Ok(answer? == "true")
}

/// A gateway that does not run is no mistake in its configuration.
async fn look_at_running(proxy: &postern_proxy::config::Config, findings: &mut Findings) {
    let what = format!("the gateway at `{}`", proxy.listen_admin);
    let ready = async {
        Door::new(&format!("http://{}", proxy.listen_admin), None, None)?
            .get("/readyz")
            .await
    }
    .await;
    match ready {
        Err(_) => findings.odd(what, "it is not running"),
        Ok(answer) if answer.status.is_success() => {
            findings.add::<()>(format!("{what} is ready"), Ok(()));
        }
        Ok(answer) => {
            let said = std::str::from_utf8(&answer.body)
                .unwrap_or_default()
                .trim()
                .to_owned();
            let trouble = Trouble::new("it is running but not ready").next(said.replace('\n', ", "));
            findings.add::<()>(what, Err(trouble));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bad_says_why_and_what_next_and_what_is_odd_is_not_bad() {
        let mut findings = Findings::default();
        findings.add("credentials", Ok(()));
        findings.odd("credential `x`", "plain text");
        assert!(findings.is_good());
        findings.add::<()>("the bundle", Err(Trouble::new("not PEM").next("mend it")));
        assert!(!findings.is_good());
        let shown = findings.show(Colours::Off);
        assert_eq!(
            shown,
            "✓ credentials\n! credential `x`: plain text\n× the bundle\n    not PEM\n    → mend it\n"
        );
    }

    #[tokio::test]
    async fn a_configuration_that_cannot_be_read_is_the_only_finding() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("missing.yaml");
        assert_eq!(run(Configured { config }).await.unwrap(), Exit::Failure);
    }
}
