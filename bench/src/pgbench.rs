//! pgbench through each way, in turns, so that the machine's mood falls on all alike.

use std::collections::BTreeMap;

use postern_tests::heard;

use crate::Wanted;
use crate::peers::{House, Way};
use crate::process::cpu_seconds;
use crate::spread::Spread;

/// One thing that is measured: its name, and pgbench's arguments for it.
const WORK: [(&str, &[&str]); 9] = [
    (
        "select, prepared, 8 clients",
        &["--select-only", "--protocol=prepared", "--client=8"],
    ),
    (
        "select, extended, 8 clients",
        &["--select-only", "--protocol=extended", "--client=8"],
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
    (
        "write, prepared, 8 clients",
        &["--skip-some-updates", "--protocol=prepared", "--client=8"],
    ),
    (
        "grown to 64 sessions",
        &[
            "--select-only",
            "--protocol=prepared",
            "--client=64",
            "--transactions=400",
        ],
    ),
    (
        "grown to 250 sessions",
        &[
            "--select-only",
            "--protocol=prepared",
            "--client=250",
            "--transactions=100",
        ],
    ),
    (
        "grown to 1000 sessions",
        &[
            "--select-only",
            "--protocol=prepared",
            "--client=1000",
            "--transactions=30",
        ],
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
        for (work, (name, arguments)) in WORK.iter().enumerate() {
            for (way, through) in house.ways.iter().enumerate() {
                let line = format!("{name}, {}", through.name());
                if !wanted.is_wanted(&line) {
                    continue;
                }
                eprintln!("round {round} of {}: {line}", wanted.rounds);
                let rounds = found.entry((work, way)).or_default();
                rounds.push(measure(house, through, arguments, wanted.seconds));
            }
        }
    }
    print_table(house, &found, wanted);
}

fn measure(house: &House, way: &Way, arguments: &[&str], seconds: u32) -> Found {
    // Many sessions take longer to open than a round lasts. They have a number of transactions instead of a time,
    // and what the logins cost is measured by one transaction each, and taken off.
    let is_counted = |argument: &&&str| argument.starts_with("--transactions=");
    if arguments.iter().any(|argument| is_counted(&argument)) {
        let others: Vec<&str> = arguments
            .iter()
            .filter(|argument| !is_counted(argument))
            .copied()
            .collect();
        let logins = run_once(house, way, &others, "--transactions=1");
        let whole = run_once(house, way, arguments, "--jobs=1");
        return Found {
            cpu_seconds: (whole.used - logins.used) * 100_000.0
                / (whole.transactions - logins.transactions).max(1.0),
            ..whole.found()
        };
    }
    run_once(house, way, arguments, &format!("--time={seconds}")).found()
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

fn run_once(house: &House, way: &Way, arguments: &[&str], also: &str) -> Counted {
    let mut command = way.client(&house.world, "pgbench");
    command.args(["--no-vacuum", "--jobs=1", also]).args(arguments);
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
    for (work, (name, _)) in WORK.iter().enumerate() {
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
