//! Drivers of Python: psycopg 3 on its own libpq 18, psycopg2, asyncpg.

use super::{House, WRITES, may, python};

#[test]
fn psycopg_3_needs_session_basics_and_for_its_types_introspection() {
    let house = House::granting(
        &["session-basics", "introspection"],
        &[may(&["select", "insert", "update"], &["orders"])],
    );
    house.serves(|| python("psycopg_client.py"));
    house.serves_by_certificate(|| python("psycopg_client.py"));
    house.refuses_without("introspection", python("psycopg_client.py"));
    house.refuses_without("session-basics", python("psycopg_client.py"));
    let mut only_scram = python("psycopg_client.py");
    only_scram.env("PGREQUIREAUTH", "scram-sha-256");
    house
        .through(only_scram)
        .turned_away("authentication method requirement");
}

#[test]
fn psycopg2_needs_session_basics_and_its_tables() {
    let house = House::granting(
        &["session-basics"],
        &[may(WRITES, &["orders"]), may(&["select"], &["customers"])],
    );
    house.serves(|| python("psycopg2_client.py"));
}

#[test]
fn asyncpg_needs_session_basics_and_for_its_types_introspection() {
    let house = House::granting(
        &["session-basics", "introspection"],
        &[may(WRITES, &["orders"]), may(&["select"], &["customers"])],
    );
    house.serves(|| python("asyncpg_client.py"));
    house.refuses_without("introspection", python("asyncpg_client.py"));
}
