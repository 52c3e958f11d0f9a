=== refuse: another role
SET ROLE shop_owner
=== refuse: another role in quotes
SET ROLE 'shop_owner'
=== refuse: another role by the setting's name
SET role TO shop_owner
=== refuse: another role by the setting's name in capitals
SET "ROLE" = 'shop_owner'
=== refuse: another role for the session
SET SESSION ROLE shop_owner
=== refuse: another role for the transaction
SET LOCAL ROLE shop_owner
=== refuse: no role
SET ROLE NONE
=== refuse: the superuser
SET ROLE shop_super
=== refuse: another session's user
SET SESSION AUTHORIZATION shop_owner
=== refuse: another session's user for the transaction
SET LOCAL SESSION AUTHORIZATION 'shop_super'
=== refuse: the session's user by the setting's name
SET session_authorization = 'shop_owner'
=== refuse: a role by set_config
SELECT set_config('role', 'shop_owner', false)
=== refuse: a role by set_config in capitals
SELECT set_config('ROLE', 'shop_owner', true)
=== refuse: a role by set_config with its schema
SELECT pg_catalog.set_config('role', 'shop_owner', false)
=== refuse: a role by set_config with a computed name
SELECT set_config('ro' || 'le', 'shop_owner', false)
=== refuse: a role by set_config with named arguments
SELECT set_config(setting_name => 'role', new_value => 'shop_owner', is_local => false)
=== refuse: a role by set_config with an array of arguments
SELECT set_config(VARIADIC ARRAY['role', 'shop_owner'])
=== refuse: the session's user by set_config
SELECT set_config('session_authorization', 'shop_owner', false)
=== refuse: the session's user by set_config with a space
SELECT set_config('session authorization', 'shop_owner', false)
=== refuse: set_config for each row of a table
SELECT set_config(status, 'shop_owner', false) FROM orders
=== refuse: set_config in FROM
SELECT * FROM set_config('role', 'shop_owner', false)
=== refuse: set_config in a condition
SELECT id FROM orders WHERE set_config('role', 'shop_owner', false) IS NULL
=== refuse: set_config in a prepared statement
PREPARE p AS SELECT set_config('role', $1, false)
=== refuse: a role through the view of settings
UPDATE pg_settings SET setting = 'shop_owner' WHERE name = 'role'
=== refuse: a role through the view of settings with its schema
UPDATE pg_catalog.pg_settings SET setting = 'shop_owner' WHERE name = 'session_authorization'
=== refuse: the role of a later session
ALTER ROLE shop_writer SET role TO shop_owner
=== refuse: the role's own rights
ALTER ROLE shop_writer SUPERUSER
=== refuse: the role's password
ALTER ROLE shop_writer PASSWORD 'known'
=== refuse: the current role's setting
ALTER ROLE CURRENT_USER SET search_path TO hidden
=== refuse: the database's setting
ALTER DATABASE postgres SET role TO shop_owner
=== refuse: a role is made
CREATE ROLE mine LOGIN SUPERUSER
=== refuse: a user is made
CREATE USER mine IN ROLE shop_owner
=== refuse: a membership is given
GRANT shop_owner TO shop_writer
=== refuse: a right is given
GRANT ALL ON secret TO PUBLIC
=== refuse: a right by default is given
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC
=== refuse: a right is taken
REVOKE ALL ON orders FROM shop_reader
=== refuse: another owner
REASSIGN OWNED BY shop_owner TO shop_writer
=== refuse: what a role owns is dropped
DROP OWNED BY shop_writer
=== refuse: an owner of a table
ALTER TABLE secret OWNER TO shop_writer
=== refuse: a function that runs as its owner
CREATE FUNCTION up() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'select 1'
=== refuse: a function that sets the role
CREATE FUNCTION up() RETURNS void LANGUAGE sql SET role = shop_owner AS 'select 1'
=== refuse: a function that runs as its owner is called
SELECT * FROM leak()
=== refuse: roles with their passwords
SELECT rolname, rolpassword FROM pg_authid
=== refuse: users with their passwords
SELECT usename, passwd FROM pg_shadow
=== refuse: row security is turned on behind a role
ALTER TABLE orders ENABLE ROW LEVEL SECURITY
=== refuse: a policy of rows
CREATE POLICY p ON orders USING (true)
=== refuse: a setting of somebody's own
SET app.user = 'admin'
=== refuse: a setting of somebody's own by set_config
SELECT set_config('app.user', 'admin', false)
=== refuse: what triggers do
SET session_replication_role = replica
=== refuse: what the server writes down
SET log_statement = 'none'
=== serve: who am I
SELECT current_user, session_user, current_role
=== serve: RESET of the role
SELECT current_setting('role')
=== serve: a harmless setting
SET timezone = 'UTC'
=== serve: a harmless setting for the transaction
BEGIN; SET LOCAL statement_timeout = '5s'; COMMIT
=== serve: a harmless setting by set_config
SELECT set_config('statement_timeout', '5s', false)
=== serve: the roles that there are
SELECT rolname FROM pg_roles ORDER BY 1 LIMIT 1
=== serve: the name a client gives itself
SET application_name = 'set role shop_owner'
=== serve: a string that looks like it
SELECT 'set role shop_owner'
