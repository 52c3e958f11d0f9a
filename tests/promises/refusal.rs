//! A refusal takes its place in the stream: what came before it in a transaction is never committed by it.

use postern_tests::World;
use postern_tests::raw::{Raw, bind, error, execute, flush, parse, query, status, sync, tags};

const REFUSED: &str = "select * from secret";

fn count(world: &World, id: u32) -> String {
    let counted = world.cluster.sql(
        &world.database,
        &format!("select count(*) from orders where id = {id}"),
    );
    counted.unwrap().trim().to_owned()
}

fn insert(id: u32) -> String {
    format!("insert into orders values ({id}, 1, 'new', 1)")
}

#[test]
fn on_an_idle_connection_the_server_hears_nothing() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        let refused = "select payload as heard_of from secret";
        let heard = raw.query(refused).await;
        assert_eq!((tags(&heard).as_str(), status(&heard)), ("EZ", 'I'));
        raw.send(&[parse("", refused), bind("", ""), execute("", 0), sync()])
            .await;
        let heard = raw.until_ready().await;
        assert_eq!((tags(&heard).as_str(), status(&heard)), ("EZ", 'I'));
        assert_eq!(error(&heard, 'C'), "42501");
        assert_eq!(
            tags(&raw.query("select id from orders where id = 1").await),
            "TDCZ"
        );
    });
    assert!(!world.server_log().iter().any(|line| line.contains("heard_of")));
}

#[test]
fn inside_begin_the_transaction_fails_and_commit_keeps_nothing() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.query("begin").await;
        raw.query(&insert(9001)).await;
        let heard = raw.query(REFUSED).await;
        assert_eq!((error(&heard, 'C').as_str(), status(&heard)), ("42501", 'E'));
        assert!(error(&heard, 'H').contains("postern explain"));
        let heard = raw.query("commit").await;
        assert_eq!(status(&heard), 'I');
        assert!(
            heard
                .iter()
                .any(|(tag, body)| *tag == 'C' && body.starts_with(b"ROLLBACK"))
        );
    });
    assert_eq!(count(world, 9001), "0");
}

#[test]
fn a_pipeline_whose_second_half_is_refused_leaves_nothing_of_its_first() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        let insert = insert(9002);
        raw.send(&[
            parse("", &insert),
            bind("", ""),
            execute("", 0),
            parse("", REFUSED),
            bind("", ""),
            execute("", 0),
            sync(),
        ])
        .await;
        let heard = raw.until_ready().await;
        assert_eq!((tags(&heard).as_str(), status(&heard)), ("12CEZ", 'I'));
        assert_eq!(error(&heard, 'C'), "42501");
    });
    assert_eq!(count(world, 9002), "0");
}

#[test]
fn a_refusal_after_a_flush_undoes_what_was_flushed() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        let insert = insert(9003);
        raw.send(&[parse("", &insert), bind("", ""), execute("", 0), flush()])
            .await;
        for expected in ['1', '2', 'C'] {
            assert_eq!(raw.receive().await.0, expected);
        }
        raw.send(&[parse("", REFUSED), bind("", ""), execute("", 0), sync()])
            .await;
        let heard = raw.until_ready().await;
        assert_eq!(
            (tags(&heard).as_str(), error(&heard, 'C').as_str(), status(&heard)),
            ("EZ", "42501", 'I')
        );
    });
    assert_eq!(count(world, 9003), "0");
}

#[test]
fn after_a_savepoint_the_client_can_go_back_to_it() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.query("begin").await;
        raw.query("savepoint here").await;
        assert_eq!(status(&raw.query(REFUSED).await), 'E');
        assert_eq!(status(&raw.query("rollback to here").await), 'T');
        assert_eq!(status(&raw.query("commit").await), 'I');
    });
}

#[test]
fn an_earlier_error_of_the_server_is_the_only_one_heard() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.send(&[
            parse("", "select 1 / 0 from orders where id = 1"),
            bind("", ""),
            execute("", 0),
            parse("", REFUSED),
            sync(),
        ])
        .await;
        let heard = raw.until_ready().await;
        assert_eq!((error(&heard, 'C').as_str(), status(&heard)), ("22012", 'I'));
        assert_eq!(tags(&heard).matches('E').count(), 1);
    });
}

#[test]
fn a_refusal_behind_an_unanswered_query_comes_in_its_turn() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.send(&[
            query("select id from orders where id = 1"),
            query(REFUSED),
            query("select id from orders where id = 2"),
        ])
        .await;
        let heard = [
            raw.until_ready().await,
            raw.until_ready().await,
            raw.until_ready().await,
        ];
        assert_eq!(heard.each_ref().map(|heard| tags(heard)), ["TDCZ", "EZ", "TDCZ"]);
        assert_eq!(error(&heard[1], 'C'), "42501");
    });
}

#[test]
fn the_unnamed_statement_survives_a_refusal_elsewhere() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.query("begin").await;
        raw.send(&[parse("kept", "select id from orders where id = 1"), sync()])
            .await;
        raw.until_ready().await;
        raw.query(REFUSED).await;
        raw.query("rollback").await;
        raw.send(&[bind("", "kept"), execute("", 0), sync()]).await;
        assert_eq!(tags(&raw.until_ready().await), "2DCZ");
    });
}
