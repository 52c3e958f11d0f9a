=== refuse: 100,000 elements and a hidden column
SELECT id FROM customers WHERE id IN (1⟦99999×,1⟧) AND ssn IS NULL
=== serve: 100,000 elements
SELECT id FROM customers WHERE id IN (1⟦99999×,1⟧)
=== refuse: 10,000 brackets
SELECT ⟦10000×(⟧1⟦10000×)⟧
=== serve: 100 brackets
SELECT ⟦100×(⟧1⟦100×)⟧
=== refuse: 1,000 queries within queries
⟦1000×SELECT (⟧SELECT 1⟦1000×)⟧
=== serve: 30 queries within queries
⟦30×SELECT (⟧SELECT 1⟦30×)⟧
=== refuse: 100,000 statements
⟦100000×SELECT 1;⟧
=== serve: 100 statements
⟦100×SELECT 1;⟧SELECT 2
=== refuse: a forbidden statement behind 5,000 others
⟦5000×SELECT 1;⟧DELETE FROM customers
=== refuse: a literal of two million bytes
SELECT '⟦2000000×x⟧'
=== serve: a literal of 100,000 bytes
SELECT '⟦100000×x⟧'
=== refuse: a comment of two million bytes
SELECT 1 /*⟦2000000×x⟧*/
=== refuse: a hidden column behind 100,000 spaces
SELECT⟦100000× ⟧ssn FROM customers
=== serve: a permitted column behind 100,000 spaces
SELECT⟦100000× ⟧id FROM customers LIMIT 1
=== refuse: a hidden column behind a comment of 500,000 bytes
/*⟦500000×x⟧*/ SELECT ssn FROM customers
=== refuse: 20,000 comments within comments that end too early
SELECT 1 ⟦20000×/*⟧⟦19999×*/⟧; DELETE FROM customers
=== serve: 1,000 comments within comments
SELECT 1 ⟦1000×/*⟧; DELETE FROM customers⟦1000×*/⟧
=== refuse: a join of 300 tables, one of them hidden
SELECT 1 FROM secret⟦299×, orders⟧
=== refuse: 2,000 arms of a union, one of them hidden
⟦2000×SELECT 1 UNION ALL ⟧SELECT id FROM secret
=== serve: 100 arms of a union
⟦100×SELECT 1 UNION ALL ⟧SELECT 2
=== refuse: 5,000 conditions, one of them hidden
SELECT id FROM customers WHERE ssn IS NULL⟦5000× AND id = 1⟧
=== refuse: 5,000 conditions within each other
SELECT id FROM customers WHERE ⟦5000×NOT ⟧ssn IS NULL
=== refuse: 5,000 casts
SELECT ssn⟦5000×::text⟧ FROM customers
=== refuse: 1,600 columns and a hidden one
SELECT ⟦1600×id, ⟧ssn FROM customers
=== serve: 1,600 columns
SELECT ⟦1600×id, ⟧id FROM customers LIMIT 1
=== refuse: 10,000 tags
SELECT ⟦10000×$a$x$a$ || ⟧payload FROM secret
=== refuse: a name of 100,000 letters
SELECT id FROM ⟦100000×a⟧
=== refuse: a hidden name cut to 63 bytes is not found by another
SELECT ssn⟦100×n⟧ FROM customers
=== refuse: 100 common table expressions, the last of them hidden
WITH a AS (SELECT 1)⟦1×, b AS (SELECT 1)⟧, z AS (SELECT payload FROM secret) SELECT 1
=== refuse: 100,000 signs
SELECT ⟦100000×-+⟧1, ssn FROM customers
