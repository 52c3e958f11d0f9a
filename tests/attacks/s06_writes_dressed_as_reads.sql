=== refuse reader: a write in WITH
WITH x AS (DELETE FROM orders RETURNING id) SELECT id FROM x
=== serve reader: a read in WITH
WITH x AS (SELECT id FROM orders) SELECT id FROM x LIMIT 1
=== refuse reader: a write in WITH that nobody reads
WITH x AS (UPDATE orders SET status = 'x') SELECT 1
=== refuse reader: a write in the second WITH
WITH a AS (SELECT 1), b AS (INSERT INTO orders (id) VALUES (9200) RETURNING id) SELECT * FROM a
=== refuse reader: a write in WITH RECURSIVE
WITH RECURSIVE a(n) AS (VALUES (1)), b AS (DELETE FROM orders RETURNING id) SELECT n FROM a
=== refuse reader: a write in a WITH in a subquery
SELECT id FROM orders WHERE id IN (WITH x AS (DELETE FROM orders RETURNING id) SELECT id FROM x)
=== refuse reader: a MERGE in WITH
WITH x AS (MERGE INTO orders o USING (SELECT 1 AS id) s ON o.id = s.id WHEN MATCHED THEN DELETE RETURNING 1) SELECT 1
=== refuse reader: EXPLAIN ANALYZE runs the write
EXPLAIN ANALYZE DELETE FROM orders
=== refuse reader: EXPLAIN with ANALYZE in brackets
EXPLAIN (ANALYZE, COSTS off) UPDATE orders SET status = 'x'
=== refuse reader: EXPLAIN with ANALYZE spelled with a value
EXPLAIN (ANALYZE true) INSERT INTO orders (id) VALUES (9201)
=== refuse reader: EXPLAIN without ANALYZE tells of rights not given
EXPLAIN DELETE FROM orders
=== serve reader: EXPLAIN ANALYZE of a read
EXPLAIN ANALYZE SELECT id FROM orders
=== refuse reader: EXPLAIN ANALYZE of CREATE TABLE AS
EXPLAIN ANALYZE CREATE TABLE y AS SELECT id FROM orders
=== refuse reader: COPY of a write
COPY (DELETE FROM orders RETURNING id) TO STDOUT
=== refuse reader: COPY of an insert
COPY (INSERT INTO orders (id) VALUES (9202) RETURNING id) TO STDOUT
=== refuse reader: COPY of a WITH that writes
COPY (WITH x AS (UPDATE orders SET status = 'x' RETURNING id) SELECT id FROM x) TO STDOUT
=== serve reader: COPY of a read
COPY (SELECT id FROM orders) TO STDOUT
=== serve reader: COPY of permitted columns
COPY customers (id, country) TO STDOUT
=== refuse reader: COPY into a table
COPY orders FROM STDIN
=== refuse reader: COPY into some columns
COPY orders (id, status) FROM STDIN WITH (FORMAT csv)
=== refuse reader: FOR UPDATE
SELECT id FROM orders FOR UPDATE
=== refuse reader: FOR NO KEY UPDATE
SELECT id FROM orders FOR NO KEY UPDATE
=== refuse reader: FOR SHARE
SELECT id FROM orders FOR SHARE
=== refuse reader: FOR KEY SHARE of one table of two
SELECT o.id FROM orders o JOIN customers c ON c.id = o.customer_id FOR KEY SHARE OF o
=== refuse reader: FOR UPDATE in a subquery
SELECT * FROM (SELECT id FROM orders FOR UPDATE) x
=== refuse reader: FOR UPDATE in a WITH
WITH x AS (SELECT id FROM orders FOR UPDATE SKIP LOCKED) SELECT * FROM x
=== refuse reader: FOR UPDATE outside a subquery
SELECT * FROM (SELECT id FROM orders) x FOR UPDATE
=== refuse reader: SELECT INTO
SELECT id INTO x FROM orders
=== refuse reader: SELECT INTO a temporary table
SELECT id INTO TEMP x FROM orders
=== refuse reader: SELECT INTO in the first arm of a union
SELECT id INTO x FROM orders UNION SELECT 1
=== refuse reader: CREATE TABLE AS
CREATE TABLE x AS SELECT id FROM orders
=== refuse reader: CREATE TEMP TABLE AS
CREATE TEMP TABLE x AS TABLE orders
=== refuse reader: CREATE TABLE AS VALUES
CREATE UNLOGGED TABLE x AS VALUES (1)
=== refuse reader: CREATE MATERIALIZED VIEW
CREATE MATERIALIZED VIEW x AS SELECT id FROM orders
=== refuse reader: nextval
SELECT nextval('numbers')
=== refuse reader: nextval by a regclass
SELECT nextval('public.numbers'::regclass)
=== refuse reader: nextval by a computed name
SELECT nextval(lower('NUMBERS')::regclass)
=== refuse reader: setval
SELECT setval('numbers', 1000, false)
=== refuse reader: MERGE
MERGE INTO orders o USING (SELECT 1 AS id) s ON o.id = s.id WHEN MATCHED THEN DELETE
=== refuse reader: MERGE that does nothing names its target all the same
MERGE INTO secret USING (SELECT 1) s ON true WHEN MATCHED THEN DO NOTHING
=== refuse reader: TABLE of more than is permitted
TABLE customers
=== serve reader: TABLE of what is permitted
TABLE orders LIMIT 1
=== serve reader: VALUES
VALUES (1), (2)
=== refuse reader: VALUES with a subquery
VALUES ((SELECT payload FROM secret LIMIT 1))
=== refuse reader: PREPARE of a write
PREPARE p AS DELETE FROM orders
=== refuse reader: a cursor of a locking read
DECLARE c CURSOR FOR SELECT id FROM orders FOR UPDATE
=== refuse reader: a large object is made
SELECT lo_create(0)
=== refuse reader: a large object from bytes
SELECT lo_from_bytea(0, 'x')
=== refuse reader: a large object is removed
SELECT lo_unlink(4711)
=== refuse reader: a large object is written
SELECT lo_put(4711, 0, 'x')
=== refuse reader: a function that writes
SELECT wipe()
=== refuse reader: a function that writes, in FROM
SELECT * FROM wipe()
=== refuse reader: a function that writes, in ORDER BY
SELECT id FROM orders ORDER BY wipe()
=== refuse reader: a function that writes, in a default's place
SELECT coalesce(NULL, wipe())
=== refuse reader: a function that writes, in LIMIT
SELECT id FROM orders LIMIT wipe()
=== refuse reader: a function that writes, in FILTER
SELECT count(*) FILTER (WHERE wipe() = 1) FROM orders
=== refuse reader: a message into the write-ahead log
SELECT pg_logical_emit_message(true, 'a', 'b')
=== refuse reader: statistics are thrown away
SELECT pg_stat_reset()
=== refuse reader: an insert that returns
INSERT INTO orders (id) VALUES (9203) RETURNING id
=== refuse reader: an update behind a read
SELECT 1; UPDATE orders SET status = 'x' WHERE id = 1
=== refuse reader: an empty statement and a write
;;; DELETE FROM orders
=== serve reader: empty statements and a read
;;; SELECT 1
=== refuse reader: REFRESH
REFRESH MATERIALIZED VIEW kept
=== refuse reader: ANALYZE writes statistics
ANALYZE orders
=== refuse reader: VACUUM
VACUUM orders
=== refuse reader: a comment on a table
COMMENT ON TABLE orders IS 'x'
=== refuse reader: TRUNCATE
TRUNCATE orders
=== refuse reader: LOCK
LOCK TABLE orders IN ACCESS SHARE MODE
=== refuse reader: a setting through its view
UPDATE pg_settings SET setting = 'off' WHERE name = 'default_transaction_read_only'
