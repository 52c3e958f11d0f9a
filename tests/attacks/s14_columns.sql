=== refuse: every column
SELECT * FROM customers
=== refuse: every column of an alias
SELECT c.* FROM customers c
=== refuse: every column with the schema
SELECT public.customers.* FROM public.customers
=== refuse: the whole row
SELECT c FROM customers c
=== refuse: the whole row by the table's name
SELECT customers FROM customers
=== refuse: the whole row as JSON
SELECT row_to_json(c) FROM customers c
=== refuse: the whole row as JSON, gathered
SELECT json_agg(c) FROM customers c
=== refuse: the whole row as text
SELECT c::text FROM customers c
=== refuse: the whole row as text by a call
SELECT textin(record_out(c)) FROM customers c
=== refuse: the whole row in a row
SELECT ROW(c.*) FROM customers c
=== refuse: the whole row in an array
SELECT ARRAY[c] FROM customers c
=== refuse: the whole row compared
SELECT c.id FROM customers c, customers d WHERE c = d
=== refuse: the whole row is there
SELECT id FROM customers c WHERE c IS NOT NULL
=== refuse: how many whole rows
SELECT count(c) FROM customers c
=== refuse: how many different whole rows
SELECT count(DISTINCT c.*) FROM customers c
=== refuse: a field of the row
SELECT (c).ssn FROM customers c
=== refuse: a field of a row of a subquery
SELECT (SELECT c FROM customers c LIMIT 1).ssn
=== refuse: every field of the row
SELECT (c).* FROM customers c
=== refuse: a column as a function of the row
SELECT ssn(c) FROM customers c
=== refuse: a column in the condition
SELECT id FROM customers WHERE ssn = '1'
=== refuse: a column counted out letter by letter
SELECT count(*) FROM customers WHERE ssn LIKE 'ssn-1%'
=== refuse: a column told by an error
SELECT 1 / (CASE WHEN ssn LIKE 'ssn-1%' THEN 0 ELSE 1 END) FROM customers
=== refuse: a column told by a failed cast
SELECT ssn::int FROM customers
=== refuse: a column in the order
SELECT id FROM customers ORDER BY ssn
=== refuse: a column in the order's expression
SELECT id FROM customers ORDER BY length(ssn) DESC
=== refuse: a column in the grouping
SELECT count(*) FROM customers GROUP BY email
=== refuse: a column in HAVING
SELECT country FROM customers GROUP BY country HAVING max(ssn) > 'a'
=== refuse: a column in DISTINCT ON
SELECT DISTINCT ON (email) id FROM customers
=== refuse: a column in a window
SELECT rank() OVER (ORDER BY ssn) FROM customers
=== refuse: a column in a named window
SELECT rank() OVER w FROM customers WINDOW w AS (PARTITION BY email)
=== refuse: a column in LIMIT
SELECT id FROM orders LIMIT (SELECT length(ssn) FROM customers WHERE id = 1)
=== refuse: a column in a join's condition
SELECT o.id FROM orders o JOIN customers c ON c.email = o.status
=== refuse: a column in USING
SELECT a.id FROM customers a JOIN customers b USING (ssn)
=== refuse: columns in NATURAL JOIN
SELECT a.id FROM customers a NATURAL JOIN customers b
=== refuse: columns renamed by an alias
SELECT d FROM customers AS c(a, b, x, y, d)
=== refuse: columns renamed by an alias, only the harmless one
SELECT a FROM customers AS c(a, b, x, y, d)
=== refuse: columns renamed by a common table expression
WITH t(a, b, x, y, d) AS (SELECT * FROM customers) SELECT a FROM t
=== refuse: columns renamed by a subquery
SELECT s.d FROM (SELECT * FROM customers) s(a, b, x, y, d)
=== refuse: columns renamed by a join's alias
SELECT j.e FROM (orders o JOIN customers c ON c.id = o.id) AS j(a, b, x, d, e)
=== refuse: a column in an aggregate's filter
SELECT count(*) FILTER (WHERE email IS NULL) FROM customers
=== refuse: a column in an aggregate's order
SELECT array_agg(id ORDER BY ssn) FROM customers
=== refuse: a column in a percentile
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ssn) FROM customers
=== refuse: a column in EXISTS
SELECT EXISTS (SELECT ssn FROM customers)
=== refuse: a column of the query around
SELECT (SELECT c.ssn) FROM customers c
=== refuse: a bare column of the query around
SELECT (SELECT ssn FROM orders LIMIT 1) FROM customers
=== refuse: a column by LATERAL
SELECT x.s FROM customers c, LATERAL (SELECT c.ssn AS s) x
=== refuse: a column by VALUES
SELECT v.a FROM customers c, LATERAL (VALUES (c.email)) v(a)
=== refuse: a column by unnest
SELECT u FROM customers c, unnest(ARRAY[c.ssn]) u
=== refuse: a column in the arm of a union
SELECT id::text FROM customers UNION ALL SELECT ssn FROM customers
=== refuse: every column in the arm of an intersection
SELECT * FROM customers INTERSECT TABLE customers
=== refuse: COPY of every column
COPY customers TO STDOUT
=== refuse: COPY of a hidden column
COPY customers (ssn) TO STDOUT
=== refuse: COPY of a query of hidden columns
COPY (SELECT email FROM customers) TO STDOUT
=== refuse: COPY in binary
COPY customers (id, email) TO STDOUT WITH BINARY
=== refuse: a column in an update's value
UPDATE orders SET status = (SELECT ssn FROM customers WHERE id = 1) WHERE id = 1
=== refuse: a column in an update's FROM
UPDATE orders o SET status = c.email FROM customers c WHERE c.id = o.id
=== refuse: a column in a row's value
UPDATE orders SET (status, total) = (SELECT ssn, 1 FROM customers WHERE id = 1) WHERE id = 1
=== refuse: a column in RETURNING
UPDATE orders SET status = 'x' FROM customers c WHERE c.id = orders.id RETURNING c.ssn
=== refuse: every column in RETURNING
UPDATE orders SET status = 'x' FROM customers c WHERE c.id = orders.id RETURNING *
=== refuse: a column by insert
INSERT INTO orders (id, status) SELECT id + 9500, ssn FROM customers
=== refuse: a column in MERGE
MERGE INTO orders o USING customers c ON c.ssn = o.status WHEN MATCHED THEN UPDATE SET status = 'x'
=== refuse: a column in MERGE's value
MERGE INTO orders o USING customers c ON c.id = o.id WHEN MATCHED THEN UPDATE SET status = c.email
=== refuse: a table as XML
SELECT table_to_xml('customers', true, false, '')
=== refuse: a table's structure and rows as XML
SELECT table_to_xml_and_xmlschema('public.customers'::regclass, true, false, '')
=== refuse: a schema as XML
SELECT schema_to_xml('public', true, false, '')
=== refuse: a database as XML
SELECT database_to_xml(true, false, '')
=== refuse: a query as XML
SELECT query_to_xml('select ssn from customers', true, false, '')
=== refuse: words of a query
SELECT * FROM ts_stat('select to_tsvector(ssn) from customers')
=== refuse: a query that rewrites a query
SELECT ts_rewrite('a'::tsquery, 'select to_tsquery(ssn), to_tsquery(email) from customers')
=== refuse: a column in an XML element
SELECT xmlforest(ssn) FROM customers
=== refuse: a sample of the table
SELECT ssn FROM customers TABLESAMPLE SYSTEM (10)
=== refuse: a row's place and its hidden column
SELECT ctid, email FROM customers
=== refuse: a row's place by the table's name
SELECT currtid2('customers', '(0,1)')
=== refuse: a column in GROUPING SETS
SELECT count(*) FROM customers GROUP BY GROUPING SETS ((email), ())
=== refuse: a column in COLLATE
SELECT email COLLATE "C" FROM customers
=== refuse: a column in an array's place
SELECT (ARRAY[1,2])[length(ssn)] FROM customers
=== refuse: a column is written that is not permitted
UPDATE customers SET country = 'X' WHERE id = 1
=== refuse: an index tells of its columns
CREATE INDEX ON customers (ssn)
=== serve: how many rows
SELECT count(*) FROM customers
=== serve: the permitted columns
SELECT id, country, created_at FROM customers LIMIT 1
=== serve: the permitted columns of an alias
SELECT c.id FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.country = 'DE' LIMIT 1
=== serve: an alias of a hidden name
SELECT id AS ssn FROM customers ORDER BY ssn LIMIT 1
=== serve: every column of what is permitted whole
SELECT * FROM orders LIMIT 1
=== serve: a subquery that leaves the rest out
SELECT s.* FROM (SELECT id, country FROM customers) s LIMIT 1
=== serve: the whole row of a subquery
SELECT row_to_json(s) FROM (SELECT id, country FROM customers) s LIMIT 1
=== serve: a join by USING
SELECT id FROM customers JOIN orders USING (id) LIMIT 1
=== serve: an update with a permitted column of another table
UPDATE orders o SET status = c.country FROM customers c WHERE c.id = o.id AND o.id = 13
=== serve: an update that returns
UPDATE orders SET status = 'seen' WHERE id = 14 RETURNING *
=== serve: is there a row
SELECT EXISTS (SELECT FROM customers WHERE id = 1)
=== serve: a hidden name in a string
SELECT id FROM customers WHERE country = 'ssn'
=== serve: permitted columns as JSON
SELECT json_build_object('id', id, 'country', country) FROM customers LIMIT 1
=== serve: grouped and ordered by what is permitted
SELECT country, count(*) AS n FROM customers GROUP BY country HAVING count(*) > 1 ORDER BY n
=== serve: the arm of a union
SELECT id FROM customers UNION SELECT id FROM orders ORDER BY id LIMIT 1
