-- tokio-postgres 0.7.18 and sqlx 0.8.6: connecting, the introspection of types, transactions, migrations.
-- Recorded at a PostgreSQL 15.18; README.md tells how.

--> session-basics
START TRANSACTION

--> session-basics
select 1

--> session-basics
COMMIT

--> session-basics
START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE

--> session-basics
SAVEPOINT a

--> session-basics
ROLLBACK TO a

--> session-basics
ROLLBACK

--> session-basics
SELECT current_database()

--> session-basics
BEGIN

--> session-basics
SAVEPOINT _sqlx_savepoint_1

--> session-basics
ROLLBACK TO SAVEPOINT _sqlx_savepoint_1

--> session-basics
EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE sqlx_s_14(NULL)

--> session-basics introspection
SELECT t.typname, t.typtype, t.typelem, r.rngsubtype, t.typbasetype, n.nspname, t.typrelid
FROM pg_catalog.pg_type t
LEFT OUTER JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
INNER JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid
WHERE t.oid = $1

--> session-basics introspection
SELECT enumlabel
FROM pg_catalog.pg_enum
WHERE enumtypid = $1
ORDER BY enumsortorder

--> session-basics introspection
SELECT attname, atttypid
FROM pg_catalog.pg_attribute
WHERE attrelid = $1
AND NOT attisdropped
AND attnum > 0
ORDER BY attnum

--> session-basics introspection
SELECT oid::regtype::text, typtype, typcategory, typrelid, typelem, typbasetype FROM pg_catalog.pg_type WHERE oid = $1

--> session-basics introspection
SELECT enumlabel
FROM pg_catalog.pg_enum
WHERE enumtypid = $1
ORDER BY enumsortorder

--> session-basics introspection
SELECT attname, atttypid
FROM pg_catalog.pg_attribute
WHERE attrelid = $1
AND NOT attisdropped
AND attnum > 0
ORDER BY attnum

--> session-basics introspection
SELECT NOT attnotnull FROM ( ( SELECT $1::int4 AS idx, $2::int4 AS table_id, $3::int2 AS col_idx ) UNION ALL ( SELECT $4::int4, $5::int4, $6::int2 ) ) AS col LEFT JOIN pg_catalog.pg_attribute ON table_id IS NOT NULL AND attrelid = table_id AND attnum = col_idx ORDER BY idx

--> session-basics migrations
SELECT pg_advisory_lock($1)

--> session-basics migrations
CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
    success BOOLEAN NOT NULL,
    checksum BYTEA NOT NULL,
    execution_time BIGINT NOT NULL
);

--> session-basics migrations
SELECT version FROM _sqlx_migrations WHERE success = false ORDER BY version LIMIT 1

--> session-basics migrations
SELECT version, checksum FROM _sqlx_migrations ORDER BY version

--> session-basics migrations
create table rs_books (id int); alter table rs_books add column t text;

--> session-basics migrations
    INSERT INTO _sqlx_migrations ( version, description, success, checksum, execution_time )
    VALUES ( $1, $2, TRUE, $3, -1 )

--> session-basics migrations
    UPDATE _sqlx_migrations
    SET execution_time = $1
    WHERE version = $2

--> session-basics migrations
SELECT pg_advisory_unlock($1)

--> session-basics read-only
select id, mood, mail from customers where id = $1

--> session-basics read-only
select id from orders

--> session-basics read-only
copy customers (id, name) to stdout

--> session-basics read-only
select id, mood, mail, tags from customers join (select id as oid, tags from orders) o on oid = id where id = $1

--> session-basics read-only
select id from customers where mood = $1 or mood = $2

--> refused: an application's own function or type: grant `execute` on it
select row(1,'a')::pair, array[mood], '[1,2]'::int4range from customers
