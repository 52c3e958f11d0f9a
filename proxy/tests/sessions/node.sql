-- node-postgres 8.23.1, postgres.js 3.4.9, Knex 3.3.0, Sequelize 6.37.8, TypeORM 1.1.1, Drizzle 0.45.4: connecting, migrations, inspection.
-- Recorded at a PostgreSQL 15.18; README.md tells how.

--> session-basics
BEGIN

--> session-basics
SAVEPOINT a

--> session-basics
ROLLBACK TO SAVEPOINT a

--> session-basics
COMMIT

--> session-basics
begin

--> session-basics
select 1

--> session-basics
savepoint "s0"

--> session-basics
commit

--> session-basics
begin read only

--> session-basics
select $1::text[]

--> session-basics
select version();

--> session-basics
BEGIN;

--> session-basics
COMMIT;

--> session-basics
SAVEPOINT trx4;

--> session-basics
RELEASE SAVEPOINT trx4;

--> session-basics
SET client_min_messages TO warning;SET TIME ZONE INTERVAL '+00:00' HOUR TO MINUTE;

--> session-basics
SELECT 1+1 AS result

--> session-basics
START TRANSACTION;

--> session-basics
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;

--> session-basics
SHOW SERVER_VERSION

--> session-basics
SELECT version()

--> session-basics
SELECT * FROM current_schema()

--> session-basics
START TRANSACTION

--> session-basics
SELECT * FROM current_database()

--> session-basics
begin

--> session-basics
begin isolation level serializable read only

--> session-basics
savepoint sp1

--> session-basics
release savepoint sp1

--> session-basics introspection
      select b.oid, b.typarray
      from pg_catalog.pg_type a
      left join pg_catalog.pg_type b on b.oid = a.typelem
      where a.typcategory = 'A'
      group by b.oid, b.typarray
      order by b.oid

--> session-basics introspection
select * from information_schema.tables where table_name = $1 and table_schema = current_schema()

--> session-basics introspection
select * from information_schema.columns where table_name = $1 and column_name = $2 and table_schema = current_schema()

--> session-basics introspection
select * from information_schema.columns where table_name = $1 and table_catalog = current_database() and table_schema = current_schema()

--> session-basics introspection
WITH ranges AS (  SELECT pg_range.rngtypid, pg_type.typname AS rngtypname,         pg_type.typarray AS rngtyparray, pg_range.rngsubtype    FROM pg_range LEFT OUTER JOIN pg_type ON pg_type.oid = pg_range.rngtypid)SELECT pg_type.typname, pg_type.typtype, pg_type.oid, pg_type.typarray,       ranges.rngtypname, ranges.rngtypid, ranges.rngtyparray  FROM pg_type LEFT OUTER JOIN ranges ON pg_type.oid = ranges.rngsubtype WHERE (pg_type.typtype IN('b', 'e'));

--> session-basics introspection
SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_name = 'sbooks'

--> session-basics introspection
SELECT t.typname enum_name, array_agg(e.enumlabel ORDER BY enumsortorder) enum_value FROM pg_type t JOIN pg_enum e ON t.oid = e.enumtypid JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = 'public' AND t.typname='enum_sbooks_kind' GROUP BY 1

--> session-basics introspection
SELECT i.relname AS name, ix.indisprimary AS primary, ix.indisunique AS unique, ix.indkey AS indkey, array_agg(a.attnum) as column_indexes, array_agg(a.attname) AS column_names, pg_get_indexdef(ix.indexrelid) AS definition FROM pg_class t, pg_class i, pg_index ix, pg_attribute a WHERE t.oid = ix.indrelid AND i.oid = ix.indexrelid AND a.attrelid = t.oid AND t.relkind = 'r' and t.relname = 'sbooks' GROUP BY i.relname, ix.indexrelid, ix.indisprimary, ix.indisunique, ix.indkey ORDER BY i.relname;

--> session-basics introspection
SELECT pk.constraint_type as "Constraint",c.column_name as "Field", c.column_default as "Default",c.is_nullable as "Null", (CASE WHEN c.udt_name = 'hstore' THEN c.udt_name ELSE c.data_type END) || (CASE WHEN c.character_maximum_length IS NOT NULL THEN '(' || c.character_maximum_length || ')' ELSE '' END) as "Type", (SELECT array_agg(e.enumlabel) FROM pg_catalog.pg_type t JOIN pg_catalog.pg_enum e ON t.oid=e.enumtypid WHERE t.typname=c.udt_name) AS "special", (SELECT pgd.description FROM pg_catalog.pg_statio_all_tables AS st INNER JOIN pg_catalog.pg_description pgd on (pgd.objoid=st.relid) WHERE c.ordinal_position=pgd.objsubid AND c.table_name=st.relname) AS "Comment" FROM information_schema.columns c LEFT JOIN (SELECT tc.table_schema, tc.table_name, cu.column_name, tc.constraint_type FROM information_schema.TABLE_CONSTRAINTS tc JOIN information_schema.KEY_COLUMN_USAGE  cu ON tc.table_schema=cu.table_schema and tc.table_name=cu.table_name and tc.constraint_name=cu.constraint_name and tc.constraint_type='PRIMARY KEY') pk ON pk.table_schema=c.table_schema AND pk.table_name=c.table_name AND pk.column_name=c.column_name WHERE c.table_name = 'sbooks' AND c.table_schema = 'public'

--> session-basics introspection
SELECT DISTINCT tc.constraint_name as constraint_name, tc.constraint_schema as constraint_schema, tc.constraint_catalog as constraint_catalog, tc.table_name as table_name,tc.table_schema as table_schema,tc.table_catalog as table_catalog,tc.initially_deferred as initially_deferred,tc.is_deferrable as is_deferrable,kcu.column_name as column_name,ccu.table_schema  AS referenced_table_schema,ccu.table_catalog  AS referenced_table_catalog,ccu.table_name  AS referenced_table_name,ccu.column_name AS referenced_column_name FROM information_schema.table_constraints AS tc JOIN information_schema.key_column_usage AS kcu ON tc.constraint_name = kcu.constraint_name JOIN information_schema.constraint_column_usage AS ccu ON ccu.constraint_name = tc.constraint_name WHERE constraint_type = 'FOREIGN KEY' AND tc.table_name = 'sbooks' AND tc.table_catalog = 'work'

--> session-basics introspection
SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type LIKE '%TABLE' AND table_name != 'spatial_ref_sys';

--> session-basics introspection
SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_name = 'orders'

--> session-basics introspection
SELECT schema_name FROM information_schema.schemata WHERE schema_name <> 'information_schema' AND schema_name != 'public' AND schema_name !~ E'^pg_';

--> session-basics introspection
SELECT "table_schema", "table_name", obj_description((quote_ident("table_schema") || '.' || quote_ident("table_name"))::regclass, 'pg_class') AS table_comment FROM "information_schema"."tables" WHERE ("table_schema" = 'public' AND "table_name" = 'tbook')

--> session-basics introspection
SELECT * FROM "information_schema"."tables" WHERE "table_schema" = $1 AND "table_name" = $2

--> session-basics introspection
SELECT "n"."nspname", "t"."typname" FROM "pg_type" "t" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'public' AND "t"."typname" = 'tbook_kind_enum'

--> session-basics introspection
SELECT TRUE FROM information_schema.columns WHERE table_name = 'pg_class' and column_name = 'relispartition'

--> session-basics introspection
SELECT columns.*, pg_catalog.col_description((quote_ident(table_catalog) || '.' || quote_ident(table_schema) || '.' || quote_ident(table_name))::regclass::oid, ordinal_position) AS description, ('"' || "udt_schema" || '"."' || "udt_name" || '"')::"regtype"::text AS "regtype", pg_catalog.format_type("col_attr"."atttypid", "col_attr"."atttypmod") AS "format_type" FROM "information_schema"."columns" LEFT JOIN "pg_catalog"."pg_attribute" AS "col_attr" ON "col_attr"."attname" = "columns"."column_name" AND "col_attr"."attrelid" = ( SELECT "cls"."oid" FROM "pg_catalog"."pg_class" AS "cls" LEFT JOIN "pg_catalog"."pg_namespace" AS "ns" ON "ns"."oid" = "cls"."relnamespace" WHERE "cls"."relname" = "columns"."table_name" AND "ns"."nspname" = "columns"."table_schema" ) WHERE ("table_schema" = 'public' AND "table_name" = 'tbook')

--> session-basics introspection
SELECT "ns"."nspname" AS "table_schema", "t"."relname" AS "table_name", "cnst"."conname" AS "constraint_name", pg_get_constraintdef("cnst"."oid") AS "expression", CASE "cnst"."contype" WHEN 'p' THEN 'PRIMARY' WHEN 'u' THEN 'UNIQUE' WHEN 'c' THEN 'CHECK' WHEN 'x' THEN 'EXCLUDE' END AS "constraint_type", "a"."attname" AS "column_name" FROM "pg_constraint" "cnst" INNER JOIN "pg_class" "t" ON "t"."oid" = "cnst"."conrelid" INNER JOIN "pg_namespace" "ns" ON "ns"."oid" = "cnst"."connamespace" LEFT JOIN "pg_attribute" "a" ON "a"."attrelid" = "cnst"."conrelid" AND "a"."attnum" = ANY ("cnst"."conkey") WHERE "t"."relkind" IN ('r', 'p') AND (("ns"."nspname" = 'public' AND "t"."relname" = 'tbook'))

--> session-basics introspection
SELECT "ns"."nspname" AS "table_schema", "t"."relname" AS "table_name", "i"."relname" AS "constraint_name", "a"."attname" AS "column_name", CASE "ix"."indisunique" WHEN 't' THEN 'TRUE' ELSE'FALSE' END AS "is_unique", pg_get_expr("ix"."indpred", "ix"."indrelid") AS "condition", "types"."typname" AS "type_name", "am"."amname" AS "index_type" FROM "pg_class" "t" INNER JOIN "pg_index" "ix" ON "ix"."indrelid" = "t"."oid" INNER JOIN "pg_attribute" "a" ON "a"."attrelid" = "t"."oid"  AND "a"."attnum" = ANY ("ix"."indkey") INNER JOIN "pg_namespace" "ns" ON "ns"."oid" = "t"."relnamespace" INNER JOIN "pg_class" "i" ON "i"."oid" = "ix"."indexrelid" INNER JOIN "pg_type" "types" ON "types"."oid" = "a"."atttypid" INNER JOIN "pg_am" "am" ON "i"."relam" = "am"."oid" LEFT JOIN "pg_constraint" "cnst" ON "cnst"."conname" = "i"."relname" WHERE "t"."relkind" IN ('r', 'p') AND "cnst"."contype" IS NULL AND (("ns"."nspname" = 'public' AND "t"."relname" = 'tbook'))

--> session-basics introspection
SELECT "con"."conname" AS "constraint_name", "con"."nspname" AS "table_schema", "con"."relname" AS "table_name", "att2"."attname" AS "column_name", "ns"."nspname" AS "referenced_table_schema", "cl"."relname" AS "referenced_table_name", "att"."attname" AS "referenced_column_name", "con"."confdeltype" AS "on_delete", "con"."confupdtype" AS "on_update", "con"."condeferrable" AS "deferrable", "con"."condeferred" AS "deferred" FROM ( SELECT UNNEST ("con1"."conkey") AS "parent", UNNEST ("con1"."confkey") AS "child", "con1"."confrelid", "con1"."conrelid", "con1"."conname", "con1"."contype", "ns"."nspname", "cl"."relname", "con1"."condeferrable", CASE WHEN "con1"."condeferred" THEN 'INITIALLY DEFERRED' ELSE 'INITIALLY IMMEDIATE' END as condeferred, CASE "con1"."confdeltype" WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END as "confdeltype", CASE "con1"."confupdtype" WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END as "confupdtype" FROM "pg_class" "cl" INNER JOIN "pg_namespace" "ns" ON "cl"."relnamespace" = "ns"."oid" INNER JOIN "pg_constraint" "con1" ON "con1"."conrelid" = "cl"."oid" WHERE "con1"."contype" = 'f' AND (("ns"."nspname" = 'public' AND "cl"."relname" = 'tbook')) ) "con" INNER JOIN "pg_attribute" "att" ON "att"."attrelid" = "con"."confrelid" AND "att"."attnum" = "con"."child" INNER JOIN "pg_class" "cl" ON "cl"."oid" = "con"."confrelid"  AND "cl"."relispartition" = 'f'INNER JOIN "pg_namespace" "ns" ON "cl"."relnamespace" = "ns"."oid" INNER JOIN "pg_attribute" "att2" ON "att2"."attrelid" = "con"."conrelid" AND "att2"."attnum" = "con"."parent"

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'public' AND "table_name" = 'tbook' AND "column_name"='kind'

--> session-basics introspection
SELECT "e"."enumlabel" AS "value" FROM "pg_enum" "e" INNER JOIN "pg_type" "t" ON "t"."oid" = "e"."enumtypid" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'public' AND "t"."typname" = 'tbook_kind_enum' ORDER BY "e"."enumsortorder"

--> session-basics introspection
SELECT "table_schema", "table_name", obj_description((quote_ident("table_schema") || '.' || quote_ident("table_name"))::regclass, 'pg_class') AS table_comment FROM "information_schema"."tables" WHERE ("table_schema" = 'public' AND "table_name" = 'orders')

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'public' AND "table_name" = 'orders' AND "column_name"='tags'

--> session-basics introspection
SELECT "e"."enumlabel" AS "value" FROM "pg_enum" "e" INNER JOIN "pg_type" "t" ON "t"."oid" = "e"."enumtypid" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'public' AND "t"."typname" = 'text' ORDER BY "e"."enumsortorder"

--> session-basics introspection
SELECT "table_schema", "table_name", obj_description((quote_ident("table_schema") || '.' || quote_ident("table_name"))::regclass, 'pg_class') AS table_comment FROM "information_schema"."tables"

--> session-basics introspection
SELECT columns.*, pg_catalog.col_description((quote_ident(table_catalog) || '.' || quote_ident(table_schema) || '.' || quote_ident(table_name))::regclass::oid, ordinal_position) AS description, ('"' || "udt_schema" || '"."' || "udt_name" || '"')::"regtype"::text AS "regtype", pg_catalog.format_type("col_attr"."atttypid", "col_attr"."atttypmod") AS "format_type" FROM "information_schema"."columns" LEFT JOIN "pg_catalog"."pg_attribute" AS "col_attr" ON "col_attr"."attname" = "columns"."column_name" AND "col_attr"."attrelid" = ( SELECT "cls"."oid" FROM "pg_catalog"."pg_class" AS "cls" LEFT JOIN "pg_catalog"."pg_namespace" AS "ns" ON "ns"."oid" = "cls"."relnamespace" WHERE "cls"."relname" = "columns"."table_name" AND "ns"."nspname" = "columns"."table_schema" ) WHERE ("table_schema" = 'public' AND "table_name" = 'orders') OR ("table_schema" = 'public' AND "table_name" = 'events') OR ("table_schema" = 'public' AND "table_name" = 'events_2024') OR ("table_schema" = 'sales' AND "table_name" = 'leads') OR ("table_schema" = 'public' AND "table_name" = 'customer_names') OR ("table_schema" = 'public' AND "table_name" = 'customers') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_type') OR ("table_schema" = 'public' AND "table_name" = 'knex_migrations') OR ("table_schema" = 'public' AND "table_name" = 'knex_migrations_lock') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_foreign_table') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_roles') OR ("table_schema" = 'public' AND "table_name" = 'tbook') OR ("table_schema" = 'public' AND "table_name" = 'migrations') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_settings') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_activity') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_subscription') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_attribute') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_proc') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_class') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_attrdef') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_constraint') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_inherits') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_index') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_replication') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_slru') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_wal_receiver') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_recovery_prefetch') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_operator') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_opfamily') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_opclass') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_am') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_amop') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_amproc') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_language') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_largeobject_metadata') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_aggregate') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_statistic_ext') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_rewrite') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_trigger') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_event_trigger') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_description') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_cast') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_enum') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_namespace') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_conversion') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_depend') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_database') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_db_role_setting') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_tablespace') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_auth_members') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_shdepend') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_shdescription') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_ts_config') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_ts_config_map') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_ts_dict') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_ts_parser') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_ts_template') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_extension') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_foreign_data_wrapper') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_foreign_server') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_policy') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_replication_origin') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_default_acl') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_init_privs') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_seclabel') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_shseclabel') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_collation') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_parameter_acl') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_partitioned_table') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_range') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_transform') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_sequence') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_publication') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_publication_namespace') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_publication_rel') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_subscription_rel') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_group') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_user') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_policies') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_rules') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_views') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_tables') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_matviews') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_indexes') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_sequences') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stats') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stats_ext') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stats_ext_exprs') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_publication_tables') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_locks') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_cursors') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_available_extensions') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_available_extension_versions') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_prepared_xacts') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_prepared_statements') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_seclabels') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_timezone_abbrevs') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_timezone_names') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_sys_tables') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_xact_sys_tables') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_user_tables') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_all_tables') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_xact_all_tables') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_xact_user_tables') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_statio_all_tables') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_statio_sys_tables') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_statio_user_tables') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_all_indexes') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_sys_indexes') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_user_indexes') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_statio_all_indexes') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_statio_sys_indexes') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_statio_user_indexes') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_statio_all_sequences') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_statio_sys_sequences') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_statio_user_sequences') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_subscription') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_ssl') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_gssapi') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_replication_slots') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_replication_slots') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_database') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_database_conflicts') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_user_functions') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_xact_user_functions') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_archiver') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_bgwriter') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_wal') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_progress_analyze') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_progress_vacuum') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_progress_cluster') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_progress_create_index') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_progress_basebackup') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_progress_copy') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_user_mappings') OR ("table_schema" = 'pg_catalog' AND "table_name" = 'pg_stat_subscription_stats') OR ("table_schema" = 'information_schema' AND "table_name" = 'role_column_grants') OR ("table_schema" = 'information_schema' AND "table_name" = 'information_schema_catalog_name') OR ("table_schema" = 'information_schema' AND "table_name" = 'column_domain_usage') OR ("table_schema" = 'information_schema' AND "table_name" = 'applicable_roles') OR ("table_schema" = 'information_schema' AND "table_name" = 'administrable_role_authorizations') OR ("table_schema" = 'information_schema' AND "table_name" = 'domain_constraints') OR ("table_schema" = 'information_schema' AND "table_name" = 'attributes') OR ("table_schema" = 'information_schema' AND "table_name" = 'column_privileges') OR ("table_schema" = 'information_schema' AND "table_name" = 'character_sets') OR ("table_schema" = 'information_schema' AND "table_name" = 'check_constraint_routine_usage') OR ("table_schema" = 'information_schema' AND "table_name" = 'check_constraints') OR ("table_schema" = 'information_schema' AND "table_name" = 'column_udt_usage') OR ("table_schema" = 'information_schema' AND "table_name" = 'collations') OR ("table_schema" = 'information_schema' AND "table_name" = 'collation_character_set_applicability') OR ("table_schema" = 'information_schema' AND "table_name" = 'key_column_usage') OR ("table_schema" = 'information_schema' AND "table_name" = 'column_column_usage') OR ("table_schema" = 'information_schema' AND "table_name" = 'columns') OR ("table_schema" = 'information_schema' AND "table_name" = 'domain_udt_usage') OR ("table_schema" = 'information_schema' AND "table_name" = 'constraint_column_usage') OR ("table_schema" = 'information_schema' AND "table_name" = 'constraint_table_usage') OR ("table_schema" = 'information_schema' AND "table_name" = 'domains') OR ("table_schema" = 'information_schema' AND "table_name" = 'referential_constraints') OR ("table_schema" = 'information_schema' AND "table_name" = 'enabled_roles') OR ("table_schema" = 'information_schema' AND "table_name" = 'parameters') OR ("table_schema" = 'information_schema' AND "table_name" = 'routine_column_usage') OR ("table_schema" = 'information_schema' AND "table_name" = 'routine_privileges') OR ("table_schema" = 'information_schema' AND "table_name" = 'role_routine_grants') OR ("table_schema" = 'information_schema' AND "table_name" = 'routine_routine_usage') OR ("table_schema" = 'information_schema' AND "table_name" = 'table_privileges') OR ("table_schema" = 'information_schema' AND "table_name" = 'routine_sequence_usage') OR ("table_schema" = 'information_schema' AND "table_name" = 'routine_table_usage') OR ("table_schema" = 'information_schema' AND "table_name" = 'udt_privileges') OR ("table_schema" = 'information_schema' AND "table_name" = 'routines') OR ("table_schema" = 'information_schema' AND "table_name" = 'role_table_grants') OR ("table_schema" = 'information_schema' AND "table_name" = 'schemata') OR ("table_schema" = 'information_schema' AND "table_name" = 'sequences') OR ("table_schema" = 'information_schema' AND "table_name" = 'sql_features') OR ("table_schema" = 'information_schema' AND "table_name" = 'tables') OR ("table_schema" = 'information_schema' AND "table_name" = 'sql_implementation_info') OR ("table_schema" = 'information_schema' AND "table_name" = 'sql_sizing') OR ("table_schema" = 'information_schema' AND "table_name" = 'table_constraints') OR ("table_schema" = 'information_schema' AND "table_name" = 'view_routine_usage') OR ("table_schema" = 'information_schema' AND "table_name" = 'role_udt_grants') OR ("table_schema" = 'information_schema' AND "table_name" = 'triggered_update_columns') OR ("table_schema" = 'information_schema' AND "table_name" = 'triggers') OR ("table_schema" = 'information_schema' AND "table_name" = 'user_defined_types') OR ("table_schema" = 'information_schema' AND "table_name" = 'usage_privileges') OR ("table_schema" = 'information_schema' AND "table_name" = 'role_usage_grants') OR ("table_schema" = 'information_schema' AND "table_name" = 'view_column_usage') OR ("table_schema" = 'information_schema' AND "table_name" = 'view_table_usage') OR ("table_schema" = 'information_schema' AND "table_name" = 'views') OR ("table_schema" = 'information_schema' AND "table_name" = 'data_type_privileges') OR ("table_schema" = 'information_schema' AND "table_name" = 'element_types') OR ("table_schema" = 'information_schema' AND "table_name" = 'column_options') OR ("table_schema" = 'information_schema' AND "table_name" = 'foreign_data_wrapper_options') OR ("table_schema" = 'information_schema' AND "table_name" = 'foreign_data_wrappers') OR ("table_schema" = 'information_schema' AND "table_name" = 'foreign_server_options') OR ("table_schema" = 'information_schema' AND "table_name" = 'foreign_servers') OR ("table_schema" = 'information_schema' AND "table_name" = 'foreign_table_options') OR ("table_schema" = 'information_schema' AND "table_name" = 'foreign_tables') OR ("table_schema" = 'information_schema' AND "table_name" = 'user_mapping_options') OR ("table_schema" = 'information_schema' AND "table_name" = 'user_mappings')

--> session-basics introspection
SELECT "ns"."nspname" AS "table_schema", "t"."relname" AS "table_name", "cnst"."conname" AS "constraint_name", pg_get_constraintdef("cnst"."oid") AS "expression", CASE "cnst"."contype" WHEN 'p' THEN 'PRIMARY' WHEN 'u' THEN 'UNIQUE' WHEN 'c' THEN 'CHECK' WHEN 'x' THEN 'EXCLUDE' END AS "constraint_type", "a"."attname" AS "column_name" FROM "pg_constraint" "cnst" INNER JOIN "pg_class" "t" ON "t"."oid" = "cnst"."conrelid" INNER JOIN "pg_namespace" "ns" ON "ns"."oid" = "cnst"."connamespace" LEFT JOIN "pg_attribute" "a" ON "a"."attrelid" = "cnst"."conrelid" AND "a"."attnum" = ANY ("cnst"."conkey") WHERE "t"."relkind" IN ('r', 'p') AND (("ns"."nspname" = 'public' AND "t"."relname" = 'orders') OR ("ns"."nspname" = 'public' AND "t"."relname" = 'events') OR ("ns"."nspname" = 'public' AND "t"."relname" = 'events_2024') OR ("ns"."nspname" = 'sales' AND "t"."relname" = 'leads') OR ("ns"."nspname" = 'public' AND "t"."relname" = 'customer_names') OR ("ns"."nspname" = 'public' AND "t"."relname" = 'customers') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_type') OR ("ns"."nspname" = 'public' AND "t"."relname" = 'knex_migrations') OR ("ns"."nspname" = 'public' AND "t"."relname" = 'knex_migrations_lock') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_foreign_table') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_roles') OR ("ns"."nspname" = 'public' AND "t"."relname" = 'tbook') OR ("ns"."nspname" = 'public' AND "t"."relname" = 'migrations') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_settings') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_activity') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_subscription') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_attribute') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_proc') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_class') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_attrdef') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_constraint') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_inherits') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_index') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_replication') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_slru') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_wal_receiver') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_recovery_prefetch') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_operator') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_opfamily') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_opclass') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_am') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_amop') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_amproc') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_language') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_largeobject_metadata') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_aggregate') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statistic_ext') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_rewrite') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_trigger') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_event_trigger') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_description') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_cast') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_enum') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_namespace') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_conversion') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_depend') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_database') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_db_role_setting') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_tablespace') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_auth_members') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_shdepend') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_shdescription') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_ts_config') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_ts_config_map') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_ts_dict') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_ts_parser') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_ts_template') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_extension') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_foreign_data_wrapper') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_foreign_server') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_policy') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_replication_origin') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_default_acl') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_init_privs') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_seclabel') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_shseclabel') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_collation') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_parameter_acl') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_partitioned_table') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_range') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_transform') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_sequence') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_publication') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_publication_namespace') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_publication_rel') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_subscription_rel') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_group') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_user') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_policies') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_rules') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_views') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_matviews') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_sequences') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stats') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stats_ext') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stats_ext_exprs') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_publication_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_locks') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_cursors') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_available_extensions') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_available_extension_versions') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_prepared_xacts') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_prepared_statements') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_seclabels') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_timezone_abbrevs') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_timezone_names') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_sys_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_xact_sys_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_user_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_all_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_xact_all_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_xact_user_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statio_all_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statio_sys_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statio_user_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_all_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_sys_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_user_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statio_all_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statio_sys_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statio_user_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statio_all_sequences') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statio_sys_sequences') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statio_user_sequences') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_subscription') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_ssl') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_gssapi') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_replication_slots') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_replication_slots') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_database') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_database_conflicts') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_user_functions') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_xact_user_functions') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_archiver') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_bgwriter') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_wal') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_progress_analyze') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_progress_vacuum') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_progress_cluster') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_progress_create_index') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_progress_basebackup') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_progress_copy') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_user_mappings') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_subscription_stats') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'role_column_grants') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'information_schema_catalog_name') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'column_domain_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'applicable_roles') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'administrable_role_authorizations') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'domain_constraints') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'attributes') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'column_privileges') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'character_sets') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'check_constraint_routine_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'check_constraints') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'column_udt_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'collations') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'collation_character_set_applicability') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'key_column_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'column_column_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'columns') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'domain_udt_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'constraint_column_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'constraint_table_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'domains') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'referential_constraints') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'enabled_roles') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'parameters') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'routine_column_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'routine_privileges') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'role_routine_grants') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'routine_routine_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'table_privileges') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'routine_sequence_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'routine_table_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'udt_privileges') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'routines') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'role_table_grants') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'schemata') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'sequences') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'sql_features') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'tables') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'sql_implementation_info') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'sql_sizing') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'table_constraints') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'view_routine_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'role_udt_grants') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'triggered_update_columns') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'triggers') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'user_defined_types') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'usage_privileges') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'role_usage_grants') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'view_column_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'view_table_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'views') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'data_type_privileges') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'element_types') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'column_options') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'foreign_data_wrapper_options') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'foreign_data_wrappers') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'foreign_server_options') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'foreign_servers') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'foreign_table_options') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'foreign_tables') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'user_mapping_options') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'user_mappings'))

--> session-basics introspection
SELECT "ns"."nspname" AS "table_schema", "t"."relname" AS "table_name", "i"."relname" AS "constraint_name", "a"."attname" AS "column_name", CASE "ix"."indisunique" WHEN 't' THEN 'TRUE' ELSE'FALSE' END AS "is_unique", pg_get_expr("ix"."indpred", "ix"."indrelid") AS "condition", "types"."typname" AS "type_name", "am"."amname" AS "index_type" FROM "pg_class" "t" INNER JOIN "pg_index" "ix" ON "ix"."indrelid" = "t"."oid" INNER JOIN "pg_attribute" "a" ON "a"."attrelid" = "t"."oid"  AND "a"."attnum" = ANY ("ix"."indkey") INNER JOIN "pg_namespace" "ns" ON "ns"."oid" = "t"."relnamespace" INNER JOIN "pg_class" "i" ON "i"."oid" = "ix"."indexrelid" INNER JOIN "pg_type" "types" ON "types"."oid" = "a"."atttypid" INNER JOIN "pg_am" "am" ON "i"."relam" = "am"."oid" LEFT JOIN "pg_constraint" "cnst" ON "cnst"."conname" = "i"."relname" WHERE "t"."relkind" IN ('r', 'p') AND "cnst"."contype" IS NULL AND (("ns"."nspname" = 'public' AND "t"."relname" = 'orders') OR ("ns"."nspname" = 'public' AND "t"."relname" = 'events') OR ("ns"."nspname" = 'public' AND "t"."relname" = 'events_2024') OR ("ns"."nspname" = 'sales' AND "t"."relname" = 'leads') OR ("ns"."nspname" = 'public' AND "t"."relname" = 'customer_names') OR ("ns"."nspname" = 'public' AND "t"."relname" = 'customers') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_type') OR ("ns"."nspname" = 'public' AND "t"."relname" = 'knex_migrations') OR ("ns"."nspname" = 'public' AND "t"."relname" = 'knex_migrations_lock') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_foreign_table') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_roles') OR ("ns"."nspname" = 'public' AND "t"."relname" = 'tbook') OR ("ns"."nspname" = 'public' AND "t"."relname" = 'migrations') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_settings') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_activity') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_subscription') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_attribute') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_proc') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_class') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_attrdef') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_constraint') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_inherits') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_index') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_replication') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_slru') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_wal_receiver') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_recovery_prefetch') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_operator') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_opfamily') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_opclass') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_am') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_amop') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_amproc') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_language') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_largeobject_metadata') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_aggregate') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statistic_ext') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_rewrite') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_trigger') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_event_trigger') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_description') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_cast') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_enum') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_namespace') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_conversion') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_depend') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_database') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_db_role_setting') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_tablespace') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_auth_members') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_shdepend') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_shdescription') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_ts_config') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_ts_config_map') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_ts_dict') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_ts_parser') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_ts_template') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_extension') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_foreign_data_wrapper') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_foreign_server') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_policy') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_replication_origin') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_default_acl') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_init_privs') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_seclabel') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_shseclabel') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_collation') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_parameter_acl') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_partitioned_table') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_range') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_transform') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_sequence') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_publication') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_publication_namespace') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_publication_rel') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_subscription_rel') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_group') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_user') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_policies') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_rules') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_views') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_matviews') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_sequences') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stats') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stats_ext') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stats_ext_exprs') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_publication_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_locks') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_cursors') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_available_extensions') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_available_extension_versions') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_prepared_xacts') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_prepared_statements') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_seclabels') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_timezone_abbrevs') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_timezone_names') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_sys_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_xact_sys_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_user_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_all_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_xact_all_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_xact_user_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statio_all_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statio_sys_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statio_user_tables') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_all_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_sys_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_user_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statio_all_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statio_sys_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statio_user_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statio_all_sequences') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statio_sys_sequences') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_statio_user_sequences') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_subscription') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_ssl') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_gssapi') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_replication_slots') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_replication_slots') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_database') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_database_conflicts') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_user_functions') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_xact_user_functions') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_archiver') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_bgwriter') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_wal') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_progress_analyze') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_progress_vacuum') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_progress_cluster') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_progress_create_index') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_progress_basebackup') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_progress_copy') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_user_mappings') OR ("ns"."nspname" = 'pg_catalog' AND "t"."relname" = 'pg_stat_subscription_stats') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'role_column_grants') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'information_schema_catalog_name') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'column_domain_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'applicable_roles') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'administrable_role_authorizations') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'domain_constraints') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'attributes') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'column_privileges') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'character_sets') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'check_constraint_routine_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'check_constraints') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'column_udt_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'collations') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'collation_character_set_applicability') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'key_column_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'column_column_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'columns') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'domain_udt_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'constraint_column_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'constraint_table_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'domains') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'referential_constraints') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'enabled_roles') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'parameters') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'routine_column_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'routine_privileges') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'role_routine_grants') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'routine_routine_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'table_privileges') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'routine_sequence_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'routine_table_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'udt_privileges') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'routines') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'role_table_grants') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'schemata') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'sequences') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'sql_features') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'tables') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'sql_implementation_info') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'sql_sizing') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'table_constraints') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'view_routine_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'role_udt_grants') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'triggered_update_columns') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'triggers') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'user_defined_types') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'usage_privileges') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'role_usage_grants') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'view_column_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'view_table_usage') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'views') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'data_type_privileges') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'element_types') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'column_options') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'foreign_data_wrapper_options') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'foreign_data_wrappers') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'foreign_server_options') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'foreign_servers') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'foreign_table_options') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'foreign_tables') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'user_mapping_options') OR ("ns"."nspname" = 'information_schema' AND "t"."relname" = 'user_mappings'))

--> session-basics introspection
SELECT "con"."conname" AS "constraint_name", "con"."nspname" AS "table_schema", "con"."relname" AS "table_name", "att2"."attname" AS "column_name", "ns"."nspname" AS "referenced_table_schema", "cl"."relname" AS "referenced_table_name", "att"."attname" AS "referenced_column_name", "con"."confdeltype" AS "on_delete", "con"."confupdtype" AS "on_update", "con"."condeferrable" AS "deferrable", "con"."condeferred" AS "deferred" FROM ( SELECT UNNEST ("con1"."conkey") AS "parent", UNNEST ("con1"."confkey") AS "child", "con1"."confrelid", "con1"."conrelid", "con1"."conname", "con1"."contype", "ns"."nspname", "cl"."relname", "con1"."condeferrable", CASE WHEN "con1"."condeferred" THEN 'INITIALLY DEFERRED' ELSE 'INITIALLY IMMEDIATE' END as condeferred, CASE "con1"."confdeltype" WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END as "confdeltype", CASE "con1"."confupdtype" WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END as "confupdtype" FROM "pg_class" "cl" INNER JOIN "pg_namespace" "ns" ON "cl"."relnamespace" = "ns"."oid" INNER JOIN "pg_constraint" "con1" ON "con1"."conrelid" = "cl"."oid" WHERE "con1"."contype" = 'f' AND (("ns"."nspname" = 'public' AND "cl"."relname" = 'orders') OR ("ns"."nspname" = 'public' AND "cl"."relname" = 'events') OR ("ns"."nspname" = 'public' AND "cl"."relname" = 'events_2024') OR ("ns"."nspname" = 'sales' AND "cl"."relname" = 'leads') OR ("ns"."nspname" = 'public' AND "cl"."relname" = 'customer_names') OR ("ns"."nspname" = 'public' AND "cl"."relname" = 'customers') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_type') OR ("ns"."nspname" = 'public' AND "cl"."relname" = 'knex_migrations') OR ("ns"."nspname" = 'public' AND "cl"."relname" = 'knex_migrations_lock') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_foreign_table') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_roles') OR ("ns"."nspname" = 'public' AND "cl"."relname" = 'tbook') OR ("ns"."nspname" = 'public' AND "cl"."relname" = 'migrations') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_settings') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_activity') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_subscription') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_attribute') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_proc') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_class') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_attrdef') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_constraint') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_inherits') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_index') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_replication') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_slru') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_wal_receiver') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_recovery_prefetch') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_operator') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_opfamily') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_opclass') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_am') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_amop') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_amproc') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_language') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_largeobject_metadata') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_aggregate') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_statistic_ext') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_rewrite') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_trigger') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_event_trigger') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_description') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_cast') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_enum') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_namespace') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_conversion') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_depend') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_database') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_db_role_setting') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_tablespace') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_auth_members') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_shdepend') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_shdescription') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_ts_config') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_ts_config_map') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_ts_dict') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_ts_parser') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_ts_template') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_extension') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_foreign_data_wrapper') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_foreign_server') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_policy') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_replication_origin') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_default_acl') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_init_privs') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_seclabel') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_shseclabel') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_collation') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_parameter_acl') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_partitioned_table') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_range') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_transform') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_sequence') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_publication') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_publication_namespace') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_publication_rel') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_subscription_rel') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_group') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_user') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_policies') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_rules') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_views') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_tables') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_matviews') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_sequences') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stats') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stats_ext') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stats_ext_exprs') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_publication_tables') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_locks') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_cursors') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_available_extensions') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_available_extension_versions') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_prepared_xacts') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_prepared_statements') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_seclabels') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_timezone_abbrevs') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_timezone_names') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_sys_tables') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_xact_sys_tables') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_user_tables') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_all_tables') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_xact_all_tables') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_xact_user_tables') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_statio_all_tables') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_statio_sys_tables') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_statio_user_tables') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_all_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_sys_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_user_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_statio_all_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_statio_sys_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_statio_user_indexes') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_statio_all_sequences') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_statio_sys_sequences') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_statio_user_sequences') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_subscription') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_ssl') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_gssapi') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_replication_slots') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_replication_slots') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_database') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_database_conflicts') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_user_functions') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_xact_user_functions') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_archiver') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_bgwriter') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_wal') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_progress_analyze') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_progress_vacuum') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_progress_cluster') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_progress_create_index') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_progress_basebackup') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_progress_copy') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_user_mappings') OR ("ns"."nspname" = 'pg_catalog' AND "cl"."relname" = 'pg_stat_subscription_stats') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'role_column_grants') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'information_schema_catalog_name') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'column_domain_usage') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'applicable_roles') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'administrable_role_authorizations') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'domain_constraints') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'attributes') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'column_privileges') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'character_sets') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'check_constraint_routine_usage') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'check_constraints') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'column_udt_usage') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'collations') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'collation_character_set_applicability') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'key_column_usage') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'column_column_usage') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'columns') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'domain_udt_usage') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'constraint_column_usage') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'constraint_table_usage') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'domains') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'referential_constraints') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'enabled_roles') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'parameters') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'routine_column_usage') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'routine_privileges') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'role_routine_grants') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'routine_routine_usage') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'table_privileges') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'routine_sequence_usage') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'routine_table_usage') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'udt_privileges') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'routines') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'role_table_grants') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'schemata') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'sequences') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'sql_features') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'tables') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'sql_implementation_info') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'sql_sizing') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'table_constraints') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'view_routine_usage') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'role_udt_grants') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'triggered_update_columns') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'triggers') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'user_defined_types') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'usage_privileges') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'role_usage_grants') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'view_column_usage') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'view_table_usage') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'views') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'data_type_privileges') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'element_types') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'column_options') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'foreign_data_wrapper_options') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'foreign_data_wrappers') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'foreign_server_options') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'foreign_servers') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'foreign_table_options') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'foreign_tables') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'user_mapping_options') OR ("ns"."nspname" = 'information_schema' AND "cl"."relname" = 'user_mappings')) ) "con" INNER JOIN "pg_attribute" "att" ON "att"."attrelid" = "con"."confrelid" AND "att"."attnum" = "con"."child" INNER JOIN "pg_class" "cl" ON "cl"."oid" = "con"."confrelid"  AND "cl"."relispartition" = 'f'INNER JOIN "pg_namespace" "ns" ON "cl"."relnamespace" = "ns"."oid" INNER JOIN "pg_attribute" "att2" ON "att2"."attrelid" = "con"."conrelid" AND "att2"."attnum" = "con"."parent"

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'public' AND "table_name" = 'customers' AND "column_name"='mood'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_type' AND "column_name"='typacl'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_foreign_table' AND "column_name"='ftoptions'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_roles' AND "column_name"='rolconfig'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_settings' AND "column_name"='enumvals'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_subscription' AND "column_name"='subpublications'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_attribute' AND "column_name"='attacl'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_attribute' AND "column_name"='attoptions'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_attribute' AND "column_name"='attfdwoptions'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_proc' AND "column_name"='proargmodes'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_proc' AND "column_name"='proargtypes'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_proc' AND "column_name"='proacl'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_proc' AND "column_name"='proconfig'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_proc' AND "column_name"='proargnames'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_proc' AND "column_name"='protrftypes'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_proc' AND "column_name"='proallargtypes'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_class' AND "column_name"='relacl'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_class' AND "column_name"='reloptions'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_constraint' AND "column_name"='conppeqop'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_constraint' AND "column_name"='confkey'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_constraint' AND "column_name"='conkey'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_constraint' AND "column_name"='conffeqop'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_constraint' AND "column_name"='conexclop'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_constraint' AND "column_name"='confdelsetcols'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_constraint' AND "column_name"='conpfeqop'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_index' AND "column_name"='indoption'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_index' AND "column_name"='indclass'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_index' AND "column_name"='indkey'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_index' AND "column_name"='indcollation'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_language' AND "column_name"='lanacl'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_largeobject_metadata' AND "column_name"='lomacl'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_statistic_ext' AND "column_name"='stxkind'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_statistic_ext' AND "column_name"='stxkeys'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_trigger' AND "column_name"='tgattr'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_event_trigger' AND "column_name"='evttags'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_namespace' AND "column_name"='nspacl'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_database' AND "column_name"='datacl'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_db_role_setting' AND "column_name"='setconfig'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_tablespace' AND "column_name"='spcoptions'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_tablespace' AND "column_name"='spcacl'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_extension' AND "column_name"='extcondition'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_extension' AND "column_name"='extconfig'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_foreign_data_wrapper' AND "column_name"='fdwacl'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_foreign_data_wrapper' AND "column_name"='fdwoptions'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_foreign_server' AND "column_name"='srvacl'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_foreign_server' AND "column_name"='srvoptions'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_policy' AND "column_name"='polroles'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_default_acl' AND "column_name"='defaclacl'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_init_privs' AND "column_name"='initprivs'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_parameter_acl' AND "column_name"='paracl'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_partitioned_table' AND "column_name"='partcollation'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_partitioned_table' AND "column_name"='partclass'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_partitioned_table' AND "column_name"='partattrs'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_publication_rel' AND "column_name"='prattrs'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_group' AND "column_name"='grolist'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_user' AND "column_name"='useconfig'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_policies' AND "column_name"='roles'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_stats' AND "column_name"='elem_count_histogram'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_stats' AND "column_name"='most_common_freqs'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_stats' AND "column_name"='most_common_elem_freqs'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_stats_ext' AND "column_name"='most_common_val_nulls'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_stats_ext' AND "column_name"='most_common_vals'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_stats_ext' AND "column_name"='most_common_freqs'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_stats_ext' AND "column_name"='most_common_base_freqs'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_stats_ext' AND "column_name"='exprs'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_stats_ext' AND "column_name"='attnames'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_stats_ext' AND "column_name"='kinds'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_stats_ext_exprs' AND "column_name"='most_common_elem_freqs'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_stats_ext_exprs' AND "column_name"='most_common_freqs'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_stats_ext_exprs' AND "column_name"='elem_count_histogram'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_publication_tables' AND "column_name"='attnames'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_available_extension_versions' AND "column_name"='requires'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_prepared_statements' AND "column_name"='parameter_types'

--> session-basics introspection
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'pg_catalog' AND "table_name" = 'pg_user_mappings' AND "column_name"='umoptions'

--> session-basics introspection
SELECT "e"."enumlabel" AS "value" FROM "pg_enum" "e" INNER JOIN "pg_type" "t" ON "t"."oid" = "e"."enumtypid" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'public' AND "t"."typname" = 'mood' ORDER BY "e"."enumsortorder"

--> session-basics introspection
SELECT "e"."enumlabel" AS "value" FROM "pg_enum" "e" INNER JOIN "pg_type" "t" ON "t"."oid" = "e"."enumtypid" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'pg_catalog' AND "t"."typname" = 'aclitem' ORDER BY "e"."enumsortorder"

--> session-basics introspection
SELECT "e"."enumlabel" AS "value" FROM "pg_enum" "e" INNER JOIN "pg_type" "t" ON "t"."oid" = "e"."enumtypid" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'pg_catalog' AND "t"."typname" = 'text' ORDER BY "e"."enumsortorder"

--> session-basics introspection
SELECT "e"."enumlabel" AS "value" FROM "pg_enum" "e" INNER JOIN "pg_type" "t" ON "t"."oid" = "e"."enumtypid" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'pg_catalog' AND "t"."typname" = 'char' ORDER BY "e"."enumsortorder"

--> session-basics introspection
SELECT "e"."enumlabel" AS "value" FROM "pg_enum" "e" INNER JOIN "pg_type" "t" ON "t"."oid" = "e"."enumtypid" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'pg_catalog' AND "t"."typname" = 'oidvector' ORDER BY "e"."enumsortorder"

--> session-basics introspection
SELECT "e"."enumlabel" AS "value" FROM "pg_enum" "e" INNER JOIN "pg_type" "t" ON "t"."oid" = "e"."enumtypid" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'pg_catalog' AND "t"."typname" = 'oid' ORDER BY "e"."enumsortorder"

--> session-basics introspection
SELECT "e"."enumlabel" AS "value" FROM "pg_enum" "e" INNER JOIN "pg_type" "t" ON "t"."oid" = "e"."enumtypid" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'pg_catalog' AND "t"."typname" = 'int2' ORDER BY "e"."enumsortorder"

--> session-basics introspection
SELECT "e"."enumlabel" AS "value" FROM "pg_enum" "e" INNER JOIN "pg_type" "t" ON "t"."oid" = "e"."enumtypid" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'pg_catalog' AND "t"."typname" = 'int2vector' ORDER BY "e"."enumsortorder"

--> session-basics introspection
SELECT "e"."enumlabel" AS "value" FROM "pg_enum" "e" INNER JOIN "pg_type" "t" ON "t"."oid" = "e"."enumtypid" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'pg_catalog' AND "t"."typname" = 'name' ORDER BY "e"."enumsortorder"

--> session-basics introspection
SELECT "e"."enumlabel" AS "value" FROM "pg_enum" "e" INNER JOIN "pg_type" "t" ON "t"."oid" = "e"."enumtypid" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'pg_catalog' AND "t"."typname" = 'float4' ORDER BY "e"."enumsortorder"

--> session-basics introspection
SELECT "e"."enumlabel" AS "value" FROM "pg_enum" "e" INNER JOIN "pg_type" "t" ON "t"."oid" = "e"."enumtypid" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'pg_catalog' AND "t"."typname" = 'bool' ORDER BY "e"."enumsortorder"

--> session-basics introspection
SELECT "e"."enumlabel" AS "value" FROM "pg_enum" "e" INNER JOIN "pg_type" "t" ON "t"."oid" = "e"."enumtypid" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'pg_catalog' AND "t"."typname" = 'regtype' ORDER BY "e"."enumsortorder"

--> session-basics introspection
SELECT * FROM "information_schema"."columns" WHERE "table_schema" = $1 AND "table_name" = $2 AND "column_name" = $3

--> session-basics introspection
SELECT * FROM "information_schema"."schemata" WHERE "schema_name" = $1

--> session-basics migrations
create table "knex_migrations" ("id" serial primary key, "name" varchar(255), "batch" integer, "migration_time" timestamptz)

--> session-basics migrations
create table "knex_migrations_lock" ("index" serial primary key, "is_locked" integer)

--> session-basics migrations
select * from "knex_migrations_lock"

--> session-basics migrations
insert into "knex_migrations_lock" ("is_locked") values ($1)

--> session-basics migrations
select "name" from "knex_migrations" order by "id" asc

--> session-basics migrations
update "knex_migrations_lock" set "is_locked" = $1 where "is_locked" = $2

--> session-basics migrations
select max("batch") as "max_batch" from "knex_migrations"

--> session-basics migrations
create table "kbooks" ("id" serial primary key, "title" varchar(255) not null, "o" integer, "created_at" timestamptz, "updated_at" timestamptz)

--> session-basics migrations
create index "kbooks_title_index" on "kbooks" ("title")

--> session-basics migrations
alter table "kbooks" add constraint "kbooks_o_foreign" foreign key ("o") references "customers" ("id")

--> session-basics migrations
alter table "kbooks" add column "note" text

--> session-basics migrations
alter table "kbooks" drop column "title"

--> session-basics migrations
insert into "knex_migrations" ("batch", "migration_time", "name") values ($1, $2, $3)

--> session-basics migrations
update "knex_migrations_lock" set "is_locked" = $1

--> session-basics migrations
select * from "knex_migrations"

--> session-basics migrations
select * from "knex_migrations" where "batch" = (select max("batch") from "knex_migrations") order by "id" desc

--> session-basics migrations
drop table "kbooks"

--> session-basics migrations
delete from "knex_migrations" where "name" = $1

--> session-basics migrations
CREATE TABLE IF NOT EXISTS "sbooks" ("id"   SERIAL , "title" VARCHAR(255), "kind" "public"."enum_sbooks_kind", "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, "updatedAt" TIMESTAMP WITH TIME ZONE NOT NULL, PRIMARY KEY ("id"));

--> session-basics migrations
CREATE INDEX "sbooks_title" ON "sbooks" ("title")

--> session-basics migrations
ALTER TABLE "sbooks" ALTER COLUMN "title" DROP NOT NULL;ALTER TABLE "sbooks" ALTER COLUMN "title" DROP DEFAULT;ALTER TABLE "sbooks" ALTER COLUMN "title" TYPE VARCHAR(255);

--> session-basics migrations
ALTER TABLE "sbooks" ALTER COLUMN "createdAt" SET NOT NULL;ALTER TABLE "sbooks" ALTER COLUMN "createdAt" DROP DEFAULT;ALTER TABLE "sbooks" ALTER COLUMN "createdAt" TYPE TIMESTAMP WITH TIME ZONE;

--> session-basics migrations
ALTER TABLE "sbooks" ALTER COLUMN "updatedAt" SET NOT NULL;ALTER TABLE "sbooks" ALTER COLUMN "updatedAt" DROP DEFAULT;ALTER TABLE "sbooks" ALTER COLUMN "updatedAt" TYPE TIMESTAMP WITH TIME ZONE;

--> session-basics migrations
DROP TABLE IF EXISTS "sbooks";

--> session-basics migrations
CREATE TYPE "public"."tbook_kind_enum" AS ENUM('a', 'b')

--> session-basics migrations
CREATE TABLE "tbook" ("id" SERIAL NOT NULL, "title" character varying NOT NULL, "kind" "public"."tbook_kind_enum" NOT NULL DEFAULT 'a', CONSTRAINT "UQ_540f5dcdee44d64e936f4285690" UNIQUE ("title"), CONSTRAINT "PK_8912f3e02a36ab9032f429688cf" PRIMARY KEY ("id"))

--> session-basics migrations
CREATE INDEX "IDX_90cf381ad15094103ed366530e" ON "tbook"  ("kind")

--> session-basics migrations
CREATE TABLE "migrations" ("id" SERIAL NOT NULL, "timestamp" bigint NOT NULL, "name" character varying NOT NULL, CONSTRAINT "PK_8c82d7f526340ab734260ea46be" PRIMARY KEY ("id"))

--> session-basics migrations
SELECT * FROM "migrations" "migrations" ORDER BY "id" DESC

--> session-basics migrations
create table tm (id int)

--> session-basics migrations
INSERT INTO "migrations"("timestamp", "name") VALUES ($1, $2)

--> session-basics migrations
drop table tm

--> session-basics migrations
DELETE FROM "migrations" WHERE "timestamp" = $1 AND "name" = $2

--> session-basics migrations
DROP INDEX "public"."IDX_90cf381ad15094103ed366530e"

--> session-basics migrations
DROP TABLE "tbook"

--> session-basics migrations
CREATE SCHEMA IF NOT EXISTS "drizzle"

--> session-basics migrations
			CREATE TABLE IF NOT EXISTS "drizzle"."__drizzle_migrations" (
				id SERIAL PRIMARY KEY,
				hash text NOT NULL,
				created_at bigint
			)

--> session-basics migrations
select id, hash, created_at from "drizzle"."__drizzle_migrations" order by created_at desc limit 1

--> session-basics migrations
CREATE TABLE "dbooks" ("id" serial PRIMARY KEY NOT NULL);

--> session-basics migrations
ALTER TABLE "dbooks" ADD COLUMN "t" text;

--> session-basics migrations
insert into "drizzle"."__drizzle_migrations" ("hash", "created_at") values($1, $2)

--> session-basics read-only
select id, name from customers where id = $1

--> session-basics read-only
select id from orders where id = $1

--> session-basics read-only
select id, tags from orders where id = $1

--> session-basics read-only
select id from orders

--> session-basics read-only
select "id" from "customers" where "id" = $1

--> session-basics read-only
SELECT "id", "title", "kind", "createdAt", "updatedAt" FROM "sbooks" AS "sbook";

--> session-basics read-only
SELECT "id", "title", "kind", "createdAt", "updatedAt" FROM "sbooks" AS "sbook" WHERE "sbook"."id" = 1;

--> session-basics read-only
SELECT "tbook"."id" AS "tbook_id", "tbook"."title" AS "tbook_title", "tbook"."kind" AS "tbook_kind" FROM "tbook" "tbook" WHERE (("tbook"."id" = $1))

--> refused: what a DO block does cannot be told
DO 'BEGIN CREATE TYPE "public"."enum_sbooks_kind" AS ENUM(''a'', ''b''); EXCEPTION WHEN duplicate_object THEN null; END';

--> refused: what a DO block does cannot be told
ALTER TABLE "sbooks" ALTER COLUMN "kind" DROP NOT NULL;ALTER TABLE "sbooks" ALTER COLUMN "kind" DROP DEFAULT;DO 'BEGIN CREATE TYPE "public"."enum_sbooks_kind" AS ENUM(''a'', ''b''); EXCEPTION WHEN duplicate_object THEN null; END';ALTER TABLE "sbooks" ALTER COLUMN "kind" TYPE "public"."enum_sbooks_kind" USING ("kind"::"public"."enum_sbooks_kind");
