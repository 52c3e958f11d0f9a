//! Functions, operators, casts and types: whose code runs.

use std::sync::Arc;

use postern_sql::routines::class_of;
use postern_sql::{Class, Rejection};

use crate::check::{analysed, analysed_with, catalogue, check, check_on, effects_of};

#[test]
fn plain_routines_have_no_effect_of_their_own() {
    for text in [
        "SELECT upper('x'), count(*), now(), random()",
        "SELECT version(), current_user, current_date, session_user, pg_backend_pid(), current_schema()",
        "SELECT row_number() OVER (), string_agg('a', ',' ORDER BY 1)",
        "SELECT extract(year FROM now()), substring('abc' FROM 1 FOR 2), trim(both 'x' FROM 'xax')",
        "SELECT 1::int, '2'::text, '{}'::jsonb, ARRAY[1]::int[], INTERVAL '1 day', DATE '2020-01-01'",
        "SELECT 1 + 2, 'a' || 'b', 'a' LIKE 'b', 1 BETWEEN 0 AND 2",
        "SELECT pg_catalog.upper('x')",
        "SELECT gen_random_uuid()",
        "SELECT xmlelement(name a), json_build_object('a', 1)",
    ] {
        check(text, "");
    }
}

#[test]
fn a_text_that_a_routine_would_run_is_not_judged_and_so_refused() {
    for text in [
        "SELECT query_to_xml('select 1', true, true, '')",
        "SELECT pg_catalog.query_to_xml($1, true, true, '')",
        "SELECT * FROM customers WHERE query_to_xml('select evil()', true, true, '') IS NULL",
        "SELECT query_to_xml(query => 'select evil()', nulls => true, tableforest => true, targetns => '')",
        "SELECT * FROM ts_stat('select evil()')",
        "SELECT ts_rewrite('a'::tsquery, 'select evil()')",
        "SELECT cursor_to_xml('c', 1, true, true, '')",
    ] {
        let refused = analysed(text).unwrap_err();
        assert!(matches!(refused, Rejection::NotUnderstood { .. }), "{text}");
    }
    for text in [
        "SELECT ts_rewrite('a'::tsquery, 'a'::tsquery, 'b'::tsquery)",
        "SELECT pg_input_is_valid('42', 'integer')",
        "SELECT 'query_to_xml'",
    ] {
        assert!(analysed(text).is_ok(), "{text}");
    }
}

#[test]
fn what_is_found_outside_pg_catalog_is_executed() {
    check("SELECT evil()", "execute public.evil <user>");
    check("SELECT lower('x')", "execute public.lower <user>");
    check("SELECT pg_catalog.lower('x')", "");
    check("SELECT secret.peek()", "execute secret.peek <user>");
    check(
        "SELECT secret.nobody_knows()",
        "execute secret.nobody_knows <user>",
    );
    check(
        "SELECT nobody_knows()",
        "execute pg_catalog.nobody_knows <unknown>; execute public.nobody_knows <user>",
    );
    check(
        "SELECT pg_catalog.nobody_knows()",
        "execute pg_catalog.nobody_knows <unknown>",
    );
    check("SELECT 1 === 2", "execute public.=== <user>");
    check("SELECT 1 < 2", "execute public.< <user>");
    check("SELECT 1 OPERATOR(pg_catalog.<) 2", "");
    check("SELECT 1 OPERATOR(secret.@@@) 2", "execute secret.@@@ <user>");
    check("SELECT 1 NOT BETWEEN 2 AND 3", "execute public.< <user>");
    check(
        "SELECT 'sad'::mood",
        "execute public.mood <user>; execute public.mood_of_text <user>",
    );
    check(
        "SELECT mood 'sad'",
        "execute public.mood <user>; execute public.mood_of_text <user>",
    );
    check("SELECT CAST(1 AS secret.grade)", "execute secret.grade <user>");
    check("SELECT NULL::customers", "execute public.customers <user>");
    check("SELECT '1'::nobody_knows", "execute public.nobody_knows <user>");
    check("SELECT * FROM evil()", "execute public.evil <user>");
    check(
        "SELECT id FROM customers ORDER BY id USING <",
        "select public.customers(id); execute public.< <user>",
    );
    check("SELECT (SELECT 1) < ANY (SELECT 2)", "execute public.< <user>");
    check("CALL total_of(1)", "call public.total_of <user>");
}

#[test]
fn a_function_in_the_notation_of_a_column_is_found() {
    let whole = "select public.customers(country,email,id,name,ssn)";
    check(
        "SELECT c.evil FROM customers c",
        &format!("{whole}; execute public.evil <user>"),
    );
    check(
        "SELECT (c).evil FROM customers c",
        &format!("{whole}; execute public.evil <user>"),
    );
    check("SELECT c.name FROM customers c", "select public.customers(name)");
    check(
        "SELECT s.evil FROM (SELECT 1 AS x, 2) s",
        "execute public.evil <user>",
    );
}

#[test]
fn built_in_routines_that_do_more_are_executed_with_their_class() {
    check(
        "SELECT pg_read_file('/etc/passwd')",
        "execute pg_catalog.pg_read_file <file>",
    );
    check(
        "SELECT lo_import('/etc/passwd')",
        "execute pg_catalog.lo_import <file>",
    );
    check("SELECT lo_get(1)", "execute pg_catalog.lo_get <large_object>");
    check(
        "SELECT pg_terminate_backend(1)",
        "execute pg_catalog.pg_terminate_backend <signal>",
    );
    check(
        "SELECT pg_advisory_lock(1)",
        "execute pg_catalog.pg_advisory_lock <advisory_lock>",
    );
    check(
        "SELECT pg_notify('jobs', 'x')",
        "execute pg_catalog.pg_notify <notify>; notify database channel jobs",
    );
    check(
        "SELECT pg_notify($1, 'x')",
        "execute pg_catalog.pg_notify <notify>; notify database channel ?",
    );
    check(
        "SELECT has_table_privilege('customers', 'select')",
        "execute pg_catalog.has_table_privilege <catalogue>",
    );
    check(
        "SELECT 'customers'::regclass",
        "execute pg_catalog.regclass <catalogue>",
    );
    check(
        "SELECT table_to_xml('customers', true, true, '')",
        "execute pg_catalog.table_to_xml <reads_any>; select public.customers(country,email,id,name,ssn)",
    );
    check(
        "SELECT table_to_xml($1, true, true, '')",
        "execute pg_catalog.table_to_xml <reads_any>; select everything(*)",
    );
    check(
        "SELECT table_to_xml('\"Customers\"', true, true, '')",
        "execute pg_catalog.table_to_xml <reads_any>; select everything(*)",
    );
    check(
        "SELECT schema_to_xml('public', true, true, '')",
        "execute pg_catalog.schema_to_xml <reads_any>; select everything(*)",
    );
    check(
        "SELECT set_config('TimeZone', 'UTC', false)",
        "execute pg_catalog.set_config <setting>; set database timezone=UTC",
    );
    check(
        "SELECT set_config(name, 'x', false) FROM pg_settings",
        "execute pg_catalog.set_config <setting>; set database *; select pg_catalog.pg_settings(name)",
    );
    check(
        "SELECT set_config(is_local => true, setting_name => 'role', new_value => 'x')",
        "execute pg_catalog.set_config <setting>; set database *",
    );
    check(
        "SELECT set_config('role', 'admin', false)",
        "execute pg_catalog.set_config <setting>; set database role=admin; assume role admin",
    );
    check(
        "SELECT current_setting('server_version')",
        "execute pg_catalog.current_setting <setting>; show database server_version",
    );
    check(
        "SELECT pg_export_snapshot()",
        "execute pg_catalog.pg_export_snapshot <catalogue>; snapshot database",
    );
}

#[test]
fn pg_dumps_own_way_to_set_a_setting_is_known_by_its_exact_text() {
    let text = "SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings \
                WHERE name = 'restrict_nonsystem_relation_kind'";
    let reads = "execute pg_catalog.set_config <setting>; select pg_catalog.pg_settings(name)";
    let set = "set database restrict_nonsystem_relation_kind=view, foreign-table";
    check(text, &format!("{reads}; {set}"));
    for other in [
        text.replace("name = ", "name <> "),
        text.replace("view, foreign-table", "x"),
        format!("SELECT 1; {text}"),
    ] {
        let found = analysed_with(&other, &catalogue(), &["pg_catalog"]).unwrap();
        assert!(
            crate::check::effects_of(&found).contains(&"set database *".to_owned()),
            "{other}"
        );
    }
    let mut shadowed = catalogue();
    let public = Arc::make_mut(shadowed.schemas.get_mut("public").unwrap());
    let orders = public.relations.get("orders").unwrap().clone();
    public.relations.insert("pg_settings".to_owned(), orders);
    let found = analysed_with(text, &shadowed, &["public", "pg_catalog"]).unwrap();
    assert!(crate::check::effects_of(&found).contains(&"set database *".to_owned()));
}

#[test]
fn a_sequence_that_nobody_named_counts_as_any_but_tells_only_where_it_stands() {
    check(
        "SELECT seqrelid, last_value FROM pg_catalog.pg_sequence, pg_get_sequence_data(seqrelid)",
        "execute pg_catalog.pg_get_sequence_data <sequence>; select everything(is_called,last_value); \
         select pg_catalog.pg_sequence(last_value,seqrelid)",
    );
    check(
        "SELECT pg_get_sequence_data('orders_id_seq')",
        "execute pg_catalog.pg_get_sequence_data <sequence>; select public.orders_id_seq rows",
    );
    check(
        "SELECT setval($1, 1), currval($1), nextval(x::text) FROM (VALUES ('s')) v (x)",
        "execute pg_catalog.setval <sequence>; setval everything; execute pg_catalog.currval <sequence>; \
         select everything(is_called,last_value); execute pg_catalog.nextval <sequence>; nextval everything",
    );
    check(
        "SELECT table_to_xml($1, true, true, ''), currval($1)",
        "execute pg_catalog.table_to_xml <reads_any>; execute pg_catalog.currval <sequence>; \
         select everything(*,is_called,last_value)",
    );
}

#[test]
fn the_list_knows_every_class_and_no_routine_twice() {
    for (name, class) in [
        ("set_config", Class::Setting),
        ("nextval", Class::Sequence),
        ("query_to_xml", Class::RunsSql),
        ("table_to_xml", Class::ReadsAny),
        ("dblink", Class::Unknown),
        ("pg_ls_dir", Class::File),
        ("lo_unlink", Class::LargeObject),
        ("pg_logical_slot_get_changes", Class::Replication),
        ("pg_stat_get_activity", Class::Signal),
        ("uuidv7", Class::Plain),
        ("sum", Class::Plain),
        ("int4in", Class::Plain),
    ] {
        assert_eq!(class_of(name).unwrap_or(Class::Unknown), class, "{name}");
    }
    let list = include_str!("../../src/routines.txt");
    let names = list
        .lines()
        .filter(|line| !line.starts_with(['#', '[']))
        .flat_map(str::split_ascii_whitespace);
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        assert!(seen.insert(name), "{name} stands twice");
        assert!(class_of(name).is_some(), "{name}");
    }
    assert!(seen.len() > 2_700);
}

#[test]
fn words_that_an_older_server_reads_as_names_are_refused_there() {
    let mut old = catalogue();
    old.server_version = 150_000;
    for text in [
        "SELECT system_user",
        "SELECT json_scalar(1)",
        "SELECT json_array(1, 2)",
        "SELECT json_object('a': 1)",
        "SELECT json_value('{}', '$.a')",
        "SELECT json_serialize('{}')",
        "SELECT * FROM json_table('{}', '$' COLUMNS (a int)) t",
        "SELECT json('{}')",
        "SELECT json_arrayagg(1)",
    ] {
        assert!(analysed(text).is_ok(), "{text}");
        let found = analysed_with(text, &old, &["pg_catalog", "public"]);
        assert!(
            matches!(found, Err(Rejection::NotUnderstood { .. })),
            "{text}: {found:?}"
        );
    }
    let public = Arc::make_mut(old.schemas.get_mut("public").unwrap());
    public.routines.insert("json_object".to_owned());
    let text = "SELECT json_object('{a,b}')";
    let found = analysed_with(text, &old, &["pg_catalog", "public"]).unwrap();
    assert_eq!(
        crate::check::effects_of(&found),
        ["execute public.json_object <user>"]
    );
    check(text, "");
}

#[test]
fn routines_are_searched_in_every_schema_of_the_path() {
    check_on(
        "SELECT peek(), evil()",
        &["pg_catalog", "public", "secret"],
        "execute secret.peek <user>; execute public.evil <user>",
    );
    check_on(
        "SELECT peek()",
        &["public", "secret", "pg_catalog"],
        "execute secret.peek <user>",
    );
    check_on(
        "SELECT peek()",
        &["pg_temp_3", "pg_catalog", "secret"],
        "execute secret.peek <user>",
    );
}

#[test]
fn a_cast_that_changes_a_text_leaves_it_unknown() {
    for cut in [
        "'public_archive'::varchar(6)",
        "cast('public_archive' as varchar(6))",
        "'public'::regclass::text",
        "'yes'::bool::text",
        "'public'::other.text",
        "'{public}'::text[]",
    ] {
        let value = told(&format!("SELECT set_config('search_path', {cut}, false)"));
        assert!(
            value.contains(&"set database search_path".to_owned()),
            "{cut}: {value:?}"
        );
        let name = told(&format!("SELECT set_config({cut}, 'x', false)"));
        assert!(name.contains(&"set database *".to_owned()), "{cut}: {name:?}");
    }
    check(
        "SELECT set_config('search_path'::varchar, 'public'::text::pg_catalog.varchar, 't'::bool)",
        "execute pg_catalog.set_config <setting>; set database search_path=public",
    );
}

#[test]
fn a_setting_that_pg_settings_lists_is_told_as_the_view_tells_it() {
    let listed =
        "execute pg_catalog.current_setting <setting>; select pg_catalog.pg_settings(*,name,setting)";
    check(
        "SELECT pg_catalog.current_setting(s.name) FROM pg_catalog.pg_settings s",
        listed,
    );
    check(
        "SELECT (SELECT pg_catalog.current_setting(s.name)) FROM pg_catalog.pg_settings s",
        listed,
    );
    for other in [
        "SELECT current_setting(s.name) FROM pg_catalog.pg_settings s",
        "SELECT pg_catalog.current_setting(s.name || '') FROM pg_catalog.pg_settings s",
        "SELECT pg_catalog.current_setting(s.name) FROM pg_catalog.pg_settings s(x, name)",
        "SELECT pg_catalog.current_setting(s.name) FROM (SELECT 'app.secret' AS name) s",
        "SELECT pg_catalog.current_setting(s.name) FROM (SELECT * FROM pg_catalog.pg_settings) s",
        "WITH pg_settings AS (SELECT 'app.secret' AS name) SELECT pg_catalog.current_setting(s.name) FROM pg_settings s",
        "SELECT pg_catalog.current_setting(s.name) FROM (VALUES ('app.secret')) s (name)",
        "SELECT pg_catalog.current_setting(s.name) FROM pg_catalog.pg_class s",
        "SELECT pg_catalog.current_setting(s.name, x) FROM pg_catalog.pg_settings s",
        "SELECT pg_catalog.current_setting(s.name) FROM (VALUES ('app.secret')) s (name), pg_catalog.pg_settings",
        "SELECT (SELECT pg_catalog.current_setting(s.name) FROM (VALUES ('app.secret')) s (name)) FROM pg_catalog.pg_settings s",
        "SELECT pg_catalog.current_setting(s.name) FROM (pg_catalog.pg_settings a JOIN pg_catalog.pg_class b ON true) s",
    ] {
        assert!(told(other).contains(&"show database *".to_owned()), "{other}");
    }
}

fn told(text: &str) -> Vec<String> {
    effects_of(&analysed(text).unwrap_or_else(|rejection| panic!("{text}: {rejection}")))
}
