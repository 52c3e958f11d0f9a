//! Clients that never stop asking and come back whenever they are cut off. Each statement is marked with a
//! word that no other has, so that the server's log and the record can be laid beside each other.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::ground::ground;
use crate::rustls_connect::Connect;
use crate::{Login, World};

/// Between two tries to connect: a gateway that is gone refuses at once.
const AGAIN: Duration = Duration::from_millis(5);

/// A running load; ends when it is told so.
pub struct Load {
    told: Arc<Told>,
    clients: Vec<tokio::task::JoinHandle<()>>,
    pgbench: JoinHandle<()>,
}

/// What the clients share, and know at the end.
#[derive(Debug, Default)]
struct Told {
    stop: AtomicBool,
    marks: AtomicU64,
    answered: AtomicU64,
    succeeded: Mutex<HashSet<String>>,
}

/// How a client asks.
#[derive(Clone, Copy)]
enum Asks {
    Simply,
    Prepared,
}

/// Where a client connects, without the world, which changes meanwhile.
#[derive(Clone)]
struct Door {
    port: u16,
    database: String,
    ca: PathBuf,
    certificate: (PathBuf, PathBuf),
}

impl Load {
    /// Four clients of ours, simple and extended, and pgbench with two.
    pub fn start(world: &World) -> Load {
        let certificate = world.certificate("writer");
        let door = Door {
            port: world.port,
            database: world.database.clone(),
            ca: world.folder.join("link-ca.pem"),
            certificate: certificate.clone(),
        };
        let told = Arc::new(Told::default());
        let clients = [Asks::Simply, Asks::Simply, Asks::Prepared, Asks::Prepared]
            .map(|asks| ground().runtime.spawn(ask(door.clone(), asks, told.clone())));
        let script = world.folder.join("bench.sql");
        fs::write(
            &script,
            "\\set n random(1, 1000000000000000)\nselect id as bench_:n from orders where id = 7;\n",
        )
        .expect("a script");
        let mut bench = world.client("pgbench", Login::Certificate(&certificate.0, &certificate.1));
        bench.args([
            "--no-vacuum",
            "--client=2",
            "--time=36000",
            "--rate=100",
            "--file",
        ]);
        bench
            .arg(script)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let pgbench = std::thread::spawn({
            let told = told.clone();
            move || {
                while !told.stop.load(Ordering::Relaxed) {
                    watch(bench.spawn().expect("pgbench starts"), &told.stop);
                }
            }
        });
        Load {
            told,
            clients: clients.into(),
            pgbench,
        }
    }

    /// How many statements of our clients were answered so far.
    pub fn answered(&self) -> u64 {
        self.told.answered.load(Ordering::Relaxed)
    }

    /// Ends it, and tells the marks that our clients heard the rows of, and how many they sent.
    pub fn stop(self) -> (HashSet<String>, u64) {
        self.told.stop.store(true, Ordering::Relaxed);
        self.pgbench.join().expect("pgbench ends");
        for client in self.clients {
            ground().runtime.block_on(client).expect("a client ends");
        }
        let succeeded = self.told.succeeded.lock().unwrap_or_else(PoisonError::into_inner);
        (succeeded.clone(), self.told.marks.load(Ordering::Relaxed))
    }
}

/// pgbench gives up when it is cut off; it must not outlive the load.
fn watch(mut bench: Child, stop: &AtomicBool) {
    while bench.try_wait().expect("pgbench is ours").is_none() {
        if stop.load(Ordering::Relaxed) {
            bench.kill().expect("pgbench ends");
        }
        std::thread::sleep(AGAIN);
    }
}

async fn ask(door: Door, asks: Asks, told: Arc<Told>) {
    while !told.stop.load(Ordering::Relaxed) {
        let Ok(client) = door.connect().await else {
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        while !told.stop.load(Ordering::Relaxed) {
            let mark = format!("mark_{}_", told.marks.fetch_add(1, Ordering::Relaxed));
            let sql = format!("select id as {mark} from orders where id = 1");
            let answered = match asks {
                Asks::Simply => client.simple_query(&sql).await.map(drop),
                Asks::Prepared => client.query(&sql, &[]).await.map(drop),
            };
            if answered.is_err() {
                break;
            }
            told.answered.fetch_add(1, Ordering::Relaxed);
            told.succeeded
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(mark);
        }
    }
}

impl Door {
    async fn connect(&self) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config
            .host("localhost")
            .port(self.port)
            .user("postern")
            .dbname(&self.database)
            .ssl_mode(tokio_postgres::config::SslMode::Require);
        let (certificate, key) = &self.certificate;
        let login = Login::Certificate(certificate, key);
        let (client, connection) = config.connect(Connect::new(&self.ca, login)).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

/// The word that marks a statement, wherever it stands.
pub fn mark(text: &str) -> Option<&str> {
    let begin = ["mark_", "bench_"].iter().find_map(|word| text.find(word))?;
    text.get(begin..)?.split_whitespace().next()
}
