//! The ways to the same database: direct, through PgBouncer, through Postern.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use postern::dev::cluster::free_port;
use postern_tests::{Login, Planes, Wishes, World, heard};

/// A running gateway with pgbench's tables behind it, and all ways to them.
pub struct House {
    pub world: World,
    pub ways: Vec<Way>,
}

impl House {
    pub fn start() -> House {
        let world = world(Wishes {
            policies: Some(policies()),
            ..Wishes::default()
        });
        // The tests' cluster writes every statement down.
        let quiet = world
            .cluster
            .sql("postgres", "alter role all set log_statement = 'none'");
        quiet.expect("the superuser's own statement");
        let mut ways = vec![Way::Direct];
        ways.extend(peer(&world, &world.cluster.port.to_string()));
        let (certificate, key) = world.certificate("all");
        let mut prepare = world.client("pgbench", Login::Certificate(&certificate, &key));
        prepare.args(["--initialize", "--quiet", "--scale=10"]);
        heard(prepare).succeeded();
        ways.push(Way::Postern { certificate, key });
        House { world, ways }
    }

    /// Where PgBouncer stands among the ways.
    pub fn peer(&self) -> Option<usize> {
        self.ways.iter().position(|way| matches!(way, Way::PgBouncer(_)))
    }
}

/// As the peer's run: the gateway's process alone, one worker, and plain text to the database.
pub fn world(wishes: Wishes) -> World {
    World::start(&Wishes {
        planes: Planes::Apart,
        limits: "workers: 1, sessions_max: 20000".into(),
        verify: Some("verify: disable".into()),
        ..wishes
    })
}

/// The peer in front of the database at this port, or a word on why it is missing.
pub fn peer(world: &World, port: &str) -> Option<Way> {
    match pgbouncer(world, port) {
        Ok(peer) => Some(Way::PgBouncer(peer)),
        Err(why) => {
            println!("PgBouncer is missing from the tables: {why}");
            None
        }
    }
}

/// A hundred rules beside those that the work needs.
fn policies() -> String {
    let mut text = include_str!("../../tests/src/shop.cedar").to_owned();
    for number in 0..100 {
        text.push_str(&format!(
            "@id(\"other-{number}\") permit (principal == Postern::Workload::\"other-{number}\", \
             action == Postern::Action::\"select\", resource in Postern::Target::\"shop\");\n"
        ));
    }
    text
}

/// One way, with what pgbench needs to take it.
pub enum Way {
    Direct,
    PgBouncer(PgBouncer),
    Postern { certificate: PathBuf, key: PathBuf },
}

/// PgBouncer in session mode with client TLS, as a team would run it beside its jobs.
pub struct PgBouncer {
    process: Child,
    pub port: u16,
    _folder: PathBuf,
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Way {
    pub fn name(&self) -> &'static str {
        match self {
            Way::Direct => "direct",
            Way::PgBouncer(_) => "PgBouncer",
            Way::Postern { .. } => "Postern",
        }
    }

    /// A program that goes this way.
    pub fn client(&self, world: &World, program: &str) -> Command {
        if let Way::Postern { certificate, key } = self {
            return world.client(program, Login::Certificate(certificate, key));
        }
        let mut command = world.client(program, Login::Token("secret-of-shop_owner"));
        command.env("PGUSER", "shop_owner");
        match self {
            Way::PgBouncer(peer) => command.env("PGPORT", peer.port.to_string()),
            _ => command
                .env("PGPORT", world.cluster.port.to_string())
                .env("PGHOST", "127.0.0.1"),
        };
        command
    }

    /// The proxy's process, if there is one between.
    pub fn pid(&self, world: &World) -> Option<u32> {
        match self {
            Way::Direct => None,
            Way::PgBouncer(peer) => Some(peer.process.id()),
            Way::Postern { .. } => Some(world.pid()),
        }
    }
}

fn pgbouncer(world: &World, to_port: &str) -> Result<PgBouncer, String> {
    let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let program = program.ok_or("pgbouncer is not installed (Debian: pgbouncer)")?;
    let folder = world.folder.join("pgbouncer");
    let failed = |error: std::io::Error| error.to_string();
    fs::create_dir_all(&folder).map_err(failed)?;
    let port = free_port().map_err(failed)?;
    let shown = folder.display();
    for name in ["server.pem", "server.key"] {
        fs::copy(world.folder.join(name), folder.join(name)).map_err(failed)?;
    }
    fs::write(
        folder.join("users.txt"),
        "\"shop_owner\" \"secret-of-shop_owner\"\n",
    )
    .map_err(failed)?;
    fs::write(
        folder.join("pgbouncer.ini"),
        format!(
            "[databases]\n* = host=127.0.0.1 port={to_port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {shown}/users.txt\npool_mode = session\n\
             max_client_conn = 12000\ndefault_pool_size = 1050\nclient_tls_sslmode = require\n\
             client_tls_cert_file = {shown}/server.pem\nclient_tls_key_file = {shown}/server.key\n\
             server_tls_sslmode = disable\nlogfile = {shown}/log\nignore_startup_parameters = extra_float_digits\n\
             log_connections = 0\nlog_disconnections = 0\n"
        ),
    )
    .map_err(failed)?;
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout == b"0\n");
    let mut command = if root {
        // It does not run as root, and must then read its files.
        let opened = Command::new("chmod").arg("a+x").arg(&world.folder).status();
        let owned = Command::new("chown").args(["-R", "nobody"]).arg(&folder).status();
        if !(opened.is_ok_and(|status| status.success()) && owned.is_ok_and(|status| status.success())) {
            return Err("its files cannot be given to an unprivileged user".into());
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", program]);
        command
    } else {
        Command::new(program)
    };
    command
        .arg(folder.join("pgbouncer.ini"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut process = command.spawn().map_err(failed)?;
    for _ in 0..200 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(PgBouncer {
                process,
                port,
                _folder: folder,
            });
        }
        if let Ok(Some(status)) = process.try_wait() {
            return Err(format!("pgbouncer ended with {status}"));
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let _ = process.kill();
    Err("pgbouncer does not listen".into())
}
