-- psycopg 3.3.9 and psycopg2 2.9.13: connecting, types, transactions, named cursors, pipelines, COPY, encodings.
-- Recorded at a PostgreSQL 15.18; README.md tells how.

--> session-basics
BEGIN

--> session-basics
COMMIT

--> session-basics
SAVEPOINT "_pg3_2"

--> session-basics
select 1

--> session-basics
RELEASE "_pg3_2"

--> session-basics
FETCH FORWARD 1 FROM "named"

--> session-basics
MOVE 0 FROM "named"

--> session-basics
FETCH FORWARD ALL FROM "named"

--> session-basics
CLOSE "named"

--> session-basics
FETCH FORWARD 1 FROM "held"

--> session-basics
CLOSE "held"

--> session-basics
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE

--> session-basics
ROLLBACK

--> session-basics
DEALLOCATE ALL

--> session-basics
select set_config('TimeZone', $1, false)

--> session-basics
MOVE ABSOLUTE 0 FROM "held"

--> session-basics
SET default_transaction_isolation TO 'REPEATABLE READ'

--> session-basics
SET default_transaction_read_only TO 'off'

--> session-basics
DISCARD ALL

--> session-basics introspection
SELECT
    typname AS name, oid, typarray AS array_oid,
    oid::regtype::text AS regtype, typdelim AS delimiter
FROM pg_type t
WHERE t.oid = to_regtype($1)
ORDER BY t.oid

--> session-basics introspection
SELECT name, oid, array_oid, regtype, array_agg(label) AS labels
FROM (
    SELECT
        t.typname AS name, t.oid AS oid, t.typarray AS array_oid,
        t.oid::regtype::text AS regtype, e.enumlabel AS label
    FROM pg_type t
    LEFT JOIN  pg_enum e
    ON e.enumtypid = t.oid
    WHERE t.oid = to_regtype($1)
    ORDER BY e.enumsortorder
) x
GROUP BY name, oid, array_oid, regtype

--> session-basics introspection
SELECT
    t.typname AS name, t.oid AS oid, t.typarray AS array_oid,
    t.oid::regtype::text AS regtype,
    coalesce(a.fnames, '{}') AS field_names,
    coalesce(a.ftypes, '{}') AS field_types
FROM pg_type t
LEFT JOIN (
    SELECT
        attrelid,
        array_agg(attname) AS fnames,
        array_agg(atttypid) AS ftypes
    FROM (
        SELECT a.attrelid, a.attname, a.atttypid
        FROM pg_attribute a
        JOIN pg_type t ON t.typrelid = a.attrelid
        WHERE t.oid = to_regtype($1)
        AND a.attnum > 0
        AND NOT a.attisdropped
        ORDER BY a.attnum
    ) x
    GROUP BY attrelid
) a ON a.attrelid = t.typrelid
WHERE t.oid = to_regtype($1)

--> session-basics introspection
SELECT t.typname AS name, t.oid AS oid, t.typarray AS array_oid,
    t.oid::regtype::text AS regtype,
    r.rngsubtype AS subtype_oid
FROM pg_type t
JOIN pg_range r ON t.oid = r.rngtypid
WHERE t.oid = to_regtype($1)

--> session-basics introspection
SELECT t.typname AS name, t.oid AS oid, t.typarray AS array_oid,
    t.oid::regtype::text AS regtype,
    r.rngtypid AS range_oid, r.rngsubtype AS subtype_oid
FROM pg_type t
JOIN pg_range r ON t.oid = r.rngmultitypid
WHERE t.oid = to_regtype($1)

--> session-basics introspection
SELECT t.oid, typarray, attname, atttypid
FROM pg_type t
JOIN pg_namespace ns ON typnamespace = ns.oid
JOIN pg_attribute a ON attrelid = typrelid
WHERE typname = 'pair' AND nspname = 'public'
    AND attnum > 0 AND NOT attisdropped
ORDER BY attnum;

--> session-basics introspection
SELECT t.oid, typarray
FROM pg_type t JOIN pg_namespace ns
    ON typnamespace = ns.oid
WHERE typname = 'hstore';

--> session-basics read-only
select id, name from customers where id = $1

--> session-basics read-only
DECLARE "named" CURSOR FOR select id from orders

--> session-basics read-only
DECLARE "held" SCROLL CURSOR WITH HOLD FOR select id from orders

--> session-basics read-only
select id from orders where id=$1

--> session-basics read-only
select id from orders where id = $1

--> session-basics read-only
select total from orders where id = $1

--> session-basics read-only
select status from orders where id = $1

--> session-basics read-only
copy customers (id, name) to stdout

--> session-basics read-only
select name from customers where id = 1

--> session-basics read-only
select id, name from customers where id = 1

--> session-basics read-only
DECLARE "named" CURSOR WITHOUT HOLD FOR select id from orders

--> session-basics read-only
select id from orders where id = 1;select id from orders where id = 2

--> refused: only UTF-8 is served
SET client_encoding TO 'LATIN1'

--> refused: an application's own function or type: grant `execute` on it
SELECT * FROM total_of(1)
