//! Stopping: a session and its backend end within a second, whatever they are doing.

use std::process::{Command, Stdio};

use postern_tests::raw::{Raw, error, query};
use postern_tests::{Login, Wishes, World};
use serde_json::json;

fn backends(world: &World, query: &str) -> String {
    let asked = format!(
        "select count(*) from pg_stat_activity where query like '{query}%' and backend_type = 'client backend'"
    );
    world.cluster.sql("postgres", &asked).unwrap().trim().to_owned()
}

#[test]
fn an_operators_order_ends_the_session_and_its_backend() {
    let world = World::start(&Wishes::default());
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(&world, &token).await;
        raw.send(&[query("select pg_sleep(3000), 1")]).await;
        world.until("it runs", || backends(&world, "select pg_sleep(3000)") == "1");
        let done = world.post_operators(
            "/v1/sessions/end",
            &json!({ "workload": "all", "reason": "a test" }),
        );
        assert!(done.contains('1'), "{done}");
        let heard = raw.receive().await;
        assert_eq!(error(&[heard], 'C'), "57P01");
        world.until("the backend is gone", || {
            backends(&world, "select pg_sleep(3000)") == "0"
        });
    });
}

#[test]
fn ending_many_sessions_at_once_ends_their_backends_and_nobody_elses() {
    let world = World::start(&Wishes::default());
    let token = world.token("all", &[]);
    // Somebody who comes to the same server by another way, as a role that the gateway may end.
    let mut beside = Command::new(world.cluster.binaries.join("psql"));
    beside
        .args(["--no-psqlrc", "--command", "select 'beside', pg_sleep(3000)"])
        .env("PGPASSWORD", "secret-of-shop_owner")
        .arg(format!(
            "host=127.0.0.1 port={} user=shop_owner dbname={}",
            world.cluster.port, world.database
        ));
    let mut beside = beside
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    world.until("it runs", || backends(&world, "select ''beside''") == "1");
    world.block_on(async {
        let mut sessions = Vec::new();
        for _ in 0..4 {
            let mut raw = Raw::log_in(&world, &token).await;
            raw.send(&[query("select pg_sleep(3000), 2")]).await;
            sessions.push(raw);
        }
        world.until("they run", || backends(&world, "select pg_sleep(3000), 2") == "4");
        world.post_operators(
            "/v1/sessions/end",
            &json!({ "workload": "all", "reason": "a test" }),
        );
        world.until("their backends are gone", || {
            backends(&world, "select pg_sleep(3000), 2") == "0"
        });
    });
    assert_eq!(backends(&world, "select ''beside''"), "1");
    assert!(beside.try_wait().unwrap().is_none(), "it was left alone");
    beside.kill().unwrap();
    beside.wait().unwrap();
    let log = std::fs::read_to_string(world.folder.join("log")).unwrap();
    assert!(!log.contains("could not be terminated"), "{log}");
}

#[test]
fn a_snapshot_that_would_not_open_a_session_ends_it() {
    let world = World::start(&Wishes::default());
    let token = world.token("report", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(&world, &token).await;
        raw.query("select id from customers where id = 1").await;
        let disabled = world
            .resources()
            .replace("name: report\nowner", "name: report\ndisabled: true\nowner");
        world.change("resources.yaml", &disabled);
        assert_eq!(error(&[raw.receive().await], 'C'), "57P01");
    });
    world.psql(Login::Token(&token), "select 1").turned_away("FATAL");
}

#[test]
fn an_idle_session_ends_at_its_limit() {
    let world = World::start(&Wishes {
        limits: "session_seconds_max: 1".into(),
        ..Wishes::default()
    });
    let token = world.token("report", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(&world, &token).await;
        let heard = [raw.receive().await];
        assert_eq!(error(&heard, 'C'), "57P01");
        assert!(error(&heard, 'D').contains("session_seconds_max"));
    });
}

#[test]
fn a_client_that_does_not_read_cannot_hold_up_the_order_to_stop() {
    let world = World::start(&Wishes {
        limits: "goodbye_timeout_ms: 100".into(),
        ..Wishes::default()
    });
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(&world, &token).await;
        raw.send(&[query(
            "select repeat('x', 1000) from generate_series(1, 100000000)",
        )])
        .await;
        world.until("it runs", || backends(&world, "select repeat") == "1");
        world.post_operators(
            "/v1/sessions/end",
            &json!({ "workload": "all", "reason": "a test" }),
        );
        world.until("the backend is gone", || backends(&world, "select repeat") == "0");
        drop(raw);
    });
}

#[test]
fn certificates_and_bundles_reload_without_dropping_sessions() {
    let world = World::start(&Wishes::default());
    let token = world.token("report", &[]);
    let other = postern::dev::authority::Authority::new("another").unwrap();
    let pair = other.svid(&postern::dev::authority::spiffe_id("report")).unwrap();
    let (certificate, key) = world.write_pair(&pair);
    let login = Login::Certificate(&certificate, &key);
    world.psql(login, "select 1").turned_away("FATAL");
    world.block_on(async {
        let mut raw = Raw::log_in(&world, &token).await;
        std::fs::write(world.folder.join("bundle.pem"), other.certificate()).unwrap();
        world.until("the new bundle is trusted", || {
            world.psql(login, "select 1").succeeded
        });
        assert_eq!(
            postern_tests::raw::tags(&raw.query("select id from customers where id = 1").await),
            "TDCZ"
        );
    });
}
