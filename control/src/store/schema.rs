//! The tables. `user_version` names the shape of the index; another shape is dropped and made again.

use rusqlite::Connection;

/// Changes whenever the index's tables do.
const INDEX_VERSION: i64 = 3;

const SNAPSHOTS: &str = "
    CREATE TABLE IF NOT EXISTS snapshots (
        number INTEGER PRIMARY KEY,
        made_at_ms INTEGER NOT NULL,
        json BLOB NOT NULL,
        signature BLOB NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS history (
        number INTEGER PRIMARY KEY,
        author TEXT NOT NULL,
        reason TEXT NOT NULL,
        change TEXT NOT NULL,
        sources TEXT NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS sources (
        digest TEXT PRIMARY KEY,
        json BLOB NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS floor (number INTEGER NOT NULL) STRICT;
";

const INDEX: &str = "
    DROP TABLE IF EXISTS progress;
    DROP TABLE IF EXISTS records;
    DROP TABLE IF EXISTS sessions;
    DROP TABLE IF EXISTS spools;

    CREATE TABLE progress (
        log TEXT NOT NULL,
        indexed INTEGER NOT NULL,
        segment INTEGER NOT NULL,
        offset INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE spools (
        id INTEGER PRIMARY KEY,
        gateway TEXT NOT NULL,
        worker INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        number INTEGER NOT NULL,
        first_index INTEGER NOT NULL,
        UNIQUE (gateway, worker, epoch)
    ) STRICT;

    CREATE TABLE records (
        log_index INTEGER PRIMARY KEY,
        segment INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        spool INTEGER NOT NULL,
        number INTEGER NOT NULL,
        time_us INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        session BLOB,
        workload TEXT,
        target TEXT,
        role TEXT,
        permitted INTEGER NOT NULL,
        rules TEXT,
        decision TEXT,
        text TEXT,
        tag TEXT,
        of_number INTEGER,
        status INTEGER NOT NULL,
        rows INTEGER NOT NULL,
        difference TEXT
    ) STRICT;
    CREATE INDEX records_that_differ ON records (log_index) WHERE difference IS NOT NULL;
    CREATE UNIQUE INDEX records_by_number ON records (spool, number);
    CREATE INDEX records_by_intent ON records (spool, of_number) WHERE of_number IS NOT NULL;
    CREATE INDEX records_by_session ON records (session, log_index) WHERE session IS NOT NULL;
    CREATE INDEX records_by_kind ON records (kind, log_index);
    CREATE INDEX records_by_workload ON records (workload, log_index) WHERE workload IS NOT NULL;
    CREATE INDEX records_by_target ON records (target, log_index) WHERE target IS NOT NULL;

    CREATE TABLE sessions (
        gateway TEXT NOT NULL,
        session BLOB NOT NULL,
        spool INTEGER NOT NULL,
        first_index INTEGER NOT NULL,
        opened_us INTEGER,
        ended_us INTEGER,
        ended_why TEXT NOT NULL,
        last_us INTEGER NOT NULL,
        workload TEXT NOT NULL,
        evidence TEXT NOT NULL,
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        certificate_serial TEXT NOT NULL,
        run TEXT NOT NULL,
        source TEXT NOT NULL,
        client_says TEXT NOT NULL,
        target TEXT NOT NULL,
        database_name TEXT NOT NULL,
        role TEXT NOT NULL,
        statements INTEGER NOT NULL,
        refusals INTEGER NOT NULL,
        rows INTEGER NOT NULL,
        PRIMARY KEY (gateway, session)
    ) STRICT;
    CREATE INDEX sessions_by_id ON sessions (session);
    CREATE INDEX sessions_by_order ON sessions (first_index);
    CREATE INDEX sessions_by_workload ON sessions (workload, first_index);
    CREATE INDEX sessions_by_target ON sessions (target, first_index);
    CREATE INDEX sessions_not_ended ON sessions (first_index) WHERE ended_us IS NULL;
";

/// Makes what is missing; an index of another version begins again.
pub fn prepare(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    // A lost last transaction is indexed again from the log; snapshots sync by themselves.
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.execute_batch(SNAPSHOTS)?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != INDEX_VERSION {
        clear_index(connection)?;
        connection.pragma_update(None, "user_version", INDEX_VERSION)?;
    }
    Ok(())
}

/// Empties the index, so that it is made again from the log.
pub fn clear_index(connection: &Connection) -> Result<(), rusqlite::Error> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(INDEX)?;
    transaction.commit()
}
