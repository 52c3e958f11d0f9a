//! How long it takes from an operator's word to the end of what it stops: for every client the time until its
//! connection is closed, and for statements that run, until the server has no backend of theirs.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use postern_tests::rustls_connect::Connect;
use postern_tests::{Login, Wishes, World};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_postgres::config::SslMode;

use crate::Wanted;
use crate::idle::silent_house;
use crate::peers;
use crate::process::cpu_seconds;

/// Before a target of our own; each is two files of the gateway, and a process has only so many.
const SILENT: usize = 9_900;
/// Before PostgreSQL, each with a statement that runs.
const RUNNING: usize = 500;
/// Logins under way at once.
const TOGETHER: usize = 20;
const RUNS: &str = "select pg_sleep(3000)";

pub fn run(wanted: &Wanted) {
    println!("\nFrom the order to the end of what it stops, in milliseconds.\n");
    println!("| sessions | revoked | answered | p50 | p99 | max | backends gone | CPU of both planes |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    if wanted.is_wanted("silent") {
        let (world, _target) = silent_house();
        measure(&world, SILENT, false);
    }
    if wanted.is_wanted("running") {
        let world = peers::world(Wishes::default());
        measure(&world, RUNNING, true);
    }
}

/// One session of many, then all that are left.
fn measure(world: &World, count: usize, running: bool) {
    let name = if running { "running" } else { "silent" };
    eprintln!("{count} {name} sessions");
    let (ended, mut ends) = mpsc::unbounded_channel();
    let _clients = world.block_on(log_in(world, count, running, &ended));
    if running {
        world.until("all statements run", || backends(world) == count);
    }
    let session = || {
        let listed = world.operators("/v1/sessions?live=true&limit=1");
        listed.pointer("/sessions/0/id").cloned().unwrap_or_default()
    };
    world.until("a session is listed", || session().is_string());
    let one = json!({ "session": session() });
    report(world, &mut ends, one, &format!("{count} {name} | one"), 1, None);
    let left = running.then_some(0);
    let all = json!({ "workload": "all" });
    report(
        world,
        &mut ends,
        all,
        &format!("{count} {name} | all"),
        count - 1,
        left,
    );
}

type Ends = mpsc::UnboundedReceiver<Instant>;

/// Revokes, and prints when this many connections had ended, and when so many backends were left.
fn report(world: &World, ends: &mut Ends, of: Value, line: &str, count: usize, left: Option<usize>) {
    let before = cpu_seconds(world.pid());
    let begun = Instant::now();
    let body = json!({ "of": of, "reason": "a measurement" });
    let answer = world.post_operators("/v1/revocations", &body);
    let answered = begun.elapsed();
    assert!(answer.contains("\"complete\":true"), "{answer}");
    let mut times: Vec<Duration> = Vec::new();
    while times.len() < count {
        let at = ends.blocking_recv().expect("a client");
        times.push(at.duration_since(begun));
    }
    times.sort_unstable();
    let gone = left.map_or_else(String::new, |left| {
        world.until("the backends are gone", || backends(world) == left);
        milliseconds(begun.elapsed())
    });
    let at = |hundredths: usize| milliseconds(times[(times.len() - 1) * hundredths / 100]);
    let used = Duration::from_secs_f64((cpu_seconds(world.pid()) - before).max(0.0));
    let times = [
        milliseconds(answered),
        at(50),
        at(99),
        at(100),
        gone,
        milliseconds(used),
    ];
    println!("| {line} | {} |", times.join(" | "));
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.0}", duration.as_secs_f64() * 1_000.0)
}

fn backends(world: &World) -> usize {
    let asked = format!("select count(*) from pg_stat_activity where query = '{RUNS}' and state = 'active'");
    let counted = world.cluster.sql("postgres", &asked).expect("a count");
    counted.trim().parse().expect("a number")
}

/// Clients that are logged in, and tell when their connection has ended.
async fn log_in(
    world: &World,
    count: usize,
    running: bool,
    ended: &mpsc::UnboundedSender<Instant>,
) -> Vec<tokio_postgres::Client> {
    let (certificate, key) = world.certificate("all");
    let connect = Connect::new(
        &world.folder.join("link-ca.pem"),
        Login::Certificate(&certificate, &key),
    );
    let mut config = tokio_postgres::Config::new();
    config
        .host("localhost")
        .hostaddr([127, 0, 0, 1].into())
        .port(world.port)
        .user("postern")
        .dbname(&world.database)
        .ssl_mode(SslMode::Require);
    let mut clients = Vec::new();
    while clients.len() < count {
        let together = (0..TOGETHER.min(count - clients.len())).map(|_| async {
            let (client, connection) = config.connect(connect.clone()).await.expect("a login");
            let ended = ended.clone();
            tokio::spawn(async move {
                // However it ends, it has ended.
                drop(connection.await);
                let _ = ended.send(Instant::now());
            });
            client
        });
        clients.extend(join_all(together).await);
    }
    if running {
        for client in &clients {
            // Sent when it is first looked at; nobody waits for the answer.
            let mut asked = Box::pin(client.batch_execute(RUNS));
            let looked = std::future::poll_fn(|context| {
                let _ = asked.as_mut().poll(context);
                std::task::Poll::Ready(())
            });
            looked.await;
        }
    }
    clients
}
