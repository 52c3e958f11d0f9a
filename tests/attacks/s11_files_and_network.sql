=== refuse: a file
SELECT pg_read_file('/etc/passwd')
=== refuse: a part of a file
SELECT pg_catalog.pg_read_file('postgresql.auto.conf', 0, 100, true)
=== refuse: a file as bytes
SELECT encode(pg_read_binary_file('pg_hba.conf'), 'escape')
=== refuse: a file in FROM
SELECT * FROM pg_read_file('PG_VERSION') f
=== refuse: facts about a file
SELECT (pg_stat_file('PG_VERSION')).size
=== refuse: a folder
SELECT pg_ls_dir('.')
=== refuse: the folder of logs
SELECT * FROM pg_ls_logdir()
=== refuse: the folder of the write-ahead log
SELECT * FROM pg_ls_waldir()
=== refuse: the folder of temporary files
SELECT * FROM pg_ls_tmpdir()
=== refuse: the log that is being written
SELECT pg_current_logfile()
=== refuse: COPY from a file
COPY orders (status) FROM '/etc/passwd'
=== refuse: COPY to a file
COPY orders TO '/tmp/attack.out'
=== refuse: COPY of a query to a file
COPY (SELECT id FROM orders) TO '/tmp/attack.out' WITH CSV
=== refuse: COPY from a program
COPY orders (status) FROM PROGRAM 'id'
=== refuse: COPY to a program
COPY orders TO PROGRAM 'cat > /tmp/attack.out'
=== refuse: COPY of a query to a program
COPY (SELECT 'x') TO PROGRAM 'sh'
=== refuse: a file becomes a large object
SELECT lo_import('/etc/passwd')
=== refuse: a large object becomes a file
SELECT lo_export(4711, '/tmp/attack.out')
=== refuse: a large object is read
SELECT lo_get(4711)
=== refuse: a large object is opened
SELECT loread(lo_open(4711, 262144), 100)
=== refuse: all large objects
SELECT * FROM pg_largeobject
=== refuse: an extension
CREATE EXTENSION adminpack
=== refuse: an extension out of nothing
CREATE EXTENSION IF NOT EXISTS file_fdw CASCADE
=== refuse: an extension is moved
ALTER EXTENSION dblink SET SCHEMA public
=== refuse: a library
LOAD '/tmp/attack.so'
=== refuse: a library of the plugins' folder
LOAD '$libdir/plugins/x'
=== refuse: a setting of the server
ALTER SYSTEM SET archive_command = 'id'
=== refuse: all settings of the server
ALTER SYSTEM RESET ALL
=== refuse: the server reads its settings again
SELECT pg_reload_conf()
=== refuse: the lines of its access file
SELECT * FROM pg_hba_file_rules
=== refuse: the lines of its settings
SELECT * FROM pg_file_settings
=== refuse: settings by SHOW
SHOW data_directory
=== refuse: all settings by SHOW
SHOW ALL
=== refuse: all settings by SHOW in quotes
SHOW "ALL"
=== refuse: a setting by its function
SELECT current_setting('config_file')
=== refuse: where the server's files are
SELECT pg_tablespace_location(1663)
=== refuse: a tablespace
CREATE TABLESPACE t LOCATION '/tmp'
=== refuse: a database
CREATE DATABASE d
=== refuse: a database is dropped
DROP DATABASE postgres
=== refuse: an XML document that names a file, beside a hidden column
SELECT xmlparse(DOCUMENT '<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><a>&f;</a>'), ssn FROM customers
=== refuse: the server looks at another machine
SELECT * FROM hidden.dblink('host=169.254.169.254 user=x', 'select 1') AS t(a int)
=== refuse: what the backend has loaded
SELECT * FROM pg_get_loaded_modules()
=== refuse: how it was built
SELECT * FROM pg_config
=== refuse: a backup begins
SELECT pg_backup_start('x')
=== refuse: the log is switched
SELECT pg_switch_wal()
=== refuse: a restore point
SELECT pg_create_restore_point('x')
=== refuse: a slot
SELECT pg_create_physical_replication_slot('x')
=== refuse: changes out of a slot
SELECT * FROM pg_logical_slot_get_changes('x', NULL, NULL)
=== refuse: a standby becomes a primary
SELECT pg_promote()
=== serve: a string that names a file
SELECT '/etc/passwd' AS pg_read_file
=== serve: COPY to the client
COPY (SELECT id FROM orders LIMIT 1) TO STDOUT WITH (FORMAT csv, HEADER)
=== serve: COPY from the client
COPY orders (id, status) FROM STDIN
=== serve: an XML document
SELECT xmlelement(name a, 'b')
=== serve: which server this is
SELECT version()
=== serve: a setting by SHOW
SHOW server_version
