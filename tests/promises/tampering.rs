//! A spool that somebody changed, checksums included, while the gateway was down.
//!
//! What the control plane has stored cannot be changed any more. What it has not yet seen can: a checksum is no
//! signature, and whoever may write the gateway's own files is believed. Nothing crashes, and nothing stored is lost.

use std::fs;
use std::path::PathBuf;

use postern_tests::{Login, Planes, Wishes, World, field};

/// What is done to a frame, by its place.
type Change = fn(usize, &mut Vec<u8>);

/// The frames of a spool file, and what follows them.
fn frames(bytes: &[u8]) -> (Vec<Vec<u8>>, usize) {
    let (mut frames, mut at) = (Vec::new(), 0);
    while let Some(header) = bytes.get(at..at + 8) {
        let length = u32::from_le_bytes(header[..4].try_into().unwrap()) as usize;
        if length == 0 {
            break;
        }
        frames.push(bytes[at + 8..at + 8 + length].to_vec());
        at += 8 + length;
    }
    (frames, at)
}

/// Changes every frame that the spool holds, and makes each checksum right again.
fn tamper(world: &World, mut change: impl FnMut(usize, &mut Vec<u8>)) {
    let mut number = 0;
    for path in files(world) {
        let bytes = fs::read(&path).unwrap();
        let (found, end) = frames(&bytes);
        let mut forged = Vec::new();
        for mut frame in found {
            change(number, &mut frame);
            number += 1;
            forged.extend(u32::try_from(frame.len()).unwrap().to_le_bytes());
            forged.extend(crc32c::crc32c(&frame).to_le_bytes());
            forged.extend(frame);
        }
        forged.extend(&bytes[end..]);
        fs::write(path, forged).unwrap();
    }
    assert!(number > 2, "there was something to change");
}

fn files(world: &World) -> Vec<PathBuf> {
    let files = fs::read_dir(world.folder.join("gateway/spool/0")).unwrap();
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|kind| kind == "spool"));
    files.sort();
    files
}

/// A house whose control plane has stored one statement, and not yet seen another; neither plane runs.
fn left(token: &mut String) -> World {
    let mut world = World::start(&Wishes {
        planes: Planes::Apart,
        limits: "workers: 1".into(),
        ..Wishes::default()
    });
    *token = world.token("all", &[]);
    let ask = |world: &World, sql: &str| world.psql(Login::Token(token), sql).succeeded();
    ask(&world, "select 1 as stored_mark");
    world.until_recorded("what is stored", |record| {
        field(record, "text").contains("stored_mark")
            && record
                .pointer("/outcome/status")
                .is_some_and(|status| status == "done")
    });
    world.until_recorded("the end of its session", |record| {
        field(record, "kind") == "session_ended"
    });
    world.kill_control();
    ask(&world, "select 1 as waiting_mark");
    world.kill_gateway();
    world
}

fn texts(world: &World) -> Vec<String> {
    world
        .stored_records()
        .into_iter()
        .map(|record| record.text)
        .collect()
}

fn replace(frame: &mut [u8], word: &[u8], other: &[u8]) {
    while let Some(at) = frame.windows(word.len()).position(|piece| piece == word) {
        frame[at..at + word.len()].copy_from_slice(other);
    }
}

#[test]
fn what_is_stored_stays_as_it_was_and_what_is_not_yet_sent_is_believed() {
    let mut token = String::new();
    let mut world = left(&mut token);
    let before = world.stored_records();
    tamper(&world, |_, frame| {
        replace(frame, b"stored_mark", b"forged_mark");
        replace(frame, b"waiting_mark", b"changed_mark");
    });
    world.start_control();
    world.start_gateway();
    world.until_ready();
    world.until_recorded("what was not yet sent", |record| {
        field(record, "text").contains("changed_mark")
    });
    let texts = texts(&world);
    assert!(texts.iter().any(|text| text.contains("stored_mark")));
    assert!(
        !texts
            .iter()
            .any(|text| text.contains("forged_mark") || text.contains("waiting_mark"))
    );
    assert_eq!(world.stored_records()[..before.len()], before);
    assert!(world.postern(&["audit", "verify"]).status.success());
    world.psql(Login::Token(&token), "select 1").succeeded();
}

#[test]
fn records_that_are_no_longer_their_own_are_refused_by_the_control_plane_and_nothing_stored_is_lost() {
    let changes: [(&str, Change); 4] = [
        ("no record at all", |_, frame| frame.fill(0xff)),
        ("another gateway's", |_, frame| {
            replace(frame, b"\x02gw", b"\x02zz")
        }),
        ("cut short", |_, frame| frame.truncate(frame.len() / 2 + 1)),
        ("a list of intents that were never open", |place, frame| {
            if place == 0 {
                frame.extend((1..200_u64).flat_map(u64::to_le_bytes));
            }
        }),
    ];
    for (what, change) in changes {
        let mut token = String::new();
        let mut world = left(&mut token);
        let before = world.stored_records();
        tamper(&world, change);
        world.start_control();
        world.start_gateway();
        world.until_ready();
        world
            .psql(Login::Token(&token), "select 1 as after_it")
            .succeeded();
        let log = || fs::read_to_string(world.folder.join("log")).unwrap();
        world.until(what, || {
            texts(&world).iter().any(|text| text.contains("after_it"))
                || log().contains("is not a record of this gateway")
        });
        eprintln!(
            "{what}: {} records, {} before",
            world.stored_records().len(),
            before.len()
        );
        assert_eq!(world.stored_records()[..before.len()], before, "{what}");
        assert!(!log().contains("panicked"), "{what}");
        assert!(world.postern(&["audit", "verify"]).status.success(), "{what}");
    }
}
