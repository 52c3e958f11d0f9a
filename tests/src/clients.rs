//! Who calls: evidence that the house's workloads show, and the programs they call with.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use postern::dev::authority::{Pair, spiffe_id};
use postern::dev::issuer::{Claims, GithubJob, Repository, SubjectForm};
use serde_json::{Value, json};

use crate::rustls_connect;
use crate::world::{AUDIENCE, World};

impl World {
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

pub fn repository_id(workload: &str) -> &'static str {
    match workload {
        "migrate" => "1001",
        "report" => "1002",
        "writer" => "1003",
        "all" => "1004",
        _ => "9999",
    }
}

/// A claim's value, for [`World::token`].
pub fn claim(value: impl Into<Value>) -> Value {
    json!(value.into())
}
