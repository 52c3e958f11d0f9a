=== refuse: PREPARE of a hidden column
PREPARE p AS SELECT ssn FROM customers
=== refuse: PREPARE of a delete
PREPARE p (int) AS DELETE FROM orders WHERE id = $1
=== refuse: PREPARE of a function
PREPARE p AS SELECT wipe()
=== refuse: PREPARE of VALUES with a subquery
PREPARE p AS VALUES ((SELECT payload FROM secret))
=== refuse: PREPARE of a write in WITH
PREPARE p AS WITH x AS (DELETE FROM secret RETURNING 1) SELECT 1
=== refuse: PREPARE with a type of somebody's own
PREPARE p (checked) AS SELECT $1
=== refuse: EXECUTE of a name that nobody made
EXECUTE nobody
=== refuse: EXECUTE with an argument that reads
EXECUTE nobody((SELECT payload FROM secret))
=== refuse: PREPARE, EXECUTE and a hidden column in one text
PREPARE q AS SELECT id FROM orders; EXECUTE q; SELECT ssn FROM customers
=== refuse: PREPARE again in one text
PREPARE q AS SELECT id FROM orders; DEALLOCATE q; PREPARE q AS SELECT ssn FROM customers; EXECUTE q
=== refuse: EXPLAIN of a name that nobody made
EXPLAIN ANALYZE EXECUTE nobody
=== refuse: a table out of a name
CREATE TABLE x AS EXECUTE nobody
=== refuse: a table out of a name, explained
EXPLAIN ANALYZE CREATE TEMP TABLE x AS EXECUTE nobody
=== refuse: COPY of a name
COPY (EXECUTE nobody) TO STDOUT
=== refuse: a cursor over a hidden column
DECLARE c CURSOR FOR SELECT ssn FROM customers
=== refuse: a cursor that is kept
DECLARE c CURSOR WITH HOLD FOR SELECT payload FROM secret
=== refuse: a cursor in a transaction
BEGIN; DECLARE c CURSOR FOR SELECT ssn FROM customers; FETCH ALL FROM c; COMMIT
=== refuse: FETCH of a name that nobody made
FETCH ALL FROM nobody
=== refuse: MOVE of a name that nobody made
MOVE 1 IN nobody
=== refuse: DECLARE and FETCH in one text
BEGIN; DECLARE c CURSOR FOR SELECT id FROM orders; FETCH c; SELECT ssn FROM customers; COMMIT
=== refuse: a delete where a cursor stands
DELETE FROM orders WHERE CURRENT OF c
=== refuse: a cursor's rows as XML
SELECT cursor_to_xml('c', 10, true, false, '')
=== refuse: a name of the gateway's own
PREPARE "_postern_0" AS SELECT ssn FROM customers
=== refuse: two names in one text
EXECUTE a; EXECUTE b; SELECT payload FROM secret
=== refuse: a hidden column behind a parameter
PREPARE p (int) AS SELECT id FROM customers WHERE ssn = $1::text
=== serve: PREPARE of what is permitted
PREPARE fine (int) AS SELECT id FROM orders WHERE id = $1
=== serve: my prepared statements
SELECT name FROM pg_prepared_statements
=== serve: a cursor over what is permitted
BEGIN; DECLARE c CURSOR FOR SELECT id FROM orders; CLOSE c; COMMIT
=== serve: DEALLOCATE
DEALLOCATE ALL
=== serve: a string that looks like it
SELECT 'execute nobody'
