//! The Postgres protocol, whole: what a driver may send is served, anything else is refused.

use postern_tests::raw::{
    Raw, bind, close_statement, describe_statement, error, execute, flush, message, parse, query, status,
    sync, tags,
};
use postern_tests::{Login, World, field};

#[test]
fn extended_queries_with_names_portals_and_row_limits_work() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        let five = "select id from orders where id <= 5";
        raw.send(&[parse("five", five), describe_statement("five"), sync()])
            .await;
        assert_eq!(tags(&raw.until_ready().await), "1tTZ");
        raw.send(&[
            bind("p", "five"),
            execute("p", 2),
            execute("p", 2),
            execute("p", 2),
            sync(),
        ])
        .await;
        assert_eq!(tags(&raw.until_ready().await), "2DDsDDsDCZ");
        raw.send(&[close_statement("five"), sync()]).await;
        assert_eq!(tags(&raw.until_ready().await), "3Z");
        raw.send(&[bind("", "five"), sync()]).await;
        let heard = raw.until_ready().await;
        assert_eq!(
            (tags(&heard).as_str(), error(&heard, 'C').as_str()),
            ("EZ", "26000")
        );
    });
}

#[test]
fn a_pipeline_of_a_thousand_statements_comes_back_in_order() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        let one = [
            parse("", "select id from orders where id = 7"),
            bind("", ""),
            execute("", 0),
        ]
        .concat();
        raw.send(&[one.repeat(1_000), sync()]).await;
        assert_eq!(
            tags(&raw.until_ready().await),
            format!("{}Z", "12DC".repeat(1_000))
        );
    });
}

#[test]
fn one_byte_at_a_time_gives_the_same_answers() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        let messages = [
            query("select id from orders where id = 3"),
            parse("", "select 1"),
            bind("", ""),
            execute("", 0),
            sync(),
        ];
        for byte in messages.concat() {
            raw.send_bytes(&[byte]).await;
        }
        assert_eq!(tags(&raw.until_ready().await), "TDCZ");
        assert_eq!(tags(&raw.until_ready().await), "12DCZ");
    });
}

#[test]
fn function_calls_by_number_are_refused_and_the_session_goes_on() {
    let world = World::shared();
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.send(&[message('F', &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0])]).await;
        let heard = raw.until_ready().await;
        assert_eq!(
            (tags(&heard).as_str(), error(&heard, 'C').as_str()),
            ("EZ", "0A000")
        );
        assert_eq!(tags(&raw.query("select 1").await), "TDCZ");
    });
}

#[test]
fn messages_that_break_the_protocol_end_the_session() {
    let world = World::shared();
    let token = world.token("all", &[]);
    world.block_on(async {
        for broken in [
            message('Q', b"select 1\0drop table orders\0"),
            message('Q', b"select 1"),
            message('Q', b"select '\xff'\0"),
            message('B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0"),
            message('y', b""),
            vec![b'Q', 0, 0, 0, 3],
            vec![b'Q', 0x7f, 0xff, 0xff, 0xff],
        ] {
            let mut raw = Raw::log_in(world, &token).await;
            raw.send_bytes(&broken).await;
            let heard = [raw.receive().await];
            assert_eq!(error(&heard, 'C'), "08P01");
            assert_eq!(error(&heard, 'S'), "FATAL");
            assert!(raw.try_receive().await.is_none());
        }
    });
}

#[test]
fn copy_in_and_out_follow_the_servers_answer() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.send(&[query("copy orders from stdin")]).await;
        assert_eq!(raw.receive().await.0, 'G');
        raw.send(&[message('d', b"9101\t1\tcopied\t1\n"), message('c', b"")])
            .await;
        assert_eq!(tags(&raw.until_ready().await), "CZ");
        let heard = raw
            .query("copy (select id from orders where id = 9101) to stdout")
            .await;
        assert_eq!(tags(&heard), "HdcCZ");
        // A COPY that the server rejects, and a client that streams on: its data is data, whatever it holds.
        let hidden = query("delete from orders where id = 9101");
        raw.send(&[
            query("copy orders (id, nothing) from stdin"),
            message('d', &hidden),
            message('d', b"x\n"),
            message('c', b""),
            query("select id from orders where id = 9101"),
        ])
        .await;
        assert_eq!(tags(&raw.until_ready().await), "EZ");
        assert_eq!(tags(&raw.until_ready().await), "TDCZ");
        raw.query("delete from orders where id = 9101").await;
    });
}

#[test]
fn a_query_inside_a_copy_is_a_broken_protocol_and_nothing_is_kept() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.send(&[query("copy orders from stdin")]).await;
        assert_eq!(raw.receive().await.0, 'G');
        raw.send(&[message('d', b"9102\t1\tcopied\t1\n"), query("select 1")])
            .await;
        assert_eq!(error(&[raw.receive().await], 'C'), "08P01");
    });
    let left = world
        .cluster
        .sql(&world.database, "select count(*) from orders where id = 9102")
        .unwrap();
    assert_eq!(left.trim(), "0");
}

#[test]
fn notifications_and_notices_arrive_by_themselves() {
    let world = World::shared();
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.query("listen news").await;
        raw.send(&[query("notify news, 'hello'")]).await;
        assert!(tags(&raw.until_ready().await).contains('A'));
        let heard = raw.query("drop table if exists not_there").await;
        assert!(tags(&heard).contains('N'));
    });
}

#[test]
fn a_cancel_stops_the_statement_of_its_own_key_only_and_is_recorded() {
    let world = World::shared();
    let token = world.token("all", &[]);
    world.block_on(async {
        let client = world.connect(Login::Token(&token)).await.unwrap();
        let cancel = client.cancel_token();
        let tls = postern_tests::rustls_connect::Connect::new(&world.folder.join("link-ca.pem"), Login::Token(""));
        let sleeping = client.simple_query("select pg_sleep(600)");
        let cancelling = async {
            world.until("the statement runs", || {
                let asked = "select count(*) from pg_stat_activity where query like 'select pg_sleep(600)%' and state = 'active'";
                world.cluster.sql("postgres", asked).unwrap().trim() == "1"
            });
            cancel.cancel_query(tls).await.unwrap();
        };
        let (slept, ()) = futures_util::future::join(sleeping, cancelling).await;
        assert_eq!(slept.unwrap_err().code().unwrap().code(), "57014");
    });
    world.until_recorded("the cancel", |record| field(record, "kind") == "cancel");
}

#[test]
fn a_plaintext_cancel_with_a_wrong_key_does_nothing() {
    use std::io::{Read, Write};
    let world = World::shared();
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", world.port)).unwrap();
    socket
        .write_all(&[0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 2])
        .unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    assert!(answer.is_empty());
}

#[test]
fn a_clients_name_is_answered_and_recorded_but_never_sent_on() {
    let world = World::shared();
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        let heard = raw.query("set application_name = 'mine'").await;
        assert_eq!(tags(&heard).replace('S', ""), "CZ");
        let heard = raw
            .query("select application_name from pg_stat_activity where pid = pg_backend_pid()")
            .await;
        let row = &heard.iter().find(|(tag, _)| *tag == 'D').unwrap().1;
        assert!(row.ends_with(b"postern:all:77001"), "{row:?}");
        raw.query("reset all").await;
        let heard = raw
            .query("select application_name from pg_stat_activity where pid = pg_backend_pid()")
            .await;
        let row = &heard.iter().find(|(tag, _)| *tag == 'D').unwrap().1;
        assert!(row.ends_with(b"postern:all:77001"), "{row:?}");
    });
}

#[test]
fn protocol_and_sql_share_the_names_of_prepared_statements() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        // The name is known from the server's answer on, and gives way when SQL drops it.
        raw.send(&[parse("s1", "select id from orders where id = 1"), sync()])
            .await;
        raw.until_ready().await;
        raw.query("deallocate s1").await;
        raw.send(&[bind("", "s1"), sync()]).await;
        assert_eq!(error(&raw.until_ready().await, 'C'), "26000");
    });
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.query("prepare s2 as select 2").await;
        assert_eq!(tags(&raw.query("execute s2").await), "TDCZ");
        raw.send(&[bind("", "s2"), execute("", 0), sync()]).await;
        assert_eq!(tags(&raw.until_ready().await), "2DCZ");
        raw.query("begin; declare c cursor for select 1").await;
        assert_eq!(tags(&raw.query("fetch c").await), "TDCZ");
        assert_eq!(status(&raw.query("fetch unknown").await), 'E');
    });
}

#[test]
fn a_flush_brings_the_answers_without_a_sync() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.send(&[parse("", "select id from orders where id = 1"), flush()])
            .await;
        assert_eq!(raw.receive().await.0, '1');
        raw.send(&[bind("", ""), execute("", 0), flush()]).await;
        for expected in ['2', 'D', 'C'] {
            assert_eq!(raw.receive().await.0, expected);
        }
        raw.send(&[sync()]).await;
        assert_eq!(raw.receive().await.0, 'Z');
    });
}

#[test]
fn an_upstream_connection_is_used_again_only_after_a_plain_session_and_as_new() {
    let world = World::start(&postern_tests::Wishes {
        limits: "workers: 1".into(),
        ..Default::default()
    });
    let (certificate, key) = world.certificate("all");
    let ask = |sql: &str| {
        world
            .psql(Login::Certificate(&certificate, &key), sql)
            .succeeded()
    };
    let pid = || ask("select pg_backend_pid()").trim().to_owned();
    let first = pid();
    world.until("a plain session's connection is used again", || {
        pid() == first || pid() == pid()
    });
    assert_eq!(ask("set timezone = 'Asia/Tokyo'").trim(), "");
    assert_ne!(ask("show timezone").trim(), "Asia/Tokyo");
    let marked = ask("create temp table mark (a int); select pg_backend_pid()")
        .trim()
        .to_owned();
    for _ in 0..5 {
        assert_ne!(
            pid(),
            marked,
            "a session with a temporary table leaves a connection that is closed"
        );
    }
}

#[test]
fn a_sync_that_the_server_ignores_before_copied_rows_is_not_waited_for() {
    let world = World::shared();
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        let table = "create temp table copied (n int)";
        raw.query(table).await;
        for _ in 0..2 {
            raw.send(&[
                parse("", "copy copied from stdin"),
                bind("", ""),
                execute("", 0),
                sync(),
                sync(),
            ])
            .await;
            let heard = [raw.receive().await, raw.receive().await, raw.receive().await];
            assert_eq!(tags(&heard), "12G");
            raw.send(&[sync(), message('d', b"7\n"), message('c', b""), sync()])
                .await;
            assert_eq!(tags(&raw.until_ready().await), "CZ");
        }
        let counted = raw.query("select count(*) from copied").await;
        assert!(
            counted.iter().any(|(_, body)| body.ends_with(b"2")),
            "{counted:?}"
        );
        // What fails skips to a Sync that comes after it, never to one that was ignored.
        raw.send(&[
            parse("", "copy copied from stdin"),
            bind("", ""),
            execute("", 0),
            sync(),
        ])
        .await;
        raw.send(&[message('d', b"no number\n"), message('c', b""), sync()])
            .await;
        assert_eq!(tags(&raw.until_ready().await), "12GEZ");
        assert_eq!(tags(&raw.query("select 1").await), "TDCZ");
    });
}
