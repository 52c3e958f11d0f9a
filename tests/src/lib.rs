//! The whole system started for real, once for all tests of a binary: a PostgreSQL cluster, a CI issuer,
//! both planes as the real `postern` binary, and clients that speak to it.
//!
//! [`World::shared`] is the house most tests visit; [`World::start`] builds one of its own for tests that
//! break something. Nothing stays behind: a watcher ends the binary and removes the folder with this process.

pub mod raw;
pub mod rustls_connect;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postern::dev::authority::{Authority, Pair, TRUST_DOMAIN, spiffe_id};
use postern::dev::cluster::{Cluster, Options, free_port};
use postern::dev::issuer::{Claims, GithubJob, Issuer, Repository, SubjectForm};
use postern_control::audit::note::Signer;
use postern_control::keys::SigningKey;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub const AUDIENCE: &str = "https://postern.test";
/// Nothing here takes this long unless it never comes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a world is made with, beside its defaults.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Lines of `limits:` in the gateway's section.
    pub limits: String,
    /// Lines of the gateway's section itself.
    pub gateway: String,
    pub policies: Option<String>,
    pub resources: Option<String>,
}

/// A running house.
pub struct World {
    pub cluster: &'static Cluster,
    pub issuer: &'static Issuer,
    pub trust: &'static Authority,
    pub folder: PathBuf,
    pub port: u16,
    pub admin_port: u16,
    pub operators_port: u16,
    pub database: String,
    postern: Option<(Child, ChildStdin)>,
}

/// What the gateway must know of the control plane's keys before either starts.
struct Keys {
    snapshot_key: String,
    log_key: String,
}

/// What every world of this process shares, because it is slow to make.
struct Ground {
    cluster: Cluster,
    issuer: Issuer,
    trust: Authority,
    link: Authority,
    runtime: Runtime,
}

fn ground() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(|| {
        let folder = tempfile::Builder::new()
            .prefix("postern-tests-")
            .tempdir()
            .expect("a temporary folder");
        let trust = Authority::new("test trust domain").expect("an authority");
        let link = Authority::new("test link").expect("an authority");
        // The cluster's own watcher removes it, since nothing drops what is static.
        let mut options = Options::new(folder.keep());
        options.tls = Some(link.server(&["localhost", "127.0.0.1"]).expect("a certificate"));
        options.settings.push("log_statement = 'all'".into());
        options.settings.push("log_line_prefix = '%a|%u|%d|'".into());
        options.settings.push("max_connections = 300".into());
        options.settings.push("max_prepared_transactions = 10".into());
        let cluster = Cluster::start(options).expect("a PostgreSQL cluster");
        let runtime = Runtime::new().expect("a runtime");
        let issuer = runtime.block_on(Issuer::start()).expect("an issuer");
        cluster
            .sql("postgres", include_str!("roles.sql"))
            .expect("the roles");
        Ground {
            cluster,
            issuer,
            trust,
            link,
            runtime,
        }
    })
}

impl World {
    /// The house that tests share which leave it as they found it.
    pub fn shared() -> &'static World {
        static SHARED: OnceLock<World> = OnceLock::new();
        SHARED.get_or_init(|| World::start(&Wishes::default()))
    }

    /// A house of its own, with a database of its own, ready to serve.
    pub fn start(wishes: &Wishes) -> World {
        static DATABASES: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
        let ground = ground();
        let number = DATABASES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let database = format!("shop{number}");
        ground
            .cluster
            .sql("postgres", "select 1")
            .expect("the cluster answers");
        create_database(&ground.cluster, &database);
        let folder = tempfile::Builder::new()
            .prefix("postern-world-")
            .tempdir()
            .expect("a folder")
            .keep();
        let mut world = World {
            cluster: &ground.cluster,
            issuer: &ground.issuer,
            trust: &ground.trust,
            folder,
            port: free_port().expect("a free port"),
            admin_port: free_port().expect("a free port"),
            operators_port: free_port().expect("a free port"),
            database,
            postern: None,
        };
        world.write(wishes, ground);
        world.launch();
        world
    }

    fn write(&self, wishes: &Wishes, ground: &Ground) {
        let folder = &self.folder;
        for name in ["resources", "control", "gateway"] {
            fs::create_dir_all(folder.join(name)).expect("a folder");
        }
        let put = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file");
        ground
            .link
            .server(&["localhost", "127.0.0.1"])
            .and_then(|pair| pair.write(folder, "server"))
            .expect("files");
        ground
            .link
            .server(&["control.localhost"])
            .and_then(|pair| pair.write(folder, "control"))
            .expect("files");
        ground
            .link
            .server(&["gw"])
            .and_then(|pair| pair.write(folder, "link"))
            .expect("files");
        put("link-ca.pem", &ground.link.certificate());
        put("bundle.pem", &ground.trust.certificate());
        for role in [
            "shop_owner",
            "shop_reader",
            "shop_writer",
            "shop_gateway",
            "shop_super",
        ] {
            put(&format!("{role}.password"), &format!("secret-of-{role}"));
        }
        let key = |name: &str| SigningKey::open(&folder.join("control").join(name)).expect("a key");
        let keys = Keys {
            snapshot_key: BASE64_STANDARD.encode(key("snapshot.key").public()),
            log_key: Signer::new("log.test", key("log.key")).verifier().to_string(),
        };
        let gateways_port = free_port().expect("a free port");
        put("postern.yaml", &self.config(wishes, &keys, gateways_port));
        put(
            "resources/resources.yaml",
            wishes.resources.as_deref().unwrap_or(&self.resources()),
        );
        put(
            "resources/shop.cedar",
            wishes.policies.as_deref().unwrap_or(include_str!("shop.cedar")),
        );
    }

    fn config(&self, wishes: &Wishes, keys: &Keys, gateways_port: u16) -> String {
        let folder = self.folder.display();
        let target = self.cluster.address();
        let mut credentials = String::new();
        for role in [
            "shop_owner",
            "shop_reader",
            "shop_writer",
            "shop_gateway",
            "shop_super",
        ] {
            let _ = writeln!(
                credentials,
                "    {role}: {{ user: {role}, password: \"file:{folder}/{role}.password\", \
                 only_to: [\"{target}\"], verify: full, ca: \"{folder}/link-ca.pem\" }}"
            );
        }
        format!(
            r#"proxy:
  gateway: gw
  listen: "127.0.0.1:{port}"
  listen_admin: "127.0.0.1:{admin}"
  data: "{folder}/gateway"
  tls: {{ certificate: "{folder}/server.pem", key: "{folder}/server.key" }}
  trust_domains: {{ {TRUST_DOMAIN}: "{folder}/bundle.pem" }}
  issuer_hosts: [{{ host: "{issuer_host}", plain_http: true, private_address: true }}]
  credentials:
{credentials}  decide_by:
    control:
      address: "https://127.0.0.1:{gateways_port}"
      server_name: control.localhost
      ca: "{folder}/link-ca.pem"
      certificate: "{folder}/link.pem"
      key: "{folder}/link.key"
      snapshot_key: "{snapshot_key}"
      log_key: "{log_key}"
{gateway}  limits: {{ {limits} }}
control:
  listen_gateways: "127.0.0.1:{gateways_port}"
  listen_operators: "127.0.0.1:{operators}"
  data: "{folder}/control"
  resources: "{folder}/resources"
  log_origin: log.test
  tls: {{ certificate: "{folder}/control.pem", key: "{folder}/control.key", gateway_ca: "{folder}/link-ca.pem" }}
"#,
            port = self.port,
            admin = self.admin_port,
            operators = self.operators_port,
            issuer_host = self.issuer.host(),
            snapshot_key = keys.snapshot_key,
            log_key = keys.log_key,
            gateway = wishes.gateway,
            limits = limits(&wishes.limits),
        )
    }

    /// The resources that most tests use.
    pub fn resources(&self) -> String {
        include_str!("resources.yaml")
            .replace("{{github}}", &self.issuer.github())
            .replace("{{audience}}", AUDIENCE)
            .replace("{{target}}", &self.cluster.address())
            .replace("{{database}}", &self.database)
            .replace("{{trust_domain}}", TRUST_DOMAIN)
    }

    /// Writes a resource file and waits until the gateway decides by it.
    pub fn change(&self, file: &str, text: &str) {
        let before = self.policy_epoch();
        fs::write(self.folder.join("resources").join(file), text).expect("a resource file");
        self.until("the gateway decides by the changed resources", || {
            self.policy_epoch() > before
        });
    }

    /// The snapshot that the gateway decides by.
    pub fn policy_epoch(&self) -> u64 {
        let metrics = self.admin("/metrics");
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("postern_policy_epoch "));
        line.and_then(|epoch| epoch.parse().ok()).unwrap_or(0)
    }

    /// Starts the real binary and waits until it is ready.
    pub fn launch(&mut self) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))
            .expect("a log");
        // When this process ends, however it ends, its end of the pipe closes, and so does the house.
        let script = r#""$0" up --config "$1/postern.yaml" & child=$!
cat > /dev/null; kill -TERM $child 2> /dev/null; wait $child; [ -n "$2" ] && rm -rf "$1""#;
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .arg(binary())
            .arg(&self.folder)
            .arg("remove")
            .env(
                "RUST_LOG",
                std::env::var("POSTERN_TEST_LOG").unwrap_or_else(|_| "info".into()),
            )
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("the house's watcher starts");
        let stdin = shell.stdin.take().expect("a pipe");
        self.postern = Some((shell, stdin));
        self.until("the gateway is ready", || {
            self.admin("/readyz").starts_with("✓ snapshot\n✓ fresh word")
        });
    }

    /// The process id of the real binary.
    pub fn pid(&self) -> u32 {
        let (shell, _) = self.postern.as_ref().expect("the house stands");
        let children = Command::new("pgrep")
            .args(["-P", &shell.id().to_string(), "-x", "postern"])
            .output();
        let children = String::from_utf8(children.expect("pgrep runs").stdout).expect("a number");
        children.trim().parse().expect("one child")
    }

    /// Kills the binary as a power cut would, and starts it again on the same folder.
    pub fn kill_and_launch(&mut self) {
        let pid = self.pid().to_string();
        assert!(
            Command::new("kill")
                .args(["-9", &pid])
                .status()
                .expect("kill runs")
                .success()
        );
        let (mut shell, stdin) = self.postern.take().expect("the house stood");
        // The old watcher must not remove the folder; it goes without its last words.
        shell.kill().expect("the watcher ends");
        shell.wait().expect("the watcher ends");
        drop(stdin);
        let process = Path::new("/proc").join(&pid);
        self.until("the killed process is gone", || !process.exists());
        self.launch();
    }

    /// Waits for an event that comes by itself.
    pub fn until(&self, what: &str, mut happened: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !happened() {
            if begun.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(40).collect();
                let tail: Vec<&str> = tail.into_iter().rev().collect();
                panic!("waited in vain: {what}\n{}", tail.join("\n"));
            }
            std::thread::yield_now();
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn admin(&self, path: &str) -> String {
        http(
            self.admin_port,
            &format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
        )
    }

    /// A question to the operators' door, with the operator's token.
    pub fn operators(&self, path: &str) -> Value {
        let answer = self.ask_operators(&format!("GET {path}"), "");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    pub fn post_operators(&self, path: &str, body: &Value) -> String {
        self.ask_operators(&format!("POST {path}"), &body.to_string())
    }

    fn ask_operators(&self, request: &str, body: &str) -> String {
        let token =
            fs::read_to_string(self.folder.join("control/operator.token")).expect("the operator's token");
        let length = body.len();
        http(
            self.operators_port,
            &format!(
                "{request} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
                 content-length: {length}\r\nconnection: close\r\n\r\n{body}",
                token.trim()
            ),
        )
    }

    /// Runs the real binary's other commands against this house.
    pub fn postern(&self, arguments: &[&str]) -> Output {
        Command::new(binary())
            .args(arguments)
            .env(
                "POSTERN_ADDR",
                format!("http://127.0.0.1:{}", self.operators_port),
            )
            .env(
                "POSTERN_TOKEN",
                format!("file:{}", self.folder.join("control/operator.token").display()),
            )
            .env("POSTERN_ADMIN", format!("http://127.0.0.1:{}", self.admin_port))
            .output()
            .expect("postern runs")
    }

    /// A token of a job on the main branch, in GitHub's shape, with some claims changed.
    pub fn token(&self, workload: &str, changed: &[(&str, Value)]) -> String {
        let job = GithubJob {
            repository: Repository {
                owner: "acme".into(),
                owner_id: "42".into(),
                name: workload.into(),
                id: repository_id(workload).into(),
                visibility: "private".into(),
            },
            reference: "refs/heads/main".into(),
            ref_protected: true,
            sha: "0123456789012345678901234567890123456789".into(),
            event: "push".into(),
            workflow: "ci".into(),
            workflow_file: ".github/workflows/ci.yml".into(),
            environment: None,
            base_ref: String::new(),
            head_ref: String::new(),
            actor: "someone".into(),
            actor_id: "7".into(),
            run_id: "77001".into(),
            run_number: "12".into(),
            run_attempt: "1".into(),
            check_run_id: "5".into(),
            subject_form: SubjectForm::Names,
        };
        let mut claims: Claims = self.issuer.github_claims(&job, AUDIENCE).expect("claims");
        for (name, value) in changed {
            if value.is_null() {
                claims.remove(*name);
            } else {
                claims.insert((*name).into(), value.clone());
            }
        }
        self.issuer.token(&claims).expect("a token")
    }

    /// A certificate of a workload, written for psql.
    pub fn certificate(&self, workload: &str) -> (PathBuf, PathBuf) {
        self.write_pair(&self.trust.svid(&spiffe_id(workload)).expect("a certificate"))
    }

    pub fn write_pair(&self, pair: &Pair) -> (PathBuf, PathBuf) {
        let folder = tempfile::Builder::new()
            .prefix("pair-")
            .tempdir_in(&self.folder)
            .expect("a folder")
            .keep();
        pair.write(&folder, "svid").expect("files")
    }

    /// The real psql, as a job would run it.
    pub fn psql(&self, login: Login<'_>, sql: &str) -> Heard {
        self.psql_with(login, &[], sql)
    }

    pub fn psql_with(&self, login: Login<'_>, variables: &[(&str, &str)], sql: &str) -> Heard {
        let mut command = self.client("psql", login);
        command.args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--set",
            "ON_ERROR_STOP=1",
        ]);
        command.args(["--set", "VERBOSITY=verbose", "--command", sql]);
        for (name, value) in variables {
            command.env(name, value);
        }
        heard(command)
    }

    /// A PostgreSQL program of the machine with everything a job sets to reach the gateway.
    pub fn client(&self, program: &str, login: Login<'_>) -> Command {
        let mut command = Command::new(self.cluster.binaries.join(program));
        self.job(&mut command, login);
        command
    }

    /// Puts a job's variables around any program.
    pub fn job(&self, command: &mut Command, login: Login<'_>) {
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PG")) {
            command.env_remove(name);
        }
        command
            .env("PGHOST", "localhost")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "postern");
        command
            .env("PGDATABASE", &self.database)
            .env("PGSSLMODE", "verify-full")
            .env("PGCONNECT_TIMEOUT", "20");
        command.env("PGSSLROOTCERT", self.folder.join("link-ca.pem"));
        match login {
            Login::Token(token) => {
                command
                    .env("PGPASSWORD", token)
                    .env("PGSSLCERT", "/none")
                    .env("PGSSLKEY", "/none");
            }
            Login::Certificate(certificate, key) => {
                command.env("PGSSLCERT", certificate).env("PGSSLKEY", key);
            }
        }
    }

    /// Everything the server was asked to run in this world's database, as the server itself logged it.
    pub fn server_log(&self) -> Vec<String> {
        let file = fs::File::open(&self.cluster.log).expect("the server's log");
        let ours = format!("|{}|", self.database);
        BufReader::new(file)
            .lines()
            .map_while(Result::ok)
            .filter(|line| line.contains(&ours))
            .collect()
    }

    /// Every record of the control plane that passes a filter, oldest first.
    pub fn records(&self, filter: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.operators(&format!("/v1/records?limit=500&{filter}{after}"));
            let records = page
                .get("records")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            let next = page
                .get("next")
                .and_then(Value::as_str)
                .map(|next| format!("&after={next}"));
            all.extend(records);
            match next {
                Some(next) if next != after => after = next,
                _ => return all,
            }
        }
    }

    /// Waits until the control plane holds a record that fits.
    pub fn until_recorded(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let mut found = None;
        self.until(what, || {
            found = self.records("").into_iter().rev().find(|record| fits(record));
            found.is_some()
        });
        found.expect("it was found")
    }

    /// Connects with tokio-postgres.
    pub async fn connect(&self, login: Login<'_>) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config
            .host("localhost")
            .port(self.port)
            .user("postern")
            .dbname(&self.database);
        config.ssl_mode(tokio_postgres::config::SslMode::Require);
        if let Login::Token(token) = login {
            config.password(token);
        }
        let tls = rustls_connect::Connect::new(&self.folder.join("link-ca.pem"), login);
        let (client, connection) = config.connect(tls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// The runtime on which the tests' own clients run.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        ground().runtime.block_on(async {
            tokio::time::timeout(4 * PATIENCE, future)
                .await
                .expect("it ends in time")
        })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some((mut shell, stdin)) = self.postern.take() {
            drop(stdin);
            let _ = shell.wait();
        }
    }
}

/// How a client shows who it is.
#[derive(Clone, Copy, Debug)]
pub enum Login<'a> {
    Token(&'a str),
    Certificate(&'a Path, &'a Path),
}

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Heard {
    pub said: String,
    pub complained: String,
    pub succeeded: bool,
}

impl Heard {
    #[track_caller]
    pub fn succeeded(self) -> String {
        assert!(self.succeeded, "{}", self.complained);
        self.said
    }

    /// The complaint of a client that was refused with this SQLSTATE.
    #[track_caller]
    pub fn refused(self, sqlstate: &str) -> String {
        assert!(!self.succeeded, "it was not refused, and said: {}", self.said);
        assert!(
            self.complained.contains(&format!("{sqlstate}:")),
            "{}",
            self.complained
        );
        self.complained
    }

    /// The complaint of a client whose login failed; libpq does not print the code of those.
    #[track_caller]
    pub fn turned_away(self, words: &str) -> String {
        assert!(!self.succeeded, "it was let in, and said: {}", self.said);
        assert!(self.complained.contains(words), "{}", self.complained);
        self.complained
    }
}

pub fn heard(mut command: Command) -> Heard {
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it speaks UTF-8");
    Heard {
        said: text(output.stdout),
        complained: text(output.stderr),
        succeeded: output.status.success(),
    }
}

/// The binary that was built with this test or bench: beside it, or one folder up from `deps`.
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("this program has a path");
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join("postern")).find(|path| path.exists());
    found.expect("build the binary first: cargo build --bins")
}

pub fn repository_id(workload: &str) -> &'static str {
    match workload {
        "migrate" => "1001",
        "report" => "1002",
        "writer" => "1003",
        "all" => "1004",
        _ => "9999",
    }
}

fn create_database(cluster: &Cluster, name: &str) {
    let mut command = Command::new(cluster.binaries.join("psql"));
    command.args([
        "--no-psqlrc",
        "--quiet",
        "--dbname",
        &cluster.superuser("postgres"),
        "--command",
    ]);
    command.arg(format!("create database {name} owner shop_owner"));
    assert!(heard(command).succeeded, "the database {name} is made");
    cluster
        .sql(name, include_str!("shop.sql"))
        .expect("the sample is loaded");
}

fn http(port: u16, request: &str) -> String {
    use std::io::{Read, Write};
    let Ok(mut socket) = std::net::TcpStream::connect(("127.0.0.1", port)) else {
        return String::new();
    };
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut answer = Vec::new();
    let _ = socket.write_all(request.as_bytes());
    let _ = socket.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).expect("it speaks UTF-8");
    answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned())
        .unwrap_or_default()
}

/// For tests that compare a whole JSON.
pub fn field<'a>(record: &'a Value, name: &str) -> &'a str {
    record.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A claim's value, for [`World::token`].
pub fn claim(value: impl Into<Value>) -> Value {
    json!(value.into())
}

/// A test's own limits, over those that keep tests quick.
fn limits(wished: &str) -> String {
    let mut limits = wished.to_owned();
    for (name, default) in [("workers", "2"), ("drain_seconds_max", "1")] {
        if !wished.contains(&format!("{name}:")) {
            let _ = write!(limits, "{}{name}: {default}", if limits.is_empty() { "" } else { ", " });
        }
    }
    limits
}
