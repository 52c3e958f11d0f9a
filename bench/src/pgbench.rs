//! pgbench through each way, in turns, so that the machine's mood falls on all alike.

use std::collections::BTreeMap;

use postern_tests::heard;

use crate::Wanted;
use crate::peers::{House, Way};
use crate::process::cpu_seconds;
use crate::spread::Spread;

/// One thing that is measured.
struct Work {
    name: &'static str,
    /// pgbench's, as one would type them.
    options: &'static str,
    /// How many transactions each client runs, where a time would not do.
    transactions: Option<u32>,
}

const fn work(name: &'static str, options: &'static str) -> Work {
    Work {
        name,
        options,
        transactions: None,
    }
}

/// Many sessions take longer to open than a round lasts.
const fn grown(name: &'static str, options: &'static str, transactions: u32) -> Work {
    Work {
        name,
        options,
        transactions: Some(transactions),
    }
}

const WORK: [Work; 9] = [
    work(
        "select, prepared, 8 clients",
        "--select-only --protocol=prepared --client=8",
    ),
    work(
        "select, extended, 8 clients",
        "--select-only --protocol=extended --client=8",
    ),
    work(
        "select, simple, 8 clients",
        "--select-only --protocol=simple --client=8",
    ),
    work(
        "select, prepared, 1 client",
        "--select-only --protocol=prepared --client=1",
    ),
    work(
        "connect, ask, leave",
        "--select-only --protocol=simple --client=4 --connect",
    ),
    work(
        "write, prepared, 8 clients",
        "--skip-some-updates --protocol=prepared --client=8",
    ),
    grown(
        "grown to 64 sessions",
        "--select-only --protocol=prepared --client=64",
        400,
    ),
    grown(
        "grown to 250 sessions",
        "--select-only --protocol=prepared --client=250",
        100,
    ),
    grown(
        "grown to 1000 sessions",
        "--select-only --protocol=prepared --client=1000",
        30,
    ),
];

/// What one round found.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    transactions_per_second: f64,
    latency_ms: f64,
    /// CPU seconds of the proxy per 100,000 transactions.
    cpu_seconds: f64,
}

pub fn run(house: &House, wanted: &Wanted) {
    let mut found: BTreeMap<(usize, usize), Vec<Found>> = BTreeMap::new();
    for round in 1..=wanted.rounds {
        for (number, work) in WORK.iter().enumerate() {
            for (way, through) in house.ways.iter().enumerate() {
                let line = format!("{}, {}", work.name, through.name());
                if !wanted.is_wanted(&line) {
                    continue;
                }
                eprintln!("round {round} of {}: {line}", wanted.rounds);
                let rounds = found.entry((number, way)).or_default();
                rounds.push(measure(house, through, work, wanted.seconds));
            }
        }
    }
    print_table(house, &found, wanted);
}

fn measure(house: &House, way: &Way, work: &Work, seconds: u32) -> Found {
    let Some(transactions) = work.transactions else {
        return run_once(house, way, work, &format!("--time={seconds}")).found();
    };
    // What the logins cost is measured by one transaction each, and taken off.
    let logins = run_once(house, way, work, "--transactions=1");
    let whole = run_once(house, way, work, &format!("--transactions={transactions}"));
    Found {
        cpu_seconds: (whole.used - logins.used) * 100_000.0
            / (whole.transactions - logins.transactions).max(1.0),
        ..whole.found()
    }
}

/// One run of pgbench, as it was counted.
struct Counted {
    transactions: f64,
    transactions_per_second: f64,
    latency_ms: f64,
    /// CPU seconds of the proxy.
    used: f64,
}

impl Counted {
    fn found(&self) -> Found {
        Found {
            transactions_per_second: self.transactions_per_second,
            latency_ms: self.latency_ms,
            cpu_seconds: self.used * 100_000.0 / self.transactions.max(1.0),
        }
    }
}

fn run_once(house: &House, way: &Way, work: &Work, length: &str) -> Counted {
    let mut command = way.client(&house.world, "pgbench");
    command
        .args(["--no-vacuum", "--jobs=1", length])
        .args(work.options.split(' '));
    let before = way.pid(&house.world).map_or(0.0, cpu_seconds);
    let said = heard(command).succeeded();
    let used = way.pid(&house.world).map_or(0.0, cpu_seconds) - before;
    let figure = |prefix: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(prefix));
        line.and_then(|line| line.split([' ', '/']).next()?.parse::<f64>().ok())
            .unwrap_or_default()
    };
    Counted {
        transactions: figure("number of transactions actually processed: "),
        transactions_per_second: figure("tps = "),
        latency_ms: figure("latency average = "),
        used,
    }
}

fn print_table(house: &House, found: &BTreeMap<(usize, usize), Vec<Found>>, wanted: &Wanted) {
    if found.is_empty() {
        return;
    }
    println!(
        "\n{} rounds of {} s each, interleaved; medians, with the least and the greatest.",
        wanted.rounds, wanted.seconds
    );
    println!(
        "CPU is the proxy's own, in seconds per 100,000 transactions; the last columns are beside PgBouncer, round by round.\n"
    );
    println!("| work | way | transactions/s | latency, ms | proxy CPU | CPU | transactions/s | latency |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let spread = |work: usize, way: usize, figure: fn(&Found) -> f64| {
        let rounds = found.get(&(work, way))?;
        Some(Spread::of(rounds.iter().map(figure)))
    };
    let figures: [fn(&Found) -> f64; 3] = [
        |found| found.cpu_seconds,
        |found| found.transactions_per_second,
        |found| found.latency_ms,
    ];
    // Each round beside the peer's of the same round: the machine's mood changes between rounds more than within one.
    let beside = |work: usize, way: usize, figure: fn(&Found) -> f64| {
        let (ours, theirs) = (found.get(&(work, way))?, found.get(&(work, house.peer()?))?);
        let ratios = ours
            .iter()
            .zip(theirs)
            .map(|(ours, theirs)| figure(ours) / figure(theirs));
        Some(format!("{:.2}×", Spread::of(ratios)))
    };
    for (work, Work { name, .. }) in WORK.iter().enumerate() {
        for (number, way) in house.ways.iter().enumerate() {
            let [Some(cpu), Some(throughput), Some(latency)] =
                figures.map(|figure| spread(work, number, figure))
            else {
                continue;
            };
            let ratios = match way {
                Way::Postern { .. } => figures.map(|figure| beside(work, number, figure).unwrap_or_default()),
                Way::Direct | Way::PgBouncer(_) => Default::default(),
            };
            println!(
                "| {name} | {} | {throughput:.0} | {latency:.3} | {cpu:.2} | {} |",
                way.name(),
                ratios.join(" | ")
            );
        }
    }
}
