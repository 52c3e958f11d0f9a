=== refuse: a view of a hidden table
SELECT payload FROM all_secrets
=== refuse: a view of hidden columns
SELECT ssn FROM everyone
=== refuse: the permitted columns through a view that is not permitted
SELECT id, country FROM everyone
=== refuse: a view that only counts
SELECT n FROM totals
=== refuse: a materialized view
SELECT payload FROM kept
=== refuse: a write through a view
UPDATE everyone SET ssn = 'x' WHERE id = 1
=== refuse: an insert through a view
INSERT INTO all_secrets VALUES ('x')
=== refuse: a view is made
CREATE VIEW v AS SELECT payload FROM secret
=== refuse: a view is made of permitted columns
CREATE VIEW v AS SELECT id FROM orders
=== refuse: a temporary view
CREATE TEMP VIEW v AS SELECT id FROM orders
=== refuse: a recursive view
CREATE RECURSIVE VIEW v (n) AS SELECT 1
=== refuse: a view over a permitted name
CREATE OR REPLACE VIEW orders AS SELECT * FROM secret
=== refuse: a partition asked by itself
SELECT value FROM measured_2026
=== refuse: a partitioned table
SELECT ssn FROM parted
=== refuse: a partition's hidden column
SELECT ssn FROM parted_1
=== refuse: a child asked by itself
SELECT id, country FROM archive
=== refuse: a child's hidden columns
SELECT ssn FROM archive
=== refuse: the parent's hidden column, alone
SELECT ssn FROM ONLY customers
=== refuse: the parent's hidden column, with children
SELECT ssn FROM customers *
=== refuse: a child of the table that may be written
UPDATE secret_orders SET status = 'x' WHERE id = 1
=== refuse: a child of the table that may be read
SELECT status FROM secret_orders
=== refuse: which child a row is of, and its hidden column
SELECT tableoid::regclass, email FROM customers
=== refuse: a child is attached
ALTER TABLE secret INHERIT orders
=== refuse: a partition is attached
ALTER TABLE parted ATTACH PARTITION secret FOR VALUES IN (2)
=== refuse: a table in another schema
SELECT body FROM hidden.page
=== refuse: a table of a permitted name in another schema
SELECT note FROM hidden.orders
=== refuse: a permitted column in another schema
SELECT id FROM hidden.orders
=== refuse: with the database's name
SELECT payload FROM shop1.public.secret
=== refuse: with a database's name that is another
SELECT id FROM postgres.hidden.orders
=== refuse: a path that puts another schema first
SET search_path TO hidden, public
=== refuse: a path by set_config
SELECT set_config('search_path', 'hidden, public', false)
=== refuse: a path and the name behind it
SET search_path TO hidden; SELECT id FROM orders
=== refuse: a path for the transaction and the name behind it
BEGIN; SET LOCAL search_path TO hidden; SELECT note FROM orders; COMMIT
=== refuse: a schema set in the standard's words
SET SCHEMA 'hidden'
=== refuse: a temporary table that hides a permitted one
CREATE TEMP TABLE orders (id int)
=== refuse: a table like another
CREATE TABLE copied (LIKE customers INCLUDING ALL)
=== refuse: a table of a type
CREATE TABLE copied OF pair
=== refuse: a table that inherits
CREATE TABLE copied () INHERITS (secret)
=== refuse: a foreign table
CREATE FOREIGN TABLE f (a int) SERVER s
=== refuse: a foreign server
CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '169.254.169.254')
=== refuse: a user mapping
CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (user 'shop_owner', password 'x')
=== refuse: a schema of another server
IMPORT FOREIGN SCHEMA public FROM SERVER s INTO hidden
=== refuse: another connection
SELECT * FROM hidden.dblink('dbname=postgres', 'select 1') AS t(a int)
=== refuse: another connection that is kept
SELECT hidden.dblink_connect('host=169.254.169.254')
=== refuse: another connection that runs
SELECT hidden.dblink_exec('dbname=postgres', 'drop table secret')
=== refuse: a publication
CREATE PUBLICATION p FOR ALL TABLES
=== refuse: a publication of one table
CREATE PUBLICATION p FOR TABLE secret
=== refuse: a subscription
CREATE SUBSCRIPTION s CONNECTION 'host=169.254.169.254' PUBLICATION p
=== refuse: the rows of a table by its TOAST
SELECT chunk_data FROM pg_toast.pg_toast_2619
=== refuse: a sequence as a table
SELECT last_value FROM numbers
=== refuse: an index as a table
SELECT * FROM orders_pkey
=== refuse: a name that nothing has
SELECT id FROM nowhere
=== refuse: a delete that cascades to another table
DELETE FROM tied WHERE id = 1
=== refuse: a truncate that cascades
TRUNCATE orders CASCADE
=== serve: the table with its schema
SELECT id FROM public.orders LIMIT 1
=== serve: the parent with its children
SELECT id, country FROM customers * LIMIT 1
=== serve: the parent alone
SELECT id, country FROM ONLY customers LIMIT 1
=== serve: a common table expression of a hidden name
WITH secret AS (SELECT 1 AS payload) SELECT payload FROM secret
=== serve: an alias of a hidden name
SELECT secret.id FROM orders secret LIMIT 1
=== serve: a subquery of a hidden name
SELECT everyone.id FROM (SELECT id FROM customers) everyone LIMIT 1
=== refuse: a common table expression does not hide a name with its schema
WITH secret AS (SELECT 1 AS payload) SELECT payload FROM public.secret
=== refuse: a common table expression does not hide a name inside itself
WITH secret AS (SELECT payload FROM secret) SELECT payload FROM secret
=== refuse: a common table expression is out of sight outside
SELECT (WITH secret AS (SELECT 1) SELECT 1), payload FROM secret
=== refuse: a common table expression comes after
WITH a AS (SELECT payload FROM secret), secret AS (SELECT 1) SELECT * FROM a
=== refuse: a common table expression does not hide a target
WITH secret AS (SELECT 1 AS payload) INSERT INTO secret SELECT 'x'
=== serve: under RECURSIVE every name is in sight
WITH RECURSIVE a AS (SELECT payload FROM secret), secret AS (SELECT 1 AS payload) SELECT * FROM a
