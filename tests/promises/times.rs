//! Limits of time and of number for the whole house: who is idle, late, too old or one too many.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use postern_tests::raw::{PROTOCOL_3_0, Raw, error, query, tags};
use postern_tests::{Login, Wishes, World, field};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::limits::pids;

/// A house that has no patience.
fn hasty() -> &'static World {
    static HASTY: OnceLock<World> = OnceLock::new();
    HASTY.get_or_init(|| {
        World::start(&Wishes {
            limits: "workers: 1, login_timeout_ms: 1000, idle_timeout_seconds: 1, \
                     idle_in_transaction_timeout_seconds: 1, warm_idle_seconds_max: 0, \
                     cancel_guesses_per_minute_max: 3"
                .into(),
            ..Wishes::default()
        })
    })
}

async fn session(world: &World, workload: &str) -> Raw {
    Raw::log_in(world, &world.token(workload, &[])).await
}

async fn ended_by(raw: &mut Raw) -> String {
    let heard = [raw.receive().await];
    assert_eq!(error(&heard, 'C'), "57P01");
    assert!(raw.try_receive().await.is_none());
    error(&heard, 'D')
}

#[test]
fn who_does_not_log_in_within_login_timeout_ms_is_told_so() {
    let world = hasty();
    world.block_on(async {
        let mut raw = Raw::secure(world, Login::Token("x")).await;
        raw.start(PROTOCOL_3_0, &[("user", "postern")]).await;
        assert_eq!(raw.receive().await.0, 'R');
        let heard = [raw.receive().await];
        assert_eq!(error(&heard, 'C'), "28000");
        assert!(error(&heard, 'D').contains("`login_timeout_ms`"), "{heard:?}");
    });
    world.until_recorded("the late one, counted", |record| {
        field(record, "refusal") == "timeout"
    });
}

#[test]
fn who_says_nothing_before_tls_is_closed_after_login_timeout_ms() {
    let world = hasty();
    world.block_on(async {
        for said in [&[][..], &[0, 0, 0], &[0, 0, 0, 8, 4, 210, 22, 47]] {
            let mut socket = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
            socket.write_all(said).await.unwrap();
            let mut heard = Vec::new();
            // A close with something unread may come as a reset.
            let _ = socket.read_to_end(&mut heard).await;
            assert_eq!(heard, if said.len() == 8 { &b"S"[..] } else { b"" });
        }
    });
}

#[test]
fn an_idle_client_is_told_of_idle_timeout_seconds() {
    let world = hasty();
    world.block_on(async {
        let mut raw = session(world, "report").await;
        assert_eq!(ended_by(&mut raw).await, "the limit is `idle_timeout_seconds`");
    });
}

#[test]
fn an_idle_client_in_a_transaction_is_told_of_idle_in_transaction_timeout_seconds() {
    let world = hasty();
    world.block_on(async {
        let mut raw = session(world, "report").await;
        raw.query("begin").await;
        let told = ended_by(&mut raw).await;
        assert_eq!(told, "the limit is `idle_in_transaction_timeout_seconds`");
    });
}

#[test]
fn a_client_that_waited_for_its_answer_is_idle_only_from_then_on() {
    let world = hasty();
    world.block_on(async {
        let mut raw = session(world, "all").await;
        raw.query("select pg_sleep(1.5)").await;
        let answered = Instant::now();
        ended_by(&mut raw).await;
        // The answer's way to us counts too, hence a little less.
        assert!(
            answered.elapsed() > Duration::from_millis(900),
            "{:?}",
            answered.elapsed()
        );
    });
}

#[test]
fn a_connection_unused_for_warm_idle_seconds_max_is_let_go() {
    let world = hasty();
    world.block_on(async {
        let mut raw = session(world, "migrate").await;
        assert_eq!(tags(&raw.query("select 1").await), "TDCZ");
    });
    world.until("none is kept", || pids(world, "migrate").is_empty());
}

#[test]
fn after_cancel_guesses_per_minute_max_wrong_keys_the_right_one_does_nothing_either() {
    let world = hasty();
    world.block_on(async {
        let mut raw = Raw::secure(world, Login::Token("")).await;
        raw.start(PROTOCOL_3_0, &[("user", "postern"), ("database", &world.database)])
            .await;
        assert_eq!(raw.receive().await.0, 'R');
        raw.password(&world.token("all", &[])).await;
        let heard = raw.until_ready().await;
        let key = heard.iter().find(|(tag, _)| *tag == 'K').unwrap().1.clone();
        raw.send(&[query("select pg_advisory_lock(12) from pg_sleep(600)")]).await;
        let runs = || {
            let asked = "select count(*) from pg_stat_activity where query like 'select pg_advisory_lock(12)%' and state = 'active'";
            world.cluster.sql("postgres", asked).unwrap().trim() == "1"
        };
        world.until("the statement runs", runs);
        let wrong = [&key[..4], &key[4..].iter().map(|byte| !byte).collect::<Vec<u8>>()].concat();
        for key in [&wrong, &wrong, &wrong, &key] {
            let mut socket = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
            socket
                .write_all(&[&[0, 0, 0, 16, 4, 210, 22, 46][..], key].concat())
                .await
                .unwrap();
            // It is closed once it has been acted upon, or not.
            assert_eq!(socket.read_to_end(&mut Vec::new()).await.unwrap(), 0);
        }
        world.until_recorded("all four, counted", |record| field(record, "refusal") == "cancel_key");
        assert!(world.records("").iter().all(|record| field(record, "kind") != "cancel"));
        assert!(runs());
    });
}

/// A house for few; its tests hold all places, so each is alone.
fn small() -> (&'static World, std::sync::MutexGuard<'static, ()>) {
    static SMALL: OnceLock<World> = OnceLock::new();
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let world = SMALL.get_or_init(|| {
        World::start(&Wishes {
            limits: "workers: 3, sessions_max: 3, strangers_max: 2, strangers_per_network_max: 2, \
                     warm_per_key_max: 1, warm_per_target_max: 2"
                .into(),
            ..Wishes::default()
        })
    });
    (world, alone)
}

fn sessions(world: &World) -> String {
    let metrics = world.admin("/metrics");
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("postern_sessions "));
    line.unwrap_or_default().to_owned()
}

#[test]
fn one_session_more_than_sessions_max_is_refused_until_another_has_gone() {
    let (world, _alone) = small();
    let token = world.token("report", &[]);
    world.until("nobody is there", || sessions(world) == "0");
    world.block_on(async {
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(session(world, "report").await);
        }
        let refused = world
            .psql(Login::Token(&token), "select 1")
            .turned_away("too many sessions");
        assert!(refused.contains("`sessions_max`"), "{refused}");
        held.pop();
        world.until("one has gone", || sessions(world) == "2");
        world.psql(Login::Token(&token), "select 1").succeeded();
    });
    world.until_recorded("the refusal by name", |record| {
        field(record, "kind") == "refused" && field(record, "workload") == "report"
    });
}

#[test]
fn one_stranger_more_than_strangers_max_or_strangers_per_network_max_is_closed_unheard() {
    let (world, _alone) = small();
    world.block_on(async {
        let mut first = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
        let second = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
        // One that is served before the third comes.
        first.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await.unwrap();
        assert_eq!(first.read_u8().await.unwrap(), b'S');
        let mut third = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
        assert_eq!(third.read(&mut [0]).await.unwrap_or(0), 0);
        drop((first, second));
        world.until("their places are free again", || {
            world
                .psql(Login::Token(&world.token("report", &[])), "select 1")
                .succeeded
        });
    });
}

#[test]
fn idle_connections_are_kept_within_warm_per_key_max_and_warm_per_target_max() {
    // One worker, because each keeps its own.
    let world = World::start(&Wishes {
        limits: "workers: 1, warm_per_key_max: 1, warm_per_target_max: 2".into(),
        ..Wishes::default()
    });
    let count = |workload: &str| pids(&world, workload).split_whitespace().count();
    let come_and_go = |workload: &str| {
        world.block_on(async {
            let mut held = Vec::new();
            for _ in 0..3 {
                held.push(session(&world, workload).await);
            }
            assert!(count(workload) >= 3);
        });
    };
    come_and_go("all");
    world.until("one of its own is kept", || count("all") == 1);
    come_and_go("writer");
    world.until("one of its own is kept", || count("writer") == 1);
    come_and_go("report");
    world.until("none is kept beyond the target's", || count("report") == 0);
    assert_eq!((count("all"), count("writer")), (1, 1));
}

#[test]
fn a_session_that_stays_ends_drain_seconds_max_after_the_order_to_stop() {
    let world = World::start(&Wishes {
        limits: "drain_seconds_max: 1".into(),
        ..Wishes::default()
    });
    world.block_on(async {
        let mut raw = session(&world, "all").await;
        let asked = Instant::now();
        let pid = world.pid().to_string();
        let told = std::process::Command::new("kill").args(["-TERM", &pid]).status();
        assert!(told.unwrap().success());
        // It may go on until then.
        assert_eq!(tags(&raw.query("select 1").await), "TDCZ");
        let heard = [raw.receive().await];
        assert_eq!(error(&heard, 'C'), "57P01");
        assert!(error(&heard, 'M').contains("shutting down"), "{heard:?}");
        assert!(asked.elapsed() >= Duration::from_secs(1));
    });
}

#[test]
fn each_of_the_workers_has_its_thread() {
    let (world, _alone) = small();
    let tasks = std::fs::read_dir(format!("/proc/{}/task", world.pid())).unwrap();
    let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap());
    assert_eq!(names.filter(|name| name.starts_with("worker-")).count(), 3);
}
