//! The ways to the same API: direct, through Envoy, HAProxy and nginx with the rule that ours has, through Postern.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use postern::dev::authority::spiffe_id;
use postern::dev::cluster::free_port;
use postern_tests::api::{BEARER, KEY};
use postern_tests::{Wishes, World, heard};
use rcgen::{DistinguishedName, DnType};

use super::config;
use crate::process::{cpu_seconds, family, resident_kib};

/// Whose requests are measured, and who is refused.
pub const REPORT: &str = "report";
pub const OTHER: &str = "migrate";

/// Rules beside the one that the work needs: half of the same workload, half of others.
const OTHER_RULES: u32 = 99;

/// What stands on which core: proxies on one, everything else on the other.
#[derive(Clone, Copy, Debug)]
struct Cores {
    proxy: u32,
    rest: u32,
}

pub struct House {
    pub ways: Vec<Way>,
    _upstream: Process,
    /// Certificates by the workload's name, which is also their common name.
    pub report: (PathBuf, PathBuf),
    pub other: (PathBuf, PathBuf),
    /// Ends last: its folder has the files of all.
    pub world: World,
}

/// One way, by its doors; a door that it does not have is left out of the tables with a word.
pub struct Way {
    pub name: &'static str,
    pub plain: Option<u16>,
    pub mutual: Option<u16>,
    pub token: Option<u16>,
    /// What it enforces, and by what it knows who asks.
    pub rule: &'static str,
    /// The file that has a line for each request.
    pub log: Option<PathBuf>,
    process: Runs,
}

enum Runs {
    /// It is the API itself.
    Nowhere,
    Here(Process),
    /// In the process of another way, or the house's.
    As(u32),
}

/// A server that ends with this program.
pub struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // As it is asked to end itself, so are its own children.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

impl Way {
    pub fn pid(&self) -> Option<u32> {
        match &self.process {
            Runs::Nowhere => None,
            Runs::Here(process) => Some(process.0.id()),
            Runs::As(pid) => Some(*pid),
        }
    }

    pub fn cpu_seconds(&self) -> f64 {
        self.pid().map_or(0.0, |pid| family(pid).map(cpu_seconds).sum())
    }

    pub fn resident_kib(&self) -> f64 {
        self.pid().map_or(0.0, |pid| family(pid).map(resident_kib).sum())
    }

    pub fn is_postern(&self) -> bool {
        self.name == "Postern"
    }
}

/// What the peers' files are written from.
pub struct Ground<'a> {
    pub world: &'a World,
    pub folder: PathBuf,
    /// Where the API listens.
    pub api: u16,
}

impl Ground<'_> {
    /// Where a peer writes its access log.
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}-access.log"))
    }
}

impl House {
    pub fn start() -> House {
        let cores = cores();
        // What this program starts from here on stands where it stands.
        pin(std::process::id(), cores.rest);
        let api = port();
        let world = world(api);
        pin(world.pid(), cores.proxy);
        let folder = world.folder.join("peers");
        fs::create_dir_all(&folder).expect("a folder");
        let (report, other) = (certificate(&world, REPORT), certificate(&world, OTHER));
        let ground = Ground {
            world: &world,
            folder,
            api,
        };
        let mutual = port();
        let upstream = config::upstream(&ground, mutual);
        let upstream = start(&ground, "nginx", &upstream, cores.rest);
        let upstream =
            upstream.unwrap_or_else(|why| panic!("the API is an nginx: {why} (Debian: nginx-light)"));
        until_listening(&upstream.0, api);
        let mut ways = vec![Way {
            name: "nginx direct",
            plain: Some(api),
            mutual: Some(mutual),
            token: None,
            rule: "none: it is the API itself",
            log: None,
            process: Runs::Nowhere,
        }];
        ways.extend(missed("Envoy", envoy(&ground, cores)));
        ways.extend(missed("HAProxy", haproxy(&ground, cores)));
        ways.extend(missed("nginx", nginx(&ground, cores)));
        ways.push(Way {
            name: "Postern",
            plain: Some(world.port),
            mutual: Some(world.port),
            token: Some(world.port),
            rule: "the SPIFFE id of the certificate, or the token's claims; method and path; 100 rules; each request recorded \
                   before and after; a token where there is no TLS",
            log: None,
            process: Runs::As(world.pid()),
        });
        House {
            world,
            ways,
            report,
            other,
            _upstream: upstream,
        }
    }

    pub fn ca(&self) -> PathBuf {
        self.world.folder.join("link-ca.pem")
    }
}

/// The gateway alone in its process, one worker; the control plane stands with the load.
fn world(api: u16) -> World {
    let address = format!("127.0.0.1:{api}");
    let world = crate::peers::world(Wishes {
        gateway: "  plain_http_on_loopback: true\n".to_owned(),
        credentials: format!("    billing: {{ {BEARER}, only_to: [\"{address}\"], verify: disable }}\n"),
        policies: Some(policies()),
        environment: vec![("POSTERN_TEST_API_KEY", KEY.to_owned())],
        ..Wishes::default()
    });
    let target = format!(
        "---\nkind: Target\nname: billing\nserver_names: [localhost]\n\
         http: {{ address: \"{address}\", credential: billing }}\n"
    );
    world.change("resources.yaml", &format!("{}{target}", world.resources()));
    world
}

fn policies() -> String {
    let mut text = include_str!("../../../tests/src/shop.cedar").to_owned();
    let mut rule = |id: &str, workload: &str, path: &str| {
        text.push_str(&format!(
            "@id(\"{id}\") permit (principal == Postern::Workload::\"{workload}\", \
             action == Postern::Action::\"GET\", resource in Postern::Path::\"billing:{path}\");\n"
        ));
    };
    rule("invoices", REPORT, "/v1/invoices");
    for number in 0..OTHER_RULES {
        let workload = match number % 2 {
            0 => REPORT.to_owned(),
            _ => format!("other-{number}"),
        };
        rule(
            &format!("other-{number}"),
            &workload,
            &format!("/v1/other/{number}"),
        );
    }
    text
}

/// An SVID whose common name is the workload too: two of the peers can read nothing else.
fn certificate(world: &World, workload: &str) -> (PathBuf, PathBuf) {
    let pair = world.trust.svid_with(&spiffe_id(workload), |params| {
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, workload);
    });
    world.write_pair(&pair.expect("a certificate"))
}

fn envoy(ground: &Ground<'_>, cores: Cores) -> Result<Vec<Way>, String> {
    let program = envoy_program().ok_or("it is not installed: .ci/needs bench")?;
    let ports = config::EnvoyPorts {
        plain: port(),
        mutual: port(),
        token: port(),
        cached: port(),
    };
    let file = ground.folder.join("envoy.json");
    fs::write(&file, config::envoy(ground, &ports)).map_err(|error| error.to_string())?;
    let mut command = on_core(cores.proxy, program);
    command.arg("--config-path").arg(&file);
    command.args([
        "--concurrency",
        "1",
        "--disable-hot-restart",
        "--log-level",
        "error",
    ]);
    let process = spawn(ground, "envoy", command)?;
    for port in [ports.plain, ports.mutual, ports.token, ports.cached] {
        until_listening(&process.0, port);
    }
    let (pid, log) = (process.0.id(), ground.log("envoy"));
    Ok(vec![
        Way {
            name: "Envoy",
            plain: Some(ports.plain),
            mutual: Some(ports.mutual),
            token: Some(ports.token),
            rule: "RBAC on the SPIFFE id (or a claim that `jwt_authn` verified), method and path; access log to a file",
            log: Some(log.clone()),
            process: Runs::Here(process),
        },
        Way {
            name: "Envoy, JWT cache",
            plain: None,
            mutual: None,
            token: Some(ports.cached),
            rule: "the same, with `jwt_cache_config`",
            log: Some(log),
            process: Runs::As(pid),
        },
    ])
}

fn haproxy(ground: &Ground<'_>, cores: Cores) -> Result<Vec<Way>, String> {
    let (plain, mutual, token) = (port(), port(), port());
    let file = ground.folder.join("haproxy.cfg");
    let text = config::haproxy(ground, plain, mutual, token);
    fs::write(&file, text).map_err(|error| error.to_string())?;
    let mut command = on_core(cores.proxy, "haproxy");
    command.arg("-db").arg("-f").arg(&file);
    let process = spawn(ground, "haproxy", command)?;
    for port in [plain, mutual, token] {
        until_listening(&process.0, port);
    }
    Ok(vec![Way {
        name: "HAProxy",
        plain: Some(plain),
        mutual: Some(mutual),
        token: Some(token),
        rule: "the certificate's common name, as 2.6 cannot read its URI name (or a token's claims by `jwt_verify`); method \
               and path; log to a file",
        log: Some(ground.folder.join("haproxy.log")),
        process: Runs::Here(process),
    }])
}

fn nginx(ground: &Ground<'_>, cores: Cores) -> Result<Vec<Way>, String> {
    let (plain, mutual) = (port(), port());
    let process = start(
        ground,
        "nginx-proxy",
        &config::nginx(ground, plain, mutual),
        cores.proxy,
    )?;
    for port in [plain, mutual] {
        until_listening(&process.0, port);
    }
    Ok(vec![Way {
        name: "nginx",
        plain: Some(plain),
        mutual: Some(mutual),
        token: None,
        rule: "the certificate's subject, as it cannot read its URI name; method and path; access log to a file; it reads no \
               tokens",
        log: Some(ground.log("nginx")),
        process: Runs::Here(process),
    }])
}

/// Starts an nginx, whichever part it plays.
fn start(ground: &Ground<'_>, part: &str, text: &str, core: u32) -> Result<Process, String> {
    let file = ground.folder.join(format!("{part}.conf"));
    fs::write(&file, text).map_err(|error| error.to_string())?;
    let log = ground.folder.join(format!("{part}.errors"));
    let mut command = on_core(core, "/usr/sbin/nginx");
    command.arg("-e").arg(log).arg("-c").arg(&file);
    spawn(ground, part, command)
}

fn missed(name: &str, started: Result<Vec<Way>, String>) -> Vec<Way> {
    started.unwrap_or_else(|why| {
        println!("{name} is missing from the tables: {why}");
        Vec::new()
    })
}

fn on_core(core: u32, program: impl AsRef<std::ffi::OsStr>) -> Command {
    // However this program ends, what it started ends with it.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "taskset", "-c", &core.to_string()]);
    command.arg(program);
    command
}

/// What it says itself goes to a file: HAProxy says its access log so.
fn spawn(ground: &Ground<'_>, name: &str, mut command: Command) -> Result<Process, String> {
    let failed = |error: std::io::Error| error.to_string();
    let log = fs::File::create(ground.folder.join(format!("{name}.log"))).map_err(failed)?;
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(failed)?)
        .stderr(log);
    command.spawn().map(Process).map_err(failed)
}

fn until_listening(process: &Child, port: u16) {
    let begun = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        let pid = process.id();
        assert!(
            Path::new(&format!("/proc/{pid}/exe")).exists() && begun.elapsed() < Duration::from_secs(20),
            "a server that was started for the bench does not listen: its words are in the world's folder, peers/*.log"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Where `.ci/needs bench` puts it.
fn envoy_program() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let target = own.ancestors().find(|folder| folder.ends_with("target"))?;
    let versions = fs::read_dir(target.join("peers/envoy/lib")).ok()?;
    let mut programs = versions
        .flatten()
        .map(|version| version.path().join("site-packages/envoy/_bin/envoy"));
    programs.find(|program| program.exists())
}

fn port() -> u16 {
    free_port().expect("a free port")
}

/// The first two cores that this program may use.
fn cores() -> Cores {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let allowed = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let ranges = allowed.unwrap_or_default().trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?)
    });
    let mut cores = ranges.flatten();
    let (proxy, rest) = (cores.next().unwrap_or(0), cores.next());
    if rest.is_none() {
        println!("There is one core only: the proxies share it with the load.");
    }
    Cores {
        proxy,
        rest: rest.unwrap_or(proxy),
    }
}

fn pin(pid: u32, core: u32) {
    let mut command = Command::new("taskset");
    command.args(["-a", "-c", "-p", &core.to_string(), &pid.to_string()]);
    heard(command).succeeded();
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let lists: HashSet<String> = tasks
        .filter_map(|task| fs::read_to_string(task.path().join("status")).ok())
        .filter_map(|status| {
            let mut lines = status.lines();
            lines.find_map(|line| Some(line.strip_prefix("Cpus_allowed_list:")?.trim().to_owned()))
        })
        .collect();
    assert_eq!(
        lists,
        HashSet::from([core.to_string()]),
        "every thread stands on its core"
    );
}
