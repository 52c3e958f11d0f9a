//! HTTP clients and tools as they are: each does its real work direct and through the gateway, and says the same.
//! The target hears its own key and nothing of the caller's evidence. The programs are in `tests/clients`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use postern_tests::api::{self, BEARER, KEY};
use postern_tests::{Heard, Login, World, heard};
use serde_json::Value;

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");

const POLICIES: &str = r#"
@id("writer-asks") permit (
  principal == Postern::Workload::"writer",
  action in [Postern::Action::"read", Postern::Action::"write"],
  resource in Postern::Target::"billing"
);
@id("no-secrets") forbid (principal, action, resource in Postern::Path::"billing:/v1/secrets");
@id("report-clones") permit (
  principal == Postern::Workload::"report",
  action == Postern::Action::"GET",
  resource == Postern::Path::"billing:/git/parcels.git/info/refs"
);
@id("report-fetches") permit (
  principal == Postern::Workload::"report",
  action == Postern::Action::"POST",
  resource == Postern::Path::"billing:/git/parcels.git/git-upload-pack"
);
"#;

/// `http_target.py`, which ends with this value.
struct Target {
    process: Child,
    folder: PathBuf,
    port: u16,
}

impl Target {
    fn start() -> Target {
        let folder = tempfile::Builder::new()
            .prefix("postern-target-")
            .tempdir()
            .unwrap()
            .keep();
        let mut process = python("http_target.py")
            .arg(&folder)
            .arg(KEY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        let said = process.stdout.take().unwrap();
        BufReader::new(said).read_line(&mut port).unwrap();
        Target {
            process,
            folder,
            port: port.trim().parse().unwrap(),
        }
    }

    /// The heads that it was sent.
    fn seen(&self) -> Vec<Value> {
        let witness = std::fs::read_to_string(self.folder.join("witness")).unwrap_or_default();
        witness
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Two equal targets: one is reached through the gateway, its twin direct.
struct House {
    target: Target,
    twin: Target,
    world: World,
}

impl House {
    fn start() -> House {
        let target = Target::start();
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], target.port));
        let world = api::house_before(address, BEARER, POLICIES, "");
        let house = House {
            target,
            twin: Target::start(),
            world,
        };
        std::fs::write(house.target.folder.join("public_url"), house.url()).unwrap();
        house
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/billing", self.world.port)
    }

    fn ca(&self) -> PathBuf {
        self.world.folder.join("link-ca.pem")
    }

    /// Where a program writes what it fetched.
    fn folder(&self) -> PathBuf {
        let folder = tempfile::Builder::new().tempdir_in(&self.world.folder);
        folder.unwrap().keep()
    }

    fn through(&self, mut program: Command, login: Login<'_>) -> Heard {
        program.env("URL", self.url()).env("CA", self.ca());
        program.env("NODE_EXTRA_CA_CERTS", self.ca());
        match login {
            Login::Token(token) => program.env("TOKEN", token),
            Login::Certificate(certificate, key) => program.env("CERTIFICATE", certificate).env("KEY", key),
        };
        heard(program)
    }

    fn direct(&self, mut program: Command) -> Heard {
        let url = format!("http://127.0.0.1:{}", self.twin.port);
        program.env("URL", url).env("TOKEN", KEY);
        heard(program)
    }

    /// Runs the program both ways, with the token of a job that may.
    #[track_caller]
    fn serves(&self, program: impl Fn() -> Command) -> Heard {
        let token = self.world.token("writer", &[]);
        let through = self.through(program(), Login::Token(&token));
        self.compare(&through, &self.direct(program()));
        self.heard_only_its_own_key(&token);
        through
    }

    #[track_caller]
    fn serves_by_certificate(&self, program: impl Fn() -> Command) {
        let (certificate, key) = self.world.certificate("writer");
        let through = self.through(program(), Login::Certificate(&certificate, &key));
        self.compare(&through, &self.direct(program()));
    }

    #[track_caller]
    fn compare(&self, through: &Heard, direct: &Heard) {
        assert!(direct.succeeded, "{}", direct.complained);
        assert!(through.succeeded, "{}", through.complained);
        assert!(!direct.said.is_empty(), "it says nothing that could be compared");
        assert_eq!(through.said, direct.said);
    }

    /// Nothing of what the caller showed reached the target.
    #[track_caller]
    fn heard_only_its_own_key(&self, token: &str) {
        let seen = self.target.seen();
        assert!(!seen.is_empty(), "it went another way");
        for head in seen {
            let text = head.to_string();
            assert!(text.contains(&format!("Bearer {KEY}")), "{text}");
            assert!(!text.contains(token) && !text.contains("Basic"), "{text}");
        }
    }

    /// The program shows the refusal, and nothing of it reached the target.
    #[track_caller]
    fn refuses(&self, mut program: Command) {
        let before = self.target.seen().len();
        let token = self.world.token("writer", &[]);
        program.arg("refused");
        let said = self.through(program, Login::Token(&token)).succeeded();
        for told in [
            "403",
            "application/problem+json",
            "workload `writer` may not GET /v1/secrets/1",
            "forbidden by `no-secrets",
        ] {
            assert!(said.contains(told), "{said}");
        }
        assert_eq!(self.target.seen().len(), before);
    }
}

fn python(file: &str) -> Command {
    let python = format!("{CLIENTS}/.venv/bin/python");
    assert!(
        Path::new(&python).exists(),
        "run tests/clients/prepare first, as `make test` does"
    );
    let mut command = Command::new(python);
    command.arg(format!("{CLIENTS}/{file}"));
    command
}

fn node(file: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(format!("{CLIENTS}/{file}"));
    command
}

/// Lines for the shell, which end at the first that fails.
fn shell(script: &str, folder: &Path) -> Command {
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", script]);
    command.current_dir(folder).env("HOME", folder);
    command.env("VIRTUAL", format!("{CLIENTS}/.venv"));
    // For pip they would count more than what it is told itself.
    for name in ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn requests_httpx_and_fetch_say_through_the_gateway_what_they_say_direct() {
    let house = House::start();
    house.serves(|| python("requests_client.py"));
    house.serves_by_certificate(|| python("requests_client.py"));
    house.refuses(python("requests_client.py"));

    let through = house.serves(|| python("httpx_client.py"));
    assert_eq!(through.complained, "{'HTTP/2'}\n");
    house.serves_by_certificate(|| python("httpx_client.py"));
    house.refuses(python("httpx_client.py"));

    house.serves(|| node("fetch_client.mjs"));
    house.refuses(node("fetch_client.mjs"));
}

/// A job's Git: the password comes from the environment, as a CI system's helper gives it.
const GIT: &str = r#"
export GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 GIT_SSL_CAINFO=${CA:-}
git config --global credential.helper '!f() { echo username=job; echo "password=$TOKEN"; }; f'
git config --global user.name a
git config --global user.email a@shop.example
"#;

#[test]
fn git_clones_and_pushes_with_a_token_as_its_password_and_a_reader_only_clones() {
    let house = House::start();
    let work = r#"
git clone --quiet "$URL/git/parcels.git" parcels
cd parcels
# Git sends what is larger than its buffer in chunks.
"$VIRTUAL/bin/python" -c 'import random, sys; sys.stdout.buffer.write(random.Random(1).randbytes(3_000_000))' > large
git add large
GIT_AUTHOR_DATE=2026-01-01T00:00:00Z GIT_COMMITTER_DATE=2026-01-01T00:00:00Z git commit --quiet --amend --reset-author -m large
git push --quiet origin HEAD:refs/heads/large
git ls-remote origin refs/heads/large
git fetch --quiet origin
git clone --quiet --depth 1 --branch large "$URL/git/parcels.git" ../shallow
sha256sum ../shallow/large
"#;
    house.serves(|| shell(&format!("{GIT}{work}"), &house.folder()));

    let read = r#"
git clone --quiet "$URL/git/parcels.git" parcels
cd parcels
git commit --quiet --allow-empty -m mine
git push --quiet origin HEAD:refs/heads/mine
"#;
    let before = house.target.seen().len();
    let token = house.world.token("report", &[]);
    let read = shell(&format!("{GIT}{read}"), &house.folder());
    let pushed = house.through(read, Login::Token(&token));
    assert!(!pushed.succeeded, "{}", pushed.said);
    // Git shows a status and no body but plain text.
    assert!(pushed.complained.contains("403"), "{}", pushed.complained);
    let seen = house.target.seen();
    let mut lines = seen[before..].iter().map(|head| head["line"].as_str().unwrap());
    assert!(lines.all(|line| !line.starts_with("POST /git/parcels.git/git-receive-pack")));
    house.heard_only_its_own_key(&token);
    house.world.until_recorded("the push is told of", |record| {
        record["kind"] == "refused"
            && record["message"]
                .as_str()
                .is_some_and(|message| message.contains("POST /git/parcels.git/git-receive-pack"))
    });
}

#[test]
fn pip_installs_from_an_index_with_a_token_as_its_password() {
    let house = House::start();
    let install = r#"
with_password=${URL/:\/\//:\/\/job:$TOKEN@}
pip() { "$VIRTUAL/bin/python" -m pip --isolated --disable-pip-version-check --no-input --no-cache-dir ${CA:+--cert $CA} "$@"; }
pip install ${LOUDNESS:---quiet} --index-url "$with_password/simple" --target installed parcel==1.0.0
pip install --quiet --upgrade --index-url "$with_password/simple" --target installed parcel
cat installed/parcel.py
find installed -name 'parcel*' -not -name '*.pyc' | sort
"#;
    house.serves(|| shell(install, &house.folder()));

    let token = house.world.token("report", &[]);
    let before = house.target.seen().len();
    let mut refused = shell(install, &house.folder());
    // Without it pip says only that there is no such package.
    refused.env("LOUDNESS", "-vv");
    let refused = house.through(refused, Login::Token(&token));
    assert!(!refused.succeeded, "{}", refused.said);
    let told = refused.said + &refused.complained;
    assert!(told.contains("403 Client Error: Forbidden"), "{told}");
    assert_eq!(house.target.seen().len(), before);
}

#[test]
fn npm_installs_from_a_registry_with_a_token_as_its_password() {
    let house = House::start();
    let install = r#"
place=${URL#*:}/npm/
{
    echo "registry=$URL/npm/"
    echo "cache=$HOME/cache"
    echo "audit=false"
    echo "fund=false"
    echo "update-notifier=false"
    if [ -n "${CA:-}" ]; then echo "cafile=$CA"; fi
    echo "$place:username=job"
    echo "$place:_password=$(printf %s "$TOKEN" | base64 --wrap 0)"
} > .npmrc
echo '{ "private": true }' > package.json
export npm_config_userconfig=$HOME/.npmrc
npm view parcel versions
npm install --silent parcel@1.0.0
node --print 'require("parcel")'
npm install --silent parcel@latest
node --print 'require("parcel")'
"#;
    house.serves(|| shell(install, &house.folder()));

    let token = house.world.token("report", &[]);
    let before = house.target.seen().len();
    let refused = house.through(shell(install, &house.folder()), Login::Token(&token));
    assert!(!refused.succeeded, "{}", refused.said);
    assert!(
        refused.complained.contains("403"),
        "{}{}",
        refused.said,
        refused.complained
    );
    assert_eq!(house.target.seen().len(), before);
}
