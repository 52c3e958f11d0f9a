//! COPY out and in, with wide and with narrow rows, through each way in turns.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::Stdio;
use std::time::Instant;

use crate::Wanted;
use crate::peers::{House, Way};
use crate::process::cpu_seconds;
use crate::spread::Spread;

/// A table that is copied, and the rows it is made of.
struct Table {
    name: &'static str,
    words: &'static str,
    rows: &'static str,
}

const TABLES: [Table; 2] = [
    Table {
        name: "wide",
        words: "rows of 1 KB",
        rows: "select g as id, repeat('x', 1000) as body from generate_series(1, 400000) g",
    },
    Table {
        name: "narrow",
        words: "rows of 14 bytes",
        rows: "select g as id, g as other from generate_series(1, 4000000) g",
    },
];

#[derive(Clone, Copy, Debug)]
struct Found {
    megabytes_per_second: f64,
    /// CPU seconds of the proxy for a gigabyte.
    cpu_seconds: f64,
}

pub fn run(house: &House, wanted: &Wanted) {
    if !(wanted.is_wanted("COPY out") || wanted.is_wanted("COPY in")) {
        return;
    }
    let sql = |text: &str| {
        let ran = house.world.cluster.sql(&house.world.database, text);
        ran.expect("the superuser's own statement");
    };
    let mut found: BTreeMap<(usize, &str, usize), Vec<Found>> = BTreeMap::new();
    for (number, Table { name, rows, .. }) in TABLES.iter().enumerate() {
        sql(&format!(
            "create unlogged table {name} as {rows}; create unlogged table {name}_in (like {name}); \
             alter table {name} owner to shop_owner; alter table {name}_in owner to shop_owner"
        ));
        let path = house.world.folder.join(format!("{name}.copy"));
        let mut fetch = Way::Direct.client(&house.world, "psql");
        fetch.args(["--command", &format!("copy {name} to stdout")]);
        let status = fetch.stdout(File::create(&path).expect("a file")).status();
        assert!(status.is_ok_and(|status| status.success()));
        let megabytes = path.metadata().expect("a file").len() as f64 / 1e6;
        for round in 1..=wanted.rounds {
            for (direction, text) in [
                ("out", format!("copy {name} to stdout")),
                ("in", format!("copy {name}_in from stdin")),
            ] {
                for (way, through) in house.ways.iter().enumerate() {
                    eprintln!(
                        "round {round} of {}: COPY {direction}, {name}, {}",
                        wanted.rounds,
                        through.name()
                    );
                    sql(&format!("truncate {name}_in"));
                    let mut command = through.client(&house.world, "psql");
                    command
                        .args(["--quiet", "--no-psqlrc", "--command", &text])
                        .stdout(Stdio::null());
                    command.stdin(File::open(&path).expect("the rows"));
                    let before = through.pid(&house.world).map_or(0.0, cpu_seconds);
                    let started = Instant::now();
                    let status = command.status();
                    let seconds = started.elapsed().as_secs_f64();
                    assert!(status.is_ok_and(|status| status.success()), "{text}");
                    let used = through.pid(&house.world).map_or(0.0, cpu_seconds) - before;
                    found.entry((number, direction, way)).or_default().push(Found {
                        megabytes_per_second: megabytes / seconds,
                        cpu_seconds: used * 1e3 / megabytes,
                    });
                }
            }
        }
        sql(&format!("drop table {name}, {name}_in"));
    }
    print_table(house, &found);
}

fn print_table(house: &House, found: &BTreeMap<(usize, &str, usize), Vec<Found>>) {
    println!("\nCOPY by psql; CPU is the proxy's own, in seconds for a gigabyte.\n");
    println!("| work | way | MB/s | proxy CPU | MB/s beside PgBouncer | CPU beside PgBouncer |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for ((table, direction, way), rounds) in found {
        let through = &house.ways[*way];
        let speed = Spread::of(rounds.iter().map(|found| found.megabytes_per_second));
        let cpu = Spread::of(rounds.iter().map(|found| found.cpu_seconds));
        let peer = house
            .peer()
            .and_then(|peer| found.get(&(*table, *direction, peer)));
        let peer = peer.filter(|_| matches!(through, Way::Postern { .. }));
        let of_peer = |figure: fn(&Found) -> f64| peer.map(|rounds| Spread::of(rounds.iter().map(figure)));
        println!(
            "| COPY {direction}, {} | {} | {speed:.0} | {cpu:.2} | {} | {} |",
            TABLES[*table].words,
            through.name(),
            speed.beside(of_peer(|found| found.megabytes_per_second)),
            cpu.beside(of_peer(|found| found.cpu_seconds)),
        );
    }
}
