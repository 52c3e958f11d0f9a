//! What they may do: statement by statement, with the reason in psql itself.

use postern_tests::raw::Raw;
use postern_tests::{Heard, Login, World};

fn ask(workload: &str, sql: &str) -> Heard {
    let world = World::shared();
    let token = world.token(workload, &[]);
    world.psql(Login::Token(&token), sql)
}

#[test]
fn a_report_reads_its_columns_and_no_others() {
    assert_eq!(
        ask("report", "select id, country from customers where id = 1")
            .succeeded()
            .trim(),
        "1|FR"
    );
    let complaint = ask("report", "select id, ssn from customers").refused("42501");
    assert!(complaint.contains("ssn of public.customers"), "{complaint}");
    assert!(
        complaint.contains("DETAIL:") && complaint.contains("no rule permits it"),
        "{complaint}"
    );
    assert!(
        complaint.contains("HINT:") && complaint.contains("postern explain "),
        "{complaint}"
    );
}

#[test]
fn no_way_of_writing_a_column_hides_it() {
    for sql in [
        "select * from customers",
        "select c from customers c",
        "select row_to_json(c) from customers c",
        "select count(c.ssn) from customers c",
        "select w from customers c(w, x, y, z)",
        "select id from customers where ssn like 'ssn-1%'",
        "select id from customers order by email",
        "select id from customers natural join orders",
        "select ssn(c) from customers c",
        "with x as (select * from customers) select id from x",
        "select (select max(email) from customers)",
        "table customers",
        "copy customers to stdout",
        "copy (select ssn from customers) to stdout",
        "explain select ssn from customers",
        "select table_to_xml('customers', true, false, '')",
        "select query_to_xml('select ssn from customers', true, false, '')",
        "select * from secret",
        "select id from customers union select 1 from secret",
        "select n from totals",
        "select pg_read_file('/etc/passwd')",
        "select most_common_vals from pg_stats where tablename = 'customers'",
        "select query from pg_stat_activity",
    ] {
        ask("report", sql).refused("42501");
    }
}

#[test]
fn what_only_looks_like_it_passes() {
    for sql in [
        "select id from customers where country = 'secret'",
        "select 'select ssn from customers'",
        "with secret as (select 1 as payload) select payload from secret",
        "select count(*) from customers",
        "select c.id, upper(c.country) from customers c group by 1, 2 order by 2 limit 3",
        "copy (select id from customers) to stdout",
        "explain select id from customers",
        "select 1 /* ssn */ -- customers",
        "",
        "show server_version",
        "set statement_timeout = '5s'",
        "begin; savepoint a; rollback to a; commit",
    ] {
        ask("report", sql).succeeded();
    }
}

#[test]
fn a_change_without_a_filter_is_refused_and_with_one_passes() {
    let complaint = ask("writer", "delete from orders").refused("42501");
    assert!(
        complaint.contains("without a filter") && complaint.contains("only-filtered"),
        "{complaint}"
    );
    ask("writer", "delete from orders where true").refused("42501");
    ask("writer", "update orders set status = 'x' where id = id").refused("42501");
    ask("writer", "update orders set status = 'seen' where id = 190").succeeded();
    ask("writer", "delete from orders where id = 191").succeeded();
}

#[test]
fn several_statements_are_all_permitted_or_none_is_run() {
    let world = World::shared();
    ask(
        "writer",
        "update orders set status = 'first' where id = 192; delete from orders",
    )
    .refused("42501");
    assert_eq!(
        world
            .cluster
            .sql(&world.database, "select status from orders where id = 192")
            .unwrap()
            .trim(),
        "paid"
    );
}

#[test]
fn a_syntax_error_is_postgres_own_with_its_position() {
    let complaint = ask("report", "select id frm customers").refused("42601");
    assert!(
        complaint.contains("syntax error at or near") && complaint.contains("LINE 1"),
        "{complaint}"
    );
}

#[test]
fn what_cannot_be_judged_is_refused() {
    for sql in [
        "do $$ begin delete from orders; end $$",
        "load 'x'",
        "call nothing()",
        "execute nothing",
        "fetch nothing",
    ] {
        let heard = ask("report", sql);
        assert!(!heard.succeeded, "{sql}");
    }
}

#[test]
fn an_error_never_quotes_what_a_policy_hides() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    let complaint = world
        .psql(
            Login::Token(&token),
            "insert into orders values (500, 1, 'x', -5)",
        )
        .refused("23514");
    assert!(
        complaint.contains("Failing row contains"),
        "the writer may read all of orders: {complaint}"
    );
    let complaint = world
        .psql(
            Login::Token(&token),
            "insert into orders values (501, 4711, 'x', 5)",
        )
        .refused("23503");
    assert!(complaint.contains("orders_customer_id_fkey"), "{complaint}");
}

#[test]
fn a_settings_only_those_of_the_library() {
    for sql in [
        "set role shop_owner",
        "set session authorization shop_owner",
        "set app.tenant = '1'",
        "set log_statement = 'none'",
    ] {
        ask("report", sql).refused("42501");
    }
    let world = World::shared();
    let token = world.token("report", &[]);
    let ask =
        |options: &str| world.psql_with(Login::Token(&token), &[("PGOPTIONS", options)], "show timezone");
    assert_eq!(ask("-c timezone=Europe/Paris").succeeded().trim(), "Europe/Paris");
    ask("-c role=shop_owner").turned_away("role");
}

#[test]
fn a_changed_policy_holds_for_the_next_statement_of_a_running_session() {
    let world = World::start(&postern_tests::Wishes::default());
    let token = world.token("report", &[]);
    world.block_on(async {
        let client = world.connect(Login::Token(&token)).await.unwrap();
        let statement = client
            .prepare("select id from customers where id = 1")
            .await
            .unwrap();
        client.query(&statement, &[]).await.unwrap();
        let policies = include_str!("../src/shop.cedar").replace("\"id\", \"country\"", "\"country\"");
        world.change("shop.cedar", &policies);
        let error = client.query(&statement, &[]).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501");
    });
}

#[test]
fn a_policy_that_does_not_validate_leaves_the_last_good_one() {
    let world = World::start(&postern_tests::Wishes::default());
    let token = world.token("report", &[]);
    std::fs::write(
        world.folder.join("resources/shop.cedar"),
        "permit (principal, action == Postern::Action::\"selekt\", resource);",
    )
    .unwrap();
    world.until("the mistake is told", || {
        let log = std::fs::read_to_string(world.folder.join("log")).unwrap();
        log.contains("selekt")
    });
    world
        .psql(Login::Token(&token), "select id from customers limit 1")
        .succeeded();
}

#[test]
fn a_rule_that_looks_at_the_clock_is_asked_each_time_and_the_record_names_the_one_that_held() {
    let world = World::start(&postern_tests::Wishes::default());
    let token = world.token("report", &[]);
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let turn = jiff::Timestamp::from_second(i64::try_from(now).unwrap() + 4).unwrap();
    let rule = |id: &str, compare: &str| {
        format!(
            "@id(\"{id}\") permit (principal == Postern::Workload::\"report\", action == Postern::Action::\"select\", \
             resource) when {{ resource is Postern::Table && resource.name == \"orders\" && \
             context.now {compare} datetime(\"{turn}\") }};\n"
        )
    };
    let path = world.folder.join("resources/shop.cedar");
    let text = std::fs::read_to_string(path).unwrap();
    world.change("shop.cedar", &(text + &rule("early", "<") + &rule("late", ">=")));
    let sql = "select id as by_the_clock from orders where id = 1";
    let rules = || -> Vec<String> {
        let records = world.records("workload=report");
        let of = records
            .iter()
            .filter(|record| postern_tests::field(record, "text").contains("by_the_clock"));
        of.map(|record| record["rules"].to_string()).collect()
    };
    // One connection, so that one judgement of the text would serve for all.
    world.block_on(async {
        let mut raw = Raw::log_in(&world, &token).await;
        loop {
            raw.query(sql).await;
            let rules = rules();
            let last = rules.iter().any(|rules| rules.contains("late"));
            if last {
                break;
            }
        }
    });
    let rules = rules();
    assert!(rules.iter().any(|rules| rules.contains("early")), "{rules:?}");
    for one in &rules {
        assert_ne!(one.contains("early"), one.contains("late"), "{one}");
    }
}

#[test]
fn what_only_the_server_will_know_may_be_what_a_rule_forbids() {
    let forbids = r#"
        forbid (principal, action in [Postern::Action::"set", Postern::Action::"show"], resource)
        when { context.setting == "app.secret" };
        forbid (principal, action == Postern::Action::"notify", resource) when { context.channel == "alarm" };
        forbid (principal, action == Postern::Action::"nextval", resource is Postern::Table)
        when { resource.name == "measured_number" };"#;
    let world = World::start(&postern_tests::Wishes {
        policies: Some(include_str!("../src/shop.cedar").to_owned() + forbids),
        ..postern_tests::Wishes::default()
    });
    let token = world.token("all", &[]);
    let ask = |sql: &str| world.psql(Login::Token(&token), sql);
    ask("create sequence counted; create sequence measured_number").succeeded();
    for sql in [
        "select current_setting('app.' || 'secret', true)",
        "select set_config('app.' || 'secret', 'x', false)",
        "show all",
        "select pg_notify('al' || 'arm', '')",
        "select nextval(('measured_' || 'number')::regclass)",
    ] {
        let complaint = ask(sql).refused("42501");
        assert!(complaint.contains("forbidden by"), "{sql}: {complaint}");
    }
    for sql in [
        "select current_setting('timezone'), set_config('app.other', 'x', false)",
        "reset all",
        "select pg_notify('other', '')",
        "select nextval('counted')",
    ] {
        ask(sql).succeeded();
    }
}

#[test]
fn a_sequence_that_only_the_server_will_know_counts_as_every_one() {
    let sql = "select nextval(name::regclass) from (values ('counted')) names (name)";
    let world = World::start(&postern_tests::Wishes::default());
    let ask = |workload: &str, sql: &str| {
        let token = world.token(workload, &[]);
        world.psql(Login::Token(&token), sql)
    };
    ask("migrate", "create sequence counted").succeeded();
    ask("migrate", "select nextval('counted')").succeeded();
    let complaint = ask("migrate", sql).refused("42501");
    assert!(complaint.contains("nextval every table"), "{complaint}");
    assert_eq!(ask("all", sql).succeeded().trim(), "2");
}
