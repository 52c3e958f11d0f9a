//! Which relations and columns a query reads.

use crate::check::{check, check_on};

#[test]
fn columns_belong_to_the_relation_that_has_them() {
    check(
        "SELECT id, name FROM customers",
        "select public.customers(id,name)",
    );
    check("SELECT c.id FROM customers c", "select public.customers(id)");
    check(
        "SELECT customers.id FROM customers",
        "select public.customers(id)",
    );
    check(
        "SELECT public.customers.id FROM customers",
        "select public.customers(id)",
    );
    check(
        "SELECT c.id, total FROM customers c, orders",
        "select public.customers(id); select public.orders(total)",
    );
    check(
        "SELECT id FROM customers, orders",
        "select public.customers(id); select public.orders(id)",
    );
    check("SELECT count(*) FROM customers", "select public.customers rows");
    check(
        "SELECT 1 FROM customers WHERE ssn = $1",
        "select public.customers(ssn)",
    );
    check(
        "SELECT id FROM customers GROUP BY id, country HAVING max(email) > 'a' ORDER BY name LIMIT 3",
        "select public.customers(country,email,id,name)",
    );
}

#[test]
fn a_star_a_whole_row_or_a_strange_alias_counts_every_column() {
    let whole = "select public.customers(country,email,id,name,ssn)";
    check("SELECT * FROM customers", whole);
    check("SELECT c.* FROM customers c", whole);
    check("SELECT c FROM customers c", whole);
    check("SELECT row_to_json(c) FROM customers c", whole);
    check("SELECT to_jsonb(customers) FROM customers", whole);
    check("SELECT ROW(c.*) FROM customers c", whole);
    check("SELECT c::text FROM customers c", whole);
    check("SELECT (c).id FROM customers c", whole);
    check("SELECT w FROM customers c(w, x, d, y)", whole);
    check(
        "SELECT ssn(c) FROM customers c",
        &format!("{whole}; execute pg_catalog.ssn <unknown>; execute public.ssn <user>"),
    );
    check("SELECT nothing_like_it FROM customers", whole);
    check("SELECT customers.nothing_like_it FROM customers", whole);
    check("TABLE customers", whole);
    check("SELECT customers IS NOT NULL FROM customers", whole);
    check("SELECT count(c) FROM customers c", whole);
}

#[test]
fn joins_by_name_read_both_sides() {
    check(
        "SELECT 1 FROM customers NATURAL JOIN orders",
        "select public.customers(country,email,id,name,ssn); select public.orders(customer_id,id,state,total)",
    );
    check(
        "SELECT id FROM customers JOIN orders USING (id)",
        "select public.customers(id); select public.orders(id)",
    );
    check(
        "SELECT c.name FROM customers c JOIN orders o ON o.customer_id = c.id",
        "select public.customers(id,name); select public.orders(customer_id)",
    );
    check(
        "SELECT j.name FROM (customers c JOIN orders o ON o.customer_id = c.id) j",
        "select public.customers(id,name); select public.orders(customer_id)",
    );
    check(
        "SELECT u.id FROM customers JOIN orders USING (id) AS u",
        "select public.customers(id); select public.orders(id)",
    );
}

#[test]
fn a_name_in_with_is_seen_where_postgresql_sees_it_and_nowhere_else() {
    check("WITH payroll AS (SELECT 1 AS x) SELECT x FROM payroll", "");
    check_on(
        "SELECT * FROM (WITH payroll AS (SELECT 1) SELECT * FROM payroll) a, payroll",
        &["pg_catalog", "secret"],
        "select secret.payroll(amount,id,ssn)",
    );
    check_on(
        "WITH payroll AS (SELECT id FROM payroll) SELECT * FROM payroll",
        &["pg_catalog", "secret"],
        "select secret.payroll(id)",
    );
    check(
        "WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t) SELECT n FROM t",
        "",
    );
    check(
        "WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT id FROM customers) SELECT * FROM a",
        "select public.customers(id)",
    );
    check_on(
        "WITH a AS (SELECT * FROM payroll), payroll AS (SELECT 1) SELECT * FROM a",
        &["pg_catalog", "secret"],
        "select secret.payroll(amount,id,ssn)",
    );
    check(
        "WITH customers AS (SELECT 1 AS id) SELECT * FROM public.customers",
        "select public.customers(country,email,id,name,ssn)",
    );
    check_on(
        "WITH payroll AS (SELECT 1 AS id) INSERT INTO payroll (id) SELECT id FROM payroll",
        &["pg_catalog", "secret"],
        "insert secret.payroll(id)",
    );
    check(
        "WITH a AS (SELECT 1 AS x), b AS (SELECT x FROM a) SELECT (SELECT x FROM b)",
        "",
    );
}

#[test]
fn subqueries_are_found_wherever_they_stand() {
    let secret = "select secret.payroll(amount)";
    check("SELECT (SELECT amount FROM secret.payroll)", secret);
    check(
        "SELECT 1 WHERE EXISTS (SELECT amount FROM secret.payroll)",
        secret,
    );
    check("SELECT 1 ORDER BY (SELECT amount FROM secret.payroll)", secret);
    check("SELECT 1 LIMIT (SELECT amount FROM secret.payroll)", secret);
    check("SELECT 1 OFFSET (SELECT amount FROM secret.payroll)", secret);
    check("SELECT 1 GROUP BY (SELECT amount FROM secret.payroll)", secret);
    check(
        "SELECT 1 GROUP BY GROUPING SETS ((), (SELECT amount FROM secret.payroll))",
        secret,
    );
    check(
        "SELECT count(*) FILTER (WHERE (SELECT amount FROM secret.payroll) > 0)",
        secret,
    );
    check(
        "SELECT rank() OVER (ORDER BY (SELECT amount FROM secret.payroll))",
        secret,
    );
    check(
        "SELECT rank() OVER w WINDOW w AS (PARTITION BY (SELECT amount FROM secret.payroll))",
        secret,
    );
    check(
        "SELECT DISTINCT ON ((SELECT amount FROM secret.payroll)) 1",
        secret,
    );
    check("VALUES ((SELECT amount FROM secret.payroll))", secret);
    check("SELECT ARRAY(SELECT amount FROM secret.payroll)", secret);
    check(
        "SELECT CASE WHEN true THEN (SELECT amount FROM secret.payroll) END",
        secret,
    );
    check("SELECT 1 IN (SELECT amount FROM secret.payroll)", secret);
    check(
        "SELECT a[(SELECT amount FROM secret.payroll)] FROM (SELECT ARRAY[1] AS a) x",
        secret,
    );
    check(
        "SELECT * FROM generate_series(1, (SELECT amount FROM secret.payroll)) g",
        secret,
    );
    check(
        "SELECT * FROM customers TABLESAMPLE bernoulli ((SELECT amount FROM secret.payroll))",
        &format!("{secret}; select public.customers(country,email,id,name,ssn)"),
    );
    check(
        "SELECT xmlforest((SELECT amount FROM secret.payroll) AS a)",
        secret,
    );
    check(
        "SELECT json_object('a': (SELECT amount FROM secret.payroll))",
        secret,
    );
    check(
        "SELECT * FROM json_table((SELECT amount FROM secret.payroll), '$' COLUMNS (a int PATH '$.a')) t",
        secret,
    );
    check(
        "SELECT * FROM xmltable('/a' PASSING (SELECT amount FROM secret.payroll) COLUMNS a int) t",
        secret,
    );
    check("SELECT 1 UNION SELECT amount FROM secret.payroll", secret);
    check(
        "SELECT COALESCE(NULL, (SELECT amount FROM secret.payroll))",
        secret,
    );
    check("SELECT GREATEST(1, (SELECT amount FROM secret.payroll))", secret);
    check("SELECT * FROM (SELECT amount FROM secret.payroll) s", secret);
    check(
        "SELECT s.x FROM customers c, LATERAL (SELECT c.id AS x, (SELECT amount FROM secret.payroll)) s",
        &format!("{secret}; select public.customers(id)"),
    );
}

#[test]
fn columns_resolve_outwards_as_postgresql_does() {
    // Neighbours are out of sight without LATERAL, so the column is that of the outer query.
    check(
        "SELECT (SELECT 1 FROM secret.payroll p, (SELECT email) s) FROM customers",
        "select public.customers(email); select secret.payroll rows",
    );
    check(
        "SELECT (SELECT 1 FROM orders o JOIN events e ON ssn IS NULL, secret.payroll p) FROM customers",
        "select public.customers(ssn); select public.events rows; select public.orders rows; select secret.payroll rows; \
         ~select public.events_2024 rows; ~select public.events_2025 rows",
    );
    check(
        "SELECT name FROM customers c WHERE EXISTS (SELECT 1 FROM orders WHERE customer_id = c.id AND country = 'x')",
        "select public.customers(country,id,name); select public.orders(customer_id)",
    );
    check(
        "SELECT (SELECT id FROM orders LIMIT 1) FROM customers",
        "select public.orders(id); select public.customers rows",
    );
    check(
        "SELECT x FROM (SELECT id AS x FROM customers) s ORDER BY x",
        "select public.customers(id)",
    );
    check(
        "SELECT upper(country) AS name FROM customers ORDER BY name",
        "select public.customers(country)",
    );
    check(
        "SELECT upper(country) AS name FROM customers GROUP BY name",
        "select public.customers(country,name)",
    );
    check(
        "SELECT upper(country) AS x FROM customers GROUP BY x",
        "select public.customers(country)",
    );
}

#[test]
fn a_function_in_from_goes_by_its_own_name() {
    check(
        "SELECT generate_series, generate_series.generate_series, c.id FROM generate_series(1, 3), customers c",
        "select public.customers(id)",
    );
    check(
        "SELECT g.x FROM generate_series(1, 3) AS g(x), customers",
        "select public.customers rows",
    );
}

#[test]
fn output_columns_have_the_names_that_postgresql_gives_them() {
    // Where the subquery has no such column, the name means one of the query around it.
    let outer =
        |inner: &str, name: &str| format!("SELECT (SELECT {name} FROM (SELECT {inner}) s) FROM orders AS o");
    let whole = "select public.orders(customer_id,id,state,total)";
    check(&outer("'1'::int::text", "text"), "select public.orders rows");
    check(&outer("'1'::int::text", "total"), "select public.orders(total)");
    check(&outer("'1'::int::text", "int4"), whole);
    check(
        &outer("upper('x')::total", "total"),
        "select public.orders(total); execute public.total <user>",
    );
    check(&outer("upper('x')::text", "upper"), "select public.orders rows");
    check(&outer("1", "\"?column?\""), "select public.orders rows");
    check(&outer("1 AS total", "total"), "select public.orders rows");
    check(
        &outer("CASE WHEN true THEN 1 END", "total"),
        "select public.orders(total)",
    );
    check(&outer("o.id", "id"), "select public.orders(id)");
}

#[test]
fn locking_rows_is_an_update() {
    check(
        "SELECT id FROM customers FOR UPDATE",
        "select public.customers(id); update public.customers rows unfiltered",
    );
    check(
        "SELECT id FROM customers WHERE id = 1 FOR KEY SHARE",
        "select public.customers(id); update public.customers rows filtered",
    );
    check(
        "SELECT c.id FROM customers c, orders o FOR SHARE OF o",
        "select public.customers(id); select public.orders rows; update public.orders rows unfiltered",
    );
    check(
        "SELECT * FROM (SELECT id FROM customers) s FOR UPDATE",
        "select public.customers(id); update public.customers rows unfiltered",
    );
}

#[test]
fn an_unknown_name_counts_in_every_schema_of_the_path() {
    check("SELECT x FROM nowhere", "select public.nowhere(x)");
    check_on(
        "SELECT x FROM nowhere",
        &["pg_catalog", "public", "secret"],
        "select public.nowhere(x); select secret.nowhere(x)",
    );
    check_on(
        "SELECT id FROM customers",
        &["pg_catalog", "secret", "public"],
        "select secret.customers(id)",
    );
    check_on(
        "SELECT id FROM customers",
        &["pg_catalog", "elsewhere", "public"],
        "select elsewhere.customers(id); select public.customers(id)",
    );
}

#[test]
fn partitions_and_parents_hold_for_each_other() {
    check(
        "SELECT id FROM events",
        "select public.events(id); ~select public.events_2024(id); ~select public.events_2025(id)",
    );
    check("SELECT id FROM ONLY events", "select public.events(id)");
    check(
        "SELECT id FROM events_2024",
        "select public.events_2024(id); ~select public.events(id)",
    );
}

#[test]
fn an_unread_temporary_schema_may_hide_anything() {
    check_on(
        "SELECT id FROM customers",
        &["pg_temp_3", "pg_catalog", "public"],
        "select pg_temp_3.customers(id); select public.customers(id)",
    );
}

#[test]
fn views_and_catalogues_are_tables_of_their_own() {
    check(
        "SELECT name FROM customer_names",
        "select public.customer_names(name)",
    );
    check(
        "SELECT relname FROM pg_class",
        "select pg_catalog.pg_class(relname)",
    );
    check(
        "SELECT * FROM pg_catalog.pg_authid",
        "select pg_catalog.pg_authid(*)",
    );
    check(
        "SELECT table_name FROM information_schema.tables",
        "select information_schema.tables(table_name)",
    );
    check("SELECT ctid FROM customers", "select public.customers(ctid)");
    check(
        "SELECT chunk_data FROM pg_toast.pg_toast_16384",
        "select pg_toast.pg_toast_16384(chunk_data); select everything(*)",
    );
}
