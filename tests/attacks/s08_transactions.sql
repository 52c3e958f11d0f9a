=== refuse reader: out of a wrapper and back
COMMIT; BEGIN READ WRITE; UPDATE orders SET status = 'x'; COMMIT
=== refuse reader: out by ROLLBACK
ROLLBACK; DELETE FROM orders
=== refuse reader: out by ABORT
ABORT; DELETE FROM orders
=== refuse reader: out by END
END; DELETE FROM orders
=== refuse reader: on in a chain
COMMIT AND CHAIN; UPDATE orders SET status = 'x' WHERE id = 1
=== refuse reader: a transaction that may write
START TRANSACTION READ WRITE; INSERT INTO orders (id) VALUES (9300); COMMIT
=== refuse reader: a transaction turned to writing
BEGIN READ ONLY; SET TRANSACTION READ WRITE; DELETE FROM orders; COMMIT
=== refuse reader: a transaction's setting turned
BEGIN; SET LOCAL transaction_read_only = off; DELETE FROM orders; COMMIT
=== refuse reader: the default turned
SET default_transaction_read_only = off; DELETE FROM orders
=== refuse reader: all later transactions turned
SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; DELETE FROM orders
=== refuse reader: back to a savepoint and on
BEGIN; SAVEPOINT a; SELECT 1; ROLLBACK TO a; DELETE FROM orders; COMMIT
=== refuse reader: a savepoint released and on
BEGIN; SAVEPOINT a; RELEASE a; DELETE FROM orders; COMMIT
=== refuse reader: two phases
PREPARE TRANSACTION 'x'
=== refuse reader: the second phase
COMMIT PREPARED 'x'
=== refuse reader: the second phase the other way
ROLLBACK PREPARED 'x'
=== refuse reader: a whole one in two phases
BEGIN; SELECT 1; PREPARE TRANSACTION 'y'
=== refuse: a permitted half and a forbidden one
UPDATE orders SET status = 'half' WHERE id = 8; DELETE FROM orders
=== refuse: a forbidden half first
DELETE FROM orders; UPDATE orders SET status = 'half' WHERE id = 8
=== refuse: a permitted half, committed, and a forbidden one
BEGIN; UPDATE orders SET status = 'half' WHERE id = 8; COMMIT; DELETE FROM orders
=== refuse: a forbidden half in a transaction of its own
UPDATE orders SET status = 'half' WHERE id = 8; BEGIN; DELETE FROM secret; COMMIT
=== refuse: an error between the halves
UPDATE orders SET status = 'half' WHERE id = 8; SELECT 1/0; DELETE FROM secret
=== refuse: a forbidden read in a failed transaction
BEGIN; SELECT 1/0; SELECT payload FROM secret
=== refuse: somebody's snapshot is taken over
BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '00000003-0000001B-1'
=== refuse: a snapshot is given away
SELECT pg_export_snapshot()
=== refuse: constraints put off, then a forbidden write
BEGIN; SET CONSTRAINTS ALL DEFERRED; DELETE FROM customers; COMMIT
=== refuse: a savepoint with a name that says something else
BEGIN; SAVEPOINT "a; COMMIT"; DELETE FROM customers
=== refuse: a write between BEGIN and ROLLBACK is a write
BEGIN; DELETE FROM customers; ROLLBACK
=== refuse: a read between BEGIN and ROLLBACK is a read
BEGIN; SELECT ssn FROM customers; ROLLBACK
=== refuse: a definition between BEGIN and ROLLBACK
BEGIN; CREATE TABLE x (a int); ROLLBACK
=== refuse: a role between BEGIN and ROLLBACK
BEGIN; SET LOCAL ROLE shop_owner; SELECT 1; ROLLBACK
=== refuse: CHECKPOINT
CHECKPOINT
=== serve reader: a transaction of reads
BEGIN READ ONLY; SELECT id FROM orders LIMIT 1; COMMIT
=== serve reader: savepoints
BEGIN; SAVEPOINT a; SELECT 1; ROLLBACK TO a; RELEASE a; COMMIT
=== serve reader: a chain
BEGIN; COMMIT AND NO CHAIN
=== serve reader: a mode of its own
BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE; COMMIT
=== serve reader: later transactions read only
SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY
=== serve: a transaction that writes what it may
BEGIN; UPDATE orders SET status = 'both' WHERE id = 9; COMMIT
=== serve: a transaction that changes its mind
BEGIN; UPDATE orders SET status = 'never' WHERE id = 10; ROLLBACK
=== serve: several writes at once
UPDATE orders SET status = 'one' WHERE id = 11; UPDATE orders SET status = 'two' WHERE id = 12
