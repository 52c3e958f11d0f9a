//! Records a second: into a gateway's spool, and into the control plane's log.

use std::collections::HashMap;
use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postern_control::audit::note::Signer;
use postern_control::audit::{self as log, append::Batch};
use postern_control::keys::SigningKey;
use postern_control::store::Spool as LogSpool;
use postern_link::wire::{Effect, Kind, Record};
use postern_proxy::audit::spool::{Room, Spool};
use postern_proxy::audit::{Audit, Outcome, part};
use postern_proxy::config::Durability;

use crate::Wanted;
use crate::spread::Spread;

const FILE_BYTES: u64 = 16 * 1024 * 1024;

pub fn run(wanted: &Wanted) {
    println!("\n| what is written | records/s | MB/s |");
    println!("| --- | --- | --- |");
    for (durability, together) in [
        (Durability::Process, 1),
        (Durability::Process, 8),
        (Durability::Disk, 1),
        (Durability::Disk, 64),
    ] {
        let rounds: Vec<(f64, f64)> = (0..wanted.rounds)
            .map(|_| spool(wanted, durability, together))
            .collect();
        print(
            &format!("spool, durability {durability:?}, {together} at once").to_lowercase(),
            &rounds,
        );
    }
    for (records, under_way) in [(1, 1), (200, 1), (2_000, 1), (2_000, 8)] {
        let rounds: Vec<(f64, f64)> = (0..wanted.rounds)
            .map(|_| append(wanted, records, under_way))
            .collect();
        print(
            &format!("log, synced, batches of {records}, {under_way} under way"),
            &rounds,
        );
    }
}

fn print(name: &str, rounds: &[(f64, f64)]) {
    let records = Spread::of(rounds.iter().map(|(records, _)| *records));
    let megabytes = Spread::of(rounds.iter().map(|(_, megabytes)| *megabytes));
    println!("| {name} | {records:.0} | {megabytes:.1} |");
}

/// A record as a short statement makes it.
fn record() -> Record {
    Record {
        workload: "billing-export".into(),
        evidence: "certificate".into(),
        issuer: "spiffe://example.test".into(),
        subject: "spiffe://example.test/billing-export".into(),
        source: "127.0.0.1".into(),
        target: "shop".into(),
        database: "shop".into(),
        role: "shop_reader".into(),
        text: "select id, status from orders where id = $1".into(),
        text_digest: vec![7; 32],
        effects: vec![Effect {
            action: "select".into(),
            resource: "shop/shop/public/orders".into(),
            columns: vec!["id".into(), "status".into()],
            ..Effect::default()
        }],
        permitted: true,
        rules: vec!["report-orders".into()],
        policy_epoch: 7,
        search_path: "pg_catalog, public".into(),
        ..Record::default()
    }
}

/// Intents, each with its outcome; `together` of them wait for the same write or sync.
fn spool(wanted: &Wanted, durability: Durability, together: usize) -> (f64, f64) {
    let folder = tempfile::tempdir().expect("a folder");
    let room = Room {
        spool_bytes_max: 1 << 40,
        file_bytes_max: FILE_BYTES,
        record_bytes_max: 1 << 20,
        durability,
    };
    let (spool, _) =
        Spool::open(folder.path(), 0, 1, room, &Arc::default(), |_, _| Vec::new()).expect("a spool");
    let progress = spool.progress().clone();
    let audit = Rc::new(Audit::new(spool, "bench"));
    let part = part(&record());
    let (started, mut records, mut bytes) = (Instant::now(), 0_u64, 0);
    while started.elapsed() < Duration::from_secs(wanted.seconds.into()) {
        let entries: Vec<_> = (0..together)
            .map(|_| audit.intent([1; 16], &[&part]).expect("room"))
            .collect();
        match durability {
            Durability::Process => audit.flush().expect("a write"),
            Durability::Disk => {
                let (files, number) = audit.unsynced().expect("files").expect("something new");
                files.iter().try_for_each(File::sync_data).expect("a sync");
                audit.synced(number);
            }
        }
        for entry in entries {
            entry.close(postern_link::wire::Status::Done, &Outcome::default());
        }
        records += 2 * together as u64;
        if records % 4_096 == 0 {
            // As the shipper does: what is stored elsewhere leaves the disk.
            progress.acknowledge(progress.written());
        }
        bytes += together * (part.len() + 200);
    }
    let seconds = started.elapsed().as_secs_f64();
    (records as f64 / seconds, bytes as f64 / seconds / 1e6)
}

/// Batches into the log, each acknowledged when it is synced and under a checkpoint.
fn append(wanted: &Wanted, records: u64, under_way: u64) -> (f64, f64) {
    let folder = tempfile::tempdir().expect("a folder");
    let key = SigningKey::open(&folder.path().join("log.key")).expect("a key");
    let limits = postern_control::config::Limits::default();
    let opened = log::open(
        &folder.path().join("log"),
        Signer::new("bench.test", key),
        &limits,
    )
    .expect("a log");
    let spool = |worker: u32, gateway: &str| LogSpool {
        gateway: gateway.into(),
        worker,
        epoch: 1,
    };
    let (audit, writer) = opened.start(spool(0, "control"), HashMap::new(), &limits);
    let thread = std::thread::spawn(writer);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let one = prost::Message::encode_to_vec(&record());
    let stop = Instant::now() + Duration::from_secs(wanted.seconds.into());
    let started = Instant::now();
    let stored: u64 = runtime.block_on(async {
        let senders = (0..under_way).map(|worker| {
            let (audit, one) = (audit.clone(), one.clone());
            async move {
                let worker = u32::try_from(worker).unwrap_or_default();
                let mut first_number = 1;
                while Instant::now() < stop {
                    let numbers = first_number..first_number + records;
                    let batch = Batch {
                        spool: spool(worker, "bench"),
                        first_number,
                        records: numbers.map(|number| numbered(worker, number, &one)).collect(),
                    };
                    first_number = 1 + audit.append(batch).await.expect("it is stored");
                }
                first_number - 1
            }
        });
        futures_util::future::join_all(senders).await.into_iter().sum()
    });
    let seconds = started.elapsed().as_secs_f64();
    runtime.block_on(audit.stop());
    let _ = thread.join();
    (
        stored as f64 / seconds,
        stored as f64 * one.len() as f64 / seconds / 1e6,
    )
}

/// The record of that number, as a gateway would have encoded it.
fn numbered(worker: u32, number: u64, rest: &[u8]) -> bytes::Bytes {
    let head = Record {
        number,
        kind: Kind::Intent.into(),
        gateway: "bench".into(),
        worker,
        epoch: 1,
        ..Record::default()
    };
    [&*prost::Message::encode_to_vec(&head), rest].concat().into()
}
