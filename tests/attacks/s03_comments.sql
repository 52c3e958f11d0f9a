=== refuse: comments nest
SELECT 1 /* /* */ */; DELETE FROM customers
=== serve: a nested comment around a write
SELECT 1 /* /* */ ; DELETE FROM customers */
=== refuse: three deep
SELECT 1 /*/*/**/*/*/; DELETE FROM customers
=== serve: three deep, all inside
SELECT 1 /*/*/*; DELETE FROM customers */*/*/
=== refuse: a line comment ends at a line break
SELECT 1 -- x
; DELETE FROM customers
=== serve: a line comment around a write
SELECT 1 -- ; DELETE FROM customers
=== refuse: a line comment ends at a carriage return
SELECT 1 -- x⟦0d⟧; DELETE FROM customers
=== serve: a line comment does not end at a vertical tab
SELECT 1 -- x⟦0b⟧; DELETE FROM customers
=== serve: a line comment does not end at a form feed
SELECT 1 -- x⟦0c⟧; DELETE FROM customers
=== serve: a line comment does not end at a line separator
SELECT 1 -- x⟦2028⟧; DELETE FROM customers
=== serve: a line comment does not end at a next line
SELECT 1 -- x⟦85⟧; DELETE FROM customers
=== refuse: comments in place of spaces
SELECT/**/ssn/**/FROM/**/customers
=== serve: comments in place of spaces
SELECT/**/id/**/FROM/**/customers/**/LIMIT/**/1
=== refuse: what other servers run inside a comment is none here, the rest is
SELECT 1 /*! */; DROP TABLE customers
=== serve: what other servers run inside a comment is a comment
SELECT 1 /*!50000 ; DROP TABLE customers */
=== refuse: a hint of an optimiser
SELECT /*+ SeqScan(customers) */ ssn FROM customers
=== serve: a hint of an optimiser
SELECT /*+ SeqScan(customers) */ id FROM customers LIMIT 1
=== refuse: a hash begins no comment
SELECT 1 # 2; DELETE FROM customers
=== serve: a hash is an operator
SELECT 1 # 2
=== refuse: a comment that never ends
SELECT 1 /* ; DELETE FROM customers
=== refuse: an end without a beginning
SELECT 1 */ ; DELETE FROM customers
=== refuse: a comment between the halves of a keyword
DEL/**/ETE FROM customers
=== refuse: a comment between keyword and table
DELETE/**/FROM--
customers
=== refuse: a comment in front
/* SELECT 1 */ DELETE FROM customers
=== serve: a comment in front
/* DELETE FROM customers; */ SELECT 1
=== refuse: line comments in front
-- SELECT 1
-- SELECT 2
DELETE FROM customers
=== serve: nothing but comments behind
SELECT 1; -- DELETE FROM customers
/* DELETE FROM customers */
=== refuse: an operator that would swallow a comment
SELECT 1 +-- 1
1; DELETE FROM customers
=== refuse: a comment inside an operator
SELECT id FROM customers WHERE ssn ~/**/'x'
=== serve: a comment behind an operator
SELECT 1 +/* ; DELETE FROM customers */ 1
=== refuse: a quote inside a comment opens nothing
SELECT 1 /* ' */; DELETE FROM customers; -- '
=== serve: a quote inside a comment
SELECT 1 /* it's */
=== refuse: a comment inside a string opens nothing
SELECT '/*'; DELETE FROM customers; SELECT '*/'
=== serve: a comment inside a string
SELECT '/* ; DELETE FROM customers; */'
=== refuse: a comment inside a quoted name opens nothing
SELECT 1 AS "/*"; DELETE FROM customers; SELECT 1 AS "*/"
=== refuse: a slash and a star apart
SELECT 1 / * FROM customers
=== refuse: a comment between function and bracket
SELECT pg_read_file/* not a call */('/etc/passwd')
=== serve: a comment between function and bracket
SELECT upper/* a call */('x')
=== refuse: a comment between the parts of a name
SELECT payload FROM public/**/./**/secret
=== serve: a comment between the parts of a name
SELECT id FROM public/**/./**/orders LIMIT 1
=== refuse: a psql command behind a comment
SELECT 1 -- \
; DELETE FROM secret
=== refuse: a comment splits an escape prefix from its string
SELECT E/**/'\'; DELETE FROM customers; --'
=== refuse: a comment that ends in a slash
SELECT 1 /**//**/; DELETE FROM secret /**/
=== serve: dashes in a string
SELECT '--'; SELECT 1
=== refuse: dashes in a string hide nothing
SELECT '--'; DELETE FROM secret
=== refuse: a line comment's end by both characters
SELECT 1 --⟦0d⟧⟦0a⟧; DELETE FROM secret
