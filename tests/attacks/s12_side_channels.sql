=== refuse: LISTEN
LISTEN told
=== refuse: NOTIFY
NOTIFY told
=== refuse: NOTIFY with a message
NOTIFY told, 'payload'
=== refuse: NOTIFY by its function
SELECT pg_notify('told', 'payload')
=== refuse: NOTIFY by its function for each row
SELECT pg_notify('told', country) FROM customers
=== refuse: NOTIFY of a hidden column
SELECT pg_notify('told', ssn) FROM customers
=== refuse: an advisory lock
SELECT pg_advisory_lock(1)
=== refuse: an advisory lock of the transaction
SELECT pg_advisory_xact_lock(1, 2)
=== refuse: an advisory lock is tried
SELECT pg_try_advisory_lock(1)
=== refuse: a bit for each answer by a lock
SELECT CASE WHEN country = 'DE' THEN pg_try_advisory_lock(1) END FROM customers
=== refuse: another backend is ended
SELECT pg_terminate_backend(1)
=== refuse: all backends are ended
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
=== refuse: another backend is cancelled
SELECT pg_cancel_backend(1)
=== refuse: what others are doing
SELECT query FROM pg_stat_activity
=== refuse: what others are doing by its function
SELECT * FROM pg_stat_get_activity(NULL)
=== refuse: what one of them is doing
SELECT pg_stat_get_backend_activity(1)
=== refuse: sleep
SELECT pg_sleep(0)
=== refuse: sleep in other words
SELECT pg_sleep_for('0 seconds'), pg_sleep_until(now())
=== refuse: sleep by an answer
SELECT CASE WHEN (SELECT ssn FROM customers LIMIT 1) LIKE '1%' THEN pg_sleep(1) END
=== refuse: who replicates
SELECT * FROM pg_stat_replication
=== refuse: who uses TLS
SELECT * FROM pg_stat_ssl
=== refuse: how often a table was read
SELECT seq_scan FROM pg_stat_user_tables
=== refuse: the values that are most common
SELECT most_common_vals FROM pg_stats
=== refuse: the statistics behind them
SELECT stavalues1 FROM pg_statistic
=== refuse: the statistics of several columns
SELECT * FROM pg_statistic_ext_data
=== refuse: which backend holds up which
SELECT pg_blocking_pids(1)
=== refuse: memory of a backend into the log
SELECT pg_log_backend_memory_contexts(1)
=== refuse: the log is turned over
SELECT pg_rotate_logfile()
=== refuse: shared memory
SELECT * FROM pg_shmem_allocations
=== refuse: the server says more than errors
SET client_min_messages = debug5
=== refuse: the server says what it plans
SET debug_print_plan = on
=== refuse: settings of the roles
SELECT setconfig FROM pg_db_role_setting
=== refuse: connections of foreign servers
SELECT umoptions FROM pg_user_mapping
=== refuse: connections of subscriptions
SELECT subconninfo FROM pg_subscription
=== serve: UNLISTEN
UNLISTEN *
=== serve: what hour it is
SELECT now(), clock_timestamp()
=== serve: my own backend
SELECT pg_backend_pid()
=== serve: my locks
SELECT locktype FROM pg_locks LIMIT 1
=== serve: the server says less
SET client_min_messages = warning
=== serve: a string that looks like it
SELECT 'pg_sleep(10)'
