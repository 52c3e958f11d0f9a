//! Limits: what is too much is refused by its name, and the session goes on where it can.

use std::sync::OnceLock;

use postern_tests::raw::{Raw, bind, error, execute, message, parse, query, status, sync, tags};
use postern_tests::{Login, Wishes, World, field};

/// A house that is narrow in everything that one session may ask for.
fn narrow() -> &'static World {
    static NARROW: OnceLock<World> = OnceLock::new();
    NARROW.get_or_init(|| {
        World::start(&Wishes {
            limits: "workers: 1, startup_bytes_max: 300, token_bytes_max: 3000, statement_bytes_max: 2500, \
                     bind_bytes_max: 1000, message_bytes_max: 500, record_bytes_max: 2000, prepared_max: 3, \
                     prepared_bytes_max: 3000, portals_max: 3, unanswered_max: 5, \
                     refusals_recorded_per_minute_max: 2, upstream_age_seconds_max: 0"
                .into(),
            ..Wishes::default()
        })
    })
}

async fn session(workload: &str) -> Raw {
    let world = narrow();
    Raw::log_in(world, &world.token(workload, &[])).await
}

/// The SQLSTATE of the first error of an answer, if its fields tell this limit's name.
#[track_caller]
fn named(heard: &[(char, Vec<u8>)], limit: &str) -> String {
    let told = format!("{} {}", error(heard, 'M'), error(heard, 'D'));
    assert!(told.contains(&format!("`{limit}`")), "{limit} in: {told}");
    error(heard, 'C')
}

/// A statement of so many bytes.
fn statement(bytes: usize) -> String {
    format!("select 1 {:<1$}", "--", bytes - 9)
}

#[test]
fn a_startup_packet_beyond_startup_bytes_max_is_refused() {
    let world = narrow();
    world.block_on(async {
        let start = async |bytes: usize| {
            let mut raw = Raw::secure(world, Login::Token("x")).await;
            let name = "x".repeat(bytes - 35);
            raw.start(196_608, &[("user", "me"), ("application_name", &name)])
                .await;
            raw.receive().await
        };
        assert_eq!(start(300).await.0, 'R');
        assert_eq!(named(&[start(301).await], "startup_bytes_max"), "08P01");
    });
}

#[test]
fn a_token_beyond_token_bytes_max_is_refused_before_it_is_read() {
    let world = narrow();
    world.block_on(async {
        let log_in = async |bytes: usize| {
            let mut raw = Raw::secure(world, Login::Token("x")).await;
            raw.start(196_608, &[("user", "postern")]).await;
            assert_eq!(raw.receive().await.0, 'R');
            raw.password(&"x".repeat(bytes)).await;
            raw.receive().await
        };
        let heard = [log_in(3_000).await];
        assert!(!error(&heard, 'M').contains("token_bytes_max"));
        assert_eq!(named(&[log_in(3_001).await], "token_bytes_max"), "28P01");
    });
}

#[test]
fn a_statement_beyond_statement_bytes_max_is_refused_and_the_session_goes_on() {
    narrow().block_on(async {
        let mut raw = session("all").await;
        assert_eq!(tags(&raw.query(&statement(1_900)).await), "TDCZ");
        let too_long = statement(2_501);
        assert_eq!(named(&raw.query(&too_long).await, "statement_bytes_max"), "42501");
        raw.send(&[parse("", &too_long), bind("", ""), execute("", 0), sync()])
            .await;
        let heard = raw.until_ready().await;
        assert_eq!(tags(&heard), "EZ");
        assert_eq!(named(&heard, "statement_bytes_max"), "42501");
        assert_eq!(tags(&raw.query("select 1").await), "TDCZ");
    });
}

#[test]
fn messages_beyond_what_is_read_whole_end_the_session_before_they_have_come() {
    narrow().block_on(async {
        for (tag, bytes, limit) in [
            ('Q', 2_500 + 4 * 65_536, "statement_bytes_max"),
            ('P', 2_500 + 4 * 65_536, "statement_bytes_max"),
            ('B', 1_000, "bind_bytes_max"),
            ('D', 500, "message_bytes_max"),
            ('E', 500, "message_bytes_max"),
            ('F', 500, "message_bytes_max"),
        ] {
            let mut raw = session("all").await;
            // The length counts itself, and one byte of type comes on top.
            let header =
                |bytes: usize| [&[tag as u8][..], &u32::try_from(bytes).unwrap().to_be_bytes()].concat();
            raw.send_bytes(&header(bytes)).await;
            assert_eq!(named(&[raw.receive().await], limit), "08P01", "{tag}");
            assert!(raw.try_receive().await.is_none());
        }
    });
}

#[test]
fn a_bind_within_bind_bytes_max_is_served() {
    narrow().block_on(async {
        let mut raw = session("all").await;
        let value = "x".repeat(900);
        let mut body = b"\0\0\0\0\0\x01".to_vec();
        body.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend_from_slice(value.as_bytes());
        body.extend_from_slice(&[0, 0]);
        raw.send(&[
            parse("", "select $1::text"),
            message('B', &body),
            execute("", 0),
            sync(),
        ])
        .await;
        assert_eq!(tags(&raw.until_ready().await), "12DCZ");
    });
}

#[test]
fn a_record_beyond_record_bytes_max_is_not_written_and_its_statement_not_sent() {
    let world = narrow();
    world.block_on(async {
        let mut raw = session("all").await;
        let columns = "1 as a_name_that_is_kept, ".repeat(80);
        let heard = raw.query(&format!("select {columns} 2 as never_sent_on")).await;
        assert_eq!((tags(&heard).as_str(), status(&heard)), ("EZ", 'I'));
        assert_eq!(named(&heard, "record_bytes_max"), "53100");
        assert_eq!(tags(&raw.query("select 1").await), "TDCZ");
    });
    assert!(
        !world
            .server_log()
            .iter()
            .any(|line| line.contains("never_sent_on"))
    );
}

#[test]
fn no_session_has_more_prepared_statements_than_prepared_max_however_it_makes_them() {
    narrow().block_on(async {
        let mut raw = session("all").await;
        for name in ["s1", "s2"] {
            raw.send(&[parse(name, "select 1"), sync()]).await;
            assert_eq!(tags(&raw.until_ready().await), "1Z");
        }
        assert_eq!(tags(&raw.query("prepare s3 as select 3").await), "CZ");
        assert_eq!(
            named(&raw.query("prepare s4 as select 4").await, "prepared_max"),
            "53300"
        );
        raw.send(&[parse("s4", "select 4"), sync()]).await;
        assert_eq!(named(&raw.until_ready().await, "prepared_max"), "53300");
        raw.send(&[parse("", "select 5"), bind("", ""), execute("", 0), sync()])
            .await;
        assert_eq!(
            tags(&raw.until_ready().await),
            "12DCZ",
            "the unnamed one has its place"
        );
        raw.query("deallocate s2").await;
        assert_eq!(tags(&raw.query("prepare s4 as select 4").await), "CZ");
    });
}

#[test]
fn a_pipeline_makes_no_more_prepared_statements_than_prepared_max() {
    narrow().block_on(async {
        let mut raw = session("all").await;
        let parses: Vec<Vec<u8>> = (0..6)
            .map(|number| parse(&format!("p{number}"), "select 1"))
            .collect();
        raw.send(&[parses.concat(), sync()]).await;
        let heard = raw.until_ready().await;
        assert_eq!(tags(&heard), "111EZ");
        assert_eq!(named(&heard, "prepared_max"), "53300");
        let mut raw = session("all").await;
        raw.send(&[query(
            "prepare a as select 1; prepare b as select 1; prepare c as select 1; prepare d as select 1",
        )])
        .await;
        assert_eq!(named(&raw.until_ready().await, "prepared_max"), "53300");
        let each = ["a", "b", "c", "d", "e"].map(|name| query(&format!("prepare {name} as select 1")));
        raw.send(&each).await;
        for expected in ["CZ", "CZ", "CZ", "EZ", "EZ"] {
            assert_eq!(tags(&raw.until_ready().await), expected);
        }
    });
}

#[test]
fn the_texts_of_prepared_statements_are_bounded_together_by_prepared_bytes_max() {
    narrow().block_on(async {
        let mut raw = session("all").await;
        raw.send(&[parse("long", &statement(1_600)), sync()]).await;
        assert_eq!(tags(&raw.until_ready().await), "1Z");
        raw.send(&[parse("longer", &statement(1_600)), sync()]).await;
        assert_eq!(named(&raw.until_ready().await, "prepared_bytes_max"), "53300");
        raw.send(&[parse("short", "select 1"), sync()]).await;
        assert_eq!(tags(&raw.until_ready().await), "1Z");
    });
}

#[test]
fn no_session_has_more_portals_and_cursors_than_portals_max() {
    narrow().block_on(async {
        let mut raw = session("all").await;
        raw.query("begin").await;
        assert_eq!(tags(&raw.query("declare c1 cursor for select 1").await), "CZ");
        raw.send(&[
            parse("s", "select 1"),
            bind("p1", "s"),
            bind("p2", "s"),
            bind("", "s"),
            sync(),
        ])
        .await;
        assert_eq!(tags(&raw.until_ready().await), "1222Z");
        assert_eq!(
            named(&raw.query("declare c2 cursor for select 1").await, "portals_max"),
            "53300"
        );
        raw.query("rollback").await;
        // What a pipeline has asked for counts before it is answered.
        raw.query("begin").await;
        let binds = ["p1", "p2", "p3", "p4"].map(|name| bind(name, "s"));
        raw.send(&[binds.concat(), sync()]).await;
        let heard = raw.until_ready().await;
        assert_eq!(tags(&heard), "222EZ");
        assert_eq!(named(&heard, "portals_max"), "53300");
    });
}

#[test]
fn what_one_client_has_unanswered_is_at_most_unanswered_max() {
    let world = narrow();
    world.block_on(async {
        let mut holder = session("all").await;
        holder.query("select pg_advisory_lock(4711)").await;
        let mut raw = session("all").await;
        raw.send(&vec![query("select pg_advisory_lock(4711) as one_of_twenty"); 20])
            .await;
        let taken = || {
            let records = world.records("workload=all");
            records
                .iter()
                .filter(|record| field(record, "text").contains("one_of_twenty"))
                .count()
        };
        world.until("as many as may be are taken", || taken() == 5);
        // Records arrive in the order in which they were made.
        holder.query("select 1 as after_the_others").await;
        world.until_recorded("a later one", |record| {
            field(record, "text").contains("after_the_others")
        });
        assert_eq!(taken(), 5);
        holder.query("select pg_advisory_unlock(4711)").await;
        for _ in 0..20 {
            assert_eq!(tags(&raw.until_ready().await), "TDCZ");
        }
        world.until("the others followed", || taken() == 20);
    });
}

#[test]
fn a_pipeline_longer_than_unanswered_max_comes_back_although_its_sync_comes_last() {
    narrow().block_on(async {
        let mut raw = session("all").await;
        let one = [parse("", "select 7"), bind("", ""), execute("", 0)].concat();
        raw.send(&[one.repeat(50), sync()]).await;
        assert_eq!(tags(&raw.until_ready().await), format!("{}Z", "12DC".repeat(50)));
    });
}

#[test]
fn refusals_beyond_refusals_recorded_per_minute_max_are_counted() {
    let world = narrow();
    world.block_on(async {
        let mut raw = session("report").await;
        for number in 0..5 {
            let heard = raw
                .query(&format!("select payload as refusal_{number} from secret"))
                .await;
            assert_eq!(error(&heard, 'C'), "42501");
        }
    });
    let is_first =
        |record: &_| field(record, "kind") == "refused" && field(record, "text").contains("refusal_0");
    let first = world.until_recorded("the first refusal", is_first);
    let of_session = |record: &serde_json::Value, kind: &str| {
        field(record, "session") == field(&first, "session") && field(record, "kind") == kind
    };
    let counted = world.until_recorded("the counted ones", |record| of_session(record, "refused_counted"));
    assert_eq!(
        counted.get("count").and_then(serde_json::Value::as_u64),
        Some(3),
        "{counted}"
    );
    let one_by_one = world
        .records("")
        .into_iter()
        .filter(|record| of_session(record, "refused"));
    assert_eq!(one_by_one.count(), 2);
}

#[test]
fn an_upstream_connection_older_than_upstream_age_seconds_max_is_not_used_again() {
    let world = narrow();
    let token = world.token("migrate", &[]);
    let waiting = || pids(world, "migrate");
    for _ in 0..3 {
        let before = waiting();
        let own = world
            .psql(Login::Token(&token), "select pg_backend_pid()")
            .succeeded();
        assert!(!before.contains(own.trim()), "{own} was there before: {before}");
        world.until("a connection waits for the next session", || {
            !waiting().is_empty()
        });
    }
}

/// The process ids of a workload's backends.
pub fn pids(world: &World, workload: &str) -> String {
    let asked = format!(
        "select string_agg(pid::text, ' ') from pg_stat_activity \
         where datname = '{}' and application_name like 'postern:{workload}%'",
        world.database
    );
    world.cluster.sql("postgres", &asked).unwrap().trim().to_owned()
}
