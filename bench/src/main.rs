//! Measures Postern beside its peers, interleaved in one run, and prints one table.
//!
//! `cargo run --release -p postern-bench -- postgres [--rounds N] [--seconds N] [--only WORDS]`. Everything stands
//! on this machine: the ratios count, the absolute figures do not.

mod peers;
mod postgres;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().skip_while(|argument| *argument != name).nth(1);
    let number = |name: &str, default: u32| {
        value(name)
            .and_then(|value| value.parse().ok())
            .unwrap_or(default)
    };
    match arguments.first().map(String::as_str) {
        Some("postgres") => {
            let only = value("--only").map_or("", String::as_str);
            postgres::run(number("--rounds", 5), number("--seconds", 5), only);
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: postern-bench postgres [--rounds N] [--seconds N] [--only WORDS]");
            ExitCode::from(2)
        }
    }
}
