"""psycopg 3 on its own libpq: prepared statements, pipelines, server cursors and COPY through the gateway."""

import os
import psycopg

with psycopg.connect("", autocommit=False) as connection:
    assert psycopg.pq.version() >= 180000, psycopg.pq.version()
    with connection.cursor() as cursor:
        cursor.execute("create temp table psy (a int, b text)")
        with cursor.copy("copy psy from stdin") as copy:
            for n in range(1000):
                copy.write_row((n, f"row {n}"))
        for n in range(10):
            cursor.execute("select b from psy where a = %s", (n,), prepare=True)
            assert cursor.fetchone() == (f"row {n}",)
    with connection.cursor("named") as cursor:
        cursor.execute("select a from psy order by a")
        assert [row[0] for row in cursor.fetchmany(3)] == [0, 1, 2]
    with connection.pipeline():
        cursors = [connection.execute("select %s::int", (n,)) for n in range(50)]
    assert [cursor.fetchone()[0] for cursor in cursors] == list(range(50))
    connection.rollback()
try:
    psycopg.connect("", require_auth="scram-sha-256")
    raise SystemExit("a token was sent although only SCRAM was allowed")
except psycopg.OperationalError:
    pass
assert "PGPASSWORD" in os.environ
print("ok")
