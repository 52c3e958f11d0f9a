//! pgbench through each way, in turns, so that the machine's mood falls on all alike.

use std::collections::BTreeMap;
use std::fs;

use postern_tests::{Login, Planes, Wishes, World, heard};

use crate::peers::{Way, pgbouncer};

/// One thing that is measured: its name, and pgbench's arguments for it.
const WORK: [(&str, &[&str]); 4] = [
    (
        "select, prepared, 8 clients",
        &["--select-only", "--protocol=prepared", "--client=8"],
    ),
    (
        "select, simple, 8 clients",
        &["--select-only", "--protocol=simple", "--client=8"],
    ),
    (
        "select, prepared, 1 client",
        &["--select-only", "--protocol=prepared", "--client=1"],
    ),
    (
        "connect, ask, leave",
        &["--select-only", "--protocol=simple", "--client=4", "--connect"],
    ),
];

/// What one round found.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    transactions_per_second: f64,
    /// CPU seconds of the proxy per 100,000 transactions.
    cpu_seconds: f64,
}

/// Measures the work whose line holds the words `only`, by every way.
pub fn run(rounds: u32, seconds: u32, only: &str) {
    // As the peer's run: the gateway's process alone, one worker, and plain text to the database.
    let wishes = Wishes {
        planes: Planes::Apart,
        limits: "workers: 1".into(),
        verify: Some("verify: disable".into()),
        policies: Some(policies()),
        ..Wishes::default()
    };
    let world = World::start(&wishes);
    let (certificate, key) = world.certificate("all");
    let mut ways = vec![Way::Direct];
    match pgbouncer(&world) {
        Ok(peer) => ways.push(Way::PgBouncer(peer)),
        Err(why) => println!("PgBouncer is missing from this table: {why}"),
    }
    ways.push(Way::Postern {
        certificate: certificate.clone(),
        key: key.clone(),
    });
    let mut prepare = world.client("pgbench", Login::Certificate(&certificate, &key));
    prepare.args(["--initialize", "--quiet", "--scale=10"]);
    heard(prepare).succeeded();

    let mut found: BTreeMap<(usize, usize), Vec<Found>> = BTreeMap::new();
    for round in 1..=rounds {
        for (work, (name, arguments)) in WORK.iter().enumerate() {
            for (way, through) in ways.iter().enumerate() {
                let line = format!("{name}, {}", through.name());
                if !line.contains(only) {
                    continue;
                }
                eprintln!("round {round} of {rounds}: {line}");
                found
                    .entry((work, way))
                    .or_default()
                    .push(measure(&world, through, arguments, seconds));
            }
        }
    }
    print_table(&ways, &found, rounds, seconds);
}

fn measure(world: &World, way: &Way, arguments: &[&str], seconds: u32) -> Found {
    let mut command = way.client(world, "pgbench");
    command
        .args(["--no-vacuum", "--jobs=1", &format!("--time={seconds}")])
        .args(arguments);
    let before = way.pid(world).map_or(0.0, cpu_seconds);
    let said = heard(command).succeeded();
    let used = way.pid(world).map_or(0.0, cpu_seconds) - before;
    let figure = |prefix: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(prefix));
        line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    let transactions = figure("number of transactions actually processed: ");
    Found {
        transactions_per_second: figure("tps = "),
        cpu_seconds: used * 100_000.0 / transactions.max(1.0),
    }
}

/// User and system time of a process, in seconds (proc(5), fields 14 and 15).
fn cpu_seconds(pid: u32) -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    ticks / TICKS_PER_SECOND
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

fn print_table(ways: &[Way], found: &BTreeMap<(usize, usize), Vec<Found>>, rounds: u32, seconds: u32) {
    println!("\n{rounds} rounds of {seconds} s each, interleaved; medians, with the least and the greatest.");
    println!("CPU is the proxy's own, in seconds per 100,000 transactions.\n");
    println!("| work | way | transactions/s | proxy CPU | CPU beside PgBouncer |");
    println!("| --- | --- | --- | --- | --- |");
    for (work, (name, _)) in WORK.iter().enumerate() {
        let peer = ways.iter().position(|way| matches!(way, Way::PgBouncer(_)));
        let peer = peer
            .and_then(|way| found.get(&(work, way)))
            .map(|rounds| median(rounds, |found| found.cpu_seconds).1);
        for (number, way) in ways.iter().enumerate() {
            let Some(rounds) = found.get(&(work, number)) else {
                continue;
            };
            let (least, middle, most) = median(rounds, |found| found.transactions_per_second);
            let cpu = median(rounds, |found| found.cpu_seconds);
            let beside = match (way, peer) {
                (Way::Postern { .. }, Some(peer)) if peer > 0.0 => format!("{:.2}×", cpu.1 / peer),
                _ => String::new(),
            };
            println!(
                "| {name} | {} | {middle:.0} ({least:.0}–{most:.0}) | {:.2} ({:.2}–{:.2}) | {beside} |",
                way.name(),
                cpu.1,
                cpu.0,
                cpu.2
            );
        }
    }
}

/// Least, median and greatest.
fn median(rounds: &[Found], figure: impl Fn(&Found) -> f64) -> (f64, f64, f64) {
    let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    let at = |index: usize| figures.get(index).copied().unwrap_or(0.0);
    (at(0), at(figures.len() / 2), at(figures.len().saturating_sub(1)))
}
