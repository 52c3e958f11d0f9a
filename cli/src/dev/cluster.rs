//! A private PostgreSQL cluster from the machine's own server binaries: unprivileged, on a free port of
//! loopback, gone with the process that started it.
//!
//! Blocking: call it from a thread that may wait.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use super::authority::Pair;

/// Who may run a server when we are root: PostgreSQL refuses to.
const UNPRIVILEGED_USERS: [&str; 2] = ["postgres", "nobody"];
/// The path of a unix socket must fit into `sun_path`; the file's own name needs 16 bytes of it.
const SOCKET_FOLDER_BYTES_MAX: usize = 90;
const PORTS_TRIED_MAX: usize = 8;
const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(25);
/// Lines of the server's log that an error shows.
const LOG_LINES_SHOWN: usize = 8;

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "no PostgreSQL server binaries were found: `apt-get install postgresql`, or name their folder in `POSTERN_PG_BIN`"
    )]
    NoBinaries,
    #[error("there is no user `postgres` or `nobody` to run PostgreSQL as, and it refuses to run as root")]
    NoUser,
    #[error(
        "user `{user}` cannot reach `{path}`, where PostgreSQL shall run: choose another folder with `--data`, such as one in `/var/tmp`"
    )]
    Unreachable { user: String, path: PathBuf },
    #[error("`{path}` cannot be used")]
    Unusable { path: PathBuf, source: io::Error },
    #[error("`{program}` cannot be run")]
    NotRun { program: PathBuf, source: io::Error },
    #[error("`{program}` failed: {message}")]
    Failed { program: PathBuf, message: String },
    #[error("PostgreSQL did not start: {log}")]
    NotStarted { log: String },
}

/// What a cluster shall be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Made if it is not there; must be empty.
    pub folder: PathBuf,
    /// Whether the folder goes when the cluster does.
    pub keep: Keep,
    /// A folder that goes too if this process is killed and cannot tidy up itself.
    pub removed_if_killed: Option<PathBuf>,
    /// Lines for `postgresql.conf`, after our own, so that they win.
    pub settings: Vec<String>,
    /// Lines for `pg_hba.conf`, before our own, so that they win.
    pub hba: Vec<String>,
    /// Turns TLS on.
    pub tls: Option<Pair>,
    /// The authority, in PEM, of client certificates that a line of `hba` asks for.
    pub client_ca: Option<String>,
    /// Where `initdb` and `postgres` are, if not where the machine has its own.
    pub binaries: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Folder,
    Nothing,
}

impl Options {
    /// A cluster in plain text whose folder goes with it.
    pub fn new(folder: impl Into<PathBuf>) -> Options {
        Options {
            folder: folder.into(),
            keep: Keep::Nothing,
            removed_if_killed: None,
            settings: Vec::new(),
            hba: Vec::new(),
            tls: None,
            client_ca: None,
            binaries: None,
        }
    }
}

/// A server that is up. Dropping it stops it.
#[derive(Debug)]
pub struct Cluster {
    pub port: u16,
    pub socket_folder: PathBuf,
    /// The server's own log, which a test can read as a witness of what arrived.
    pub log: PathBuf,
    /// Where the machine's own `psql`, `pgbench` and `pg_dump` are.
    pub binaries: PathBuf,
    server_binaries: PathBuf,
    folder: PathBuf,
    keep: Keep,
    removed_if_killed: Option<PathBuf>,
    user: Option<User>,
    server: Option<Child>,
    watcher: Option<Child>,
    _short_socket_folder: Option<tempfile::TempDir>,
}

impl Cluster {
    /// Makes the cluster and waits until it answers.
    pub fn start(options: Options) -> Result<Cluster, Error> {
        let binaries = binaries().ok_or(Error::NoBinaries)?;
        let user = unprivileged_user()?;
        let folder = make_folder(&options.folder, user.as_ref())?;
        let (socket_folder, short) = socket_folder(&folder, user.as_ref())?;
        let mut cluster = Cluster {
            port: 0,
            socket_folder,
            log: folder.join("server.log"),
            server_binaries: options.binaries.clone().unwrap_or_else(|| binaries.clone()),
            binaries,
            keep: options.keep,
            removed_if_killed: options.removed_if_killed.clone(),
            user,
            server: None,
            watcher: None,
            _short_socket_folder: short,
            folder,
        };
        cluster.initialize(&options)?;
        cluster.launch()?;
        Ok(cluster)
    }

    /// `host:port` over TCP.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A libpq connection string for the superuser, by the unix socket.
    pub fn superuser(&self, database: &str) -> String {
        let socket = self.socket_folder.display();
        format!("host={socket} port={} user=postgres dbname={database}", self.port)
    }

    /// Runs SQL as the superuser, all or nothing, and returns what it printed: rows without decoration.
    pub fn sql(&self, database: &str, text: &str) -> Result<String, Error> {
        let mut command = Command::new(self.binaries.join("psql"));
        clean(&mut command);
        // Several threads may ask at once, so each has a script of its own.
        static SCRIPTS: AtomicU64 = AtomicU64::new(0);
        let script = self
            .folder
            .join(format!("script-{}.sql", SCRIPTS.fetch_add(1, Ordering::Relaxed)));
        let unusable = |source| Error::Unusable {
            path: script.clone(),
            source,
        };
        super::files::write_secret(&script, text.as_bytes()).map_err(unusable)?;
        command.args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--single-transaction",
        ]);
        command.args([
            "--set",
            "ON_ERROR_STOP=1",
            "--dbname",
            &self.superuser(database),
            "--file",
        ]);
        let printed = run(command.arg(&script));
        fs::remove_file(&script).map_err(unusable)?;
        printed
    }

    /// Makes a database; nothing may do so inside a transaction.
    pub fn create_database(&self, name: &str, owner: &str) -> Result<(), Error> {
        let mut command = Command::new(self.binaries.join("createdb"));
        clean(&mut command);
        let socket = self.socket_folder.as_os_str();
        command.args([
            "--username=postgres",
            "--maintenance-db=postgres",
            "--owner",
            owner,
        ]);
        command
            .arg("--port")
            .arg(self.port.to_string())
            .arg("--host")
            .arg(socket);
        run(command.arg(name)).map(drop)
    }

    /// Stops the server and starts it on the same port, as an operator's restart would.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.halt();
        self.launch_on(self.port)
    }

    /// Stops the server at once, without a checkpoint: nothing of it is needed any more.
    pub fn halt(&mut self) {
        if let Some(mut watcher) = self.watcher.take() {
            drop(watcher.kill());
            drop(watcher.wait());
        }
        let Some(mut server) = self.server.take() else {
            return;
        };
        signal(&server, Signal::QUIT);
        let deadline = Instant::now() + STOP_TIMEOUT;
        while matches!(server.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(POLL);
        }
        drop(server.kill());
        drop(server.wait());
    }

    fn initialize(&self, options: &Options) -> Result<(), Error> {
        let data = self.folder.join("data");
        let mut initdb = self.command("initdb");
        initdb.args([
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]);
        initdb.args([
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "--no-instructions",
        ]);
        run(initdb.arg("--pgdata").arg(&data))?;
        let mut settings = String::from(
            "listen_addresses = '127.0.0.1'\nmax_connections = 100\npassword_encryption = 'scram-sha-256'\n\
             # What is in here can be made again: nothing waits for the disk.\n\
             fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nautovacuum = off\n\
             log_line_prefix = '%m [%p] %q%u@%d %a '\nlog_timezone = 'UTC'\ntimezone = 'UTC'\n",
        );
        settings.push_str(&format!(
            "unix_socket_directories = '{}'\n",
            self.socket_folder.display()
        ));
        if let Some(pair) = &options.tls {
            self.write(&data.join("server.crt"), &pair.certificate)?;
            self.write(&data.join("server.key"), &pair.key)?;
            settings.push_str("ssl = on\n");
        }
        if let Some(authority) = &options.client_ca {
            self.write(&data.join("client-ca.crt"), authority)?;
            settings.push_str("ssl_ca_file = 'client-ca.crt'\n");
        }
        for line in &options.settings {
            settings.push_str(line);
            settings.push('\n');
        }
        let mut hba = options.hba.join("\n");
        hba.push_str("\nlocal all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n");
        self.write(&data.join("postern.conf"), &settings)?;
        self.write(&data.join("pg_hba.conf"), &hba)?;
        self.write(&data.join("postgresql.conf"), "include 'postern.conf'\n")
    }

    fn launch(&mut self) -> Result<(), Error> {
        let mut last = Error::NotStarted {
            log: "no port of 127.0.0.1 is free".into(),
        };
        for _ in 0..PORTS_TRIED_MAX {
            let port = free_port().map_err(|source| Error::Unusable {
                path: self.folder.clone(),
                source,
            })?;
            match self.launch_on(port) {
                // Somebody else may have taken the port since it was free.
                Err(Error::NotStarted { log }) if log.contains("Address already in use") => {
                    last = Error::NotStarted { log };
                }
                other => return other,
            }
        }
        Err(last)
    }

    fn launch_on(&mut self, port: u16) -> Result<(), Error> {
        self.port = port;
        let log = File::create(&self.log).map_err(|source| Error::Unusable {
            path: self.log.clone(),
            source,
        })?;
        let same = log.try_clone().map_err(|source| Error::Unusable {
            path: self.log.clone(),
            source,
        })?;
        let mut command = self.command("postgres");
        command
            .arg("-D")
            .arg(self.folder.join("data"))
            .arg("-p")
            .arg(port.to_string());
        // Its own process group: a Ctrl-C in the terminal is for us, and we stop it when we are done with it.
        command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(same)
            .process_group(0);
        let program = self.server_binaries.join("postgres");
        let server = command
            .spawn()
            .map_err(|source| Error::NotRun { program, source })?;
        self.watcher = Some(self.watch(&server)?);
        self.server = Some(server);
        let ready = self.wait_until_ready();
        if ready.is_err() {
            self.halt();
        }
        ready
    }

    /// A shell that outlives us if we are killed, and then stops the server and removes what was not to be kept.
    fn watch(&self, server: &Child) -> Result<Child, Error> {
        const SCRIPT: &str = "cat >/dev/null; kill -QUIT \"$1\" 2>/dev/null; \
             while kill -0 \"$1\" 2>/dev/null; do sleep 0.1; done; \
             shift; if [ $# -gt 0 ]; then rm -rf -- \"$@\"; fi";
        let program = PathBuf::from("/bin/sh");
        let mut command = Command::new(&program);
        command.args(["-c", SCRIPT, "postern-cluster", &server.id().to_string()]);
        if self.keep == Keep::Nothing {
            command.arg(&self.folder);
        }
        command.args(&self.removed_if_killed);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        command
            .spawn()
            .map_err(|source| Error::NotRun { program, source })
    }

    fn wait_until_ready(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let ended = self
                .server
                .as_mut()
                .is_none_or(|server| !matches!(server.try_wait(), Ok(None)));
            if ended || Instant::now() > deadline {
                return Err(Error::NotStarted { log: self.log_end() });
            }
            let number = self.server.as_ref().map(|server| server.id().to_string());
            let lock =
                fs::read_to_string(self.folder.join("data").join("postmaster.pid")).unwrap_or_default();
            if is_ready(&lock, &number.unwrap_or_default()) {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
    }

    fn log_end(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(LOG_LINES_SHOWN);
        lines.get(from..).unwrap_or_default().join("\n")
    }

    /// One of the server's programs, run as who may run it.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.server_binaries.join(program));
        clean(&mut command);
        command.current_dir(&self.folder);
        if let Some(user) = &self.user {
            command
                .uid(user.uid)
                .gid(user.gid)
                .env("HOME", &self.folder)
                .env("USER", &user.name);
        }
        command
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), Error> {
        let unusable = |source| Error::Unusable {
            path: path.to_owned(),
            source,
        };
        super::files::write_secret(path, text.as_bytes()).map_err(unusable)?;
        own(path, self.user.as_ref()).map_err(unusable)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.halt();
        if self.keep == Keep::Nothing {
            drop(fs::remove_dir_all(&self.folder));
        }
    }
}

/// The folder of the server's programs: as told, as `pg_config` says, or the newest that Debian installs.
pub fn binaries() -> Option<PathBuf> {
    if let Some(told) = std::env::var_os("POSTERN_PG_BIN") {
        return Some(PathBuf::from(told)).filter(|folder| has_server(folder));
    }
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .filter(|(_, folder)| has_server(folder))
        .collect();
    versions.sort();
    versions.pop().map(|(_, folder)| folder).or_else(configured)
}

fn configured() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let folder = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    has_server(&folder).then_some(folder)
}

fn has_server(folder: &Path) -> bool {
    ["initdb", "postgres", "psql"]
        .iter()
        .all(|program| folder.join(program).is_file())
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct User {
    name: String,
    uid: u32,
    gid: u32,
}

fn unprivileged_user() -> Result<Option<User>, Error> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = UNPRIVILEGED_USERS
        .iter()
        .find_map(|name| account(&accounts, name));
    found.map(Some).ok_or(Error::NoUser)
}

fn account(accounts: &str, name: &str) -> Option<User> {
    let line = accounts
        .lines()
        .find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(User {
        name: name.to_owned(),
        uid,
        gid,
    })
}

fn make_folder(path: &Path, user: Option<&User>) -> Result<PathBuf, Error> {
    let unusable = |source| Error::Unusable {
        path: path.to_owned(),
        source,
    };
    fs::create_dir_all(path).map_err(unusable)?;
    let path = path.canonicalize().map_err(unusable)?;
    if fs::read_dir(&path).map_err(unusable)?.next().is_some() {
        return Err(unusable(io::Error::other("it is not empty")));
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(unusable)?;
    own(&path, user).map_err(unusable)?;
    if let Some(user) = user {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "cd -- \"$1\"", "postern-cluster"])
            .arg(&path)
            .current_dir("/");
        command.uid(user.uid).gid(user.gid).stderr(Stdio::null());
        if !command.status().is_ok_and(|status| status.success()) {
            return Err(Error::Unreachable {
                user: user.name.clone(),
                path,
            });
        }
    }
    Ok(path)
}

/// In the cluster's folder, or in a short one of its own if the path would be too long for a socket.
fn socket_folder(folder: &Path, user: Option<&User>) -> Result<(PathBuf, Option<tempfile::TempDir>), Error> {
    let unusable = |source| Error::Unusable {
        path: folder.to_owned(),
        source,
    };
    if folder.as_os_str().len() <= SOCKET_FOLDER_BYTES_MAX {
        return Ok((folder.to_owned(), None));
    }
    let short = tempfile::Builder::new()
        .prefix("postern-")
        .tempdir_in("/tmp")
        .map_err(unusable)?;
    own(short.path(), user).map_err(unusable)?;
    Ok((short.path().to_owned(), Some(short)))
}

fn own(path: &Path, user: Option<&User>) -> io::Result<()> {
    match user {
        Some(user) => std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid)),
        None => Ok(()),
    }
}

/// The server writes `ready` into its lock file once it accepts connections; an earlier one's may lie about.
fn is_ready(lock: &str, number: &str) -> bool {
    lock.lines().next() == Some(number) && lock.lines().any(|line| line.trim() == "ready")
}

/// A port that nobody listens on, given once: below those that the system gives to outgoing connections.
pub fn free_port() -> io::Result<u16> {
    const FIRST: u16 = 10_240;
    const COUNT: u32 = 20_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Each process begins elsewhere, so that two of them rarely look at the same port at once.
    let begin = std::process::id().wrapping_mul(977);
    for _ in 0..COUNT {
        let number = begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = FIRST.saturating_add(u16::try_from(number).unwrap_or_default());
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

/// What the caller's environment says about PostgreSQL is about another one.
fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("PG")) {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C.UTF-8");
}

fn run(command: &mut Command) -> Result<String, Error> {
    let program = PathBuf::from(command.get_program());
    let output = command.stdin(Stdio::null()).output();
    let Output {
        status,
        stdout,
        stderr,
    } = output.map_err(|source| Error::NotRun {
        program: program.clone(),
        source,
    })?;
    if status.success() {
        return String::from_utf8(stdout).map_err(|_| Error::Failed {
            program,
            message: "it did not print UTF-8".into(),
        });
    }
    let message = String::from_utf8(stderr).unwrap_or_default();
    Err(Error::Failed {
        program,
        message: message.trim().to_owned(),
    })
}

fn signal(child: &Child, signal: Signal) {
    // A child that has not been waited for keeps its number, so nobody else can be hit.
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _gone = kill_process(pid, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts =
            "postgresql:x:7:8::/:/bin/sh\npostgres:x:101:104:PostgreSQL:/var/lib:/bin/bash\nbad:x:y:z\n";
        let postgres = User {
            name: "postgres".into(),
            uid: 101,
            gid: 104,
        };
        assert_eq!(account(accounts, "postgres"), Some(postgres));
        assert_eq!(account(accounts, "nobody"), None);
        assert_eq!(account(accounts, "bad"), None);
    }

    #[test]
    fn a_cluster_answers_restarts_and_leaves_nothing_behind() {
        let parent = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o711))
            .tempdir()
            .unwrap();
        let folder = parent.path().join("cluster");
        let mut options = Options::new(&folder);
        options.settings.push("log_statement = 'all'".into());
        let mut cluster = Cluster::start(options).unwrap();
        assert_eq!(cluster.sql("postgres", "select 40 + 2").unwrap(), "42\n");
        assert!(
            fs::read_to_string(&cluster.log)
                .unwrap()
                .contains("select 40 + 2")
        );
        assert!(matches!(
            cluster.sql("postgres", "select 1/0"),
            Err(Error::Failed { .. })
        ));
        let port = cluster.port;
        cluster.restart().unwrap();
        assert_eq!(cluster.port, port);
        let pid = cluster.server.as_ref().unwrap().id();
        drop(cluster);
        assert!(!folder.exists());
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn what_is_killed_leaves_no_server_and_no_folder_behind() {
        let parent = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o711))
            .tempdir()
            .unwrap();
        let beside = parent.path().join("beside");
        fs::create_dir(&beside).unwrap();
        let mut options = Options::new(parent.path().join("cluster"));
        options.removed_if_killed = Some(beside.clone());
        let mut cluster = Cluster::start(options).unwrap();
        let mut server = cluster.server.take().unwrap();
        // What the end of a process does: its end of the pipe closes.
        let mut watcher = cluster.watcher.take().unwrap();
        drop(watcher.stdin.take());
        server.wait().unwrap();
        watcher.wait().unwrap();
        assert!(!cluster.folder.exists());
        assert!(!beside.exists());
    }

    #[test]
    fn a_folder_that_is_not_empty_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("precious"), "x").unwrap();
        let error = Cluster::start(Options::new(folder.path())).unwrap_err();
        assert!(matches!(error, Error::Unusable { .. }), "{error}");
        assert!(folder.path().join("precious").exists());
    }
}
