//! A program of `tests/clients` that serves: it says its port on its first line, and ends with this value.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");

/// Python with the packages that `tests/clients/prepare` installs.
pub fn python(script: &str) -> Command {
    let mut command = Command::new(format!("{CLIENTS}/.venv/bin/python"));
    command.arg(format!("{CLIENTS}/{script}"));
    command
}

/// A running server.
pub struct Peer {
    process: Child,
    pub address: SocketAddr,
}

impl Peer {
    pub fn start(script: &str) -> Peer {
        let mut process = python(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts: run tests/clients/prepare");
        let mut port = String::new();
        let said = process.stdout.take().expect("its words");
        BufReader::new(said).read_line(&mut port).expect("a line");
        let port: u16 = port.trim().parse().expect("a port");
        Peer {
            process,
            address: ([127, 0, 0, 1], port).into(),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if self.process.kill().is_ok() {
            let _status = self.process.wait();
        }
    }
}
