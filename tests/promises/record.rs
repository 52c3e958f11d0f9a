//! The record: before the act, with its outcome, once, and whatever is killed.

use postern_tests::raw::{Raw, error, query, status, tags};
use postern_tests::{Login, Planes, Wishes, World, field};
use serde_json::Value;

fn is(record: &Value, kind: &str, text: &str) -> bool {
    field(record, "kind") == kind && field(record, "text").contains(text)
}

#[test]
fn a_statement_is_recorded_with_who_what_why_and_how_it_ended() {
    let world = World::shared();
    let token = world.token("report", &[]);
    world
        .psql(
            Login::Token(&token),
            "select id as marker_one from customers where id < 4",
        )
        .succeeded();
    let record = world.until_recorded("the statement", |record| {
        is(record, "intent", "marker_one")
            && record
                .pointer("/outcome/status")
                .is_some_and(|status| status == "done")
    });
    for (name, value) in [
        ("workload", "report"),
        ("evidence", "token"),
        ("issuer", "ci"),
        ("target", "shop"),
        ("role", "shop_reader"),
    ] {
        assert_eq!(field(&record, name), value, "{record}");
    }
    let whole = record.to_string();
    for told in ["77001", "customers", "report-customers", "\"rows\":3"] {
        assert!(whole.contains(told), "{told} in {whole}");
    }
    assert!(!whole.contains("< 4"), "literals are not recorded: {whole}");
}

#[test]
fn a_refusal_is_recorded_and_explained_by_its_id() {
    let world = World::shared();
    let token = world.token("report", &[]);
    let complaint = world
        .psql(Login::Token(&token), "select ssn from customers")
        .refused("42501");
    let id = complaint
        .split("postern explain ")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    world.until("the decision arrives", || {
        world.postern(&["explain", id]).status.success()
    });
    let explained = world.postern(&["explain", id]);
    let text = String::from_utf8(explained.stdout).unwrap();
    assert!(text.contains("report") && text.contains("ssn"), "{text}");
}

#[test]
fn what_is_killed_mid_statement_has_its_record_and_nothing_is_invented() {
    let mut world = World::start(&Wishes::default());
    let token = world.token("all", &[]);
    let raw = world.block_on(async {
        let mut raw = Raw::log_in(&world, &token).await;
        raw.query("select 1 as finished").await;
        raw.send(&[query("select pg_sleep(1000) as unfinished")]).await;
        world.until("the statement runs", || {
            world
                .server_log()
                .iter()
                .any(|line| line.contains("as unfinished"))
        });
        raw
    });
    world.kill_gateway();
    world.start_gateway();
    world.until_ready();
    drop(raw);
    let record = world.until_recorded("the open intent, closed", |record| {
        is(record, "intent", "unfinished")
            && record
                .pointer("/outcome/status")
                .is_some_and(|status| status == "unknown")
    });
    assert_eq!(field(&record, "workload"), "all");
    world.until_recorded("the finished one", |record| {
        is(record, "intent", "finished") && !is(record, "intent", "unfinished")
    });
    let ids: Vec<String> = world
        .records("")
        .iter()
        .map(|record| field(record, "id").to_owned())
        .collect();
    let mut unique = ids.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(ids.len(), unique.len(), "each record once");
}

#[test]
fn every_statement_the_server_ran_has_a_record() {
    let world = World::start(&Wishes::default());
    let token = world.token("writer", &[]);
    for number in 0..20 {
        world
            .psql(
                Login::Token(&token),
                &format!("select id as n{number}n from orders where id = 1"),
            )
            .succeeded();
        world
            .psql(
                Login::Token(&token),
                &format!("select payload as n{number}n from secret"),
            )
            .refused("42501");
    }
    let ran = world
        .server_log()
        .iter()
        .filter(|line| line.contains("postern:writer") && line.contains("select id as n"))
        .count();
    assert_eq!(ran, 20);
    assert!(!world.server_log().iter().any(|line| line.contains("from secret")));
    world.until("all records are there", || {
        let records = world.records("workload=writer");
        let count = |kind| {
            records
                .iter()
                .filter(|record| field(record, "kind") == kind)
                .count()
        };
        (count("intent"), count("refused")) == (20, 20)
    });
}

#[test]
fn the_log_verifies() {
    let world = World::start(&Wishes::default());
    let token = world.token("report", &[]);
    world
        .psql(Login::Token(&token), "select id from customers where id = 1")
        .succeeded();
    world.until_recorded("a record", |record| field(record, "kind") == "intent");
    let verified = world.postern(&["audit", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn sessions_are_listed_with_their_statements() {
    let world = World::shared();
    let token = world.token("report", &[]);
    world
        .psql(Login::Token(&token), "select id from customers where id = 1")
        .succeeded();
    world.until("the session is listed", || {
        let listed = world.postern(&["sessions", "-o", "json"]);
        String::from_utf8(listed.stdout).unwrap().contains("\"report\"")
    });
}

#[test]
fn a_full_spool_refuses_within_the_session_until_there_is_room_again() {
    let mut world = World::start(&Wishes {
        planes: Planes::Apart,
        limits: "workers: 1, spool_bytes_max: 131072, spool_file_bytes_max: 65536, record_bytes_max: 65536"
            .into(),
        ..Wishes::default()
    });
    let token = world.token("all", &[]);
    let mut raw = world.block_on(Raw::log_in(&world, &token));
    world.kill_control();
    let (mut ran, mut refused) = (Vec::new(), Vec::new());
    let mut ask = |world: &World, number: usize| {
        let name = format!("filling_{number}_");
        let heard = world.block_on(raw.query(&format!("select 1 as {name}")));
        if tags(&heard) == "TDCZ" {
            ran.push(name);
            return true;
        }
        assert_eq!((tags(&heard).as_str(), status(&heard)), ("EZ", 'I'));
        assert_eq!(error(&heard, 'C'), "53100");
        assert!(error(&heard, 'D').contains("`spool_bytes_max`"), "{heard:?}");
        refused.push(name);
        false
    };
    let mut number = 0;
    while ask(&world, number) {
        number += 1;
        assert!(number < 1_000, "the spool is never full");
    }
    for _ in 0..10 {
        number += 1;
        assert!(!ask(&world, number));
    }
    world
        .psql(Login::Token(&token), "select 1")
        .turned_away("cannot be recorded");
    let log = std::fs::read_to_string(world.folder.join("log")).unwrap();
    assert!(log.contains("no request is served until records can be taken again"));
    world.start_control();
    world.until("it serves again", || {
        number += 1;
        ask(&world, number)
    });

    let last = ran.last().unwrap().clone();
    world.until_recorded("the last one", |record| is(record, "intent", &last));
    let (log, records) = (world.server_log(), world.records("workload=all"));
    for name in &ran {
        let reached = log.iter().filter(|line| line.contains(name)).count();
        let recorded = records.iter().filter(|record| is(record, "intent", name)).count();
        assert_eq!((reached, recorded), (1, 1), "{name}");
    }
    assert!(ran.len() > 20, "{} fill it", ran.len());
    assert!(
        refused
            .iter()
            .all(|name| !log.iter().any(|line| line.contains(name)))
    );
}
