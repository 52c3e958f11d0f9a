//! Statements that nobody would write, by the hundred thousand: `cargo test --test promises -- --ignored soak`.
//!
//! SQLsmith (Debian's `sqlsmith`) writes them from what it finds in the database. `POSTERN_SOAK_STATEMENTS` says how
//! many; the figures of one run are in `bench/results`.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use postern_tests::{Login, Wishes, World, field};

/// The seeds, each of a process of its own; together they make what is asked for.
const SEEDS: [u32; 2] = [1, 2];

fn statements() -> usize {
    let wished = std::env::var("POSTERN_SOAK_STATEMENTS");
    wished.map_or(100_000, |wished| wished.parse().expect("a number"))
}

#[test]
#[ignore = "takes many minutes"]
fn a_soak_as_one_who_may_do_everything_leaves_no_error_and_a_record_of_each_statement() {
    soak("all", statements());
}

#[test]
#[ignore = "takes many minutes"]
fn a_soak_as_one_who_may_do_little_leaves_no_error_and_a_record_of_each_statement() {
    soak("report", statements() / 5);
}

fn soak(workload: &str, statements: usize) {
    let world = World::start(&Wishes::default());
    let pid = world.pid();
    let begun = Instant::now();
    let each = (statements / SEEDS.len()).to_string();
    let (certificate, key) = world.certificate(workload);
    let outputs: Vec<String> = std::thread::scope(|scope| {
        let smiths: Vec<_> = SEEDS
            .iter()
            .map(|seed| {
                let mut smith = Command::new("sqlsmith");
                world.job(&mut smith, Login::Certificate(&certificate, &key));
                let arguments = [
                    "--target=".to_owned(),
                    format!("--seed={seed}"),
                    format!("--max-queries={each}"),
                    "--verbose".to_owned(),
                ];
                smith.args(arguments).stdin(Stdio::null());
                scope.spawn(move || {
                    let output = smith.output().expect("install sqlsmith");
                    [output.stdout, output.stderr]
                        .iter()
                        .flat_map(|bytes| bytes.utf8_chunks().map(|chunk| chunk.valid().to_owned()))
                        .collect()
                })
            })
            .collect();
        smiths
            .into_iter()
            .map(|smith| smith.join().expect("sqlsmith"))
            .collect()
    });
    let seconds = begun.elapsed().as_secs();
    for output in &outputs {
        println!("{}", output.lines().rev().take(12).collect::<Vec<_>>().join("\n"));
        for broken in [
            "lost synchronization",
            "protocol",
            "server closed the connection",
            "08P01",
        ] {
            assert!(!output.contains(broken), "{broken}");
        }
    }
    assert_eq!(world.pid(), pid, "the gateway is another process");
    let log = fs::read_to_string(world.folder.join("log")).expect("the log");
    let errors: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("\"ERROR\"") || line.contains("panicked"))
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    let ran = ran(&world, workload);
    let last = world.token(workload, &[]);
    world
        .psql(Login::Token(&last), "select 1 as told_last")
        .succeeded();
    world.until("the last record is told", || {
        !world
            .records(&format!("workload={workload}&text=told_last"))
            .is_empty()
    });
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for record in world.records(&format!("workload={workload}")) {
        *kinds.entry(field(&record, "kind").to_owned()).or_default() += 1;
    }
    // The gateway reads the grammar of a newer server; what this one's does not know it refuses and does not log.
    let unread = world.stored_records();
    let unread = unread.iter().filter(|record| record.sqlstate == "42601").count();
    println!(
        "{workload}: {statements} statements in {seconds} s; the server ran {ran} and could not read {unread}; records: {kinds:?}"
    );
    let intents = kinds.get("intent").copied().unwrap_or_default();
    // The server's log tells the client's name for itself in the gateway's words, so those count as intents only.
    // One more is the last, by which we knew that all were told; an intent may be left without its act.
    assert!(
        ran < intents,
        "a statement without a record: {ran} ran, {intents} are recorded"
    );
}

/// How many statements of this workload the server's log tells, without those of the gateway itself.
fn ran(world: &World, workload: &str) -> usize {
    let ours = format!("|{}|LOG:  ", world.database);
    let log = fs::read(&world.cluster.log).expect("the server's log");
    let lines = log.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| std::str::from_utf8(line).ok())
        .filter(|line| line.starts_with(&format!("postern:{workload}")))
        .filter_map(|line| line.split_once(&ours))
        .filter(|(_, said)| said.starts_with("statement: ") && !is_own(said))
        .count()
}

/// What the gateway says for itself, or in place of what it refused.
fn is_own(said: &str) -> bool {
    [
        "statement: SET \"",
        "statement: postern refused",
        "statement: SELECT pg_catalog.json_build_object(",
    ]
    .iter()
    .any(|own| said.starts_with(own))
}
