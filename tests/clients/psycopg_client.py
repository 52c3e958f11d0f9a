"""psycopg 3 on its own libpq: prepared statements, pipelines, server cursors, COPY both ways, savepoints, errors."""

import psycopg
from psycopg.rows import dict_row
from psycopg.types import TypeInfo
from psycopg.types.enum import EnumInfo

assert psycopg.pq.version() >= 180000, psycopg.pq.version()
with psycopg.connect("", row_factory=dict_row) as connection:
    print(connection.info.parameter_status("TimeZone"), connection.info.encoding)
    with connection.cursor() as cursor:
        for n in range(10):
            cursor.execute("select status from orders where id = %s", (n + 1,), prepare=True)
            print(cursor.fetchone())
        with cursor.copy("copy orders (id, customer_id, status, total) from stdin") as copy:
            for n in range(1000):
                copy.write_row((1000 + n, n % 100 + 1, f"new {n}", n))
        with cursor.copy("copy (select * from orders where id between 1000 and 1004) to stdout") as copy:
            print(list(copy.rows()))
        cursor.executemany(
            "update orders set status = %s where id = %s returning status", [("seen", 1), ("seen", 2)], returning=True
        )
        print(cursor.fetchone(), cursor.rowcount)
    with connection.cursor("named") as cursor:
        cursor.execute("select id from orders order by id")
        print(cursor.fetchmany(3), cursor.fetchone())
    with connection.pipeline():
        cursors = [connection.execute("select %s::int as n", (n,)) for n in range(50)]
        print([cursor.fetchone()["n"] for cursor in cursors])
    try:
        with connection.transaction():
            connection.execute("insert into orders values (1, 1, 'twice', 1)")
    except psycopg.errors.UniqueViolation as error:
        print(error.sqlstate, error.diag.constraint_name, error.diag.message_primary)
    try:
        with connection.transaction():
            connection.execute("selekt")
    except psycopg.errors.SyntaxError as error:
        print(error.sqlstate, error.diag.statement_position, error.diag.message_primary)
    print(connection.execute("select count(*) from orders", binary=True).fetchone())
    print(TypeInfo.fetch(connection, "text"), EnumInfo.fetch(connection, "no_such_type"))
    connection.rollback()
