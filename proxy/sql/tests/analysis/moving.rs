//! Names that move: several statements in one text, search paths, temporary relations.

use std::sync::Arc;

use crate::check::{analysed_with, catalogue, check, check_not_understood, check_on, effects_of};

#[test]
fn what_a_text_declares_is_known_to_its_later_statements() {
    check(
        "CREATE TABLE t (a int, b int); INSERT INTO t (a) VALUES (1); SELECT * FROM t",
        "create public.t [table]; insert public.t(a); select public.t(a,b)",
    );
    check(
        "CREATE TABLE t (a int); CREATE INDEX i ON t (a); DROP TABLE t",
        "create public.t [table]; create public.t [index]; create public.i [index]; drop public.t [table]",
    );
    check(
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'x'; SELECT f()",
        "create public.f [function]; execute public.f <user>",
    );
    check(
        "CREATE FUNCTION upper(text) RETURNS text LANGUAGE sql AS 'x'; SELECT upper('x')",
        "create public.upper [function]; execute public.upper <user>",
    );
    check(
        "CREATE TYPE temper AS ENUM ('x'); SELECT 'x'::temper",
        "create schema public [type]; execute public.temper <user>",
    );
    check(
        "DROP TABLE customers; CREATE TABLE customers (id int); INSERT INTO customers (id) VALUES (1)",
        "drop public.customers [table]; create public.customers [table]; insert public.customers(id)",
    );
    check(
        "ALTER TABLE customers ADD COLUMN x int; UPDATE customers SET x = 1 WHERE x IS NULL",
        "alter public.customers [table]; update public.customers(x) unfiltered; select public.customers(x)",
    );
    check(
        "CREATE TABLE a AS SELECT id AS x FROM customers; SELECT x FROM a",
        "create public.a [table]; select public.customers(id); select public.a(x)",
    );
    check(
        "CREATE SCHEMA s CREATE TABLE t (a int) CREATE VIEW v AS SELECT a FROM t",
        "create schema s [schema]; create s.t [table]; create s.v [view]; select s.t(a)",
    );
    check(
        "BEGIN; INSERT INTO orders (id) VALUES (1); COMMIT",
        "transaction database; insert public.orders(id)",
    );
}

#[test]
fn what_a_schema_is_created_with_means_its_neighbours_in_the_servers_order() {
    check(
        "CREATE SCHEMA s CREATE TABLE customers (a int) CREATE TABLE t (a int REFERENCES customers)",
        "create schema s [schema]; create s.customers [table]; create s.t [table]; alter s.customers [constraint]",
    );
    check(
        "CREATE SCHEMA s GRANT SELECT ON customers TO joe CREATE VIEW v AS SELECT id FROM customers \
         CREATE TABLE customers (id int)",
        "create schema s [schema]; create s.customers [table]; create s.v [view]; select s.customers(id); \
         grant s.customers [table]",
    );
    check_not_understood(
        "CREATE SCHEMA s CREATE TABLE customers (a int); SELECT id FROM customers",
        "may mean another object",
    );
    check_not_understood(
        "CREATE TABLE s.customers (id int); DROP SCHEMA s CASCADE; \
         CREATE SCHEMA s CREATE VIEW v AS SELECT id FROM customers",
        "may mean another object",
    );
    check_not_understood(
        "CREATE TEMP TABLE customers (a int); CREATE SCHEMA s CREATE TABLE customers (id int) \
         CREATE VIEW v AS SELECT id FROM customers",
        "may mean another object",
    );
}

#[test]
fn a_name_that_would_mean_another_relation_is_refused() {
    let moved = "may mean another object";
    check_not_understood(
        "CREATE TEMP TABLE customers (id int); SELECT id FROM customers",
        moved,
    );
    check_not_understood("SET search_path = secret; SELECT id FROM customers", moved);
    check_not_understood(
        "SELECT set_config('search_path', 'secret', false); SELECT id FROM customers",
        moved,
    );
    check_not_understood("RESET search_path; SELECT id FROM customers", moved);
    check_not_understood("DISCARD ALL; SELECT id FROM customers", moved);
    check_not_understood("SET ROLE joe; SELECT id FROM customers", moved);
    check_not_understood(
        "ALTER SCHEMA public RENAME TO x; SELECT id FROM secret.payroll",
        moved,
    );
    check_not_understood(
        "ALTER TABLE secret.customers SET SCHEMA pg_temp; SELECT id FROM customers",
        moved,
    );
}

#[test]
fn a_search_path_under_which_everything_stays_in_place_is_fine() {
    check(
        "SET search_path = public; SELECT id FROM customers",
        "set database search_path=public; select public.customers(id)",
    );
    check(
        "SET search_path = secret; SELECT id FROM public.customers",
        "set database search_path=secret; select public.customers(id)",
    );
    check(
        "SELECT set_config('search_path', '', false); SELECT id FROM public.customers",
        "execute pg_catalog.set_config <setting>; set database search_path=; select public.customers(id)",
    );
    check(
        "SET search_path = secret; SELECT 1",
        "set database search_path=secret",
    );
    check(
        "SET search_path = secret; SELECT peek()",
        "set database search_path=secret; execute secret.peek <user>",
    );
    check(
        "RESET ALL; SELECT peek(), evil()",
        "set database * back; execute secret.peek <user>; execute public.evil <user>",
    );
}

#[test]
fn a_renamed_relation_keeps_what_its_old_name_forbids() {
    check(
        "ALTER TABLE customers RENAME TO people; SELECT ssn FROM people",
        "alter public.customers [table]; alter public.people [table]; select public.people(ssn); \
         select public.customers(ssn)",
    );
    check(
        "ALTER TABLE customers RENAME COLUMN ssn TO harmless; SELECT harmless FROM customers",
        "alter public.customers [column]; select public.customers(*,country,email,harmless,id,name,ssn)",
    );
    check(
        "ALTER TABLE secret.payroll SET SCHEMA public; UPDATE payroll SET amount = 1",
        "alter secret.payroll [table]; alter public.payroll [table]; update public.payroll(amount) unfiltered; \
         update secret.payroll(amount) unfiltered",
    );
}

#[test]
fn temporary_relations_stand_in_the_sessions_own_schema() {
    let mut catalogue = catalogue();
    let own = Arc::make_mut(catalogue.schemas.entry("pg_temp_3".to_owned()).or_default());
    own.relations.insert(
        "customers".to_owned(),
        postern_sql::Relation {
            columns: vec!["id".to_owned()],
            ..Default::default()
        },
    );
    let path = &["pg_temp_3", "pg_catalog", "public"];
    let effects = |text: &str| effects_of(&analysed_with(text, &catalogue, path).unwrap());
    assert_eq!(
        effects("SELECT id FROM customers"),
        ["select pg_temp_3.customers(id)"]
    );
    assert_eq!(
        effects("SELECT id FROM pg_temp.customers"),
        ["select pg_temp_3.customers(id)"]
    );
    assert_eq!(
        effects("SELECT id FROM public.customers"),
        ["select public.customers(id)"]
    );
    let created = analysed_with("CREATE TABLE t (a int)", &catalogue, path).unwrap();
    assert!(created.statements.iter().all(|statement| !statement.plain));
}

#[test]
fn schemas_that_were_not_read_are_asked_for() {
    let unread = |text: &str, path: &[&str]| {
        let analysis = analysed_with(text, &catalogue(), path).unwrap();
        analysis.schemas_unread.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(
        unread("SELECT id FROM elsewhere.t", &["pg_catalog", "public"]),
        ["elsewhere"]
    );
    assert_eq!(
        unread("SELECT id FROM customers", &["pg_catalog", "elsewhere", "public"]),
        ["elsewhere"]
    );
    assert_eq!(
        unread("SELECT elsewhere.f()", &["pg_catalog", "public"]),
        ["elsewhere"]
    );
    assert_eq!(
        unread("SELECT id FROM customers", &["pg_catalog", "public", "elsewhere"]),
        Vec::<String>::new()
    );
    assert_eq!(
        unread(
            "SELECT id FROM information_schema.tables, pg_class",
            &["pg_catalog", "public"]
        ),
        Vec::<String>::new()
    );
}

#[test]
fn what_shadows_by_search_path_is_found() {
    check_on(
        "SELECT lower('x')",
        &["public", "pg_catalog"],
        "execute public.lower <user>",
    );
    check_on(
        "SELECT relname FROM pg_class",
        &["public", "pg_catalog"],
        "select pg_catalog.pg_class(relname)",
    );
}
