//! INSERT, UPDATE, DELETE, MERGE, COPY and TRUNCATE: what they write, what they read, whether they are filtered.

use crate::check::check;

const ALL: &str = "country,email,id,name,ssn";

#[test]
fn an_insert_names_its_columns_or_counts_them_all() {
    check(
        "INSERT INTO customers (id, name) VALUES (1, 'x')",
        "insert public.customers(id,name)",
    );
    check(
        "INSERT INTO customers VALUES (1, 'x')",
        &format!("insert public.customers({ALL})"),
    );
    check(
        "INSERT INTO customers DEFAULT VALUES",
        "insert public.customers rows",
    );
    check(
        "INSERT INTO customers (id) SELECT id FROM orders",
        "insert public.customers(id); select public.orders(id)",
    );
    check(
        "INSERT INTO customers (id) VALUES ((SELECT amount FROM secret.payroll))",
        "insert public.customers(id); select secret.payroll(amount)",
    );
    check(
        "INSERT INTO customers (id) VALUES (1) RETURNING ssn",
        "insert public.customers(id); select public.customers(ssn)",
    );
    check(
        "INSERT INTO customers (id) VALUES (1) RETURNING (SELECT amount FROM secret.payroll)",
        "insert public.customers(id); select secret.payroll(amount)",
    );
    check(
        "WITH x AS (SELECT id FROM orders) INSERT INTO customers (id) SELECT id FROM x",
        "insert public.customers(id); select public.orders(id)",
    );
}

#[test]
fn an_upsert_is_insert_update_and_select() {
    check(
        "INSERT INTO customers (id, name) VALUES (1, 'x') ON CONFLICT (id) DO NOTHING",
        "insert public.customers(id,name); select public.customers(id)",
    );
    check(
        "INSERT INTO customers (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        "insert public.customers(id,name); select public.customers(id,name); update public.customers(name) filtered",
    );
    check(
        "INSERT INTO customers AS c (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = c.email WHERE c.country = 'x'",
        "insert public.customers(id); select public.customers(country,email,id); \
         update public.customers(name) filtered",
    );
    check(
        "INSERT INTO customers (id) VALUES (1) ON CONFLICT ON CONSTRAINT customers_pkey DO NOTHING",
        &format!("insert public.customers(id); select public.customers({ALL})"),
    );
    check(
        "INSERT INTO customers (id) VALUES (1) ON CONFLICT DO NOTHING",
        "insert public.customers(id)",
    );
    check(
        "INSERT INTO customers (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = (SELECT amount FROM secret.payroll)",
        "insert public.customers(id); select public.customers(id); update public.customers(name) filtered; \
         select secret.payroll(amount)",
    );
}

#[test]
fn an_update_is_update_on_its_target_and_select_on_what_it_reads() {
    check(
        "UPDATE customers SET name = 'x' WHERE id = 1",
        "update public.customers(name) filtered; select public.customers(id)",
    );
    check(
        "UPDATE customers SET name = email",
        "update public.customers(name) unfiltered; select public.customers(email)",
    );
    check(
        "UPDATE customers SET (name, email) = ROW('a', 'b')",
        "update public.customers(email,name) unfiltered",
    );
    check(
        "UPDATE customers SET (name, email) = (SELECT amount, id FROM secret.payroll)",
        "update public.customers(email,name) unfiltered; select secret.payroll(amount,id)",
    );
    check(
        "UPDATE customers c SET name = o.state FROM orders o WHERE o.customer_id = c.id AND c.country = $1",
        "update public.customers(name) filtered; select public.customers(country,id); \
         select public.orders(customer_id,state)",
    );
    check(
        "UPDATE customers SET name = 'x' RETURNING *",
        &format!("update public.customers(name) unfiltered; select public.customers({ALL})"),
    );
    check(
        "UPDATE customers SET name = 'x' RETURNING old.ssn, new.name",
        "update public.customers(name) unfiltered; select public.customers(name,ssn)",
    );
    check(
        "UPDATE customers SET name = 'x' RETURNING WITH (OLD AS before) before.ssn",
        "update public.customers(name) unfiltered; select public.customers(ssn)",
    );
    check(
        "UPDATE customers SET name = 'x' RETURNING (SELECT amount FROM secret.payroll)",
        "update public.customers(name) unfiltered; select secret.payroll(amount)",
    );
    check(
        "UPDATE events SET body = 'x'",
        "update public.events(body) unfiltered; ~update public.events_2024(body) unfiltered; \
         ~update public.events_2025(body) unfiltered",
    );
    check(
        "UPDATE ONLY events SET body = 'x'",
        "update public.events(body) unfiltered",
    );
}

#[test]
fn a_write_is_filtered_only_by_a_comparison_with_a_parameter_or_literal() {
    let filtered = |condition: &str, expected: &str| {
        let text = format!("DELETE FROM orders WHERE {condition}");
        let analysis = crate::check::analysed(&text).unwrap();
        let effects = crate::check::effects_of(&analysis);
        assert!(
            effects.contains(&format!("delete public.orders {expected}")),
            "{condition}: {effects:?}"
        );
    };
    for condition in [
        "id = 1",
        "1 = id",
        "id = $1",
        "id = $1::int",
        "id >= 5",
        "id IN (1, 2)",
        "id = ANY ($1)",
        "id = ANY (ARRAY[1, 2])",
        "id = ANY ('{1,2}')",
        "id BETWEEN 1 AND 2",
        "state = 'x' AND total > customer_id",
        "total IS NULL AND id = 1",
        "orders.id = 1",
        "public.orders.id = 1",
        "id::text = '1'",
    ] {
        filtered(condition, "filtered");
    }
    for condition in [
        "true",
        "1 = 1",
        "id = id",
        "id IS NOT NULL",
        "id = 1 OR true",
        "NOT id = 1",
        "id <> 1",
        "id NOT IN (1)",
        "id IN (SELECT 1)",
        "id = (SELECT 1)",
        "$1 = $1",
        "total = customer_id",
        "state LIKE '%'",
        "id = random()",
        "id NOT BETWEEN 1 AND 2",
        "nothing.id = 1",
        "EXISTS (SELECT 1 WHERE 1 = 1)",
    ] {
        filtered(condition, "unfiltered");
    }
    check(
        "DELETE FROM orders o USING customers c WHERE c.id = 1",
        "delete public.orders unfiltered; select public.customers(id)",
    );
    check(
        "DELETE FROM orders WHERE CURRENT OF c",
        "delete public.orders unfiltered",
    );
}

#[test]
fn a_merge_is_what_its_actions_are() {
    check(
        "MERGE INTO customers c USING orders o ON c.id = o.customer_id \
         WHEN MATCHED AND o.total > 5 THEN UPDATE SET name = o.state \
         WHEN MATCHED THEN DELETE \
         WHEN NOT MATCHED THEN INSERT (id, email) VALUES (o.id, 'x')",
        "update public.customers(name) unfiltered; delete public.customers unfiltered; \
         insert public.customers(email,id); select public.customers(id); \
         select public.orders(customer_id,id,state,total)",
    );
    check(
        "MERGE INTO customers c USING (SELECT amount FROM secret.payroll) s ON c.id = 7 \
         WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED BY SOURCE THEN DELETE RETURNING c.ssn",
        "delete public.customers filtered; select public.customers(id,ssn); select secret.payroll(amount)",
    );
    check(
        "MERGE INTO customers USING orders ON true WHEN NOT MATCHED THEN INSERT VALUES (1)",
        &format!("insert public.customers({ALL}); select public.orders rows"),
    );
    check(
        "MERGE INTO customers USING orders ON true WHEN NOT MATCHED THEN INSERT DEFAULT VALUES",
        "insert public.customers rows; select public.orders rows",
    );
}

#[test]
fn writes_dressed_as_reads_are_writes() {
    let delete = "delete public.orders unfiltered";
    check(
        "WITH x AS (DELETE FROM orders RETURNING id) SELECT * FROM x",
        &format!("{delete}; select public.orders(id)"),
    );
    check("EXPLAIN ANALYZE DELETE FROM orders", delete);
    check("EXPLAIN DELETE FROM orders", delete);
    check(
        "COPY (DELETE FROM orders RETURNING id) TO STDOUT",
        &format!("{delete}; select public.orders(id)"),
    );
    check(
        "SELECT id INTO copy_of FROM customers",
        "create public.copy_of [table]; select public.customers(id)",
    );
    check(
        "CREATE TABLE copy_of AS SELECT id FROM customers",
        "create public.copy_of [table]; select public.customers(id)",
    );
    check(
        "CREATE TABLE copy_of AS TABLE customers",
        &format!("create public.copy_of [table]; select public.customers({ALL})"),
    );
    check(
        "SELECT nextval('orders_id_seq')",
        "execute pg_catalog.nextval <sequence>; nextval public.orders_id_seq",
    );
    check(
        "SELECT nextval('orders_id_seq'::regclass)",
        "execute pg_catalog.nextval <sequence>; nextval public.orders_id_seq; execute pg_catalog.regclass <catalogue>",
    );
    check(
        "SELECT setval('public.orders_id_seq', 5)",
        "execute pg_catalog.setval <sequence>; setval public.orders_id_seq",
    );
    check(
        "SELECT nextval($1)",
        "execute pg_catalog.nextval <sequence>; nextval everything",
    );
    check(
        "PREPARE p AS DELETE FROM orders",
        &format!("prepare database; {delete}"),
    );
    check(
        "DECLARE c CURSOR FOR SELECT amount FROM secret.payroll",
        "cursor database; select secret.payroll(amount)",
    );
}

#[test]
fn copy_reads_and_writes_what_it_names() {
    check(
        "COPY customers (id, name) TO STDOUT",
        "select public.customers(id,name)",
    );
    check(
        "COPY customers TO STDOUT",
        &format!("select public.customers({ALL})"),
    );
    check("COPY customers (id) FROM STDIN", "insert public.customers(id)");
    check(
        "COPY customers FROM STDIN WHERE ssn > 'x'",
        &format!("insert public.customers({ALL})"),
    );
    check(
        "COPY customers FROM '/etc/passwd'",
        &format!("insert public.customers({ALL}); copy_file database"),
    );
    check(
        "COPY customers TO PROGRAM 'curl x'",
        &format!("select public.customers({ALL}); copy_program database"),
    );
    check(
        "COPY (SELECT id FROM customers) TO '/tmp/x'",
        "select public.customers(id); copy_file database",
    );
}

#[test]
fn truncate_cascade_reaches_the_tables_that_refer_to_it() {
    check("TRUNCATE customers", "truncate public.customers");
    check(
        "TRUNCATE customers CASCADE",
        "truncate public.customers; truncate public.orders",
    );
    check(
        "TRUNCATE events",
        "truncate public.events; ~truncate public.events_2024; ~truncate public.events_2025",
    );
    check(
        "TRUNCATE customers, orders",
        "truncate public.customers; truncate public.orders",
    );
}
