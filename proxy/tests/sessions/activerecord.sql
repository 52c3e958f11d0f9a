-- ActiveRecord 6.1.7.10 on pg 1.4.5: connecting, a migration forth and back, the schema dumper.
-- Recorded at a PostgreSQL 15.18; README.md tells how.

--> session-basics
SET client_min_messages TO 'warning'

--> session-basics
SET standard_conforming_strings = on

--> session-basics
SET intervalstyle = iso_8601

--> session-basics
SET SESSION statement_timeout TO '5s'

--> session-basics
SET SESSION timezone TO 'UTC'

--> session-basics
SHOW TIME ZONE

--> session-basics
SELECT 1

--> session-basics
SELECT current_database()

--> session-basics
BEGIN

--> session-basics
SHOW max_identifier_length

--> session-basics
COMMIT

--> session-basics
SHOW search_path

--> session-basics
SAVEPOINT active_record_1

--> session-basics
RELEASE SAVEPOINT active_record_1

--> session-basics
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE

--> session-basics
SELECT current_schema

--> session-basics
DEALLOCATE a1

--> session-basics
DISCARD ALL

--> session-basics
SHOW client_min_messages

--> session-basics introspection
SELECT t.oid, t.typname
FROM pg_type as t
WHERE t.typname IN ('int2', 'int4', 'int8', 'oid', 'float4', 'float8', 'numeric', 'bool', 'timestamp', 'timestamptz')

--> session-basics introspection
SELECT t.oid, t.typname, t.typelem, t.typdelim, t.typinput, r.rngsubtype, t.typtype, t.typbasetype
FROM pg_type as t
LEFT JOIN pg_range as r ON oid = rngtypid
WHERE
  t.typname IN ('int2', 'int4', 'int8', 'oid', 'float4', 'float8', 'text', 'varchar', 'char', 'name', 'bpchar', 'bool', 'bit', 'varbit', 'timestamptz', 'date', 'money', 'bytea', 'point', 'hstore', 'json', 'jsonb', 'cidr', 'inet', 'uuid', 'xml', 'tsvector', 'macaddr', 'citext', 'ltree', 'line', 'lseg', 'box', 'path', 'polygon', 'circle', 'time', 'timestamp', 'numeric', 'interval')
  OR t.typtype IN ('r', 'e', 'd')
  OR t.typinput = 'array_in(cstring,oid,integer)'::regprocedure
  OR t.typelem != 0

--> session-basics introspection
SELECT c.relname FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY (current_schemas(false)) AND c.relname = 'schema_migrations' AND c.relkind IN ('r','p')

--> session-basics introspection
SELECT c.relname FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY (current_schemas(false)) AND c.relname = 'ar_internal_metadata' AND c.relkind IN ('r','p')

--> session-basics introspection
SELECT a.attname, format_type(a.atttypid, a.atttypmod),
       pg_get_expr(d.adbin, d.adrelid), a.attnotnull, a.atttypid, a.atttypmod,
       c.collname, col_description(a.attrelid, a.attnum) AS comment
  FROM pg_attribute a
  LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum
  LEFT JOIN pg_type t ON a.atttypid = t.oid
  LEFT JOIN pg_collation c ON a.attcollation = c.oid AND a.attcollation <> t.typcollation
 WHERE a.attrelid = '"schema_migrations"'::regclass
   AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum

--> session-basics introspection
SELECT 'integer'::regtype::oid

--> session-basics introspection
SELECT distinct i.relname, d.indisunique, d.indkey, pg_get_indexdef(d.indexrelid), t.oid,
                pg_catalog.obj_description(i.oid, 'pg_class') AS comment
FROM pg_class t
INNER JOIN pg_index d ON t.oid = d.indrelid
INNER JOIN pg_class i ON d.indexrelid = i.oid
LEFT JOIN pg_namespace n ON n.oid = i.relnamespace
WHERE i.relkind IN ('i', 'I')
  AND d.indisprimary = 'f'
  AND t.relname = 'rbooks'
  AND n.nspname = ANY (current_schemas(false))
ORDER BY i.relname

--> session-basics introspection
SELECT a.attnum, a.attname
FROM pg_attribute a
WHERE a.attrelid = 16975
AND a.attnum IN (3)

--> session-basics introspection
SELECT a.attnum, a.attname
FROM pg_attribute a
WHERE a.attrelid = 16975
AND a.attnum IN (7,2)

--> session-basics introspection
SELECT c.relname FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY (current_schemas(false)) AND c.relkind IN ('r','v','m','p','f')

--> session-basics introspection
SELECT extname FROM pg_extension

--> session-basics introspection
SELECT c.relname FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY (current_schemas(false)) AND c.relkind IN ('r','p')

--> session-basics introspection
SELECT a.attname
  FROM (
         SELECT indrelid, indkey, generate_subscripts(indkey, 1) idx
           FROM pg_index
          WHERE indrelid = '"customers"'::regclass
            AND indisprimary
       ) i
  JOIN pg_attribute a
    ON a.attrelid = i.indrelid
   AND a.attnum = i.indkey[i.idx]
 ORDER BY i.idx

--> session-basics introspection
SELECT pg_catalog.obj_description(c.oid, 'pg_class')
FROM pg_catalog.pg_class c
  LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'customers'
  AND c.relkind IN ('r','p')
  AND n.nspname = ANY (current_schemas(false))

--> session-basics introspection
SELECT pg_catalog.obj_description(c.oid, 'pg_class')
FROM pg_catalog.pg_class c
  LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'events'
  AND c.relkind IN ('r','p')
  AND n.nspname = ANY (current_schemas(false))

--> session-basics introspection
            SELECT conname, pg_get_constraintdef(c.oid) AS constraintdef, c.convalidated AS valid
            FROM pg_constraint c
            JOIN pg_class t ON c.conrelid = t.oid
            WHERE c.contype = 'c'
              AND t.relname = 'events'

--> session-basics introspection
SELECT pg_catalog.obj_description(c.oid, 'pg_class')
FROM pg_catalog.pg_class c
  LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'events_2024'
  AND c.relkind IN ('r','p')
  AND n.nspname = ANY (current_schemas(false))

--> session-basics introspection
            SELECT conname, pg_get_constraintdef(c.oid) AS constraintdef, c.convalidated AS valid
            FROM pg_constraint c
            JOIN pg_class t ON c.conrelid = t.oid
            WHERE c.contype = 'c'
              AND t.relname = 'events_2024'

--> session-basics introspection
SELECT pg_catalog.obj_description(c.oid, 'pg_class')
FROM pg_catalog.pg_class c
  LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'orders'
  AND c.relkind IN ('r','p')
  AND n.nspname = ANY (current_schemas(false))

--> session-basics introspection
            SELECT conname, pg_get_constraintdef(c.oid) AS constraintdef, c.convalidated AS valid
            FROM pg_constraint c
            JOIN pg_class t ON c.conrelid = t.oid
            WHERE c.contype = 'c'
              AND t.relname = 'orders'

--> session-basics introspection
SELECT pg_catalog.obj_description(c.oid, 'pg_class')
FROM pg_catalog.pg_class c
  LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'rauthors'
  AND c.relkind IN ('r','p')
  AND n.nspname = ANY (current_schemas(false))

--> session-basics introspection
            SELECT conname, pg_get_constraintdef(c.oid) AS constraintdef, c.convalidated AS valid
            FROM pg_constraint c
            JOIN pg_class t ON c.conrelid = t.oid
            WHERE c.contype = 'c'
              AND t.relname = 'rauthors'

--> session-basics introspection
SELECT pg_catalog.obj_description(c.oid, 'pg_class')
FROM pg_catalog.pg_class c
  LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'rbooks'
  AND c.relkind IN ('r','p')
  AND n.nspname = ANY (current_schemas(false))

--> session-basics introspection
            SELECT conname, pg_get_constraintdef(c.oid) AS constraintdef, c.convalidated AS valid
            FROM pg_constraint c
            JOIN pg_class t ON c.conrelid = t.oid
            WHERE c.contype = 'c'
              AND t.relname = 'rbooks'

--> session-basics introspection
SELECT t2.oid::regclass::text AS to_table, a1.attname AS column, a2.attname AS primary_key, c.conname AS name, c.confupdtype AS on_update, c.confdeltype AS on_delete, c.convalidated AS valid
FROM pg_constraint c
JOIN pg_class t1 ON c.conrelid = t1.oid
JOIN pg_class t2 ON c.confrelid = t2.oid
JOIN pg_attribute a1 ON a1.attnum = c.conkey[1] AND a1.attrelid = t1.oid
JOIN pg_attribute a2 ON a2.attnum = c.confkey[1] AND a2.attrelid = t2.oid
JOIN pg_namespace t3 ON c.connamespace = t3.oid
WHERE c.contype = 'f'
  AND t1.relname = 'customers'
  AND t3.nspname = ANY (current_schemas(false))
ORDER BY c.conname

--> session-basics introspection
SELECT c.relname FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY (current_schemas(false)) AND c.relkind IN ('v','m')

--> session-basics introspection
SELECT nspname
  FROM pg_namespace
 WHERE nspname !~ '^pg_.*'
   AND nspname NOT IN ('information_schema')
 ORDER by nspname;

--> session-basics introspection
SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()

--> session-basics introspection
SELECT datcollate FROM pg_database WHERE datname = current_database()

--> session-basics introspection
SELECT datctype FROM pg_database WHERE datname = current_database()

--> session-basics introspection
SELECT c.relname FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY (current_schemas(false)) AND c.relname = 'customers' AND c.relkind IN ('r','p')

--> session-basics migrations
CREATE TABLE "schema_migrations" ("version" character varying NOT NULL PRIMARY KEY)

--> session-basics migrations
CREATE TABLE "ar_internal_metadata" ("key" character varying NOT NULL PRIMARY KEY, "value" character varying, "created_at" timestamp(6) NOT NULL, "updated_at" timestamp(6) NOT NULL)

--> session-basics migrations
SELECT pg_try_advisory_lock(2870017187015583360)

--> session-basics migrations
SELECT "schema_migrations"."version" FROM "schema_migrations" ORDER BY "schema_migrations"."version" ASC

--> session-basics migrations
CREATE TABLE "rbooks" ("id" bigserial primary key, "title" character varying NOT NULL, "author_id" bigint, "body" jsonb, "created_at" timestamp(6) NOT NULL, "updated_at" timestamp(6) NOT NULL)

--> session-basics migrations
CREATE INDEX "index_rbooks_on_title" ON "rbooks" ("title")

--> session-basics migrations
CREATE INDEX "index_rbooks_on_author_id" ON "rbooks" ("author_id")

--> session-basics migrations
ALTER TABLE "rbooks" ADD "n" integer DEFAULT 1

--> session-basics migrations
CREATE UNIQUE INDEX "index_rbooks_on_n_and_title" ON "rbooks" ("n", "title")

--> session-basics migrations
CREATE TABLE "rauthors" ("id" bigserial primary key, "name" text)

--> session-basics migrations
COMMENT ON TABLE "rauthors" IS 'x'

--> session-basics migrations
ALTER TABLE "rbooks" ADD CONSTRAINT "fk_rails_12126aa529"
FOREIGN KEY ("author_id")
  REFERENCES "rauthors" ("id")

--> session-basics migrations
ALTER TABLE "rbooks" RENAME COLUMN "n" TO "m"

--> session-basics migrations
ALTER INDEX "index_rbooks_on_n_and_title" RENAME TO "index_rbooks_on_m_and_title"

--> session-basics migrations
ALTER TABLE "rbooks" ALTER COLUMN "m" SET NOT NULL

--> session-basics migrations
ALTER TABLE "rbooks" ALTER COLUMN "m" SET DEFAULT 2

--> session-basics migrations
INSERT INTO "schema_migrations" ("version") VALUES ($1) RETURNING "version"

--> session-basics migrations
SELECT "ar_internal_metadata".* FROM "ar_internal_metadata" WHERE "ar_internal_metadata"."key" = $1 LIMIT $2

--> session-basics migrations
INSERT INTO "ar_internal_metadata" ("key", "value", "created_at", "updated_at") VALUES ($1, $2, $3, $4) RETURNING "key"

--> session-basics migrations
SELECT pg_advisory_unlock(2870017187015583360)

--> session-basics migrations
UPDATE "ar_internal_metadata" SET "value" = $1, "updated_at" = $2 WHERE "ar_internal_metadata"."key" = $3

--> session-basics migrations
ALTER TABLE "rbooks" ALTER COLUMN "m" DROP NOT NULL

--> session-basics migrations
ALTER TABLE "rbooks" RENAME COLUMN "m" TO "n"

--> session-basics migrations
ALTER INDEX "index_rbooks_on_m_and_title" RENAME TO "index_rbooks_on_n_and_title"

--> session-basics migrations
ALTER TABLE "rbooks" DROP CONSTRAINT "fk_rails_12126aa529"

--> session-basics migrations
DROP TABLE "rauthors"

--> session-basics migrations
DROP INDEX  "index_rbooks_on_n_and_title"

--> session-basics migrations
ALTER TABLE "rbooks" DROP COLUMN "n"

--> session-basics migrations
DROP TABLE "rbooks"

--> session-basics migrations
DELETE FROM "schema_migrations" WHERE "schema_migrations"."version" = $1

--> session-basics read-only
SELECT "customers".* FROM "customers" WHERE "customers"."id" = $1

--> session-basics read-only
SELECT "customers".* FROM "customers" WHERE "customers"."id" = $1 LIMIT $2

--> session-basics read-only
SELECT COUNT(*) FROM "customers"

--> session-basics read-only
SELECT "customers".* FROM "customers" ORDER BY "customers"."id" ASC LIMIT $1
