//! What the house tells: its admin port, its operators' door, its records and the server's own log.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Output};

use postern_control::audit::segment;
use postern_link::wire::Record;
use prost::Message as _;
use serde_json::Value;

use crate::world::{PATIENCE, World, binary};

impl World {
    pub fn admin(&self, path: &str) -> String {
        http(
            self.admin_port,
            &format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
        )
    }

    /// Whether the control plane answers: nothing, while it does not.
    pub fn control_livez(&self) -> String {
        http(
            self.operators_port,
            "GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        )
    }

    /// The snapshot that the gateway decides by.
    pub fn policy_epoch(&self) -> u64 {
        let metrics = self.admin("/metrics");
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("postern_policy_epoch "));
        line.and_then(|epoch| epoch.parse().ok()).unwrap_or(0)
    }

    /// A question to the operators' door, with the operator's token.
    pub fn operators(&self, path: &str) -> Value {
        let answer = self.ask_operators(&format!("GET {path}"), "");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    pub fn post_operators(&self, path: &str, body: &Value) -> String {
        self.ask_operators(&format!("POST {path}"), &body.to_string())
    }

    fn ask_operators(&self, request: &str, body: &str) -> String {
        let token =
            fs::read_to_string(self.folder.join("control/operator.token")).expect("the operator's token");
        let length = body.len();
        http(
            self.operators_port,
            &format!(
                "{request} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
                 content-length: {length}\r\nconnection: close\r\n\r\n{body}",
                token.trim()
            ),
        )
    }

    /// Runs the real binary's other commands against this house.
    pub fn postern(&self, arguments: &[&str]) -> Output {
        Command::new(binary())
            .args(arguments)
            .env(
                "POSTERN_ADDR",
                format!("http://127.0.0.1:{}", self.operators_port),
            )
            .env(
                "POSTERN_TOKEN",
                format!("file:{}", self.folder.join("control/operator.token").display()),
            )
            .env("POSTERN_ADMIN", format!("http://127.0.0.1:{}", self.admin_port))
            .output()
            .expect("postern runs")
    }

    /// Everything the server was asked to run in this world's database, as the server itself logged it.
    pub fn server_log(&self) -> Vec<String> {
        let file = fs::File::open(&self.cluster.log).expect("the server's log");
        let ours = format!("|{}|", self.database);
        BufReader::new(file)
            .lines()
            .map_while(Result::ok)
            .filter(|line| line.contains(&ours))
            .collect()
    }

    /// Every record as it stands in the control plane's segments, read without asking anybody.
    pub fn stored_records(&self) -> Vec<Record> {
        let folder = self.folder.join("control/audit");
        let mut records = Vec::new();
        for first in segment::list(&folder).expect("the log's folder") {
            let reader = segment::Reader::open(&folder, first, usize::MAX).expect("a segment");
            let Ok(mut reader) = reader else { continue };
            // Its end may be written at this moment.
            while let Ok(Some(Ok(frame))) = reader.frame() {
                records.push(Record::decode(frame.record.as_slice()).expect("a record"));
            }
        }
        records
    }

    /// Every record of the control plane that passes a filter, oldest first.
    pub fn records(&self, filter: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.operators(&format!("/v1/records?limit=500&{filter}{after}"));
            let records = page
                .get("records")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            let next = page
                .get("next")
                .and_then(Value::as_str)
                .map(|next| format!("&after={next}"));
            all.extend(records);
            match next {
                Some(next) if next != after => after = next,
                _ => return all,
            }
        }
    }

    /// Waits until the control plane holds a record that fits.
    pub fn until_recorded(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let mut found = None;
        self.until(what, || {
            found = self.records("").into_iter().rev().find(|record| fits(record));
            found.is_some()
        });
        found.expect("it was found")
    }
}

fn http(port: u16, request: &str) -> String {
    let Ok(mut socket) = std::net::TcpStream::connect(("127.0.0.1", port)) else {
        return String::new();
    };
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut answer = Vec::new();
    let _ = socket.write_all(request.as_bytes());
    let _ = socket.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).expect("it speaks UTF-8");
    answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned())
        .unwrap_or_default()
}

/// A text field of a record, or nothing.
pub fn field<'a>(record: &'a Value, name: &str) -> &'a str {
    record.get(name).and_then(Value::as_str).unwrap_or_default()
}
