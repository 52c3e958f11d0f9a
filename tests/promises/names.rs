//! Which object a name means, when that moves inside a session.

use postern_tests::raw::{PROTOCOL_3_0, Raw, bind, error, execute, parse, query, status, sync, tags};
use postern_tests::{Login, Wishes, World, claim};

/// `all` may do everything except touch `secret` and whatever stands in the schema `hidden`.
fn world() -> &'static World {
    static WORLD: std::sync::OnceLock<World> = std::sync::OnceLock::new();
    WORLD.get_or_init(|| World::start(&wishes()))
}

fn wishes() -> Wishes {
    let policies = format!(
        "{}\n@id(\"no-secret\") forbid (principal, action, resource) when \
         {{ resource is Postern::Table && (resource.name == \"secret\" || resource.schema == \"hidden\") }};",
        include_str!("../src/shop.cedar")
    );
    Wishes {
        policies: Some(policies),
        ..Wishes::default()
    }
}

#[test]
fn a_temporary_table_shadows_only_in_its_own_session() {
    let world = world();
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        assert_eq!(
            tags(&raw.query("create temp table shade as select 1 as id").await),
            "CZ"
        );
        assert_eq!(tags(&raw.query("select id from shade").await), "TDCZ");
    });
}

#[test]
fn a_search_path_that_moves_takes_the_judgement_with_it() {
    let world = world();
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.query("create schema if not exists side").await;
        raw.query("create table if not exists side.secret (payload text)")
            .await;
        raw.query("drop view if exists side.harmless").await;
        raw.query("set search_path to side").await;
        assert_eq!(error(&raw.query("select * from secret").await, 'C'), "42501");
        // What is not on the path any more is not found, and it is the server who says so.
        assert_eq!(error(&raw.query("select * from orders").await, 'C'), "42P01");
        raw.query("begin; set local search_path to public").await;
        assert_eq!(
            tags(&raw.query("select id from orders where id = 1").await),
            "TDCZ"
        );
        raw.query("rollback").await;
        assert_eq!(error(&raw.query("select * from orders").await, 'C'), "42P01");
    });
}

#[test]
fn what_follows_the_end_of_a_transaction_in_one_text_is_not_judged_by_its_names() {
    let world = world();
    let token = world.token("all", &[]);
    let setup = "create schema if not exists hidden; create table if not exists hidden.page (body text); \
                 create table if not exists public.page (body text); \
                 grant usage on schema hidden to public; grant select on hidden.page, public.page to public";
    world.cluster.sql(&world.database, setup).unwrap();
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.query("set search_path to hidden").await;
        assert_eq!(error(&raw.query("select * from page").await, 'C'), "42501");
        for end in ["rollback", "commit", "rollback to here"] {
            raw.query("begin; savepoint here").await;
            raw.query("set local search_path to public").await;
            assert_eq!(tags(&raw.query("select * from page").await), "TCZ", "{end}");
            let heard = raw.query(&format!("{end}; select * from page")).await;
            assert!(!tags(&heard).contains('T'), "{end}");
            assert_eq!(status(&heard), 'E', "{end}");
            // The failed transaction cannot be asked, so there the same holds.
            let heard = raw.query(&format!("{end}; select * from page")).await;
            assert!(!tags(&heard).contains('T'), "{end}");
            raw.query("rollback").await;
            assert_eq!(
                error(&raw.query("select * from page").await, 'C'),
                "42501",
                "{end}"
            );
        }
        assert_eq!(
            tags(&raw.query("begin; select 1; commit; select 1").await),
            "CTDCCTDCZ"
        );
    });
}

#[test]
fn a_reset_takes_the_reading_of_backslashes_with_it() {
    let world = World::start(&Wishes::default());
    let token = world.token("all", &[]);
    let setting = "standard_conforming_strings = off";
    let setup = format!(
        "alter role shop_owner in database {} set {setting}",
        world.database
    );
    world.cluster.sql(&world.database, &setup).unwrap();
    world.block_on(async {
        let mut raw = Raw::log_in(&world, &token).await;
        for back in ["reset all", "discard all", "reset standard_conforming_strings"] {
            raw.query("set standard_conforming_strings to on").await;
            assert_eq!(tags(&raw.query(r"select 'a\'").await), "TDCZ");
            assert_eq!(tags(&raw.query(back).await).chars().last(), Some('Z'), "{back}");
            // One harmless literal to who reads backslashes as they are, two statements to this server.
            let heard = raw.query(r"set app.note = 'x\''; drop table orders; --'").await;
            assert!(!tags(&heard).contains('C'), "{back}");
            assert_eq!(
                tags(&raw.query("select id from orders where id = 1").await),
                "TDCZ",
                "{back}"
            );
        }
    });
}

#[test]
fn what_a_client_sets_after_a_reset_stays() {
    let world = world();
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::secure(world, Login::Token(&token)).await;
        let startup = [
            ("user", "postern"),
            ("database", world.database.as_str()),
            ("statement_timeout", "5000"),
        ];
        raw.start(PROTOCOL_3_0, &startup).await;
        raw.receive().await;
        raw.password(&token).await;
        raw.until_ready().await;
        for (said, timeout) in [
            ("", "5s"),
            ("set statement_timeout to 7000", "7s"),
            ("reset all", "5s"),
            ("reset all; set statement_timeout to 8000", "8s"),
        ] {
            for text in said.split("; ") {
                raw.query(text).await;
            }
            let heard = raw.query("select current_setting('statement_timeout')").await;
            let (_, row) = heard.iter().find(|(tag, _)| *tag == 'D').unwrap();
            assert!(row.ends_with(timeout.as_bytes()), "{said}: {row:?}");
        }
    });
}

#[test]
fn a_rename_inside_a_transaction_is_followed_and_undone() {
    let world = world();
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.query("create table if not exists plain (payload text)").await;
        raw.query("begin").await;
        let heard = raw.query("alter table secret rename to innocent").await;
        assert_eq!(
            error(&heard, 'C'),
            "42501",
            "renaming needs a say over both names"
        );
        raw.query("rollback").await;
        raw.query("begin").await;
        raw.query("alter table plain rename to plainer").await;
        assert_eq!(tags(&raw.query("select * from plainer").await), "TCZ");
        raw.query("rollback").await;
        assert_eq!(tags(&raw.query("select * from plain").await), "TCZ");
    });
}

#[test]
fn a_prepared_statement_is_judged_again_when_its_names_moved() {
    let world = world();
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.query("create schema if not exists moved; create table if not exists moved.thing (a int)")
            .await;
        raw.query("create or replace view moved.secret as select 1 as a")
            .await;
        raw.query("create table if not exists public.thing (a int)").await;
        raw.send(&[parse("s", "select * from thing"), sync()]).await;
        raw.until_ready().await;
        raw.query("set search_path to moved").await;
        raw.send(&[bind("", "s"), execute("", 0), sync()]).await;
        assert_eq!(tags(&raw.until_ready().await), "2CZ");
        raw.query("alter table moved.thing rename to thing_gone").await;
        raw.send(&[bind("", "s"), sync()]).await;
        assert_eq!(error(&raw.until_ready().await, 'C'), "42P01");
        raw.query("drop schema moved cascade").await;
    });
}

#[test]
fn a_dirty_pipeline_is_judged_one_message_at_a_time() {
    let world = world();
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.send(&[
            parse("", "create temp table here (a int)"),
            bind("", ""),
            execute("", 0),
            parse("", "insert into here values (1)"),
            bind("", ""),
            execute("", 0),
            parse("", "select a from here"),
            bind("", ""),
            execute("", 0),
            parse("", "select * from secret"),
            bind("", ""),
            execute("", 0),
            sync(),
        ])
        .await;
        let heard = raw.until_ready().await;
        assert_eq!((tags(&heard).as_str(), status(&heard)), ("12C12C12DCEZ", 'I'));
        assert_eq!(error(&heard, 'C'), "42501");
    });
}

#[test]
fn the_question_to_the_server_leaves_set_transaction_possible() {
    let world = world();
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.query("create temp table dirty (a int)").await;
        raw.query("begin").await;
        assert_eq!(
            tags(&raw.query("set transaction isolation level serializable").await),
            "CZ"
        );
        assert_eq!(tags(&raw.query("select * from dirty").await), "TCZ");
        raw.query("commit").await;
    });
}

#[test]
fn a_migration_sees_what_it_has_just_made() {
    let world = world();
    let token = world.token("migrate", &[]);
    let migration = "begin; create table ledger (id int primary key, note text); alter table ledger add column sum int; \
                     create index on ledger (sum); commit;";
    world.psql(Login::Token(&token), migration).succeeded();
    world
        .psql(
            Login::Token(&token),
            "alter table ledger drop column note; drop table ledger",
        )
        .succeeded();
}

#[test]
fn a_shadow_of_a_built_in_function_is_no_longer_built_in() {
    let world = world();
    let token = world.token("report", &[]);
    let setup = "create schema if not exists evil; grant usage on schema evil to public; \
                 create or replace function evil.lower(varchar) returns text language sql as 'select ''evil''';";
    world.cluster.sql(&world.database, setup).unwrap();
    let ask = |path: &str| {
        let options = format!("-c search_path={path}");
        world.psql_with(
            Login::Token(&token),
            &[("PGOPTIONS", &options)],
            "select lower(country) from public.customers",
        )
    };
    world
        .psql(Login::Token(&token), "select lower(country) from customers")
        .succeeded();
    assert!(!ask("evil,public").succeeded);
}

#[test]
fn what_an_earlier_client_set_at_its_startup_does_not_judge_the_next_on_its_connection() {
    let world = World::start(&Wishes {
        limits: "workers: 1".into(),
        ..wishes()
    });
    let database = &world.database;
    let setup = format!(
        "create schema hidden; create table hidden.page (body text); create table public.page (body text); \
         grant usage on schema hidden to public; grant select on hidden.page, public.page to public; \
         alter role shop_owner in database {database} set search_path to hidden, public"
    );
    world.cluster.sql(database, &setup).unwrap();
    let token = world.token("all", &[]);
    for _ in 0..20 {
        world
            .psql_with(
                Login::Token(&token),
                &[("PGOPTIONS", "-c search_path=public")],
                "select * from page",
            )
            .succeeded();
        world
            .psql(Login::Token(&token), "select * from page")
            .refused("42501");
    }
}

#[test]
fn the_server_knows_each_session_by_its_own_run() {
    let world = World::start(&Wishes {
        limits: "workers: 1".into(),
        ..Wishes::default()
    });
    for run in ["1", "2", "2"].iter().cycle().take(30) {
        let token = world.token("all", &[("run_id", claim(*run))]);
        let name = world
            .psql(Login::Token(&token), "show application_name")
            .succeeded();
        assert_eq!(name.trim(), format!("postern:all:{run}"));
    }
}

#[test]
fn a_name_that_a_function_has_changed_is_no_longer_known() {
    let world = world();
    let token = world.token("all", &[]);
    let swap = "create or replace function swap() returns void language plpgsql as \
                $$ begin execute 'deallocate s'; execute 'prepare s as select payload from secret'; end $$";
    world
        .cluster
        .sql(
            &world.database,
            &format!("{swap}; grant execute on function swap to public"),
        )
        .unwrap();
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.send(&[parse("s", "select id from orders where id = 1"), sync()])
            .await;
        raw.until_ready().await;
        assert_eq!(tags(&raw.query("select swap()").await), "TDCZ");
        raw.send(&[bind("", "s"), execute("", 0), sync()]).await;
        let heard = raw.until_ready().await;
        assert_eq!(
            (tags(&heard).as_str(), error(&heard, 'C').as_str()),
            ("EZ", "26000")
        );
        assert_eq!(error(&raw.query("execute s").await, 'C'), "26000");
    });
}

/// A house whose gateway reads all names again every three seconds, and after six without does not trust them.
fn quick_world() -> World {
    let world = World::start(&wishes());
    let resources = world.resources();
    world.change(
        "resources.yaml",
        &resources.replace(
            "  gateway_role:",
            "  catalogue_age_seconds_max: 6\n  gateway_role:",
        ),
    );
    world
}

/// How often the gateway has read all names by its own login.
fn refreshed(world: &World) -> usize {
    let log = world.server_log();
    let by_gateway = log.iter().filter(|line| line.contains("|shop_gateway|"));
    by_gateway
        .filter(|line| line.contains("pg_catalog.concat(("))
        .count()
}

#[test]
fn a_temporary_table_is_its_session_s_own_after_the_gateway_has_read_the_names_beside_it() {
    let world = quick_world();
    let setup = "create function harmless() returns int language sql as 'select 1'; \
                 grant execute on function harmless to public";
    world.cluster.sql(&world.database, setup).unwrap();
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(&world, &token).await;
        raw.query("create temp table customers as select 1 as id").await;
        let before = refreshed(&world);
        world.until("the names are read beside the table", || {
            refreshed(&world) >= before + 2
        });
        // In doubt it is asked whether names have moved since, and they have not.
        raw.query("select harmless()").await;
        assert_eq!(
            tags(&raw.query("select id as whose_is_it from customers").await),
            "TDCZ"
        );
    });
    world.until("it is told of", || !world.records("text=whose_is_it").is_empty());
    let effects = world.records("text=whose_is_it")[0]["effects"].to_string();
    // Where the schema is not among the names read, the table of the same name behind it counts as well.
    assert!(
        effects.contains("/pg_temp_") && !effects.contains("/public/"),
        "{effects}"
    );
}

#[test]
fn a_transaction_that_stays_at_its_moment_may_change_names_itself() {
    let world = quick_world();
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(&world, &token).await;
        raw.query("create table twig (id int)").await;
        raw.query("begin isolation level repeatable read").await;
        assert_eq!(tags(&raw.query("select id from twig").await), "TCZ");
        assert_eq!(
            tags(&raw.query("alter table twig add column body text").await),
            "CZ"
        );
        let (before, begun) = (refreshed(&world), std::time::Instant::now());
        while refreshed(&world) < before + 2 {
            assert!(
                begun.elapsed() < postern_tests::PATIENCE,
                "names are not read again"
            );
            assert_eq!(tags(&raw.query("select id, body from twig").await), "TCZ");
        }
        assert_eq!(tags(&raw.query("commit").await), "CZ");
    });
}

#[test]
fn a_transaction_that_stays_at_its_moment_is_not_judged_by_names_that_others_have_changed() {
    let world = quick_world();
    let superuser = |sql: &str| world.cluster.sql(&world.database, sql).unwrap();
    superuser(
        "create schema hidden; grant usage on schema hidden to public; create table leaf (body text); \
         grant select on leaf to public",
    );
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(&world, &token).await;
        raw.query("set search_path to hidden, public").await;
        raw.query("begin isolation level repeatable read").await;
        assert_eq!(tags(&raw.query("select body from leaf").await), "TCZ");
        // From here on the session has names of its own, and its connection tells them as they were.
        raw.query("create temp table mine (id int)").await;
        assert_eq!(tags(&raw.query("select body from leaf").await), "TCZ");
        superuser("create table hidden.leaf (body text); grant select on hidden.leaf to public");
        let begun = std::time::Instant::now();
        let refused = loop {
            assert!(
                begun.elapsed() < postern_tests::PATIENCE,
                "the hidden table is read"
            );
            raw.send(&[query("select body from leaf")]).await;
            let (tag, body) = raw.receive().await;
            if tag == 'E' {
                break [(tag, body)];
            }
            raw.until_ready().await;
        };
        assert_eq!(error(&refused, 'C'), "42501");
        assert!(error(&refused, 'M').contains("names have changed since this transaction began"));
    });
}

#[test]
fn a_call_of_what_may_move_names_does_not_make_the_server_tell_them_all() {
    let world = World::start(&Wishes::default());
    let setup = "create function harmless() returns int language sql as 'select 1'; \
                 grant execute on function harmless to public";
    world.cluster.sql(&world.database, setup).unwrap();
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(&world, &token).await;
        // Of a text of several lines the log's own first line is counted.
        let asked = || {
            let log = world.server_log().join("\n");
            ["SELECT pg_catalog.encode(", "SELECT pg_catalog.concat(("]
                .map(|words| log.matches(words).count())
        };
        raw.query("select harmless()").await;
        raw.query("select harmless()").await;
        let before = asked();
        for _ in 0..10 {
            assert_eq!(tags(&raw.query("select harmless()").await), "TDCZ");
        }
        let after = asked();
        assert!(
            after[0] >= before[0] + 10,
            "each time it is asked whether names have moved"
        );
        assert_eq!(after[1], before[1], "and never for all of them");
    });
}

#[test]
fn a_truncate_that_cascades_counts_for_the_tables_it_reaches() {
    let world = world();
    let token = world.token("all", &[]);
    let tables = "create table if not exists shelf (id int primary key); \
                  create schema if not exists kept; create table if not exists kept.secret (shelf int references public.shelf)";
    world
        .cluster
        .sql(
            &world.database,
            &format!("{tables}; alter table shelf owner to shop_owner"),
        )
        .unwrap();
    world.until("the gateway has read the new tables", || {
        world
            .psql(Login::Token(&token), "truncate shelf cascade")
            .complained
            .contains("no-secret")
    });
    // Without CASCADE it is the server that says no.
    world
        .psql(Login::Token(&token), "truncate shelf")
        .refused("0A000");
}

/// Two tables of one name, of which the second in `hidden` is forbidden.
fn two_pages(world: &World) {
    let setup = "create schema if not exists hidden; create table if not exists hidden.page (body text); \
                 create table if not exists public.page (body text); \
                 grant usage on schema hidden to public; grant select on hidden.page, public.page to public";
    world.cluster.sql(&world.database, setup).unwrap();
}

#[test]
fn what_a_name_runs_is_not_judged_by_names_that_the_same_text_moves_first() {
    let world = world();
    two_pages(world);
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.query("prepare s as select * from page").await;
        assert_eq!(tags(&raw.query("execute s").await), "TCZ");
        for move_and_run in [
            "set search_path to hidden; execute s",
            "set local search_path to hidden; execute s",
            "select set_config('search_path', 'hidden', true); explain analyze execute s",
            "create temp table page as select body from public.page; execute s",
        ] {
            let heard = raw.query(move_and_run).await;
            assert_eq!(error(&heard, 'C'), "42501", "{move_and_run}");
            assert_eq!(tags(&heard), "EZ", "{move_and_run}");
        }
        assert_eq!(tags(&raw.query("set timezone to utc; execute s").await), "CTCZ");
    });
}

#[test]
fn a_portal_that_finds_its_names_when_it_runs_is_judged_when_it_runs() {
    let world = world();
    two_pages(world);
    let token = world.token("all", &[]);
    world.block_on(async {
        for late in [
            "execute s",
            "copy page to stdout",
            "lock table page",
            "truncate page",
        ] {
            let mut raw = Raw::log_in(world, &token).await;
            raw.query("prepare s as select * from page").await;
            raw.send(&[
                parse("", late),
                bind("late", ""),
                parse("", "set search_path to hidden"),
                bind("", ""),
                execute("", 0),
                execute("late", 0),
                sync(),
            ])
            .await;
            let heard = raw.until_ready().await;
            assert_eq!(tags(&heard), "1212CEZ", "{late}");
            assert_eq!(error(&heard, 'C'), "42501", "{late}");
            // Whose plan was made at Bind reads what it was judged for.
            raw.send(&[
                parse("", "select * from public.page"),
                bind("soon", ""),
                parse("", "set search_path to hidden"),
                bind("", ""),
                execute("", 0),
                execute("soon", 0),
                sync(),
            ])
            .await;
            assert_eq!(tags(&raw.until_ready().await), "1212CCZ", "{late}");
        }
    });
}
