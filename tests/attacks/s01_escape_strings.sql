=== refuse: a quote behind a backslash ends nothing
UPDATE orders SET status = E'O\'Brien' WHERE id = 1; DELETE FROM customers
=== serve: the same inside the string
SELECT E'O\'Brien; DELETE FROM customers'
=== refuse: a backslash means nothing in a plain string
SELECT 'a\'; DELETE FROM customers; --'
=== serve: a plain string that ends in a backslash
SELECT 'a\'
=== refuse: two backslashes are one, and the quote closes
SELECT E'\\'; DELETE FROM customers
=== serve: two backslashes and a quote inside
SELECT E'\\\'; DELETE FROM customers'
=== refuse: a doubled quote and an escaped one
SELECT e'a''\''; DELETE FROM customers --'
=== serve: a doubled quote keeps the string open
SELECT E'a''; DELETE FROM customers --'
=== refuse: lower case e
select e'\'' ; drop table secret
=== serve: lower case e, all inside
select e'\'; drop table secret; \''
=== refuse: a string that goes on in the next line as an escape string
SELECT E'a'
'\''; DELETE FROM customers
=== serve: a string that goes on in the next line
SELECT E'a'
'\'; DELETE FROM customers'
=== refuse: a plain string that goes on does not learn escapes
SELECT 'a'
'\'; DELETE FROM customers; --'
=== refuse: a comment between the halves of a string
SELECT 'a' -- here
'\'; DELETE FROM secret; --'
=== refused though harmless: a comment between the halves of a string: the parser reads two strings, which is never a statement
SELECT 'a'
-- here
'; DELETE FROM secret; --'
=== refuse: an octal escape is a quote only inside
SELECT E'\047; ' ; DELETE FROM customers
=== serve: an octal quote does not close
SELECT E'\047; DELETE FROM customers'
=== refuse: a hexadecimal quote does not close, the next does
SELECT E'\x27'; DELETE FROM customers --'
=== serve: a hexadecimal quote inside
SELECT E'\x27; DELETE FROM customers --'
=== refuse: a Unicode escape is a quote only inside
SELECT E'\u0027'; DELETE FROM customers --'
=== serve: a Unicode quote inside
SELECT E'\u0027; DELETE FROM customers --'
=== refuse: a long Unicode escape
SELECT E'\U00000027'; DROP TABLE orders --'
=== serve: a surrogate pair inside
SELECT E'\uD83D\uDE00; DROP TABLE orders'
=== refuse: half a surrogate pair is no string at all
SELECT E'\uD83D'; DELETE FROM customers
=== refuse: an escape of nothing at the end
SELECT E'\'; DELETE FROM customers
=== refuse: a backslash before a line break
SELECT E'\
\''; DELETE FROM customers
=== serve: a backslash before a line break, inside
SELECT E'\
\'; DELETE FROM customers'
=== refuse: a national string has no escapes
SELECT N'a\'; DELETE FROM customers; --'
=== serve: a national string
SELECT N'a\'
=== refuse: a bit string ends at its quote
SELECT B'01'; DELETE FROM customers; --'
=== serve: a bit string
SELECT B'0101'
=== refuse: a hexadecimal string ends at its quote
SELECT X'1F'; DELETE FROM customers
=== serve: a hexadecimal string
SELECT X'1F'
=== refuse: e as a name of its own is no prefix
SELECT 1 AS e '\'; DELETE FROM customers --'
=== refuse: a space between e and the quote
SELECT e '\'; DELETE FROM customers; --'
=== refuse: text typed by the function syntax has no escapes
SELECT text 'a\'; DELETE FROM customers; --'
=== serve: text typed by the function syntax
SELECT text 'a\'
=== refuse: an escape string as a typed literal
SELECT date E'2026-01-01\''; DELETE FROM customers --'
=== refuse: a quoted name is no string
SELECT "a\"; DELETE FROM customers; --"
=== serve: a quoted name with a backslash
SELECT 1 AS "a\; DELETE FROM customers"
=== refuse: a doubled quote in a name
SELECT 1 AS "a"""; DELETE FROM customers --"
=== serve: a doubled quote in a name, all inside
SELECT 1 AS "a""; DELETE FROM customers --"
=== refuse: the reading of backslashes turned for the rest of the text
SET standard_conforming_strings = off; SELECT 'a\'; DELETE FROM customers; --'
=== refuse: the reading of backslashes turned by a function
SELECT set_config('standard_conforming_strings', 'off', false)
=== refuse: the reading of backslashes turned for one transaction
BEGIN; SET LOCAL standard_conforming_strings TO off; SELECT 'a\''; DELETE FROM customers; --'
=== serve: the reading of backslashes as it is
SET standard_conforming_strings = on
=== refuse: a percent sign and a hidden column
SELECT id FROM customers WHERE ssn LIKE E'ssn\\_%'
=== serve: LIKE with an escape of its own
SELECT id FROM customers WHERE country LIKE 'D!_' ESCAPE '!'
=== refuse: an escape in LIKE's own clause
SELECT id FROM customers WHERE country LIKE 'x' ESCAPE '\'; DELETE FROM orders; --'
=== serve: an update with an escape string
UPDATE orders SET status = E'O\'Brien' WHERE id = 3
=== refuse: a tab, a feed and a backspace are not quotes
SELECT E'\t\f\b\v'; TRUNCATE orders
