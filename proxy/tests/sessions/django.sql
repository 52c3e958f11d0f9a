-- Django 5.2.19: migrate forth and back with its own applications, inspectdb, iterators, nested transactions.
-- Recorded at a PostgreSQL 15.18; README.md tells how.

--> session-basics
SELECT set_config('TimeZone', 'UTC', false)

--> session-basics
BEGIN

--> session-basics
COMMIT

--> session-basics
select 1

--> session-basics
FETCH FORWARD 2000 FROM "_django_curs_139650939575168_sync_1"

--> session-basics
CLOSE "_django_curs_139650939575168_sync_1"

--> session-basics
SAVEPOINT "s139650939575168_x1"

--> session-basics
RELEASE SAVEPOINT "s139650939575168_x1"

--> session-basics
SELECT 1

--> session-basics
SET CONSTRAINTS ALL IMMEDIATE

--> session-basics
SET CONSTRAINTS ALL DEFERRED

--> session-basics introspection
            SELECT
                c.relname,
                CASE
                    WHEN c.relispartition THEN 'p'
                    WHEN c.relkind IN ('m', 'v') THEN 'v'
                    ELSE 't'
                END,
                obj_description(c.oid, 'pg_class')
            FROM pg_catalog.pg_class c
            LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v')
                AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
                AND pg_catalog.pg_table_is_visible(c.oid)

--> session-basics introspection
            SELECT a1.attname, c2.relname, a2.attname
            FROM pg_constraint con
            LEFT JOIN pg_class c1 ON con.conrelid = c1.oid
            LEFT JOIN pg_class c2 ON con.confrelid = c2.oid
            LEFT JOIN
                pg_attribute a1 ON c1.oid = a1.attrelid AND a1.attnum = con.conkey[1]
            LEFT JOIN
                pg_attribute a2 ON c2.oid = a2.attrelid AND a2.attnum = con.confkey[1]
            WHERE
                c1.relname = 'auth_group' AND
                con.contype = 'f' AND
                c1.relnamespace = c2.relnamespace AND
                pg_catalog.pg_table_is_visible(c1.oid)

--> session-basics introspection
            SELECT
                c.conname,
                array(
                    SELECT attname
                    FROM unnest(c.conkey) WITH ORDINALITY cols(colid, arridx)
                    JOIN pg_attribute AS ca ON cols.colid = ca.attnum
                    WHERE ca.attrelid = c.conrelid
                    ORDER BY cols.arridx
                ),
                c.contype,
                (SELECT fkc.relname || '.' || fka.attname
                FROM pg_attribute AS fka
                JOIN pg_class AS fkc ON fka.attrelid = fkc.oid
                WHERE fka.attrelid = c.confrelid AND fka.attnum = c.confkey[1]),
                cl.reloptions
            FROM pg_constraint AS c
            JOIN pg_class AS cl ON c.conrelid = cl.oid
            WHERE cl.relname = 'auth_group' AND pg_catalog.pg_table_is_visible(cl.oid)

--> session-basics introspection
            SELECT
                indexname,
                array_agg(attname ORDER BY arridx),
                indisunique,
                indisprimary,
                array_agg(ordering ORDER BY arridx),
                amname,
                exprdef,
                s2.attoptions
            FROM (
                SELECT
                    c2.relname as indexname, idx.*, attr.attname, am.amname,
                    CASE
                        WHEN idx.indexprs IS NOT NULL THEN
                            pg_get_indexdef(idx.indexrelid)
                    END AS exprdef,
                    CASE am.amname
                        WHEN 'btree' THEN
                            CASE (option & 1)
                                WHEN 1 THEN 'DESC' ELSE 'ASC'
                            END
                    END as ordering,
                    c2.reloptions as attoptions
                FROM (
                    SELECT *
                    FROM
                        pg_index i,
                        unnest(i.indkey, i.indoption)
                            WITH ORDINALITY koi(key, option, arridx)
                ) idx
                LEFT JOIN pg_class c ON idx.indrelid = c.oid
                LEFT JOIN pg_class c2 ON idx.indexrelid = c2.oid
                LEFT JOIN pg_am am ON c2.relam = am.oid
                LEFT JOIN
                    pg_attribute attr ON attr.attrelid = c.oid AND attr.attnum = idx.key
                WHERE c.relname = 'auth_group' AND pg_catalog.pg_table_is_visible(c.oid)
            ) s2
            GROUP BY indexname, indisunique, indisprimary, amname, exprdef, attoptions;

--> session-basics introspection
            SELECT
                a.attname AS column_name,
                NOT (a.attnotnull OR (t.typtype = 'd' AND t.typnotnull)) AS is_nullable,
                pg_get_expr(ad.adbin, ad.adrelid) AS column_default,
                CASE WHEN collname = 'default' THEN NULL ELSE collname END AS collation,
                a.attidentity != '' AS is_autofield,
                col_description(a.attrelid, a.attnum) AS column_comment
            FROM pg_attribute a
            LEFT JOIN pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum
            LEFT JOIN pg_collation co ON a.attcollation = co.oid
            JOIN pg_type t ON a.atttypid = t.oid
            JOIN pg_class c ON a.attrelid = c.oid
            JOIN pg_namespace n ON c.relnamespace = n.oid
            WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v')
                AND c.relname = 'auth_group'
                AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
                AND pg_catalog.pg_table_is_visible(c.oid)

--> session-basics migrations
CREATE TABLE "django_migrations" ("id" bigint NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "app" varchar(255) NOT NULL, "name" varchar(255) NOT NULL, "applied" timestamp with time zone NOT NULL)

--> session-basics migrations
CREATE TABLE "django_content_type" ("id" integer NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "name" varchar(100) NOT NULL, "app_label" varchar(100) NOT NULL, "model" varchar(100) NOT NULL)

--> session-basics migrations
ALTER TABLE "django_content_type" ADD CONSTRAINT "django_content_type_app_label_model_76bd3d3b_uniq" UNIQUE ("app_label", "model")

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('contenttypes', '0001_initial', '2026-11-23 10:07:06.241760+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
CREATE TABLE "auth_permission" ("id" integer NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "name" varchar(50) NOT NULL, "content_type_id" integer NOT NULL, "codename" varchar(100) NOT NULL)

--> session-basics migrations
CREATE TABLE "auth_group" ("id" integer NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "name" varchar(80) NOT NULL UNIQUE)

--> session-basics migrations
CREATE TABLE "auth_group_permissions" ("id" bigint NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "group_id" integer NOT NULL, "permission_id" integer NOT NULL)

--> session-basics migrations
CREATE TABLE "auth_user" ("id" integer NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "password" varchar(128) NOT NULL, "last_login" timestamp with time zone NOT NULL, "is_superuser" boolean NOT NULL, "username" varchar(30) NOT NULL UNIQUE, "first_name" varchar(30) NOT NULL, "last_name" varchar(30) NOT NULL, "email" varchar(75) NOT NULL, "is_staff" boolean NOT NULL, "is_active" boolean NOT NULL, "date_joined" timestamp with time zone NOT NULL)

--> session-basics migrations
CREATE TABLE "auth_user_groups" ("id" bigint NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "user_id" integer NOT NULL, "group_id" integer NOT NULL)

--> session-basics migrations
CREATE TABLE "auth_user_user_permissions" ("id" bigint NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "user_id" integer NOT NULL, "permission_id" integer NOT NULL)

--> session-basics migrations
ALTER TABLE "auth_permission" ADD CONSTRAINT "auth_permission_content_type_id_codename_01ab375a_uniq" UNIQUE ("content_type_id", "codename")

--> session-basics migrations
ALTER TABLE "auth_permission" ADD CONSTRAINT "auth_permission_content_type_id_2f476e4b_fk_django_co" FOREIGN KEY ("content_type_id") REFERENCES "django_content_type" ("id") DEFERRABLE INITIALLY DEFERRED

--> session-basics migrations
CREATE INDEX "auth_permission_content_type_id_2f476e4b" ON "auth_permission" ("content_type_id")

--> session-basics migrations
CREATE INDEX "auth_group_name_a6ea08ec_like" ON "auth_group" ("name" varchar_pattern_ops)

--> session-basics migrations
ALTER TABLE "auth_group_permissions" ADD CONSTRAINT "auth_group_permissions_group_id_permission_id_0cd325b0_uniq" UNIQUE ("group_id", "permission_id")

--> session-basics migrations
ALTER TABLE "auth_group_permissions" ADD CONSTRAINT "auth_group_permissions_group_id_b120cbf9_fk_auth_group_id" FOREIGN KEY ("group_id") REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED

--> session-basics migrations
ALTER TABLE "auth_group_permissions" ADD CONSTRAINT "auth_group_permissio_permission_id_84c5c92e_fk_auth_perm" FOREIGN KEY ("permission_id") REFERENCES "auth_permission" ("id") DEFERRABLE INITIALLY DEFERRED

--> session-basics migrations
CREATE INDEX "auth_group_permissions_group_id_b120cbf9" ON "auth_group_permissions" ("group_id")

--> session-basics migrations
CREATE INDEX "auth_group_permissions_permission_id_84c5c92e" ON "auth_group_permissions" ("permission_id")

--> session-basics migrations
CREATE INDEX "auth_user_username_6821ab7c_like" ON "auth_user" ("username" varchar_pattern_ops)

--> session-basics migrations
ALTER TABLE "auth_user_groups" ADD CONSTRAINT "auth_user_groups_user_id_group_id_94350c0c_uniq" UNIQUE ("user_id", "group_id")

--> session-basics migrations
ALTER TABLE "auth_user_groups" ADD CONSTRAINT "auth_user_groups_user_id_6a12ed8b_fk_auth_user_id" FOREIGN KEY ("user_id") REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED

--> session-basics migrations
ALTER TABLE "auth_user_groups" ADD CONSTRAINT "auth_user_groups_group_id_97559544_fk_auth_group_id" FOREIGN KEY ("group_id") REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED

--> session-basics migrations
CREATE INDEX "auth_user_groups_user_id_6a12ed8b" ON "auth_user_groups" ("user_id")

--> session-basics migrations
CREATE INDEX "auth_user_groups_group_id_97559544" ON "auth_user_groups" ("group_id")

--> session-basics migrations
ALTER TABLE "auth_user_user_permissions" ADD CONSTRAINT "auth_user_user_permissions_user_id_permission_id_14a6b632_uniq" UNIQUE ("user_id", "permission_id")

--> session-basics migrations
ALTER TABLE "auth_user_user_permissions" ADD CONSTRAINT "auth_user_user_permissions_user_id_a95ead1b_fk_auth_user_id" FOREIGN KEY ("user_id") REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED

--> session-basics migrations
ALTER TABLE "auth_user_user_permissions" ADD CONSTRAINT "auth_user_user_permi_permission_id_1fbb5f2c_fk_auth_perm" FOREIGN KEY ("permission_id") REFERENCES "auth_permission" ("id") DEFERRABLE INITIALLY DEFERRED

--> session-basics migrations
CREATE INDEX "auth_user_user_permissions_user_id_a95ead1b" ON "auth_user_user_permissions" ("user_id")

--> session-basics migrations
CREATE INDEX "auth_user_user_permissions_permission_id_1fbb5f2c" ON "auth_user_user_permissions" ("permission_id")

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('auth', '0001_initial', '2026-11-23 10:07:06.328300+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
CREATE TABLE "django_admin_log" ("id" integer NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "action_time" timestamp with time zone NOT NULL, "object_id" text NULL, "object_repr" varchar(200) NOT NULL, "action_flag" smallint NOT NULL CHECK ("action_flag" >= 0), "change_message" text NOT NULL, "content_type_id" integer NULL, "user_id" integer NOT NULL)

--> session-basics migrations
ALTER TABLE "django_admin_log" ADD CONSTRAINT "django_admin_log_content_type_id_c4bce8eb_fk_django_co" FOREIGN KEY ("content_type_id") REFERENCES "django_content_type" ("id") DEFERRABLE INITIALLY DEFERRED

--> session-basics migrations
ALTER TABLE "django_admin_log" ADD CONSTRAINT "django_admin_log_user_id_c564eba6_fk_auth_user_id" FOREIGN KEY ("user_id") REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED

--> session-basics migrations
CREATE INDEX "django_admin_log_content_type_id_c4bce8eb" ON "django_admin_log" ("content_type_id")

--> session-basics migrations
CREATE INDEX "django_admin_log_user_id_c564eba6" ON "django_admin_log" ("user_id")

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('admin', '0001_initial', '2026-11-23 10:07:06.357931+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('admin', '0002_logentry_remove_auto_add', '2026-11-23 10:07:06.375717+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('admin', '0003_logentry_add_action_flag_choices', '2026-11-23 10:07:06.389150+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
ALTER TABLE "django_content_type" ALTER COLUMN "name" DROP NOT NULL

--> session-basics migrations
ALTER TABLE "django_content_type" DROP COLUMN "name" CASCADE

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('contenttypes', '0002_remove_content_type_name', '2026-11-23 10:07:06.437206+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
ALTER TABLE "auth_permission" ALTER COLUMN "name" TYPE varchar(255)

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('auth', '0002_alter_permission_name_max_length', '2026-11-23 10:07:06.456727+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
ALTER TABLE "auth_user" ALTER COLUMN "email" TYPE varchar(254)

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('auth', '0003_alter_user_email_max_length', '2026-11-23 10:07:06.477541+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('auth', '0004_alter_user_username_opts', '2026-11-23 10:07:06.498160+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
ALTER TABLE "auth_user" ALTER COLUMN "last_login" DROP NOT NULL

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('auth', '0005_alter_user_last_login_null', '2026-11-23 10:07:06.512403+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('auth', '0006_require_contenttypes_0002', '2026-11-23 10:07:06.513098+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('auth', '0007_alter_validators_add_error_messages', '2026-11-23 10:07:06.525011+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
ALTER TABLE "auth_user" ALTER COLUMN "username" TYPE varchar(150)

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('auth', '0008_alter_user_username_max_length', '2026-11-23 10:07:06.542936+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
ALTER TABLE "auth_user" ALTER COLUMN "last_name" TYPE varchar(150)

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('auth', '0009_alter_user_last_name_max_length', '2026-11-23 10:07:06.568640+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
ALTER TABLE "auth_group" ALTER COLUMN "name" TYPE varchar(150)

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('auth', '0010_alter_group_name_max_length', '2026-11-23 10:07:06.635372+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('auth', '0011_update_proxy_permissions', '2026-11-23 10:07:06.698984+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
ALTER TABLE "auth_user" ALTER COLUMN "first_name" TYPE varchar(150)

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('auth', '0012_alter_user_first_name_max_length', '2026-11-23 10:07:06.768245+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
CREATE TABLE "books_author" ("id" bigint NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "name" varchar(50) NOT NULL, "email" varchar(254) NOT NULL UNIQUE)

--> session-basics migrations
CREATE TABLE "books_book" ("id" bigint NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "title" text NOT NULL, "price" numeric(8, 2) NOT NULL, "body" jsonb NOT NULL, "author_id" bigint NOT NULL, CONSTRAINT "positive" CHECK ("price" >= 0))

--> session-basics migrations
CREATE INDEX "books_author_name_76345efa" ON "books_author" ("name")

--> session-basics migrations
CREATE INDEX "books_author_name_76345efa_like" ON "books_author" ("name" varchar_pattern_ops)

--> session-basics migrations
CREATE INDEX "books_author_email_5d880577_like" ON "books_author" ("email" varchar_pattern_ops)

--> session-basics migrations
ALTER TABLE "books_book" ADD CONSTRAINT "books_book_author_id_title_e2e8dbed_uniq" UNIQUE ("author_id", "title")

--> session-basics migrations
ALTER TABLE "books_book" ADD CONSTRAINT "books_book_author_id_8b91747b_fk_books_author_id" FOREIGN KEY ("author_id") REFERENCES "books_author" ("id") DEFERRABLE INITIALLY DEFERRED

--> session-basics migrations
CREATE INDEX "books_book_author_id_8b91747b" ON "books_book" ("author_id")

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('books', '0001_initial', '2026-11-23 10:07:06.865566+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
ALTER TABLE "books_author" DROP COLUMN "email" CASCADE

--> session-basics migrations
ALTER TABLE "books_author" ADD COLUMN "mail" varchar(254) NULL

--> session-basics migrations
ALTER TABLE "books_book" ADD COLUMN "pages" integer NULL

--> session-basics migrations
COMMENT ON COLUMN "books_book"."pages" IS 'how many'

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('books', '0002_remove_author_email_author_mail_book_pages_and_more', '2026-11-23 10:07:06.888202+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL, "expire_date" timestamp with time zone NOT NULL)

--> session-basics migrations
CREATE INDEX "django_session_session_key_c0390e0f_like" ON "django_session" ("session_key" varchar_pattern_ops)

--> session-basics migrations
CREATE INDEX "django_session_expire_date_a5c62663" ON "django_session" ("expire_date")

--> session-basics migrations
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('sessions', '0001_initial', '2026-11-23 10:07:06.914402+00:00'::timestamptz) RETURNING "django_migrations"."id"

--> session-basics migrations
SELECT "django_migrations"."id", "django_migrations"."app", "django_migrations"."name", "django_migrations"."applied" FROM "django_migrations"

--> session-basics migrations
SELECT "django_content_type"."id", "django_content_type"."app_label", "django_content_type"."model" FROM "django_content_type" WHERE "django_content_type"."app_label" = 'admin'

--> session-basics migrations
INSERT INTO "django_content_type" ("app_label", "model") VALUES ('admin', 'logentry') RETURNING "django_content_type"."id"

--> session-basics migrations
SELECT "django_content_type"."id", "django_content_type"."app_label", "django_content_type"."model" FROM "django_content_type" WHERE ("django_content_type"."app_label" = 'admin' AND "django_content_type"."model" IN ('logentry'))

--> session-basics migrations
SELECT "auth_permission"."content_type_id" AS "content_type", "auth_permission"."codename" AS "codename" FROM "auth_permission" INNER JOIN "django_content_type" ON ("auth_permission"."content_type_id" = "django_content_type"."id") WHERE "auth_permission"."content_type_id" IN (1) ORDER BY "django_content_type"."app_label" ASC, "django_content_type"."model" ASC, 2 ASC

--> session-basics migrations
INSERT INTO "auth_permission" ("name", "content_type_id", "codename") SELECT * FROM UNNEST(('{"Can add log entry","Can change log entry","Can delete log entry","Can view log entry"}')::varchar[], ('{1,1,1,1}'::int2[])::integer[], ('{add_logentry,change_logentry,delete_logentry,view_logentry}')::varchar[]) RETURNING "auth_permission"."id"

--> session-basics migrations
SELECT "django_content_type"."id", "django_content_type"."app_label", "django_content_type"."model" FROM "django_content_type" WHERE "django_content_type"."app_label" = 'auth'

--> session-basics migrations
INSERT INTO "django_content_type" ("app_label", "model") SELECT * FROM UNNEST(('{auth,auth,auth}')::varchar[], ('{permission,group,user}')::varchar[]) RETURNING "django_content_type"."id"

--> session-basics migrations
SELECT "django_content_type"."id", "django_content_type"."app_label", "django_content_type"."model" FROM "django_content_type" WHERE ("django_content_type"."app_label" = 'auth' AND "django_content_type"."model" IN ('group', 'permission', 'user'))

--> session-basics migrations
SELECT "auth_permission"."content_type_id" AS "content_type", "auth_permission"."codename" AS "codename" FROM "auth_permission" INNER JOIN "django_content_type" ON ("auth_permission"."content_type_id" = "django_content_type"."id") WHERE "auth_permission"."content_type_id" IN (2, 3, 4) ORDER BY "django_content_type"."app_label" ASC, "django_content_type"."model" ASC, 2 ASC

--> session-basics migrations
SELECT "django_content_type"."id", "django_content_type"."app_label", "django_content_type"."model" FROM "django_content_type" WHERE "django_content_type"."app_label" = 'contenttypes'

--> session-basics migrations
INSERT INTO "django_content_type" ("app_label", "model") VALUES ('contenttypes', 'contenttype') RETURNING "django_content_type"."id"

--> session-basics migrations
SELECT "django_content_type"."id", "django_content_type"."app_label", "django_content_type"."model" FROM "django_content_type" WHERE ("django_content_type"."app_label" = 'contenttypes' AND "django_content_type"."model" IN ('contenttype'))

--> session-basics migrations
SELECT "django_content_type"."id", "django_content_type"."app_label", "django_content_type"."model" FROM "django_content_type" WHERE "django_content_type"."app_label" = 'sessions'

--> session-basics migrations
INSERT INTO "django_content_type" ("app_label", "model") VALUES ('sessions', 'session') RETURNING "django_content_type"."id"

--> session-basics migrations
SELECT "django_content_type"."id", "django_content_type"."app_label", "django_content_type"."model" FROM "django_content_type" WHERE ("django_content_type"."app_label" = 'sessions' AND "django_content_type"."model" IN ('session'))

--> session-basics migrations
SELECT "django_content_type"."id", "django_content_type"."app_label", "django_content_type"."model" FROM "django_content_type" WHERE "django_content_type"."app_label" = 'books'

--> session-basics migrations
INSERT INTO "django_content_type" ("app_label", "model") SELECT * FROM UNNEST(('{books,books}')::varchar[], ('{author,book}')::varchar[]) RETURNING "django_content_type"."id"

--> session-basics migrations
SELECT "django_content_type"."id", "django_content_type"."app_label", "django_content_type"."model" FROM "django_content_type" WHERE ("django_content_type"."app_label" = 'books' AND "django_content_type"."model" IN ('author', 'book'))

--> session-basics migrations
SELECT "auth_permission"."content_type_id" AS "content_type", "auth_permission"."codename" AS "codename" FROM "auth_permission" INNER JOIN "django_content_type" ON ("auth_permission"."content_type_id" = "django_content_type"."id") WHERE "auth_permission"."content_type_id" IN (8, 7) ORDER BY "django_content_type"."app_label" ASC, "django_content_type"."model" ASC, 2 ASC

--> session-basics migrations
ALTER TABLE "books_book" DROP COLUMN "pages" CASCADE

--> session-basics migrations
ALTER TABLE "books_author" DROP COLUMN "mail" CASCADE

--> session-basics migrations
ALTER TABLE "books_author" ADD COLUMN "email" varchar(254) NOT NULL UNIQUE

--> session-basics migrations
DELETE FROM "django_migrations" WHERE ("django_migrations"."app" = 'books' AND "django_migrations"."name" = '0002_remove_author_email_author_mail_book_pages_and_more')

--> session-basics migrations
DROP TABLE "books_book" CASCADE

--> session-basics migrations
DROP TABLE "books_author" CASCADE

--> session-basics migrations
DELETE FROM "django_migrations" WHERE ("django_migrations"."app" = 'books' AND "django_migrations"."name" = '0001_initial')

--> session-basics migrations
SELECT "django_content_type"."id", "django_content_type"."app_label", "django_content_type"."model" FROM "django_content_type" WHERE ("django_content_type"."app_label" = 'auth' AND "django_content_type"."model" IN ('user', 'group', 'permission'))

--> session-basics migrations
SELECT * FROM "auth_permission" LIMIT 1

--> session-basics migrations
SELECT * FROM "django_content_type" LIMIT 1

--> session-basics migrations
SELECT * FROM "django_migrations" LIMIT 1

--> session-basics read-only
SELECT * FROM "auth_group" LIMIT 1

--> session-basics read-only
SELECT * FROM "auth_group_permissions" LIMIT 1

--> session-basics read-only
SELECT * FROM "auth_user" LIMIT 1

--> session-basics read-only
SELECT * FROM "auth_user_groups" LIMIT 1

--> session-basics read-only
SELECT * FROM "auth_user_user_permissions" LIMIT 1

--> session-basics read-only
SELECT * FROM "customer_names" LIMIT 1

--> session-basics read-only
SELECT * FROM "customers" LIMIT 1

--> session-basics read-only
SELECT * FROM "django_admin_log" LIMIT 1

--> session-basics read-only
SELECT * FROM "django_session" LIMIT 1

--> session-basics read-only
SELECT * FROM "events" LIMIT 1

--> session-basics read-only
SELECT * FROM "events_2024" LIMIT 1

--> session-basics read-only
SELECT * FROM "orders" LIMIT 1

--> session-basics read-only
SELECT * FROM "totals" LIMIT 1

--> session-basics read-only
DECLARE "_django_curs_139650939575168_sync_1" NO SCROLL CURSOR WITH HOLD FOR SELECT "auth_user"."id", "auth_user"."password", "auth_user"."last_login", "auth_user"."is_superuser", "auth_user"."username", "auth_user"."first_name", "auth_user"."last_name", "auth_user"."email", "auth_user"."is_staff", "auth_user"."is_active", "auth_user"."date_joined" FROM "auth_user" WHERE "auth_user"."id" = 1

--> session-basics read-only
SELECT "auth_user"."id", "auth_user"."password", "auth_user"."last_login", "auth_user"."is_superuser", "auth_user"."username", "auth_user"."first_name", "auth_user"."last_name", "auth_user"."email", "auth_user"."is_staff", "auth_user"."is_active", "auth_user"."date_joined" FROM "auth_user" LIMIT 1

--> session-basics read-only migrations
ALTER TABLE "books_book" ALTER COLUMN "title" TYPE varchar(99) USING "title"::varchar(99)

--> session-basics read-only migrations
ALTER TABLE "books_book" ALTER COLUMN "title" TYPE text USING "title"::text
