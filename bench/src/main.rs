//! Measures Postern beside its peers, interleaved in one run, and prints tables.
//!
//! `cargo run --release -p postern-bench -- postgres | http | decide | audit | revoke`, with `--rounds N`, `--seconds N`,
//! `--only WORDS`.
//! Everything stands on this machine: the ratios count, the absolute figures do not.

mod audit;
mod copy;
mod decide;
mod http;
mod idle;
mod peers;
mod pgbench;
mod process;
mod revoke;
mod spread;

use std::process::ExitCode;

/// What the command line asks for.
struct Wanted {
    rounds: u32,
    seconds: u32,
    /// Only lines that hold these words.
    only: String,
}

impl Wanted {
    fn is_wanted(&self, line: &str) -> bool {
        line.contains(&self.only)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().skip_while(|argument| *argument != name).nth(1);
    let number = |name: &str, default: u32| {
        value(name)
            .and_then(|value| value.parse().ok())
            .unwrap_or(default)
    };
    let wanted = Wanted {
        rounds: number("--rounds", 5).max(1),
        seconds: number("--seconds", 5).max(1),
        only: value("--only").cloned().unwrap_or_default(),
    };
    match arguments.first().map(String::as_str) {
        Some("postgres") => {
            let house = peers::House::start();
            pgbench::run(&house, &wanted);
            copy::run(&house, &wanted);
            drop(house);
            idle::run(&wanted);
        }
        Some("http") => http::run(&wanted),
        Some("decide") => decide::run(&wanted),
        Some("audit") => audit::run(&wanted),
        Some("revoke") => revoke::run(&wanted),
        Some(idle::TARGET) => idle::target(),
        _ => {
            eprintln!(
                "usage: postern-bench postgres | http | decide | audit | revoke [--rounds N] [--seconds N] [--only WORDS]"
            );
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
