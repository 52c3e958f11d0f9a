-- One migration as a tool of files sends it: a single text, its definitions, its moved rows and its book in one.
BEGIN;
SELECT pg_advisory_xact_lock(2870017187015583360);
CREATE TABLE "authors" ("id" bigserial primary key, "name" character varying NOT NULL);
INSERT INTO "authors" ("name") SELECT DISTINCT "title" FROM "books";
ALTER TABLE "books" ADD CONSTRAINT "fk_rails_books_authors" FOREIGN KEY ("author_id") REFERENCES "authors" ("id");
ALTER TABLE "books" ADD "pages" integer DEFAULT 0 NOT NULL;
CREATE UNIQUE INDEX "index_authors_on_name" ON "authors" ("name");
CREATE OR REPLACE VIEW "long_books" AS SELECT "id" FROM "books" WHERE "pages" > 500;
CREATE FUNCTION "count_books"() RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT count(*) FROM books $$;
INSERT INTO "schema_migrations" (version) VALUES ('20260103000000');
COMMIT;
