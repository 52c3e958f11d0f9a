=== refuse: a string that looks like a tag hides a write
WITH x AS (DELETE FROM customers RETURNING '$tag$a(b$tag$') SELECT 1
=== serve: a write inside a tagged string
SELECT $tag$; DELETE FROM customers; $tag$
=== refuse: the tag closes, then the write
SELECT $tag$a(b$tag$; DELETE FROM customers
=== refuse: another tag inside does not open
SELECT $a$ $b$ $a$; DELETE FROM customers; SELECT $b$ $b$
=== serve: another tag inside
SELECT $a$ $b$; DELETE FROM customers; $b$ $a$
=== refuse: the empty tag closes at once
SELECT $$$$; DELETE FROM customers
=== serve: an empty tag around a write
SELECT $$; DELETE FROM customers$$
=== refuse: tags differ in case
SELECT $A$ $a$ $A$; DELETE FROM customers; --$a$
=== serve: tags that differ in case, inside
SELECT $A$ $a$; DELETE FROM customers; $a$ $A$
=== refuse: a dollar inside a name opens nothing
SELECT 1 AS a$b$; DELETE FROM customers; SELECT 2 AS c$b$
=== serve: a name with dollars
SELECT 1 AS a$b$
=== refuse: a parameter opens nothing
SELECT $1$a$; DELETE FROM customers; SELECT 1$a$
=== refuse: a tag cannot begin with a digit
SELECT $1a$; DELETE FROM customers; $1a$
=== refuse: a tag of letters beyond ASCII
SELECT $é$ $é$; DELETE FROM customers
=== serve: a tag of letters beyond ASCII around a write
SELECT $é$; DELETE FROM customers; $é$
=== refuse: a quote inside a tagged string opens nothing
SELECT $$ ' $$; DELETE FROM customers; --'
=== serve: a quote inside a tagged string
SELECT $$ ' ; DELETE FROM customers; -- $$
=== refuse: a comment inside a tagged string opens nothing
SELECT $$ /* $$; DELETE FROM customers; -- */
=== serve: a comment inside a tagged string
SELECT $$ /* ; DELETE FROM customers; -- */ $$
=== refuse: a tagged string inside a comment opens nothing
SELECT 1 /* $$ */; DELETE FROM customers; -- $$
=== serve: a tagged string inside a comment
SELECT 1 /* $$ ; DELETE FROM customers; $$ */
=== refuse: a tagged string inside a line comment opens nothing
SELECT 1 -- $$
; DELETE FROM customers; -- $$
=== refuse: a tagged string inside quotes opens nothing
SELECT '$$'; DELETE FROM customers; SELECT '$$'
=== serve: a tagged string inside quotes
SELECT '$$; DELETE FROM customers; $$'
=== refuse: a tagged string inside a quoted name opens nothing
SELECT 1 AS "$$"; DELETE FROM customers; SELECT 1 AS "$$"
=== refuse: no backslash protects a dollar
SELECT $$ \$$; DELETE FROM customers; --$$
=== refuse: a tagged string that never ends
SELECT $x$; DELETE FROM customers
=== refuse: half a tag at the end
SELECT $x$ $x; DELETE FROM customers
=== refuse: a tag with a space is no tag
SELECT $ a$; DELETE FROM customers; $ a$
=== refuse: a block of code in dollars
DO $$ BEGIN DELETE FROM customers; END $$
=== refuse: a block of code in tagged dollars with a language
DO LANGUAGE plpgsql $body$ BEGIN EXECUTE $q$DELETE FROM customers$q$; END $body$
=== refuse: a function body in dollars
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$
=== refuse: a placeholder in a tagged string
SELECT $$ $1 $$, id FROM secret
=== serve: a placeholder in a tagged string
SELECT $$ $1 $$, id FROM orders LIMIT 1
=== refuse: the tag of a string that is the value of a setting
SET search_path = $$hidden$$
=== refuse: the setting's name in dollars
SELECT set_config($$role$$, $$shop_owner$$, false)
=== serve: a value in dollars
SELECT id FROM orders WHERE status = $q$paid$q$ LIMIT 1
=== serve: an update with a value in dollars
UPDATE orders SET status = $q$it's paid$q$ WHERE id = 4
=== refuse: two dollars in a row and a third
SELECT $$$; DELETE FROM customers; $$$
=== refuse: a sequence's name in dollars
SELECT nextval($$numbers$$)
=== refuse: a relation's name in dollars
SELECT table_to_xml($$secret$$, true, true, $$$$)
=== refuse: a name cast from dollars
SELECT pg_relation_size($$secret$$::regclass), payload FROM secret
=== refuse: a dollar in an operator's neighbourhood
SELECT 1+$$1$$::int; DELETE FROM customers
=== serve: a dollar in an operator's neighbourhood
SELECT 1+$$1$$::int
