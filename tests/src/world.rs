//! One house: written down, started, waited for, killed, ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use postern::dev::authority::Authority;
use postern::dev::cluster::Cluster;
use postern::dev::issuer::Issuer;
use rustix::process::{Signal, kill_process};

use crate::files::{Planes, Server, Wishes};
use crate::ground::{create_database, ground, newest};

pub const AUDIENCE: &str = "https://postern.test";
/// Nothing here takes this long unless it never comes.
pub const PATIENCE: Duration = Duration::from_secs(20);

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
    planes: Planes,
    environment: Vec<(&'static str, String)>,
    gateway: Option<Running>,
    control: Option<Running>,
}

/// One of the two processes of planes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    Gateway,
    Control,
}

/// The real binary and the shell that watches over it: when this process ends, however it ends, its end of
/// the pipe closes, and so does the house.
struct Running {
    watcher: Child,
    stdin: ChildStdin,
}

impl World {
    /// The house that tests share which leave it as they found it.
    pub fn shared() -> &'static World {
        static SHARED: OnceLock<World> = OnceLock::new();
        SHARED.get_or_init(|| World::start(&Wishes::default()))
    }

    /// A house of its own, with a database of its own, ready to serve.
    pub fn start(wishes: &Wishes) -> World {
        static DATABASES: AtomicU32 = AtomicU32::new(1);
        let ground = ground();
        let database = format!("shop{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let cluster = match wishes.server {
            Server::Machine => &ground.cluster,
            Server::Newest => newest(),
        };
        create_database(cluster, &database);
        let folder = tempfile::Builder::new()
            .prefix("postern-world-")
            .tempdir()
            .expect("a folder")
            .keep();
        let mut world = World {
            cluster,
            issuer: &ground.issuer,
            trust: &ground.trust,
            folder,
            port: free_port(),
            admin_port: free_port(),
            operators_port: free_port(),
            database,
            planes: wishes.planes,
            environment: wishes.environment.clone(),
            gateway: None,
            control: None,
        };
        world.write(wishes, ground);
        if world.planes == Planes::Apart {
            world.start_control();
        }
        world.start_gateway();
        if wishes.applied {
            world.until("the operators' door is open", || {
                !world.control_livez().is_empty()
            });
            let folder = world.folder.join("resources").display().to_string();
            let output = world.postern(&["apply", "-f", &folder, "--reason", "a test"]);
            assert!(output.status.success(), "{output:?}");
        }
        world.until_ready();
        world
    }

    /// Waits until the gateway serves by what the control plane says now.
    pub fn until_ready(&self) {
        self.until("the gateway is ready", || {
            self.admin("/readyz").starts_with("✓ snapshot\n✓ fresh word")
        });
    }

    /// Starts the gateway, with its control plane if they are one process; does not wait for it.
    pub fn start_gateway(&mut self) {
        let word = match self.planes {
            Planes::Together => "up",
            Planes::Apart => "proxy",
        };
        self.gateway = Some(Running::start(word, &self.folder, &self.environment));
    }

    pub fn start_control(&mut self) {
        self.control = Some(Running::start("control", &self.folder, &[]));
    }

    /// Kills the gateway's process as a power cut would.
    pub fn kill_gateway(&mut self) {
        self.kill_at(Plane::Gateway, |_| true);
    }

    /// Tells the gateway to end, and waits until it has.
    pub fn terminate_gateway(&mut self) {
        let pid = self.pid();
        self.gateway
            .take()
            .expect("the gateway runs")
            .stop(pid, Signal::TERM);
    }

    /// Kills the control plane's process as a power cut would.
    pub fn kill_control(&mut self) {
        self.kill_at(Plane::Control, |_| true);
    }

    /// Kills a plane at the very moment of an event, with nothing to be looked up in between.
    pub fn kill_at(&mut self, plane: Plane, mut moment: impl FnMut(&World) -> bool) {
        const LOOK_INTERVAL: Duration = Duration::from_micros(500);
        let pid = self.running(plane).pid();
        self.until_looking("the moment to kill", LOOK_INTERVAL, || moment(self));
        let running = match plane {
            Plane::Gateway => self.gateway.take(),
            Plane::Control => self.control.take(),
        };
        running.expect("it runs").stop(pid, Signal::KILL);
    }

    fn running(&self, plane: Plane) -> &Running {
        let running = match plane {
            Plane::Gateway => &self.gateway,
            Plane::Control => &self.control,
        };
        running.as_ref().expect("it runs")
    }

    /// The process id of the gateway.
    pub fn pid(&self) -> u32 {
        self.running(Plane::Gateway).pid()
    }

    /// Waits for an event that comes by itself.
    pub fn until(&self, what: &str, happened: impl FnMut() -> bool) {
        self.until_looking(what, Duration::from_millis(5), happened);
    }

    fn until_looking(&self, what: &str, interval: Duration, mut happened: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !happened() {
            if begun.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(40).collect();
                let tail: Vec<&str> = tail.into_iter().rev().collect();
                panic!("waited in vain: {what}\n{}", tail.join("\n"));
            }
            std::thread::sleep(interval);
        }
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
        for running in [self.gateway.take(), self.control.take()].into_iter().flatten() {
            running.end();
        }
    }
}

impl Running {
    fn start(word: &str, folder: &Path, environment: &[(&'static str, String)]) -> Running {
        const SCRIPT: &str = r#""$0" "$2" --config "$1/postern.yaml" & child=$!
cat > /dev/null; kill -TERM $child 2> /dev/null; wait $child; rm -rf "$1""#;
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join("log"))
            .expect("a log");
        let mut watcher = Command::new("sh")
            .args(["-c", SCRIPT])
            .arg(binary())
            .arg(folder)
            .arg(word)
            .env(
                "POSTERN_LOG",
                std::env::var("POSTERN_TEST_LOG").unwrap_or_else(|_| "info".into()),
            )
            .envs(environment.iter().cloned())
            .env("POSTERN_FAULTS", folder.join("faults"))
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("the house's watcher starts");
        let stdin = watcher.stdin.take().expect("a pipe");
        Running { watcher, stdin }
    }

    /// The watcher's child, once there is one.
    fn pid(&self) -> u32 {
        let begun = Instant::now();
        loop {
            let children = Command::new("pgrep")
                .args(["-P", &self.watcher.id().to_string(), "-x", "postern"])
                .output();
            let children = String::from_utf8(children.expect("pgrep runs").stdout).expect("a number");
            if let Ok(pid) = children.trim().parse() {
                return pid;
            }
            assert!(begun.elapsed() < PATIENCE, "the binary does not start");
        }
    }

    /// Ends the process by a signal, and leaves the folder.
    fn stop(mut self, pid: u32, signal: Signal) {
        let raw = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
        kill_process(raw.expect("a process id"), signal).expect("it runs until then");
        // The watcher must not remove the folder, which the next process finds as it is.
        self.watcher.kill().expect("the watcher ends");
        self.watcher.wait().expect("the watcher ends");
        // Once it is only waited for, it holds no file and no port.
        let process = Path::new("/proc").join(pid.to_string());
        let threads = || fs::read_dir(process.join("task")).map_or(0, Iterator::count);
        let waits = || fs::read_to_string(process.join("stat")).is_ok_and(|state| state.contains(") Z "));
        let runs = || threads() > 1 || (threads() == 1 && !waits());
        let begun = Instant::now();
        while runs() {
            assert!(begun.elapsed() < PATIENCE, "a process stays that was to end");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn end(mut self) {
        drop(self.stdin);
        let _ = self.watcher.wait();
    }
}

pub(crate) fn free_port() -> u16 {
    postern::dev::cluster::free_port().expect("a free port")
}

/// The binary that was built with this test or bench: beside it, or one folder up from `deps`.
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("this program has a path");
    let found = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("postern"))
        .find(|path| path.exists());
    found.expect("build the binary first: cargo build --bins")
}
