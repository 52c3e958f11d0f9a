//! What the log proves to somebody who has its public key, and what they keep elsewhere; and how it gets out.

use std::fs;
use std::process::Output;

use postern_tests::{Login, Planes, Wishes, World};
use serde_json::Value;

const READ: &str = "select id from customers where id = 1";

fn words(output: &Output) -> String {
    let told = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8(told).unwrap()
}

/// The log's public key, as the gateway's host was told it.
fn key(world: &World) -> String {
    let config = fs::read_to_string(world.folder.join("postern.yaml")).unwrap();
    let line = config
        .lines()
        .find_map(|line| line.trim().strip_prefix("log_key: "))
        .unwrap();
    line.trim_matches('"').to_owned()
}

#[test]
fn one_record_is_proved_to_somebody_who_has_only_the_key() {
    let world = World::start(&Wishes::default());
    let key = key(&world);
    let token = world.token("report", &[]);
    world.psql(Login::Token(&token), READ).succeeded();
    world.until("its intent is in the log", || {
        !world.records("kind=intent").is_empty()
    });
    let id = world.records("kind=intent")[0]["id"].as_str().unwrap().to_owned();
    let proved = world.postern(&["audit", "prove", &id]);
    assert!(proved.status.success(), "{proved:?}");
    let path = world.folder.join("one.tlog-proof");
    fs::write(&path, &proved.stdout).unwrap();
    let path = path.display().to_string();
    let verify =
        |key: &str| world.postern(&["audit", "verify", "--proof", &path, "--key", key, "-o", "json"]);
    let verified = verify(&key);
    let told: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(told["record"]["id"], id.as_str());
    assert_eq!(told["record"]["workload"], "report");
    // What it says cannot be changed.
    let text = fs::read_to_string(&path).unwrap();
    let index = text.lines().find(|line| line.starts_with("index ")).unwrap();
    fs::write(&path, text.replace(index, "index 0")).unwrap();
    let refused = verify(&key);
    assert_eq!(refused.status.code(), Some(1));
    assert!(words(&refused).contains("proves nothing"), "{refused:?}");
    let unknown = world.postern(&["audit", "prove", "gw.9.9.9"]);
    assert_eq!(unknown.status.code(), Some(1));
}

#[test]
fn a_gateways_checkpoint_shows_that_the_end_of_a_log_was_cut_off() {
    let mut world = World::start(&Wishes {
        planes: Planes::Apart,
        ..Wishes::default()
    });
    let key = key(&world);
    let token = world.token("report", &[]);
    let log = |world: &World, name: &str| world.folder.join(name).join("audit").display().to_string();
    // A copy of the log as it was early, and then it goes on.
    world.kill_control();
    let copied = world.folder.join("early/audit");
    fs::create_dir_all(&copied).unwrap();
    for entry in walk(&world.folder.join("control/audit")) {
        let name = entry.strip_prefix(world.folder.join("control/audit")).unwrap();
        let path = copied.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(&entry, path).unwrap();
    }
    world.start_control();
    world.until_ready();
    for _ in 0..5 {
        world.psql(Login::Token(&token), READ).succeeded();
    }
    world.until("its outcomes are in the log", || {
        world.records("kind=session_ended").len() >= 5
    });
    world.terminate_gateway();
    let kept = world.folder.join("gateway/checkpoint").display().to_string();
    let verify = |folder: &str| {
        let arguments = ["audit", "verify", folder, "--key", &key];
        let alone = world.postern(&arguments);
        let against = world.postern(&[&arguments[..], &["--checkpoint", &kept]].concat());
        (alone, against)
    };
    let (alone, against) = verify(&log(&world, "control"));
    assert!(alone.status.success(), "{alone:?}");
    assert!(
        words(&alone).contains("kept elsewhere would show it"),
        "{alone:?}"
    );
    assert!(against.status.success(), "{against:?}");
    // The early copy is a whole log by itself, and only the gateway knows better.
    let (alone, against) = verify(&log(&world, "early"));
    assert!(alone.status.success(), "{alone:?}");
    assert_eq!(against.status.code(), Some(1));
    assert!(words(&against).contains("the end was cut off"), "{against:?}");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else {
            files.push(path);
        }
    }
    files
}

#[test]
fn an_export_has_every_record_once_however_often_it_was_stopped() {
    let world = World::start(&Wishes::default());
    let token = world.token("report", &[]);
    let path = world.folder.join("records.jsonl");
    let export = || world.postern(&["audit", "export", "--to", &path.display().to_string()]);
    world.psql(Login::Token(&token), READ).succeeded();
    assert!(export().status.success());
    let first = fs::read_to_string(&path).unwrap();
    assert!(!first.is_empty());
    // Killed in the middle of a line, it goes on with that record.
    fs::write(&path, first.get(..first.len() - 5).unwrap()).unwrap();
    world.psql(Login::Token(&token), READ).succeeded();
    world.until("the sessions have ended", || {
        world.records("kind=session_ended").len() == 2
    });
    assert!(export().status.success());
    let text = fs::read_to_string(&path).unwrap();
    let cursors: Vec<u64> = text
        .lines()
        .map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            record["cursor"].as_str().unwrap().parse().unwrap()
        })
        .collect();
    let expected: Vec<u64> = (0..u64::try_from(cursors.len()).unwrap()).collect();
    assert_eq!(cursors, expected);
    let printed = world.postern(&["audit", "export", "--after", &cursors[0].to_string()]);
    assert!(
        words(&printed).lines().count() >= cursors.len() - 1,
        "{printed:?}"
    );
    let letter = world.folder.join("letter");
    fs::write(&letter, "dear").unwrap();
    let refused = world.postern(&["audit", "export", "--to", &letter.display().to_string()]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(fs::read_to_string(&letter).unwrap(), "dear");
}
