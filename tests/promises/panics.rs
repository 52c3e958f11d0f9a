//! A panic in one session: the others live, its backend is ended, and its record is closed.
//!
//! Nothing from outside is known to cause one. So the gateway runs in this process, where whoever listens to its log
//! panics at one line of it, in the middle of a session.

use std::sync::Arc;

use postern::config::{self, File};
use postern_proxy::gateway;
use postern_tests::raw::{Raw, query, tags};
use postern_tests::{between, field};
use tokio::sync::watch;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

struct Trap;

impl Subscriber for Trap {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN && metadata.target().starts_with("postern_proxy::postgres")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Message);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Message;

impl Visit for Message {
    fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
        assert!(
            !format!("{value:?}").contains("the target broke the protocol"),
            "this is the panic that is tried"
        );
    }
}

/// A message of no known type, once somebody is told to sleep.
fn breaks_the_protocol(said: &[u8]) -> Vec<u8> {
    let sleeps = said
        .windows(b"pg_sleep(3001)".len())
        .any(|piece| piece == b"pg_sleep(3001)");
    if sleeps {
        b"Y\0\0\0\x04".to_vec()
    } else {
        Vec::new()
    }
}

#[test]
fn a_panic_in_one_session_leaves_the_others_alive_and_its_own_ended_and_recorded() {
    tracing::subscriber::set_global_default(Trap).expect("nobody else listens here");
    let mut world = between::start(breaks_the_protocol);
    let file = world.folder.join("postern.yaml");
    // The control plane stays behind in a process of its own, since both are one until now.
    world.terminate_gateway();
    let text = std::fs::read_to_string(&file).expect("the configuration");
    let (_, control) = text
        .split_once("\ncontrol:")
        .expect("the control plane's section");
    let apart = world.folder.join("control.yaml");
    std::fs::write(&apart, format!("control:{control}")).expect("a file");
    let asleep = || {
        let asked = "select count(*) from pg_stat_activity where query like 'select pg_sleep(3001)%' \
                     and backend_type = 'client backend' and state = 'active'";
        world.cluster.sql("postgres", asked).unwrap().trim().to_owned()
    };
    let token = world.token("all", &[]);
    let load = |path: &std::path::Path| config::load(path).unwrap_or_else(|_| panic!("a configuration"));
    world.block_on(async {
        let control = postern_control::start(load(&apart).control.unwrap(), Arc::new(|_| Ok(())))
            .await
            .unwrap();
        let config = File::proxy(load(&file)).unwrap_or_else(|_| panic!("a configuration"));
        let (_newest, following) = watch::channel(config);
        let gateway = gateway::start(following).await.unwrap();
        world.until_ready();
        let mut other = Raw::log_in(&world, &token).await;
        let mut raw = Raw::log_in(&world, &token).await;
        raw.send(&[query("select pg_sleep(3001)")]).await;
        assert!(raw.try_receive().await.is_none(), "the connection is closed");
        world.until("its backend is ended", || asleep() == "0");
        assert_eq!(tags(&other.query("select 1 as after_the_panic").await), "TDCZ");
        let mut third = Raw::log_in(&world, &token).await;
        assert_eq!(tags(&third.query("select 1").await), "TDCZ");
        let abandoned = world.until_recorded("the statement's outcome", |record| {
            field(record, "text").contains("pg_sleep") && record.pointer("/outcome/status").is_some()
        });
        assert_eq!(abandoned.pointer("/outcome/status").unwrap(), "abandoned");
        let ended = world.until_recorded("the end of the session", |record| {
            field(record, "kind") == "session_ended"
                && field(record, "session") == field(&abandoned, "session")
        });
        assert!(field(&ended, "message").contains("panic"), "{ended}");
        drop((other, third));
        gateway.stop().await;
        control.stop().await;
    });
    // No process of its own watches over it any more.
    std::fs::remove_dir_all(&world.folder).unwrap();
}
