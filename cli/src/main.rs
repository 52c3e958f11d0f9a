//! The one binary: reads the words, runs the command, says what went wrong.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use postern::arguments::{Arguments, Command};
use postern::command;
use postern::trouble::{Exit, Trouble};
use tracing_subscriber::EnvFilter;

/// Many small values come and go on a worker's thread, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if matches!(
        arguments.command,
        Command::Up(_) | Command::Proxy(_) | Command::Control(_)
    ) {
        log_to_standard_error();
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Trouble::new("the runtime could not be started").because(&error)),
    };
    match runtime.block_on(command::run(arguments.command)) {
        Ok(exit) => exit.into(),
        Err(trouble) => fail(&trouble),
    }
}

fn fail(trouble: &Trouble) -> ExitCode {
    eprintln!("error: {trouble}");
    match trouble.exit {
        Exit::Success => Exit::Failure.into(),
        exit => exit.into(),
    }
}

/// For people on a terminal, else one JSON object a line. `POSTERN_LOG` chooses how much.
fn log_to_standard_error() {
    let filter = EnvFilter::try_from_env("POSTERN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let coloured = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(coloured);
    if terminal {
        builder.init()
    } else {
        builder.json().init()
    }
}
