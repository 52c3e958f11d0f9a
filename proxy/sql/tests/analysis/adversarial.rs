//! Texts written to get around a policy, each group beside texts that are as harmless as they look.
//!
//! The policy: this workload may read `id`, `name` and `country` of `public.customers`, run transactions, and no more.

use std::collections::BTreeSet;

use postern_sql::{Action, Effect, Object};

use crate::check::analysed;

const READABLE: &[&str] = &["id", "name", "country"];

fn permitted(effect: &Effect) -> bool {
    if effect.implied {
        // Only a forbid could refuse it, and this policy has none.
        return true;
    }
    match (effect.action, &effect.object) {
        (Action::Use | Action::Transaction, Object::Database) => true,
        (Action::Select, Object::Table { schema, name }) => {
            let readable: BTreeSet<&str> = READABLE.iter().copied().collect();
            (&**schema, &**name) == ("public", "customers")
                && effect.columns.iter().all(|column| readable.contains(&**column))
        }
        _ => false,
    }
}

#[track_caller]
fn passes(text: &str) -> bool {
    analysed(text).is_ok_and(|analysis| {
        analysis
            .statements
            .iter()
            .all(|statement| statement.effects.iter().all(permitted))
    })
}

#[track_caller]
fn check(attacks: &[&str], harmless: &[&str]) {
    for text in attacks {
        assert!(!passes(text), "an attack passes: {text}");
    }
    for text in harmless {
        assert!(
            passes(text),
            "a harmless text is refused: {text}: {:?}",
            analysed(text)
        );
    }
}

#[test]
fn s1_escape_strings() {
    check(
        &[
            "SELECT E'O\\'Brien'; DELETE FROM customers",
            "SELECT 'a\\'; DELETE FROM customers; --'",
            "SELECT E'\\\\'; DELETE FROM customers",
            "SELECT e'a''\\''; DELETE FROM customers --'",
        ],
        &[
            "SELECT E'O\\'Brien; DELETE FROM customers'",
            "SELECT 'it''s; DELETE FROM customers'",
            "SELECT '\\'",
        ],
    );
}

#[test]
fn s2_dollar_quotes() {
    check(
        &[
            "WITH x AS (DELETE FROM customers RETURNING '$tag$a(b$tag$') SELECT 1",
            "SELECT $tag$a(b$tag$; DELETE FROM customers",
            "SELECT $a$ $b$ $a$; DELETE FROM customers; SELECT $b$ $b$",
            "SELECT $$ $$; DELETE FROM customers",
        ],
        &[
            "SELECT $tag$; DELETE FROM customers; $tag$",
            "SELECT $a$ $$; DELETE FROM customers $$ $a$",
            "SELECT $1",
        ],
    );
}

#[test]
fn s3_comments() {
    check(
        &[
            "SELECT 1 /* /* */ */; DELETE FROM customers",
            "SELECT 1 -- x\r; DELETE FROM customers",
            "SELECT 1 -- x\n; DELETE FROM customers",
            "SELECT/**/ssn/**/FROM/**/customers",
            "SELECT 1 /*! */; DROP TABLE customers",
        ],
        &[
            "SELECT 1 /* /* */ ; DELETE FROM customers */",
            "SELECT 1 -- ; DELETE FROM customers",
            "SELECT 1 -- x\u{2028}; DELETE FROM customers",
            "SELECT 1 -- x\u{b}; DELETE FROM customers",
            "SELECT/**/id/**/FROM/**/customers",
        ],
    );
}

#[test]
fn s4_unicode() {
    check(
        &[
            "SELECT U&\"\\0073sn\" FROM customers",
            "SELECT U&\"!0073sn\" UESCAPE '!' FROM customers",
            "SELECT \u{a0}id FROM customers",
            "SELECT id FROM customers\u{200b}",
            "SELECT ｓｓｎ FROM customers",
            "SELECT \"ID\" FROM customers",
            "SELECT id FROM U&\"secret\".U&\"payr\\006fll\"",
            "SELECT ſsn FROM customers",
        ],
        &[
            "SELECT U&\"\\0069d\" FROM customers",
            "SELECT ID FROM CUSTOMERS",
            "SELECT 'ｓｓｎ' FROM customers",
        ],
    );
}

#[test]
fn s5_grammar_differences() {
    check(
        &[
            "SELECT 1_000 FROM secret.payroll",
            "SELECT 123abc FROM customers",
            "SELECT 0xZZ",
        ],
        &["SELECT 1_000", "SELECT 0x1F", "SELECT json_scalar(1)"],
    );
}

#[test]
fn s6_writes_dressed_as_reads() {
    check(
        &[
            "WITH x AS (DELETE FROM customers RETURNING id) SELECT id FROM x",
            "WITH x AS (UPDATE customers SET name = 'x') SELECT 1",
            "EXPLAIN ANALYZE DELETE FROM customers",
            "EXPLAIN (ANALYZE) INSERT INTO customers (id) VALUES (1)",
            "COPY (DELETE FROM customers RETURNING id) TO STDOUT",
            "SELECT id FROM customers FOR UPDATE",
            "SELECT id INTO x FROM customers",
            "CREATE TABLE x AS SELECT id FROM customers",
            "SELECT nextval('orders_id_seq')",
            "MERGE INTO customers c USING (SELECT 1 AS id) s ON c.id = s.id WHEN MATCHED THEN DELETE",
            "TABLE customers",
            "PREPARE p AS DELETE FROM customers",
            "SELECT id FROM customers WHERE id IN (WITH x AS (DELETE FROM customers RETURNING id) SELECT id FROM x)",
            "SELECT lo_unlink(1)",
            "SELECT setval('orders_id_seq', 1)",
        ],
        &[
            "WITH x AS (SELECT id FROM customers) SELECT id FROM x",
            "EXPLAIN ANALYZE SELECT id FROM customers",
            "COPY (SELECT id FROM customers) TO STDOUT",
            "COPY customers (id, name) TO STDOUT",
            "VALUES (1), (2)",
        ],
    );
}

#[test]
fn s7_session_identity() {
    check(
        &[
            "SET ROLE admin",
            "SET SESSION AUTHORIZATION admin",
            "SET LOCAL ROLE admin",
            "RESET ROLE",
            "RESET SESSION AUTHORIZATION",
            "SELECT set_config('role', 'admin', false)",
            "SELECT set_config('ro' || 'le', 'admin', false)",
            "ALTER ROLE app SET search_path = secret",
            "SELECT id FROM customers WHERE set_config('session_authorization', 'admin', true) IS NOT NULL",
            "GRANT admin TO app",
            "SET \"role\" = admin",
            "SET search_path = secret",
            "BEGIN; SET LOCAL search_path = secret; SELECT id FROM customers; COMMIT",
        ],
        &[
            "SELECT current_user",
            "SELECT session_user, current_role",
            "SELECT 'set role admin'",
        ],
    );
}

#[test]
fn s8_transaction_escape() {
    check(
        &[
            "COMMIT; BEGIN READ WRITE; DELETE FROM customers",
            "ROLLBACK TO a; DELETE FROM customers",
            "PREPARE TRANSACTION 'x'",
            "COMMIT PREPARED 'x'",
            "ABORT; DROP TABLE customers",
            "SET TRANSACTION SNAPSHOT '1'",
        ],
        &[
            "COMMIT; BEGIN READ WRITE",
            "SET TRANSACTION READ WRITE",
            "ROLLBACK TO a",
            "ABORT AND CHAIN",
        ],
    );
}

#[test]
fn s9_procedural() {
    check(
        &[
            "DO $$ BEGIN DELETE FROM customers; END $$",
            "CALL total_of(1)",
            "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DELETE FROM customers'; SELECT f()",
            "SELECT evil()",
            "SELECT lower('x')",
            "SELECT 1 === 2",
            "SELECT 1 < 2",
            "SELECT 'x'::mood",
            "CREATE RULE r AS ON SELECT TO customers DO INSTEAD SELECT 1",
            "CREATE TRIGGER t AFTER INSERT ON customers EXECUTE FUNCTION evil()",
            "CREATE TABLE t (a int DEFAULT evil())",
            "SELECT query_to_xml('DELETE FROM customers', true, true, '')",
            "SELECT ts_stat('SELECT 1')",
            "SELECT id FROM customers c WHERE c.evil IS NULL",
            "EXECUTE p",
            "SELECT * FROM ROWS FROM (evil(), upper('x')) AS t",
            "SELECT evil(id) OVER () FROM customers",
            "SELECT count(*) FILTER (WHERE evil() IS NULL)",
        ],
        &[
            "SELECT pg_catalog.lower('x')",
            "SELECT upper(name) FROM customers",
            "SELECT 1 = 2",
            "SELECT 'evil()'",
        ],
    );
}

#[test]
fn s10_indirection() {
    check(
        &[
            "SELECT id FROM customer_names",
            "SELECT id FROM secret.customers",
            "SELECT id FROM public.orders",
            "SELECT id FROM ONLY (secret.payroll)",
            "SELECT id FROM pg_temp.customers",
            "SELECT dblink('x', 'y')",
            "CREATE TEMP TABLE customers (id int); SELECT id FROM customers",
            "SELECT id FROM orders.secret.payroll",
            "SELECT pg_catalog.evil_twin()",
            "SELECT * FROM (SELECT id FROM customers) s, secret.payroll",
            "SELECT id FROM (customers JOIN secret.payroll USING (id))",
            "SELECT table_to_xml('secret.payroll', true, true, '')",
            "SELECT cursor_to_xml('c', 1, true, true, '')",
            "SELECT database_to_xml(true, true, '')",
        ],
        &[
            "SELECT id FROM public.customers",
            "SELECT id FROM ONLY customers",
            "SELECT x.id FROM customers AS x",
        ],
    );
}

#[test]
fn s11_files_and_network() {
    check(
        &[
            "SELECT pg_read_file('/etc/passwd')",
            "SELECT pg_catalog.pg_read_binary_file('x')",
            "SELECT lo_import('/etc/passwd')",
            "SELECT lo_export(1, '/tmp/x')",
            "COPY customers (id) TO PROGRAM 'sh'",
            "COPY customers (id) TO '/tmp/x'",
            "COPY customers (id) FROM '/tmp/x'",
            "CREATE EXTENSION dblink",
            "LOAD 'x'",
            "ALTER SYSTEM SET archive_command = 'sh'",
            "SELECT pg_ls_dir('.')",
            "SELECT dblink_connect('host=169.254.169.254')",
            "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '169.254.169.254')",
            "CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p",
            "SELECT * FROM pg_stat_file('x')",
            "SELECT pg_current_logfile()",
            "SELECT name FROM pg_hba_file_rules()",
        ],
        &[
            "SELECT 'pg_read_file(''/etc/passwd'')'",
            "SELECT xmlparse(DOCUMENT '<!DOCTYPE a SYSTEM \"file:///x\"><a/>')",
        ],
    );
}

#[test]
fn s12_side_channels_and_signals() {
    check(
        &[
            "LISTEN x",
            "NOTIFY x",
            "SELECT pg_notify('x', name) FROM customers",
            "SELECT pg_advisory_lock(1)",
            "SELECT pg_terminate_backend(1)",
            "SELECT pg_cancel_backend(1)",
            "SELECT query FROM pg_stat_activity",
            "SELECT pg_sleep(10)",
            "SELECT pg_reload_conf()",
            "LOCK customers",
            "SELECT most_common_vals FROM pg_stats",
            "CHECKPOINT",
            "DISCARD ALL",
        ],
        &["SELECT pg_backend_pid()", "SELECT now()"],
    );
}

#[test]
fn s13_prepared_statements_and_cursors() {
    check(
        &[
            "PREPARE p AS SELECT ssn FROM customers",
            "EXECUTE p",
            "DECLARE c CURSOR FOR SELECT ssn FROM customers",
            "FETCH ALL FROM c",
            "EXPLAIN EXECUTE p",
            "CREATE TABLE t AS EXECUTE p",
            "MOVE c",
            "DEALLOCATE ALL",
        ],
        &[],
    );
}

#[test]
fn s14_columns() {
    check(
        &[
            "SELECT t.* FROM customers t",
            "SELECT t FROM customers t",
            "SELECT row_to_json(t) FROM customers t",
            "SELECT t.*::text FROM customers t",
            "SELECT id FROM customers a JOIN customers b USING (ssn)",
            "SELECT 1 FROM customers a NATURAL JOIN customers b",
            "INSERT INTO customers (id) VALUES (1) RETURNING ssn",
            "WITH x AS (SELECT * FROM customers) SELECT 1 FROM x",
            "WITH x(a, b) AS (SELECT id, ssn FROM customers) SELECT a FROM x",
            "COPY customers (ssn) TO STDOUT",
            "COPY customers TO STDOUT",
            "SELECT ssn(c) FROM customers c",
            "SELECT x FROM customers c(w, y, z, x)",
            "SELECT id FROM customers WHERE ssn LIKE '1%'",
            "SELECT id FROM customers ORDER BY ssn",
            "SELECT count(*) FROM customers GROUP BY ssn",
            "SELECT count(*) FILTER (WHERE ssn = '1') FROM customers",
            "SELECT 1 / (CASE WHEN ssn = '1' THEN 0 ELSE 1 END) FROM customers",
            "SELECT id FROM customers HAVING max(ssn) > '1'",
            "SELECT rank() OVER (ORDER BY ssn) FROM customers",
            "SELECT DISTINCT ON (ssn) id FROM customers",
            "SELECT (customers).ssn FROM customers",
            "SELECT customers.ssn FROM public.customers",
            "SELECT public.customers.ssn FROM public.customers",
            "SELECT (SELECT c.ssn) FROM customers c",
            "SELECT s.x FROM customers c, LATERAL (SELECT c.ssn AS x) s",
            "SELECT to_jsonb(c) ->> 'ssn' FROM customers c",
            "SELECT json_agg(c) FROM customers c",
            "SELECT c FROM customers AS c GROUP BY c",
            "SELECT jsonb_populate_record(c, '{}') FROM customers c",
            "SELECT j.ssn FROM (customers a CROSS JOIN (SELECT 1) b) AS j",
            "SELECT j.* FROM (customers a CROSS JOIN (SELECT 1) b) AS j",
            "SELECT id FROM customers TABLESAMPLE system (length((SELECT max(ssn) FROM customers)))",
            "SELECT xmin FROM customers",
            "SELECT nothing FROM customers",
            "SELECT id FROM customers LIMIT (SELECT length(max(ssn)) FROM customers)",
            "SELECT * FROM generate_series(1, (SELECT length(max(ssn)) FROM customers))",
        ],
        &[
            "SELECT t.id FROM customers t",
            "SELECT id, name AS ssn FROM customers",
            "SELECT name AS ssn FROM customers ORDER BY ssn",
            "SELECT s.ssn FROM (SELECT id AS ssn FROM customers) s",
            "SELECT a.id FROM customers a JOIN customers b USING (id)",
            "COPY customers (id) TO STDOUT",
            "SELECT count(*) FROM customers",
            "SELECT EXISTS (SELECT 1 FROM customers WHERE country = $1)",
            "WITH x(ssn) AS (SELECT id FROM customers) SELECT ssn FROM x",
            "SELECT id FROM customers ORDER BY country DESC NULLS LAST LIMIT $1 OFFSET $2",
            "SELECT name, rank() OVER (PARTITION BY country ORDER BY id) FROM customers",
            "SELECT country, count(*) FROM customers GROUP BY country HAVING count(*) = 1",
            "SELECT 'ssn' AS \"ssn\" FROM customers",
            "SELECT c.id FROM customers c, LATERAL (SELECT c.name) s",
        ],
    );
}

#[test]
fn s15_size_is_tested_in_limits() {
    let list = vec!["1"; 100_000].join(",");
    assert!(passes(&format!("SELECT id FROM customers WHERE id IN ({list})")));
    assert!(!passes(&format!(
        "SELECT id FROM customers WHERE id IN ({list}, (SELECT id FROM secret.payroll))"
    )));
}

#[test]
fn s16_names_that_move() {
    check(
        &[
            "ALTER TABLE secret.payroll RENAME TO customers; SELECT id FROM secret.customers",
            "SET search_path = secret, public; SELECT id FROM customers",
            "SELECT set_config('search_path', 'secret', true); SELECT id FROM customers",
            "CREATE TEMP VIEW customers AS SELECT 1 AS id; SELECT id FROM customers",
            "CREATE SCHEMA app; SELECT id FROM customers",
            "SELECT evil.lower('x')",
            "SELECT w FROM customers c(w, x, d, y)",
        ],
        &[
            "BEGIN; SELECT id FROM customers; COMMIT",
            "SELECT id FROM customers; SELECT name FROM public.customers",
        ],
    );
}

/// The statements of the field notes that other analyses read wrongly.
#[test]
fn what_other_analyses_miss_is_seen() {
    check(
        &[
            "SELECT * FROM (WITH customers AS (SELECT 1 AS id) SELECT id FROM customers) a, secret.payroll",
            "UPDATE customers SET name = 'x' RETURNING (SELECT amount FROM secret.payroll)",
            "MERGE INTO customers USING secret.payroll p ON true WHEN MATCHED THEN DO NOTHING",
            "DECLARE c CURSOR FOR SELECT * FROM secret.payroll",
            "CREATE POLICY p ON customers USING (EXISTS (SELECT 1 FROM secret.payroll))",
            "ALTER TABLE customers ADD CHECK (EXISTS (SELECT 1 FROM secret.payroll))",
            "SELECT * FROM a.b.payroll",
            "COPY customers FROM PROGRAM 'curl x'",
            "SELECT id FROM ONLY secret.payroll",
            "CREATE TABLE x AS TABLE secret.payroll",
            "COPY secret.payroll TO STDOUT",
            "VACUUM secret.payroll",
            "GRANT SELECT ON secret.payroll TO PUBLIC",
            "CREATE TRIGGER t BEFORE INSERT ON secret.payroll EXECUTE FUNCTION evil()",
            "DROP TABLE secret.payroll",
            "SELECT customers.id FROM secret.payroll customers",
            "SELECT query_to_xml('x', true, true, ''), pg_read_file('x'), lo_import('x')",
        ],
        &["SELECT * FROM (WITH payroll AS (SELECT id FROM customers) SELECT id FROM payroll) a"],
    );
}

#[test]
fn types_reach_their_checks_by_every_way_in() {
    check(
        &[
            "PREPARE p (checked) AS SELECT $1",
            "SELECT domain_in('x', 'checked'::regtype, -1)",
            "SELECT array_in('{x}', 'checked'::regtype, -1)",
            "SELECT record_in('(x)', 'checked'::regtype, -1)",
            "SELECT multirange_in('{}', 'checked'::regtype, -1)",
        ],
        &["SELECT int4in('1'), textin('x')"],
    );
}

#[test]
fn a_merge_that_does_nothing_reads_its_target() {
    check(
        &["MERGE INTO secret.payroll USING (SELECT 1) s ON true WHEN MATCHED THEN DO NOTHING"],
        &["MERGE INTO customers USING (SELECT 1) s ON true WHEN MATCHED THEN DO NOTHING"],
    );
}

/// PostgreSQL's scanner needs time that grows with their square: these took minutes.
#[test]
fn signs_in_a_row_are_refused_before_they_cost_anything() {
    let deep = format!("SELECT 1 {}{}", "/*".repeat(200_000), "*/".repeat(200_000));
    let side_by_side = format!("SELECT 1 {}", "/**/".repeat(200_000));
    let signs = format!("SELECT {}1", "-+".repeat(400_000));
    let banner = format!("SELECT 1 /{0}/ -- {0}\n", "*".repeat(5_000));
    let table = format!("SELECT '{}'", "+--------+\n".repeat(10_000));
    check(&[&deep, &side_by_side, &signs], &[&banner, &table]);
}

/// The server would cut it to the name of another relation.
#[test]
fn a_name_in_a_string_that_is_too_long_counts_as_any_relation() {
    let long = "a".repeat(64);
    for text in [
        format!("SELECT table_to_xml('{long}', true, true, '')"),
        format!("SELECT nextval('public.{long}')"),
    ] {
        let analysis = analysed(&text).expect("it is understood");
        let mut effects = analysis
            .statements
            .iter()
            .flat_map(|statement| &statement.effects);
        assert!(
            effects.any(|effect| effect.object == Object::EveryTable),
            "{text}"
        );
    }
}
