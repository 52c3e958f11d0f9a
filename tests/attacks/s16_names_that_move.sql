=== refuse: a function on the path by its schema
SELECT hidden.lower(country::varchar) FROM customers
=== serve: the server's own function by its schema
SELECT pg_catalog.lower(country) FROM customers LIMIT 1
=== refuse: the path, then the function
SET search_path TO hidden, public; SELECT lower(country) FROM customers
=== serve: the function on the path that is there
SELECT lower(country) FROM customers LIMIT 1
=== serve: a column as a column
SELECT country FROM customers c LIMIT 1
=== refuse: an alias list moves the columns
SELECT y FROM customers c(w, x, d, y)
=== serve: an alias list where all columns may be read
SELECT w FROM orders o(w, x) LIMIT 1
=== refuse: an alias list and the column by its old name
SELECT ssn FROM customers c(w, x)
=== refuse: an alias list puts a hidden column under a permitted name
SELECT id FROM customers c(a, b, x, y, id)
=== refuse: an alias list swaps two columns
SELECT country FROM customers c(id, ssn, created_at, email, country)
=== refuse: a NATURAL JOIN compares what it does not show
SELECT count(*) FROM customers NATURAL JOIN archive
=== refuse: a NATURAL JOIN with a subquery
SELECT s.id FROM (SELECT id, ssn FROM customers) s NATURAL JOIN orders
=== serve: a NATURAL JOIN of permitted columns
SELECT count(*) FROM (SELECT id FROM customers) a NATURAL JOIN (SELECT id FROM orders) b
=== refuse: NATURAL LEFT JOIN
SELECT o.id FROM orders o NATURAL LEFT JOIN customers c
=== refuse: a table's name in a string
SELECT table_to_xml('secret', true, true, '')
=== refuse: a table's name in a string with its schema
SELECT table_to_xml('hidden.page', true, true, '')
=== refuse: a table's name in a string in quotes
SELECT table_to_xml('"Customers"', true, true, '')
=== refuse: a table's number in a string
SELECT table_to_xml('16384', true, true, '')
=== refuse: a table's name computed
SELECT table_to_xml(('sec' || 'ret')::regclass, true, true, '')
=== refuse: a table's name out of a table
SELECT table_to_xml(status::regclass, true, true, '') FROM orders
=== serve: a permitted table's name in a string
SELECT 'orders'::regclass
=== refuse: a table's name in a string cut to what the server reads
SELECT nextval('numbers⟦60×x⟧')
=== refuse: a temporary table of a permitted name
CREATE TEMP TABLE customers AS SELECT 1 AS id
=== refuse: a temporary table, then the permitted name
CREATE TEMP TABLE customers (id int); SELECT id FROM customers
=== refuse: a temporary view of a permitted name
CREATE TEMP VIEW orders AS SELECT payload FROM secret
=== refuse: the temporary schema by its name
SELECT id FROM pg_temp.orders
=== refuse: a function in the temporary schema
SELECT pg_temp.upper(country) FROM customers
=== refuse: the path through the temporary schema
SET search_path TO pg_temp, public
=== refuse: the path with the server's schema last
SET search_path TO hidden, pg_catalog
=== refuse: the path of the role's own schema
SET search_path TO "$user", hidden
=== refuse: no path at all
SET search_path TO ''
=== serve: the path as it is
SHOW search_path
=== serve: the path by its function
SELECT current_schemas(true)
=== refuse: the path by RESET and a hidden table
RESET search_path; SELECT payload FROM secret
=== refuse: the path by DISCARD and a hidden table
DISCARD TEMP; SELECT payload FROM secret
=== refuse: a rename
ALTER TABLE secret RENAME TO innocent
=== refuse: a rename to a permitted name
ALTER TABLE secret RENAME TO orders
=== refuse: a rename, then the new name
ALTER TABLE secret RENAME TO innocent; SELECT * FROM innocent
=== refuse: a column is renamed
ALTER TABLE customers RENAME COLUMN ssn TO harmless
=== refuse: a column is renamed, then read
ALTER TABLE customers RENAME ssn TO harmless; SELECT harmless FROM customers
=== refuse: columns change places
BEGIN; ALTER TABLE customers RENAME country TO x; ALTER TABLE customers RENAME ssn TO country; SELECT country FROM customers; ROLLBACK
=== refuse: a table moves to another schema
ALTER TABLE hidden.page SET SCHEMA public
=== refuse: a schema is renamed
ALTER SCHEMA hidden RENAME TO shown
=== refuse: a schema is made
CREATE SCHEMA mine CREATE TABLE orders (id int)
=== refuse: a table is dropped and made anew
DROP TABLE orders; CREATE TABLE orders (id int)
=== refuse: a view in place of a table
BEGIN; DROP TABLE orders; CREATE VIEW orders AS SELECT * FROM secret; SELECT * FROM orders; COMMIT
=== refuse: a partition changes its parent
ALTER TABLE parted DETACH PARTITION parted_1
=== refuse: a child leaves
ALTER TABLE archive NO INHERIT customers
=== refuse: a common table expression of a permitted name over a hidden table
WITH orders AS (SELECT payload AS id FROM secret) SELECT id FROM orders
=== serve: a common table expression of a permitted name
WITH orders AS (SELECT id FROM customers) SELECT id FROM orders LIMIT 1
=== refuse: a common table expression twice
WITH a AS (SELECT 1 AS id), b AS (WITH a AS (SELECT payload FROM secret) SELECT * FROM a) SELECT * FROM b
=== serve: a common table expression within another
WITH a AS (SELECT 1 AS id), b AS (WITH c AS (SELECT id FROM a) SELECT id FROM c) SELECT id FROM b
=== refuse: a lateral alias of a table's name
SELECT orders.ssn FROM customers AS orders
=== refuse: an alias that is another table
SELECT secret.ssn FROM customers secret
=== serve: an alias that is another table, its permitted column
SELECT secret.country FROM customers secret LIMIT 1
=== refuse: the table's name behind its alias
SELECT customers.ssn FROM customers c, customers
=== refuse: an alias within an alias
SELECT x.ssn FROM (SELECT c.* FROM customers c) AS x
=== refuse: USING with an alias
SELECT u.id, c.ssn FROM customers c JOIN orders o USING (id) AS u
=== serve: USING with an alias over permitted columns
SELECT u.id FROM customers c JOIN orders o USING (id) AS u LIMIT 1
=== refuse: the conflicting row's hidden table
INSERT INTO orders (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET status = (SELECT payload FROM secret LIMIT 1)
=== serve: the conflicting row's own values
INSERT INTO orders (id, status) VALUES (1, 'again') ON CONFLICT (id) DO UPDATE SET status = excluded.status
=== refuse: an error that would print the row of another table
INSERT INTO secret VALUES ('x') RETURNING payload::int
=== refuse: a key of another table's values
ALTER TABLE orders ADD FOREIGN KEY (status) REFERENCES secret (payload)
=== refuse: a setting through the view of settings
UPDATE pg_settings SET setting = 'hidden' WHERE name = 'search_path'
=== refuse: a setting through the view of settings in WITH
WITH x AS (UPDATE pg_catalog.pg_settings SET setting = 'hidden' WHERE name = 'search_path' RETURNING 1) SELECT id FROM orders
=== refuse: a name in a group that is an output elsewhere
SELECT count(*) AS ssn FROM customers GROUP BY ssn
=== refuse: a name in an order's expression that is an output
SELECT id AS ssn FROM customers ORDER BY ssn || ''
=== serve: a name in an order that is an output
SELECT id AS email FROM customers ORDER BY email LIMIT 1
=== refuse: an output in a group that is a column
SELECT id AS email, count(*) FROM customers GROUP BY email, id
=== refuse: an alias of a function is no table
SELECT customers.ssn FROM generate_series(1, 2) g, customers
=== serve: a function's alias
SELECT g.ssn FROM generate_series(1, 2) AS g(ssn)
