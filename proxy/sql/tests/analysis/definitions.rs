//! Definitions: which objects they make, change and drop, and the expressions inside them.

use crate::check::{analysed, check, check_not_understood, check_on};

#[test]
fn tables_and_what_stands_inside_their_definitions() {
    check(
        "CREATE TABLE t (a int, b text DEFAULT 'x' CHECK (b <> ''))",
        "create public.t [table]",
    );
    check("CREATE TABLE secret.t (a int)", "create secret.t [table]");
    check_on(
        "CREATE TABLE t (a int)",
        &["pg_catalog"],
        "create database [table]",
    );
    check("CREATE TEMP TABLE t (a int)", "create pg_temp.t [table]");
    check(
        "CREATE TABLE t (a int DEFAULT evil())",
        "create public.t [table]; execute public.evil <user>",
    );
    check(
        "CREATE TABLE t (a int CHECK (a < 1))",
        "create public.t [table]; execute public.< <user>",
    );
    check(
        "CREATE TABLE t (a int, CHECK (a === 1), b int GENERATED ALWAYS AS (evil(a)) STORED)",
        "create public.t [table]; execute public.=== <user>; execute public.evil <user>",
    );
    check(
        "CREATE TABLE t (a int REFERENCES customers (id))",
        "create public.t [table]; alter public.customers [constraint]",
    );
    check(
        "CREATE TABLE t (LIKE customers)",
        "create public.t [table]; select public.customers(country,email,id,name,ssn)",
    );
    check(
        "CREATE TABLE t () INHERITS (customers)",
        "create public.t [table]; alter public.customers [table]",
    );
    check(
        "CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO (MAXVALUE)",
        "create public.events_2026 [table]; alter public.events [table]; ~alter public.events_2024 [table]; \
         ~alter public.events_2025 [table]",
    );
    check(
        "CREATE TABLE t (a int) PARTITION BY RANGE (evil(a))",
        "create public.t [table]; execute public.evil <user>",
    );
    check(
        "CREATE TABLE t (a int, EXCLUDE USING gist (a WITH ===))",
        "create public.t [table]; execute public.=== <user>",
    );
    check("CREATE TABLE t (a mood)", "create public.t [table]");
}

#[test]
fn views_read_what_their_queries_read() {
    check(
        "CREATE VIEW v AS SELECT amount FROM secret.payroll",
        "create public.v [view]; select secret.payroll(amount)",
    );
    check(
        "CREATE OR REPLACE VIEW v (x) AS SELECT 1",
        "create public.v [view]",
    );
    check(
        "CREATE RECURSIVE VIEW v (n) AS SELECT 1 UNION ALL SELECT n + 1 FROM v",
        "create public.v [view]",
    );
    check(
        "CREATE MATERIALIZED VIEW v AS SELECT id FROM customers",
        "create public.v [materialized view]; select public.customers(id)",
    );
    check(
        "REFRESH MATERIALIZED VIEW customer_names",
        "refresh public.customer_names [materialized view]",
    );
    check(
        "CREATE TABLE t AS EXECUTE p",
        "create public.t [table]; prepare database",
    );
}

#[test]
fn rules_policies_triggers_and_functions_are_looked_into() {
    check(
        "CREATE RULE r AS ON INSERT TO orders DO ALSO DELETE FROM customers WHERE id = new.customer_id",
        "create public.orders [rule]; delete public.customers unfiltered; select public.customers(id)",
    );
    check(
        "CREATE RULE r AS ON INSERT TO orders DO INSTEAD (INSERT INTO customers (id) VALUES (new.id); \
           SELECT amount FROM secret.payroll)",
        "create public.orders [rule]; insert public.customers(id); select secret.payroll(amount)",
    );
    check(
        "CREATE POLICY p ON customers USING (id IN (SELECT id FROM secret.payroll))",
        "create public.customers [policy]; select secret.payroll(id)",
    );
    check(
        "ALTER POLICY p ON customers WITH CHECK (evil() IS NULL)",
        "alter public.customers [policy]; execute public.evil <user>",
    );
    check(
        "CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW WHEN (new.total === 1) EXECUTE FUNCTION evil()",
        "create public.orders [trigger]; execute public.evil <user>; execute public.=== <user>",
    );
    check(
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT amount FROM secret.payroll WHERE id = a; END",
        "create public.f [function]; select secret.payroll(amount,id)",
    );
    check(
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql RETURN a + (SELECT amount FROM secret.payroll LIMIT 1)",
        "create public.f [function]; select secret.payroll(amount)",
    );
    check(
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "create public.f [function]",
    );
    check(
        "CREATE FUNCTION f(a int DEFAULT evil()) RETURNS int LANGUAGE sql AS 'SELECT 1' SET search_path = secret",
        "create public.f [function]; execute public.evil <user>; set database search_path",
    );
    check(
        "CREATE PROCEDURE p() LANGUAGE sql BEGIN ATOMIC INSERT INTO orders (id) VALUES (1); END",
        "create public.p [procedure]; insert public.orders(id)",
    );
    check(
        "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION evil()",
        "create database [event trigger]; execute public.evil <user>",
    );
    check(
        "ALTER FUNCTION evil() SECURITY DEFINER",
        "alter public.evil [function]",
    );
    check("DO $$ BEGIN PERFORM 1; END $$", "do database language plpgsql");
    check("DO LANGUAGE plpython3u 'x'", "do database language plpython3u");
}

#[test]
fn indexes_belong_to_their_tables() {
    check(
        "CREATE INDEX i ON customers (lower(name)) WHERE country < 'x'",
        "create public.customers [index]; create public.i [index]; execute public.lower <user>; execute public.< <user>",
    );
    check(
        "CREATE INDEX ON customers (name)",
        "create public.customers [index]",
    );
    check(
        "DROP INDEX customers_pkey",
        "drop public.customers_pkey [index]; ~drop public.customers [index]",
    );
    check(
        "REINDEX INDEX customers_pkey",
        "reindex public.customers_pkey [index]; ~reindex public.customers [index]",
    );
    check("REINDEX TABLE customers", "reindex public.customers [table]");
    check("REINDEX SCHEMA secret", "reindex schema secret [schema]");
    check("REINDEX DATABASE orders", "reindex database [database]");
    check(
        "CLUSTER customers USING customers_pkey",
        "cluster public.customers [table]",
    );
}

#[test]
fn alter_table_names_everything_it_reaches() {
    check(
        "ALTER TABLE customers ADD COLUMN x int",
        "alter public.customers [table]",
    );
    check(
        "ALTER TABLE customers ADD COLUMN x int DEFAULT evil()",
        "alter public.customers [table]; execute public.evil <user>",
    );
    check(
        "ALTER TABLE customers ADD COLUMN x text GENERATED ALWAYS AS (ssn) STORED",
        "alter public.customers [table]; select public.customers(ssn)",
    );
    check(
        "ALTER TABLE customers ALTER COLUMN name TYPE text USING ssn",
        "alter public.customers [table]; select public.customers(ssn)",
    );
    check(
        "ALTER TABLE customers ALTER COLUMN name TYPE mood USING name::mood",
        "alter public.customers [table]; select public.customers(name); execute public.mood <user>; \
         execute public.mood_of_text <user>",
    );
    check(
        "ALTER TABLE customers ADD CHECK (EXISTS (SELECT amount FROM secret.payroll))",
        "alter public.customers [table]; select secret.payroll(amount)",
    );
    check(
        "ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers",
        "alter public.orders [table]; alter public.customers [constraint]",
    );
    check(
        "ALTER TABLE events ATTACH PARTITION orders DEFAULT",
        "alter public.events [table]; alter public.orders [table]; ~alter public.events_2024 [table]; \
         ~alter public.events_2025 [table]",
    );
    check(
        "ALTER TABLE orders INHERIT customers",
        "alter public.orders [table]; alter public.customers [table]",
    );
    check(
        "ALTER TABLE customers OWNER TO admin",
        "alter public.customers [table]",
    );
    check(
        "ALTER TABLE customers ENABLE ROW LEVEL SECURITY, DISABLE TRIGGER ALL",
        "alter public.customers [table]",
    );
    check(
        "ALTER INDEX customers_pkey SET (fillfactor = 50)",
        "alter public.customers_pkey [index]; ~alter public.customers [index]",
    );
    check(
        "ALTER SEQUENCE orders_id_seq RESTART",
        "alter public.orders_id_seq [sequence]",
    );
    check(
        "ALTER SEQUENCE orders_id_seq OWNED BY customers.id",
        "alter public.orders_id_seq [sequence]; alter public.customers [table]",
    );
}

#[test]
fn a_new_name_counts_like_the_old_one() {
    check(
        "ALTER TABLE customers RENAME TO people",
        "alter public.customers [table]; alter public.people [table]",
    );
    check(
        "ALTER TABLE customers RENAME COLUMN ssn TO x",
        "alter public.customers [column]",
    );
    check(
        "ALTER TABLE customers SET SCHEMA secret",
        "alter public.customers [table]; alter secret.customers [table]",
    );
    check(
        "ALTER SCHEMA secret RENAME TO open",
        "alter schema secret [schema]; alter schema open [schema]",
    );
    check(
        "ALTER FUNCTION evil() RENAME TO good",
        "alter public.evil [function]; alter public.good [function]",
    );
    check(
        "ALTER FUNCTION evil() SET SCHEMA secret",
        "alter public.evil [function]; alter secret.evil [function]",
    );
    check(
        "ALTER ROLE a RENAME TO b",
        "alter role a [role]; alter role b [role]",
    );
    check("ALTER TYPE mood RENAME TO temper", "alter schema public [type]");
    check(
        "ALTER DOMAIN secret.d RENAME CONSTRAINT a TO b",
        "alter schema secret [domain constraint]",
    );
    check(
        "COMMENT ON CONSTRAINT a ON DOMAIN secret.d IS 'x'",
        "comment schema secret [domain constraint]",
    );
    check(
        "ALTER TRIGGER a ON orders RENAME TO b; SELECT id FROM orders",
        "alter public.orders [trigger]; select public.orders(id)",
    );
}

#[test]
fn drop_names_every_kind_of_object() {
    check(
        "DROP TABLE customers, secret.payroll",
        "drop public.customers [table]; drop secret.payroll [table]",
    );
    check(
        "DROP TABLE events",
        "drop public.events [table]; ~drop public.events_2024 [table]; ~drop public.events_2025 [table]",
    );
    check("DROP VIEW customer_names", "drop public.customer_names [view]");
    check("DROP FUNCTION evil(int)", "drop public.evil [function]");
    check("DROP FUNCTION secret.peek", "drop secret.peek [function]");
    check("DROP TYPE mood", "drop schema public [type]");
    check("DROP TRIGGER t ON orders", "drop public.orders [trigger]");
    check("DROP POLICY p ON secret.payroll", "drop secret.payroll [policy]");
    check("DROP RULE r ON orders", "drop public.orders [rule]");
    check("DROP EXTENSION x", "drop database [extension]");
    check("DROP ROLE a, b", "drop role a [role]; drop role b [role]");
    check("DROP DATABASE x", "drop database [database]");
    check("DROP SCHEMA secret", "drop schema secret [schema]");
    check(
        "DROP SCHEMA secret CASCADE",
        "drop schema secret [schema]; ~drop secret.customers [table]; ~drop secret.payroll [table]; \
         ~drop secret.peek [function]",
    );
    check(
        "DROP OWNED BY app",
        "drop role app [role]; drop everything [owned]",
    );
    check("DROP OPERATOR === (int, int)", "drop public.=== [operator]");
    check("DROP CAST (text AS mood)", "drop database [cast]");
    check(
        "DROP OPERATOR CLASS secret.ops USING btree",
        "drop schema secret [operator class]",
    );
    check("DROP AGGREGATE total_of(int)", "drop public.total_of [aggregate]");
}

#[test]
fn types_operators_and_server_objects_have_homes() {
    check("CREATE TYPE t AS (a int)", "create schema public [type]");
    check(
        "CREATE TYPE secret.t AS ENUM ('a')",
        "create schema secret [type]",
    );
    check(
        "CREATE DOMAIN d AS int CHECK (evil(value) > 0)",
        "create schema public [domain]; execute public.evil <user>",
    );
    check(
        "ALTER DOMAIN mood ADD CHECK (evil(value) IS NULL)",
        "alter schema public [domain]; execute public.evil <user>",
    );
    check(
        "CREATE OPERATOR @+@ (FUNCTION = evil, LEFTARG = int)",
        "create public.@+@ [operator]",
    );
    check(
        "CREATE AGGREGATE a (int) (SFUNC = evil, STYPE = int)",
        "create public.a [aggregate]",
    );
    check(
        "CREATE CAST (text AS mood) WITH FUNCTION evil(text)",
        "create database [cast]; execute public.evil <user>",
    );
    check("CREATE SCHEMA s", "create schema s [schema]");
    check("CREATE SCHEMA AUTHORIZATION joe", "create schema joe [schema]");
    check("CREATE EXTENSION dblink", "create database [extension]");
    check(
        "CREATE ROLE r IN ROLE admin",
        "create role r [role]; grant role admin [role]",
    );
    check(
        "ALTER ROLE r SET search_path = secret",
        "alter role r [role]; set database search_path",
    );
    check("ALTER ROLE r SUPERUSER", "alter role r [role]");
    check(
        "ALTER SYSTEM SET log_statement = 'all'",
        "alter database [system]; set database log_statement",
    );
    check(
        "ALTER DATABASE orders SET search_path = secret",
        "alter database [database]; set database search_path",
    );
    check("CREATE DATABASE x", "create database [database]");
    check(
        "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw",
        "create database [server]",
    );
    check(
        "IMPORT FOREIGN SCHEMA x FROM SERVER s INTO secret",
        "import_schema schema secret [foreign table]",
    );
    check(
        "CREATE PUBLICATION p FOR TABLE customers",
        "create database [publication]; select public.customers(country,email,id,name,ssn)",
    );
    check(
        "CREATE PUBLICATION p FOR ALL TABLES",
        "create database [publication]; select everything(*)",
    );
    check(
        "CREATE SUBSCRIPTION s CONNECTION 'host=169.254.169.254' PUBLICATION p",
        "create database [subscription]",
    );
    check(
        "CREATE STATISTICS st ON id, name FROM customers",
        "create schema public [statistics]; alter public.customers [statistics]",
    );
    check("LOAD 'x'", "load database");
    check("CHECKPOINT", "checkpoint database");
}

#[test]
fn grants_name_what_is_granted_on() {
    check(
        "GRANT SELECT (id) ON customers TO joe",
        "grant public.customers [table]",
    );
    check(
        "REVOKE ALL ON customers, secret.payroll FROM PUBLIC",
        "revoke public.customers [table]; revoke secret.payroll [table]",
    );
    check(
        "GRANT USAGE ON SCHEMA secret, public TO joe",
        "grant schema secret [schema]; grant schema public [schema]",
    );
    check(
        "GRANT EXECUTE ON FUNCTION evil(int), secret.peek() TO joe",
        "grant public.evil [function]; grant secret.peek [function]",
    );
    check(
        "GRANT EXECUTE ON FUNCTION upper(text) TO joe",
        "grant pg_catalog.upper [function]; grant public.upper [function]",
    );
    check(
        "GRANT SELECT ON ALL TABLES IN SCHEMA secret TO joe",
        "grant schema secret [table]; ~grant secret.customers [table]; ~grant secret.payroll [table]; \
         ~grant secret.peek [function]",
    );
    check("GRANT admin TO joe", "grant role admin [role]");
    check(
        "GRANT CONNECT ON DATABASE orders TO joe",
        "grant database [database]",
    );
    check("GRANT USAGE ON TYPE mood TO joe", "grant schema public [type]");
    check(
        "GRANT SELECT ON LARGE OBJECT 1234 TO joe",
        "grant database [large object]",
    );
    check(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA secret GRANT SELECT ON TABLES TO joe",
        "grant schema secret [default privileges]",
    );
    check(
        "ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM PUBLIC",
        "revoke database [default privileges]",
    );
}

#[test]
fn maintenance_names_its_tables() {
    check("VACUUM", "vacuum database [database]");
    check(
        "VACUUM (ANALYZE) customers",
        "vacuum public.customers [table]; analyze public.customers [table]",
    );
    check("ANALYZE customers (id)", "analyze public.customers [table]");
    check(
        "LOCK TABLE customers IN ACCESS SHARE MODE",
        "lock public.customers access share",
    );
    check(
        "LOCK events",
        "lock public.events access exclusive; ~lock public.events_2024 access exclusive; \
         ~lock public.events_2025 access exclusive",
    );
    check(
        "COMMENT ON TABLE customers IS 'x'",
        "comment public.customers [table]",
    );
    check(
        "COMMENT ON COLUMN customers.ssn IS 'x'",
        "comment public.customers [column]",
    );
    check(
        "COMMENT ON FUNCTION evil() IS 'x'",
        "comment public.evil [function]",
    );
    check("COMMENT ON DATABASE orders IS 'x'", "comment database [database]");
    check(
        "COMMENT ON CONSTRAINT c ON customers IS 'x'",
        "comment public.customers [constraint]",
    );
    check("COMMENT ON ROLE joe IS 'x'", "comment role joe [role]");
    check(
        "SECURITY LABEL ON TABLE customers IS 'x'",
        "security_label public.customers [table]",
    );
}

#[test]
fn a_definition_moves_names_and_a_query_does_not() {
    let moves = |text: &str| {
        analysed(text)
            .unwrap()
            .statements
            .iter()
            .any(|statement| statement.moves_names)
    };
    let plain = |text: &str| {
        analysed(text)
            .unwrap()
            .statements
            .iter()
            .all(|statement| statement.plain)
    };
    for text in [
        "CREATE TABLE t (a int)",
        "DROP TABLE customers",
        "ALTER TABLE customers RENAME TO x",
        "CREATE FUNCTION f() RETURNS int AS 'x' LANGUAGE sql",
        "SET search_path = secret",
        "RESET search_path",
        "RESET ALL",
        "DISCARD ALL",
        "DISCARD TEMP",
        "SET ROLE joe",
        "DO 'x'",
        "CALL total_of(1)",
        "SELECT evil()",
        "SELECT set_config('search_path', 'x', false)",
        "SELECT set_config($1, $2, false)",
        "LOAD 'x'",
        "CREATE EXTENSION x",
        "SELECT pg_input_is_valid('x', 'watched_domain')",
        "INSERT INTO watched (id) VALUES (1)",
        "SELECT 1 === 2",
        "CREATE TEMP TABLE t (a int)",
        "SET standard_conforming_strings = off",
        "EXPLAIN SELECT evil()",
        "PREPARE p AS SELECT evil()",
    ] {
        assert!(moves(text), "{text}");
    }
    for text in [
        "SELECT id FROM customers",
        "INSERT INTO orders (id) VALUES (1)",
        "BEGIN",
        "SET timezone = 'UTC'",
        "COMMIT",
        "VACUUM",
        "COMMENT ON TABLE customers IS 'x'",
        "GRANT SELECT ON customers TO joe",
        "LOCK customers",
        "SELECT set_config('timezone', 'UTC', false)",
        "DISCARD PLANS",
        "NOTIFY x",
        "TRUNCATE customers",
        "SELECT pg_advisory_lock(1)",
        "REFRESH MATERIALIZED VIEW customer_names",
        "PREPARE p AS SELECT 1",
    ] {
        assert!(!moves(text), "{text}");
        assert!(plain(text), "{text}");
    }
    for text in [
        "CREATE TEMP TABLE t (a int)",
        "SELECT id INTO TEMP x FROM customers",
        "DO 'x'",
        "LOAD 'x'",
        "LISTEN x",
        "CALL total_of(1)",
        "SELECT evil()",
        "SET app.tenant = '1'",
        "SELECT set_config($1, $2, false)",
        "SELECT pg_terminate_backend(1)",
        "CREATE TEMP VIEW v AS SELECT 1",
        "INSERT INTO watched (id) VALUES (1)",
        "CREATE FUNCTION pg_temp.f() RETURNS int AS 'x' LANGUAGE sql",
    ] {
        assert!(!plain(text), "{text}");
    }
}

#[test]
fn what_is_dropped_or_altered_without_a_name_counts_as_any() {
    check(
        "DROP OWNED BY CURRENT_USER",
        "drop role app [role]; drop everything [owned]",
    );
    check(
        "REASSIGN OWNED BY app TO joe",
        "alter role app [role]; alter everything [owned]",
    );
}

#[test]
fn another_server_is_reached_by_rules_that_name_it_or_not_at_all() {
    check_not_understood(
        "CREATE FOREIGN TABLE f (a int) SERVER s",
        "let an operator run it",
    );
    check(
        "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'x')",
        "create database [server]",
    );
    check(
        "IMPORT FOREIGN SCHEMA x FROM SERVER s INTO public",
        "import_schema schema public [foreign table]",
    );
}
