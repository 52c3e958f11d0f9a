//! What a session costs that does nothing: the proxy's memory at a thousand and at ten thousand of them.
//!
//! Behind them stands a target of our own that speaks just enough of the protocol to be logged in to: ten
//! thousand real backends would not fit this machine.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use postern_tests::rustls_connect::Connect;
use postern_tests::{Login, Wishes, World, hostile};
use tokio::net::TcpListener;
use tokio_postgres::config::SslMode;

use crate::Wanted;
use crate::peers::{self, Way};
use crate::process::resident_kib;

/// The word by which this program starts itself again as the target: a process has only so many files.
pub const TARGET: &str = "target";

/// Twice this many files must be allowed to one process.
const SESSIONS: [usize; 2] = [1_000, 9_900];

/// Logins under way at once.
const TOGETHER: usize = 20;

pub fn run(wanted: &Wanted) {
    if !wanted.is_wanted("idle sessions") {
        return;
    }
    let (world, _target) = silent_house();
    let (certificate, key) = world.certificate("all");
    // It asks one server once for what it tells its clients, and no more until a client asks something.
    let port = world.cluster.port.to_string();
    let mut ways: Vec<Way> = peers::peer(&world, &port).into_iter().collect();
    ways.push(Way::Postern { certificate, key });

    println!(
        "\nMemory of sessions that are logged in and silent; for PgBouncer, no server is behind them.\n"
    );
    println!("| sessions | way | resident, MiB | KiB a session |");
    println!("| --- | --- | --- | --- |");
    for way in &ways {
        let pid = way.pid(&world).unwrap_or_default();
        let mut clients = Vec::new();
        let before = resident_kib(pid);
        for count in SESSIONS {
            eprintln!("{count} idle sessions, {}", way.name());
            world.block_on(log_in(&mut clients, count, way, &world));
            let after = resident_kib(pid);
            println!(
                "| {count} | {} | {:.0} | {:.1} |",
                way.name(),
                after / 1024.0,
                (after - before) / count as f64
            );
        }
    }
}

/// A house before a target that only speaks the protocol.
pub fn silent_house() -> (World, Target) {
    let (target, address) = start_target();
    let credential = |role: &str| {
        format!("    idle_{role}: {{ user: shop_{role}, only_to: [\"{address}\"], verify: disable }}\n")
    };
    let world = peers::world(Wishes {
        credentials: ["owner", "gateway"].map(credential).concat(),
        ..Wishes::default()
    });
    let resources = world
        .resources()
        .replace(&world.cluster.address(), &address)
        .replace("shop_owner: shop_owner", "shop_owner: idle_owner")
        .replace("gateway_role: shop_gateway", "gateway_role: idle_gateway");
    world.change("resources.yaml", &resources);
    (world, target)
}

/// Logs in until there are `count` clients.
async fn log_in(clients: &mut Vec<tokio_postgres::Client>, count: usize, way: &Way, world: &World) {
    let ca = world.folder.join("link-ca.pem");
    let (connect, user, port) = match way {
        Way::Postern { certificate, key } => (
            Connect::new(&ca, Login::Certificate(certificate, key)),
            "postern",
            world.port,
        ),
        Way::PgBouncer(peer) => (Connect::new(&ca, Login::Token("")), "shop_owner", peer.port),
        Way::Direct => unreachable!("nothing stands between"),
    };
    let mut config = tokio_postgres::Config::new();
    config
        .host("localhost")
        .hostaddr([127, 0, 0, 1].into())
        .port(port)
        .user(user)
        .password("secret-of-shop_owner")
        .dbname(&world.database)
        .ssl_mode(SslMode::Require);
    while clients.len() < count {
        let together = (0..TOGETHER.min(count - clients.len())).map(|_| async {
            let (client, connection) = config.connect(connect.clone()).await.expect("a login");
            tokio::spawn(connection);
            client
        });
        clients.extend(futures_util::future::join_all(together).await);
    }
}

/// The target's own process.
pub struct Target(Child);

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_target() -> (Target, String) {
    let own = std::env::current_exe().expect("this program");
    let mut child = Command::new(own)
        .arg(TARGET)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program starts");
    let mut address = String::new();
    let said = BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut address);
    said.expect("an address");
    (Target(child), address.trim().to_owned())
}

/// The target's own process: says where it listens, and serves until the one who started it is gone.
pub fn target() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("an address"));
        let _ = std::io::stdout().flush();
        tokio::spawn(hostile::accept(listener));
        let gone = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
        let _ = gone.await;
    });
}
