=== refuse: a block
DO $$ BEGIN DELETE FROM orders; END $$
=== refuse: a block of nothing
DO ''
=== refuse: a block in SQL's own words
DO LANGUAGE sql 'select 1'
=== refuse: a block that puts its text together
DO $$ BEGIN EXECUTE 'DEL' || 'ETE FROM secret'; END $$
=== refuse: a procedure
CALL purge()
=== refuse: a procedure with its schema
CALL public.purge()
=== refuse: a procedure that is not there
CALL nothing(1)
=== refuse: a procedure whose argument reads
CALL nothing((SELECT payload FROM secret))
=== refuse: a function is made
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1'
=== refuse: a function is made anew
CREATE OR REPLACE FUNCTION leak() RETURNS SETOF text LANGUAGE sql AS 'select 1'
=== refuse: a function of the standard's grammar
CREATE FUNCTION f() RETURNS text RETURN (SELECT payload FROM secret)
=== refuse: a function with an atomic body
CREATE FUNCTION f() RETURNS void BEGIN ATOMIC DELETE FROM secret; END
=== refuse: a function of the server's own language
CREATE FUNCTION f(text) RETURNS text LANGUAGE internal AS 'pg_read_file'
=== refuse: a function of a library
CREATE FUNCTION f(cstring) RETURNS int LANGUAGE c AS '/lib/x86_64-linux-gnu/libc.so.6', 'system'
=== refuse: a temporary function
CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'select 1'
=== refuse: a function is made and called
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1'; SELECT f()
=== refuse: a procedure is made
CREATE PROCEDURE p() LANGUAGE sql AS 'delete from secret'
=== refuse: a function's default argument
CREATE FUNCTION f(a text DEFAULT (SELECT payload FROM secret)) RETURNS int LANGUAGE sql AS 'select 1'
=== refuse: a function is dropped
DROP FUNCTION leak
=== refuse: a function is altered
ALTER FUNCTION leak SECURITY INVOKER
=== refuse: a function runs any text
SELECT run('delete from secret')
=== refuse: a function runs any text for each row
SELECT run(status) FROM orders
=== refuse: a function in a list of columns
SELECT id, ssn_of(id) FROM orders
=== refuse: a function in a join
SELECT o.id FROM orders o JOIN LATERAL (SELECT ssn_of(o.id)) s ON true
=== refuse: a function in an assignment
UPDATE orders SET status = ssn_of(1) WHERE id = 1
=== refuse: a function in an insert
INSERT INTO orders (id, status) SELECT 9400, x FROM leak() x
=== refuse: a function in RETURNING
UPDATE orders SET status = 'x' WHERE id = 1 RETURNING ssn_of(id)
=== refuse: a function in a conflict's condition
INSERT INTO orders (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET status = 'x' WHERE wipe() = 1
=== refuse: a function in a window
SELECT sum(id) OVER (PARTITION BY ssn_of(id)) FROM orders
=== refuse: a function as a column
SELECT c.peek FROM customers c
=== refuse: a function as a column of a row
SELECT (c).peek FROM customers c
=== refuse: a set of functions
SELECT * FROM ROWS FROM (leak(), generate_series(1, 2))
=== refuse: a function with its arguments named
SELECT ssn_of("1" => 1)
=== refuse: an aggregate of somebody's own
SELECT gather(country) FROM customers
=== refuse: a trigger
CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION note()
=== refuse: a trigger with a condition that reads
CREATE CONSTRAINT TRIGGER t AFTER UPDATE ON orders FOR EACH ROW WHEN (NEW.status IS NULL) EXECUTE FUNCTION note()
=== refuse: a trigger is turned off
ALTER TABLE watched DISABLE TRIGGER ALL
=== refuse: an event trigger
CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION note()
=== refuse: a rule of two actions
CREATE RULE r AS ON UPDATE TO orders DO INSTEAD (DELETE FROM secret; DELETE FROM customers)
=== refuse: a rule that makes a table a view
CREATE RULE "_RETURN" AS ON SELECT TO orders DO INSTEAD SELECT * FROM secret
=== refuse: a rule that notifies
CREATE RULE r AS ON INSERT TO orders DO ALSO NOTIFY told
=== refuse: an operator of somebody's own
SELECT 1 OPERATOR(hidden.===) 2
=== refuse: an operator of somebody's own on the path
SELECT 1 @@@@ 2
=== refuse: an operator in ORDER BY
SELECT id FROM orders ORDER BY id USING OPERATOR(public.@@@@)
=== refuse: an operator in ANY
SELECT 1 OPERATOR(hidden.===) ANY (ARRAY[1])
=== refuse: an operator in a subquery's comparison
SELECT id FROM orders WHERE id OPERATOR(hidden.===) ANY (SELECT 1)
=== refuse: an operator is made
CREATE OPERATOR public.%%% (leftarg = int, rightarg = int, function = int4eq)
=== refuse: a cast to a type of somebody's own
SELECT 'x'::checked
=== refuse: a cast by its function
SELECT CAST('x'::text AS pair)
=== refuse: a cast by the function syntax
SELECT checked 'x'
=== refuse: a cast by a call
SELECT pair('x'::text)
=== refuse: an array of a type of somebody's own
SELECT '{x}'::checked[]
=== refuse: a cast is made
CREATE CAST (text AS pair) WITH FUNCTION pair_of(text) AS IMPLICIT
=== refuse: a type's input by its own function
SELECT domain_in('x', 'checked'::regtype, -1)
=== refuse: an array's input by its own function
SELECT array_in('{x}', 'checked'::regtype, -1)
=== refuse: a record's input by its own function
SELECT record_in('(1,x)', 'pair'::regtype, -1)
=== refuse: an input is tried
SELECT pg_input_is_valid('x', 'checked')
=== refuse: a record out of JSON by a type of somebody's own
SELECT * FROM jsonb_populate_record(NULL::pair, '{"a": 1}')
=== refuse: a record out of JSON with a column of such a type
SELECT * FROM jsonb_to_record('{"a": "x"}') AS t(a checked)
=== refuse: a column of XML with such a type
SELECT * FROM XMLTABLE('/a' PASSING '<a/>' COLUMNS a checked PATH 'b')
=== refuse: a generated column
ALTER TABLE orders ADD COLUMN g text GENERATED ALWAYS AS (status) STORED
=== refuse: a default that calls
ALTER TABLE orders ALTER COLUMN status SET DEFAULT ssn_of(1)
=== refuse: a check that calls
ALTER TABLE orders ADD CHECK (wipe() = 1)
=== refuse: an index on what a function gives
CREATE INDEX ON orders (double(id))
=== refuse: statistics on an expression
CREATE STATISTICS s ON (id + 1), status FROM orders
=== refuse: a language
CREATE LANGUAGE plperlu
=== refuse: a table whose trigger deletes
INSERT INTO watched (id) VALUES (1)
=== refuse: a table whose rule deletes
INSERT INTO ruled VALUES (1)
=== serve: a function of the server
SELECT upper(country) FROM customers LIMIT 1
=== serve: an operator of the server
SELECT id FROM orders WHERE id OPERATOR(pg_catalog.=) 1
=== serve: a cast to a type of the server
SELECT id::text, CAST(total AS numeric) FROM orders LIMIT 1
=== serve: an aggregate of the server
SELECT string_agg(country, ',' ORDER BY id) FROM customers
=== serve: a set of the server's functions
SELECT * FROM ROWS FROM (generate_series(1, 2), generate_series(1, 3)) AS t(a, b)
=== serve: a record out of JSON
SELECT * FROM jsonb_to_record('{"a": 1}') AS t(a int)
=== serve: a column of XML
SELECT * FROM XMLTABLE('/a' PASSING '<a><b>1</b></a>' COLUMNS b int PATH 'b')
=== serve: an insert that finds its row there
INSERT INTO orders (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET status = 'again' WHERE orders.id = 1
=== serve: a word that looks like a block
SELECT 'do' AS call
