//! HTTP beside the peers: the same rule in the words of each, tried before anything is measured, and our records counted
//! afterwards.
//!
//! `house` starts the ways, `config` writes their files, `load` asks; this file tells what is measured, and the tables.

mod config;
mod house;
mod load;
mod proof;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::Wanted;
use crate::spread::Spread;

use house::{House, REPORT, Way};
use load::{Caller, Counted, Groups, Pattern, Trouble};

/// By which door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Plain,
    Mutual,
    Token,
}

/// One thing that is measured.
struct Work {
    name: &'static str,
    door: Door,
    pattern: Pattern,
    groups: Groups,
    /// Whom the last columns compare with.
    peer: &'static str,
    budget: Option<Budget>,
}

/// How much of the peer's figure ours may be.
struct Budget {
    of: Figure,
    at_most: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figure {
    Cpu,
    P50,
}

const fn work(name: &'static str, door: Door, pattern: Pattern, budget: Option<Budget>) -> Work {
    Work {
        name,
        door,
        pattern,
        groups: Groups::X25519,
        peer: match door {
            Door::Plain | Door::Mutual => "Envoy",
            Door::Token => "Envoy, JWT cache",
        },
        budget,
    }
}

const fn at_most(of: Figure, at_most: f64) -> Option<Budget> {
    Some(Budget { of, at_most })
}

const KEEP_ALIVE: Pattern = Pattern::KeepAlive { connections: 16 };
const HANDSHAKE_EACH: Pattern = Pattern::HandshakeEach { connections: 8 };

const WORK: [Work; 7] = [
    work(
        "plaintext, keep-alive, 16 connections",
        Door::Plain,
        KEEP_ALIVE,
        None,
    ),
    work(
        "mTLS HTTP/1.1, 16 connections",
        Door::Mutual,
        KEEP_ALIVE,
        at_most(Figure::Cpu, 0.5),
    ),
    work(
        "mTLS HTTP/2, 4 connections of 8 streams",
        Door::Mutual,
        Pattern::Streams {
            connections: 4,
            streams: 8,
        },
        at_most(Figure::Cpu, 0.65),
    ),
    work(
        "full mTLS handshake a request, 8 at once",
        Door::Mutual,
        HANDSHAKE_EACH,
        at_most(Figure::Cpu, 0.95),
    ),
    Work {
        groups: Groups::PostQuantum,
        ..work(
            "the same, X25519MLKEM768 offered",
            Door::Mutual,
            HANDSHAKE_EACH,
            None,
        )
    },
    work(
        "JWT a request, 16 connections",
        Door::Token,
        KEEP_ALIVE,
        at_most(Figure::Cpu, 0.6),
    ),
    work(
        "2,000 requests/s, mTLS HTTP/1.1, 16 connections",
        Door::Mutual,
        Pattern::Fixed {
            connections: 16,
            per_second: 2_000,
        },
        at_most(Figure::P50, 0.6),
    ),
];

/// Idle connections, beside some that stand before memory is looked at.
const IDLE: u32 = 1_000;
const IDLE_BEFORE: u32 = 100;
const IDLE_KIB_MAX: f64 = 34.0;
const IDLE_NAME: &str = "1,000 idle connections";

/// What one round found.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    requests_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// CPU seconds of the proxy per 100,000 requests.
    cpu_seconds: f64,
}

impl Found {
    fn of(self, figure: Figure) -> f64 {
        match figure {
            Figure::Cpu => self.cpu_seconds,
            Figure::P50 => self.p50_ms,
        }
    }
}

type Rounds = BTreeMap<(usize, usize), BTreeMap<u32, Found>>;

/// What one way has answered, and whether that is all of it.
#[derive(Clone, Copy, Debug, Default)]
struct Answered {
    requests: u64,
    /// A run broke off: it may have done more than was counted.
    broken_off: bool,
}

type ByWay = BTreeMap<&'static str, Answered>;

pub fn run(wanted: &Wanted) {
    let house = House::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut answered = proof::every_way_refuses(&house);
    print_ways(&house);
    let idle = measure_idle(&house, wanted, &runtime, &mut answered);
    let mut found = Rounds::new();
    for round in 1..=wanted.rounds {
        for (number, work) in WORK.iter().enumerate() {
            for (at, way) in house.ways.iter().enumerate() {
                let line = format!("{}, {}", work.name, way.name);
                let Some(caller) = caller(&house, way, work).filter(|_| wanted.is_wanted(&line)) else {
                    continue;
                };
                eprintln!("round {round} of {}: {line}", wanted.rounds);
                let time = Duration::from_secs(wanted.seconds.into());
                match measure(&house, way, work.pattern, (&caller, time), &runtime) {
                    Ok((counted, one)) => {
                        answered.entry(way.name).or_default().requests += counted.asked;
                        found.entry((number, at)).or_default().insert(round, one);
                    }
                    Err(trouble) => {
                        answered.entry(way.name).or_default().broken_off = true;
                        println!("round {round}, {line}: counts for nothing, for {trouble}");
                    }
                }
            }
        }
    }
    print_table(&house, &found, wanted);
    print_idle(&idle);
    print_budgets(&house, &found, &idle);
    proof::every_request_is_logged(&house, &answered);
    proof::every_request_is_recorded(&house, answered.get("Postern").copied().unwrap_or_default());
}

/// Who asks this way for this work, if the way has such a door.
fn caller(house: &House, way: &Way, work: &Work) -> Option<Caller> {
    let alpn: &[u8] = match work.pattern {
        Pattern::Streams { .. } => b"h2",
        Pattern::KeepAlive { .. } | Pattern::HandshakeEach { .. } | Pattern::Fixed { .. } => b"http/1.1",
    };
    // One for each connection, as jobs have them, and new with each round, for they live five minutes.
    let tokens = || (0..16).map(|_| house.world.token(REPORT, &[])).collect();
    let (port, tls, tokens) = match work.door {
        // The peers have no rule about who asks here; we have no door for nobody.
        Door::Plain if way.is_postern() => (way.plain?, None, tokens()),
        Door::Plain => (way.plain?, None, Vec::new()),
        Door::Mutual => {
            let tls = load::client(&house.ca(), Some(&house.report), alpn, work.groups);
            (way.mutual?, Some(tls), Vec::new())
        }
        Door::Token => {
            let tls = load::client(&house.ca(), None, alpn, work.groups);
            (way.token?, Some(tls), tokens())
        }
    };
    Some(Caller { port, tls, tokens })
}

fn measure(
    house: &House,
    way: &Way,
    pattern: Pattern,
    (caller, time): (&Caller, Duration),
    runtime: &Runtime,
) -> Result<(Counted, Found), Trouble> {
    let mut before = 0.0;
    let counted = runtime.block_on(load::run(caller, pattern, time, || before = way.cpu_seconds()))?;
    if way.is_postern() {
        // What it still has to send is its own work, and must not fall into the next one's time.
        proof::until_shipped(house);
    }
    let used = way.cpu_seconds() - before;
    let found = Found {
        requests_per_second: counted.answered as f64 / counted.seconds,
        p50_ms: counted.percentile_ms(50),
        p99_ms: counted.percentile_ms(99),
        cpu_seconds: used * 100_000.0 / (counted.answered as f64).max(1.0),
    };
    Ok((counted, found))
}

/// KiB of each idle connection, by way.
fn measure_idle(
    house: &House,
    wanted: &Wanted,
    runtime: &Runtime,
    answered: &mut ByWay,
) -> Vec<(&'static str, f64)> {
    let tls = load::client(&house.ca(), Some(&house.report), b"http/1.1", Groups::X25519);
    let mut found = Vec::new();
    for way in house.ways.iter().filter(|way| way.pid().is_some()) {
        let line = format!("{IDLE_NAME}, {}", way.name);
        let Some(port) = way.mutual.filter(|_| wanted.is_wanted(&line)) else {
            continue;
        };
        eprintln!("{line}");
        let caller = Caller {
            port,
            tls: Some(tls.clone()),
            tokens: Vec::new(),
        };
        let mut connections = Vec::new();
        let mut open = |count: u32| -> f64 {
            for _ in 0..count / 20 {
                let opened = runtime.block_on(load::open(&caller, 20));
                connections.extend(opened.unwrap_or_else(|trouble| panic!("{line}: {trouble}")));
            }
            if way.is_postern() {
                proof::until_shipped(house);
            }
            way.resident_kib()
        };
        let (before, after) = (open(IDLE_BEFORE), open(IDLE));
        found.push((way.name, (after - before) / f64::from(IDLE)));
        let requests = u64::from(IDLE_BEFORE + IDLE) * load::BEFORE;
        answered.entry(way.name).or_default().requests += requests;
    }
    found
}

fn print_ways(house: &House) {
    println!(
        "\nEach way has refused another path, another method and another caller before it was measured.\n"
    );
    println!("| way | what it enforces | handshake |");
    println!("| --- | --- | --- |");
    let tls = load::client(&house.ca(), Some(&house.report), b"http/1.1", Groups::PostQuantum);
    for way in &house.ways {
        let agreed = way.mutual.map(|port| {
            let caller = Caller {
                port,
                tls: Some(tls.clone()),
                tokens: Vec::new(),
            };
            load::agreed(&caller).unwrap_or_else(|trouble| trouble.to_string())
        });
        println!("| {} | {} | {} |", way.name, way.rule, agreed.unwrap_or_default());
    }
}

fn print_table(house: &House, found: &Rounds, wanted: &Wanted) {
    println!(
        "\n{} rounds of {} s each, interleaved; medians, with the least and the greatest.",
        wanted.rounds, wanted.seconds
    );
    println!(
        "CPU is the proxy's own, in seconds per 100,000 requests, ours until its records are with the control plane; the last \
         columns are beside Envoy, with its JWT cache where there are tokens, round by round.\n"
    );
    println!("| work | way | requests/s | p50, ms | p99, ms | proxy CPU | CPU | p50 | p99 |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let figures: [fn(&Found) -> f64; 4] = [
        |found| found.requests_per_second,
        |found| found.p50_ms,
        |found| found.p99_ms,
        |found| found.cpu_seconds,
    ];
    for (number, work) in WORK.iter().enumerate() {
        for (at, way) in house.ways.iter().enumerate() {
            let Some(rounds) = found.get(&(number, at)) else {
                continue;
            };
            let [throughput, p50, p99, cpu] = figures.map(|figure| Spread::of(rounds.values().map(figure)));
            let beside = |figure: fn(&Found) -> f64| match beside(house, found, (number, at), figure) {
                Some(ratio) if way.name != work.peer => format!("{ratio:.2}×"),
                _ => String::new(),
            };
            println!(
                "| {} | {} | {throughput:.0} | {p50:.3} | {p99:.3} | {cpu:.2} | {} | {} | {} |",
                work.name,
                way.name,
                // The API's own CPU is not a proxy's.
                way.pid()
                    .map_or(String::new(), |_| beside(|found| found.cpu_seconds)),
                beside(|found| found.p50_ms),
                beside(|found| found.p99_ms),
            );
        }
    }
}

/// Each round beside the peer's of the same round: the machine's mood changes between rounds more than within one.
fn beside(
    house: &House,
    found: &Rounds,
    (work, way): (usize, usize),
    figure: fn(&Found) -> f64,
) -> Option<Spread> {
    let name = WORK.get(work)?.peer;
    let peer = house.ways.iter().position(|way| way.name == name)?;
    let (ours, theirs) = (found.get(&(work, way))?, found.get(&(work, peer))?);
    let mut ratios = ours
        .iter()
        .filter_map(|(round, ours)| Some(figure(ours) / figure(theirs.get(round)?)))
        .peekable();
    ratios.peek()?;
    Some(Spread::of(ratios))
}

fn print_idle(idle: &[(&str, f64)]) {
    if idle.is_empty() {
        return;
    }
    println!(
        "\nMemory of {IDLE_NAME} over mTLS that have been answered {} times each; {IDLE_BEFORE} stood before.\n",
        load::BEFORE
    );
    println!("| way | KiB a connection |\n| --- | --- |");
    for (name, kib) in idle {
        println!("| {name} | {kib:.1} |");
    }
}

fn print_budgets(house: &House, found: &Rounds, idle: &[(&str, f64)]) {
    println!("\n| work | budget | here | |\n| --- | --- | --- | --- |");
    let verdict = |here: f64, at_most: f64| match here <= at_most {
        true => "met".to_owned(),
        false => format!("missed by {:.0} %", (here / at_most - 1.0) * 100.0),
    };
    let ours = house.ways.iter().position(Way::is_postern).unwrap_or_default();
    for (number, work) in WORK.iter().enumerate() {
        let Some(Budget { of, at_most }) = work.budget else {
            continue;
        };
        let (figure, words): (fn(&Found) -> f64, _) = match of {
            Figure::Cpu => (|found| found.of(Figure::Cpu), "CPU"),
            Figure::P50 => (|found| found.of(Figure::P50), "p50"),
        };
        let Some(ratio) = beside(house, found, (number, ours), figure) else {
            continue;
        };
        println!(
            "| {}, {words} beside {} | ≤ {at_most}× | {:.2}× | {} |",
            work.name,
            work.peer,
            ratio.median,
            verdict(ratio.median, at_most)
        );
    }
    for (_, kib) in idle.iter().filter(|(name, _)| *name == "Postern") {
        println!(
            "| memory of an idle connection over mTLS | ≤ {IDLE_KIB_MAX} KiB | {kib:.1} KiB | {} |",
            verdict(*kib, IDLE_KIB_MAX)
        );
    }
}
