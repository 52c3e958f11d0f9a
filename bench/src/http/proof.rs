//! What makes the figures worth reading: every way enforces its rule, every peer writes its log, and what we let pass is
//! recorded, once each.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use postern_control::audit::segment;
use postern_link::wire::{Kind, Record};
use postern_tests::{World, heard};
use prost::Message as _;
use serde_json::Value;

use super::house::{House, OTHER, REPORT};
use super::{Answered, ByWay};

/// The control plane has the records of a round by then, or something is wrong.
const PATIENCE: Duration = Duration::from_secs(120);

const PERMITTED: &str = "/v1/invoices/7";
const FORBIDDEN: &str = "/v1/secrets/7";

/// What a caller shows.
enum Shows<'a> {
    Nothing,
    Certificate(&'a (PathBuf, PathBuf)),
    Token(&'a str),
}

/// Asks each way, with the real curl, for what it must and must not serve.
pub fn every_way_refuses(house: &House) -> ByWay {
    let mut answered = ByWay::new();
    let token = house.world.token(REPORT, &[]);
    let others = house.world.token(OTHER, &[]);
    let (signed, _) = token.rsplit_once('.').expect("a token has a signature");
    let (_, signature) = others.rsplit_once('.').expect("a token has a signature");
    let forged = format!("{signed}.{signature}");
    for way in &house.ways {
        let ask = |port: u16, scheme: &str, shows: &Shows<'_>, words: &[&str], path: &str| {
            let url = format!("{scheme}://localhost:{port}{path}");
            status(house, shows, words, &url)
        };
        let is_served = |status: &str| status == "200";
        let is_refused = |status: &str| matches!(status, "400" | "401" | "403");
        let mut check = |served: bool, what: &str, status: &str| {
            let holds = if served {
                is_served(status)
            } else {
                is_refused(status)
            };
            assert!(holds, "{}: {what} was answered with {status}", way.name);
            if served {
                answered.entry(way.name).or_default().requests += 1;
            }
        };
        let is_direct = way.pid().is_none();
        if let Some(port) = way.plain {
            let shows = if way.is_postern() {
                &Shows::Token(&token)
            } else {
                &Shows::Nothing
            };
            let ask = |words: &[&str], path: &str| ask(port, "http", shows, words, path);
            check(true, "the path", &ask(&[], PERMITTED));
            if !is_direct {
                check(false, "another path", &ask(&[], FORBIDDEN));
                check(false, "another method", &ask(&["--request", "POST"], PERMITTED));
            }
        }
        if let Some(port) = way.mutual {
            let (report, other) = (
                Shows::Certificate(&house.report),
                Shows::Certificate(&house.other),
            );
            for version in ["--http1.1", "--http2"] {
                let ask = |shows: &Shows<'_>, words: &[&str], path: &str| {
                    ask(port, "https", shows, &[words, &[version]].concat(), path)
                };
                check(true, "the path", &ask(&report, &[], PERMITTED));
                if is_direct {
                    continue;
                }
                check(false, "another path", &ask(&report, &[], FORBIDDEN));
                let method = ask(&report, &["--request", "POST"], PERMITTED);
                check(false, "another method", &method);
                check(false, "another caller", &ask(&other, &[], PERMITTED));
                let nobody = ask(&Shows::Nothing, &[], PERMITTED);
                // Most end the connection.
                let nobody = if nobody == "000" { "401" } else { &nobody };
                check(false, "a caller without a certificate", nobody);
            }
        }
        if let Some(port) = way.token {
            let ask = |shows: &Shows<'_>, path: &str| ask(port, "https", shows, &["--http1.1"], path);
            check(true, "the path", &ask(&Shows::Token(&token), PERMITTED));
            check(false, "another path", &ask(&Shows::Token(&token), FORBIDDEN));
            check(false, "another's token", &ask(&Shows::Token(&others), PERMITTED));
            check(false, "a forged token", &ask(&Shows::Token(&forged), PERMITTED));
            check(false, "no token", &ask(&Shows::Nothing, PERMITTED));
        }
    }
    answered
}

fn status(house: &House, shows: &Shows<'_>, words: &[&str], url: &str) -> String {
    let mut command = Command::new("curl");
    command.args(["--silent", "--max-time", "20", "--ipv4", "--output", "/dev/null"]);
    command
        .args(["--write-out", "%{http_code}", "--header", "Host: localhost"])
        .args(words);
    command.arg("--cacert").arg(house.ca());
    match shows {
        Shows::Nothing => {}
        Shows::Certificate((certificate, key)) => {
            command.arg("--cert").arg(certificate).arg("--key").arg(key);
        }
        Shows::Token(token) => {
            command.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
    }
    command.arg(url);
    heard(command).said
}

/// Waits until the control plane has, and has indexed, every record of the gateway.
pub fn until_shipped(house: &House) {
    let begun = Instant::now();
    // Outcomes are written a little later than they happen: it must hold twice.
    let mut held = 0;
    while held < 2 {
        held = if is_shipped(&house.world) { held + 1 } else { 0 };
        assert!(
            begun.elapsed() < PATIENCE,
            "the control plane does not get all records"
        );
        std::thread::sleep(Duration::from_millis(60));
    }
}

fn is_shipped(world: &World) -> bool {
    let metrics = world.admin("/metrics");
    let written = metrics
        .lines()
        .find_map(|line| line.strip_prefix("postern_audit_records_total "));
    let written: u64 = written.and_then(|figure| figure.parse().ok()).unwrap_or(u64::MAX);
    let gateways = world.operators("/v1/gateways");
    let numbers = gateways
        .pointer("/gateways/0/stored")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let stored: u64 = numbers
        .filter_map(|spool| spool.get("number").and_then(Value::as_u64))
        .sum();
    let health = world.operators("/readyz?verbose");
    let behind = health.pointer("/index/behind").and_then(Value::as_u64);
    stored >= written && behind == Some(0)
}

/// Counts the lines of the peers' access logs: as many as they answered, and those that they refused.
pub fn every_request_is_logged(house: &House, answered: &ByWay) {
    let logs: BTreeSet<&PathBuf> = house.ways.iter().filter_map(|way| way.log.as_ref()).collect();
    for log in logs {
        let by = house.ways.iter().filter(|way| way.log.as_ref() == Some(log));
        let requests: u64 = by
            .filter_map(|way| answered.get(way.name))
            .map(|answered| answered.requests)
            .sum();
        let begun = Instant::now();
        // Some write only once a second.
        while lines(log) < requests {
            let shown = log.display();
            assert!(
                begun.elapsed() < PATIENCE,
                "{shown} has no line for some of {requests} requests"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn lines(file: &Path) -> u64 {
    let mut file = BufReader::new(File::open(file).expect("an access log"));
    let mut lines = 0;
    loop {
        let read = file.fill_buf().expect("an access log");
        if read.is_empty() {
            return lines;
        }
        lines += read.iter().filter(|byte| **byte == b'\n').count() as u64;
        let length = read.len();
        file.consume(length);
    }
}

/// Counts in the control plane's own files: an intent and an outcome for each request that was answered, no more.
pub fn every_request_is_recorded(house: &House, answered: Answered) {
    until_shipped(house);
    let (mut intents, mut outcomes) = (0_u64, 0_u64);
    let folder = house.world.folder.join("control/audit");
    for first in segment::list(&folder).expect("the log's folder") {
        let reader = segment::Reader::open(&folder, first, usize::MAX).expect("a segment");
        let mut reader = reader.expect("a segment's beginning");
        while let Some(frame) = reader.frame().expect("the log is read") {
            let frame = frame.expect("the log is whole");
            let record = Record::decode(frame.record.as_slice()).expect("a record");
            match record.kind() {
                Kind::Intent if record.target == "billing" => intents += 1,
                Kind::Outcome => outcomes += 1,
                _ => {}
            }
        }
    }
    let requests = answered.requests;
    if answered.broken_off {
        assert!(
            intents >= requests,
            "{requests} answers, {intents} recorded intents"
        );
    } else {
        assert_eq!(
            (intents, outcomes),
            (requests, requests),
            "an intent and an outcome for each answer"
        );
    }
    println!(
        "\nThe control plane holds {intents} intents and {outcomes} outcomes for the {requests} requests that Postern answered."
    );
}
