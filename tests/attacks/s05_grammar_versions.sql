=== refuse: an underscore in a number and a hidden table
SELECT 1_000, payload FROM secret
=== refuse: a number with letters behind it
SELECT 123abc FROM customers
=== refuse: a hexadecimal number of no digits
SELECT 0xZZ, ssn FROM customers
=== refuse: an octal number's alias
SELECT 0o17ssn FROM customers
=== refuse: a number that runs into a keyword
SELECT 1FROM secret
=== refuse: a number that runs into OR
SELECT id FROM customers WHERE id = 1OR ssn IS NULL
=== refuse: a parameter that runs into a name
SELECT $1payload FROM secret
=== refuse: a real number that runs into an exponent of none
SELECT 1.5e, ssn FROM customers
=== serve: a real number with an exponent
SELECT 1.5e3
=== refuse before 17: JSON_TABLE where the server has none
SELECT * FROM json_table('[1]', '$[*]' COLUMNS (a int PATH '$')) t
=== refuse: JSON_TABLE over a hidden column
SELECT t.a FROM customers, json_table(ssn::jsonb, '$[*]' COLUMNS (a int PATH '$')) t
=== refuse before 17: JSON_VALUE where the server would look for somebody's function
SELECT json_value('{"a":1}'::jsonb, '$.a')
=== refuse before 17: JSON_QUERY where the server would look for somebody's function
SELECT json_query('{"a":1}'::jsonb, '$.a')
=== refuse before 17: JSON_EXISTS where the server would look for somebody's function
SELECT json_exists('{"a":1}'::jsonb, '$.a')
=== refuse before 17: JSON_SCALAR where the server would look for somebody's function
SELECT json_scalar(1)
=== refuse before 17: JSON_SERIALIZE where the server would look for somebody's function
SELECT json_serialize('{}')
=== refuse: JSON_OBJECT by the standard's grammar
SELECT json_object('ssn': ssn) FROM customers
=== refuse: JSON_ARRAY by the standard's grammar
SELECT json_array(ssn) FROM customers
=== refuse: JSON_ARRAYAGG of a hidden column
SELECT json_arrayagg(ssn) FROM customers
=== refuse: JSON_OBJECTAGG of a hidden column
SELECT json_objectagg(id: ssn) FROM customers
=== serve: the old way to build JSON
SELECT json_build_object('id', id) FROM customers LIMIT 1
=== refuse: the old way to build JSON of a hidden column
SELECT json_build_object('ssn', ssn) FROM customers LIMIT 1
=== refuse: MERGE that returns
MERGE INTO orders o USING customers c ON c.id = o.id WHEN MATCHED THEN UPDATE SET status = c.ssn RETURNING merge_action()
=== refuse: MERGE that deletes what the source lacks
MERGE INTO orders o USING customers c ON c.id = o.id WHEN NOT MATCHED BY SOURCE THEN DELETE
=== refuse: RETURNING with names for old and new
UPDATE orders SET status = 'x' WHERE id = 1 RETURNING WITH (OLD AS o) o.status, (SELECT max(ssn) FROM customers)
=== refuse before 16: SYSTEM_USER where it is a name
SELECT system_user
=== refuse: SYSTEM_USER called as somebody's function
SELECT system_user()
=== refuse: a subquery without an alias reads a hidden column
SELECT * FROM (SELECT ssn FROM customers)
=== refuse: AT LOCAL beside a hidden column
SELECT now() AT LOCAL, ssn FROM customers
=== refuse: a virtual generated column
CREATE TABLE v (a int, b int GENERATED ALWAYS AS (a * 2))
=== refuse: ANY_VALUE of a hidden column
SELECT any_value(ssn) FROM customers
=== refuse: NULLS NOT DISTINCT
CREATE UNIQUE INDEX ON orders (status) NULLS NOT DISTINCT
=== refuse: IS JSON asked of a hidden column
SELECT ssn IS JSON FROM customers
=== refuse: a temporal key
CREATE TABLE k (a int4range, PRIMARY KEY (a WITHOUT OVERLAPS))
=== refuse: COPY with what only newer servers know
COPY customers TO STDOUT WITH (FORMAT csv, FORCE_QUOTE *)
=== refuse: EXPLAIN with what only newer servers know
EXPLAIN (SERIALIZE, MEMORY) SELECT ssn FROM customers
=== serve: EXPLAIN with what every server knows
EXPLAIN (COSTS off, VERBOSE) SELECT id FROM customers
=== refuse: a function of an operator's old name
SELECT casts_to_nothing(ssn) FROM customers
=== refuse: GROUP BY DISTINCT on a hidden column
SELECT count(*) FROM customers GROUP BY DISTINCT ROLLUP (ssn)
=== serve: GROUP BY with ROLLUP
SELECT country, count(*) FROM customers GROUP BY ROLLUP (country)
=== refuse: a recursive query with SEARCH over a hidden column
WITH RECURSIVE r AS (SELECT id, ssn FROM customers UNION ALL SELECT id, ssn FROM r WHERE false) SEARCH DEPTH FIRST BY ssn SET o SELECT id FROM r ORDER BY o
=== serve: a recursive query
WITH RECURSIVE r(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n FROM r
=== refuse: a recursive query with CYCLE over a hidden column
WITH RECURSIVE r AS (SELECT id, email FROM customers UNION SELECT id, email FROM r) CYCLE email SET c USING p SELECT id FROM r
=== serve: MERGE with what every server knows
MERGE INTO orders o USING (VALUES (6)) s(id) ON o.id = s.id WHEN MATCHED THEN UPDATE SET status = 'merged'
=== refuse: MERGE whose source is a hidden table
MERGE INTO orders o USING secret s ON false WHEN NOT MATCHED THEN INSERT (id, status) VALUES (9100, s.payload)
=== refuse: OVERRIDING beside a hidden table
INSERT INTO orders (id, status) OVERRIDING SYSTEM VALUE SELECT 9101, payload FROM secret
=== serve: FETCH FIRST WITH TIES
SELECT id FROM orders ORDER BY id FETCH FIRST 1 ROW WITH TIES
=== refuse: a window's frame asks a hidden column
SELECT sum(id) OVER (ORDER BY ssn GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM customers
=== serve: a window's frame
SELECT sum(id) OVER (ORDER BY created_at ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM customers LIMIT 1
