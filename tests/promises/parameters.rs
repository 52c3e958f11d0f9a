//! Parameter types that a client gives by number run no more code than their names would in a text.

use std::sync::OnceLock;

use postern_tests::raw::{
    Message, Raw, bind_value, error, execute, message, parse, parse_typed, query, sync, tags,
};
use postern_tests::{Login, Wishes, World, create_database_with, field};

/// A database where each value of `checked` leaves a trace, and each of `drifting` moves what `page` means.
fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let policies = format!(
            "{}\n@id(\"no-hidden\") forbid (principal, action, resource) when \
             {{ resource is Postern::Table && resource.schema == \"hidden\" }};",
            include_str!("../src/shop.cedar")
        );
        let world = World::start(&Wishes {
            policies: Some(policies),
            ..Wishes::default()
        });
        world.cluster.sql(&world.database, SETUP).unwrap();
        world
    })
}

const SETUP: &str = "
create sequence trace; grant all on sequence trace to public;
create function leave_trace(text) returns bool language sql as $$ select nextval('trace') > 0 $$;
create function drift(text) returns bool language plpgsql as
  $$ begin perform set_config('search_path', 'hidden', false); return true; end $$;
create domain checked as text check (leave_trace(value));
create domain checked_again as checked;
create domain drifting as text check (drift(value));
create domain plain as text not null;
create type mood as enum ('well', 'ill');
create type pair as (left_one int, right_one checked);
create type plain_pair as (left_one int, right_one mood);
create table landing (note drifting); grant all on landing to public;
create schema hidden; create table hidden.page (body text); create table page (body text);
grant usage on schema hidden to public; grant select on hidden.page, page to public;";

fn number_of(name: &str) -> u32 {
    let world = world();
    let question = format!("select '{name}'::regtype::oid");
    world
        .cluster
        .sql(&world.database, &question)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

fn traces() -> String {
    let world = world();
    let question = "select last_value, is_called from trace";
    world.cluster.sql(&world.database, question).unwrap()
}

/// What the server, or the gateway, answers to one value of a type given by number.
async fn say(raw: &mut Raw, sql: &str, number: u32, value: &str) -> Vec<Message> {
    let messages = [
        parse_typed("", sql, &[number]),
        bind_value("", value),
        execute("", 0),
        sync(),
    ];
    raw.send(&messages).await;
    raw.until_ready().await
}

#[test]
fn a_parameter_type_that_runs_somebodys_code_needs_the_permit_of_a_cast() {
    let world = world();
    let token = world.token("report", &[]);
    let before = traces();
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        for (name, value) in [
            ("checked", "x"),
            ("checked_again", "x"),
            ("checked[]", "{x}"),
            ("pair", "(1,x)"),
            ("pair[]", "{\"(1,x)\"}"),
        ] {
            for sql in ["select 1 where $1 is null", ""] {
                let heard = say(&mut raw, sql, number_of(name), value).await;
                assert_eq!(error(&heard, 'C'), "42501", "{name}: {sql}");
                assert!(!tags(&heard).contains('2'), "{name}: {sql}");
            }
        }
        let heard = say(&mut raw, "select 1 where $1 is null", number_of("checked"), "x").await;
        assert!(
            error(&heard, 'M').contains("may not execute public.checked"),
            "{}",
            error(&heard, 'M')
        );
    });
    assert_eq!(traces(), before, "the domain's check has run");
    let heard = world.psql(Login::Token(&token), "select 'x'::checked");
    heard.refused("42501");
}

#[test]
fn a_parameter_type_that_runs_nobodys_code_needs_no_permit() {
    let world = world();
    let token = world.token("report", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        for (name, value) in [
            ("text", "x"),
            ("plain", "x"),
            ("mood", "well"),
            ("mood[]", "{ill}"),
            ("plain_pair", "(1,well)"),
            ("customers", "(1,,,,)"),
        ] {
            let heard = say(&mut raw, "select 1 where $1 is null", number_of(name), value).await;
            let answered = tags(&heard);
            assert!(
                answered.starts_with("12") || error(&heard, 'C').starts_with("22"),
                "{name}: {answered}"
            );
        }
    });
}

#[test]
fn a_parameter_type_newer_than_the_session_is_asked_for_and_one_that_nobody_made_is_refused() {
    let world = world();
    let token = world.token("report", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        assert_eq!(tags(&raw.query("select 1").await), "TDCZ");
        let setup = "create type newer as enum ('well'); create domain newer_checked as text check (leave_trace(value))";
        world.cluster.sql(&world.database, setup).unwrap();
        let heard = say(&mut raw, "select $1", number_of("newer"), "well").await;
        assert_eq!(tags(&heard), "12DCZ");
        let heard = say(&mut raw, "select $1", number_of("newer_checked"), "x").await;
        assert_eq!(error(&heard, 'C'), "42501");
        for _ in 0..2 {
            let heard = say(&mut raw, "select $1", 4_000_000_000, "x").await;
            assert_eq!(error(&heard, 'C'), "42501");
            assert!(error(&heard, 'D').contains("number 4000000000"), "{}", error(&heard, 'D'));
        }
        assert_eq!(tags(&raw.query("select 1").await), "TDCZ");
    });
}

#[test]
fn what_a_domains_check_moves_is_seen_where_a_value_is_written() {
    let world = world();
    let token = world.token("all", &[]);
    world.block_on(async {
        for typed in [false, true] {
            let mut raw = Raw::log_in(world, &token).await;
            assert_eq!(tags(&raw.query("select * from page").await), "TCZ");
            if typed {
                let heard = say(&mut raw, "select $1", number_of("drifting"), "x").await;
                assert_eq!(tags(&heard), "12DCZ");
            } else {
                assert_eq!(tags(&raw.query("insert into landing values ('x')").await), "CZ");
            }
            assert_eq!(
                error(&raw.query("select * from page").await, 'C'),
                "42501",
                "typed: {typed}"
            );
        }
    });
}

/// A Bind of one value in this format; no value is NULL.
fn bind_as(portal: &str, statement: &str, format: u8, value: Option<&str>) -> Vec<u8> {
    let mut body = format!("{portal}\0{statement}\0").into_bytes();
    body.extend([0, 1, 0, format, 0, 1]);
    let length = value.map_or(u32::MAX, |value| u32::try_from(value.len()).unwrap());
    body.extend(length.to_be_bytes());
    body.extend(value.unwrap_or_default().bytes().chain([0, 0]));
    message('B', &body)
}

#[test]
fn a_setting_that_a_parameter_names_is_judged_by_the_value_of_each_bind() {
    const ASK: &str = "select current_setting($1::varchar) as told_by_value";
    let world = world();
    let token = world.token("report", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.send(&[parse("ask", ASK), sync()]).await;
        assert_eq!(tags(&raw.until_ready().await), "1Z");
        for (value, answered) in [
            ("TimeZone", "2DCZ"),
            ("config_file", "EZ"),
            ("timezone", "2DCZ"),
            ("CONFIG_FILE", "EZ"),
            ("timezone ", "EZ"),
            ("", "EZ"),
        ] {
            raw.send(&[bind_value("ask", value), execute("", 0), sync()])
                .await;
            let heard = raw.until_ready().await;
            assert_eq!(tags(&heard), answered, "{value}");
            if answered == "EZ" {
                assert_eq!(error(&heard, 'C'), "42501", "{value}");
            }
        }
        let told = bind_value("ask", "config_file");
        raw.send(&[told, execute("", 0), sync()]).await;
        let heard = raw.until_ready().await;
        assert!(
            error(&heard, 'M').contains("show setting config_file"),
            "{heard:?}"
        );
        // What is no text or nothing at all counts as every setting.
        for (format, value) in [(1, Some("timezone")), (0, None), (1, None)] {
            raw.send(&[bind_as("", "ask", format, value), execute("", 0), sync()])
                .await;
            let heard = raw.until_ready().await;
            assert_eq!(
                (tags(&heard).as_str(), error(&heard, 'C').as_str()),
                ("EZ", "42501")
            );
        }
        // Two portals of one statement stand beside each other, each with its own judgement.
        raw.send(&[
            bind_as("one", "ask", 0, Some("timezone")),
            bind_as("two", "ask", 0, Some("data_directory")),
            execute("one", 0),
            execute("two", 0),
            sync(),
        ])
        .await;
        assert_eq!(tags(&raw.until_ready().await), "2EZ");
        raw.send(&[
            query("begin"),
            bind_as("one", "ask", 0, Some("timezone")),
            execute("one", 0),
            sync(),
        ])
        .await;
        assert_eq!(tags(&raw.until_ready().await), "CZ");
        assert_eq!(tags(&raw.until_ready().await), "2DCZ");
        assert_eq!(tags(&raw.query("rollback").await), "CZ");
        // Parse and Bind in one go: the server has parsed it, and must still run nothing.
        for (value, answered) in [("config_file", "1EZ"), ("TimeZone", "12DCZ")] {
            let heard = say(&mut raw, "select current_setting($1)", 25, value).await;
            assert_eq!(tags(&heard), answered, "{value}");
        }
        // By EXECUTE no Bind has given a value.
        let heard = raw.query("execute ask('timezone')").await;
        assert_eq!(error(&heard, 'C'), "42501");
        for sql in [
            "select current_setting($1), $1::name",
            "select current_setting($1), ssn from customers",
            "prepare inner_ask as select current_setting($1)",
        ] {
            let heard = say(&mut raw, sql, 25, "timezone").await;
            assert_eq!(
                (tags(&heard).as_str(), error(&heard, 'C').as_str()),
                ("EZ", "42501"),
                "{sql}"
            );
        }
        let heard = say(
            &mut raw,
            "select current_setting($1)",
            number_of("checked"),
            "timezone",
        )
        .await;
        assert_eq!(error(&heard, 'C'), "42501");
    });
    let log = world.server_log();
    let ran = log
        .iter()
        .filter(|line| line.contains("execute") && line.contains("told_by_value"));
    assert_eq!(ran.count(), 3, "only what was permitted has run");
    let record = world.until_recorded("the setting's name", |record| {
        field(record, "kind") == "intent" && field(record, "text").contains("told_by_value")
    });
    assert!(record.to_string().contains("timezone"), "{record}");
}

#[test]
fn a_database_in_another_encoding_is_refused_with_words_that_teach() {
    let mut world = World::start(&Wishes::default());
    let other = format!("{}_latin", world.database);
    let options = "encoding 'LATIN1' locale 'C' template template0";
    create_database_with(world.cluster, &other, options);
    let both = format!("[\"{}\", \"{other}\"]", world.database);
    let resources = world
        .resources()
        .replace(&format!("[\"{}\"]", world.database), &both);
    world.change("resources.yaml", &resources);
    let config = world.folder.join("postern.yaml");
    let checked = world.postern(&["check", "--config", config.to_str().unwrap()]);
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(
        said.contains(&format!("× database `{other}` of target `shop`"))
            && said.contains("encoded in LATIN1"),
        "{said}"
    );
    world.database = other;
    let token = world.token("report", &[]);
    let heard = world.psql(Login::Token(&token), "select 1");
    heard.turned_away("the database is encoded in LATIN1, and the gateway serves only UTF8");
}
