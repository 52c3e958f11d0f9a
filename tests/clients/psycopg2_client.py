"""psycopg2: parameters written into the text, named cursors, COPY, execute_values, savepoints, encodings, notices."""

import psycopg2
import psycopg2.extensions
from psycopg2.extras import DictCursor, execute_values

connection = psycopg2.connect("")
print(connection.encoding, connection.get_parameter_status("DateStyle"), connection.server_version)
connection.set_session(isolation_level="REPEATABLE READ", readonly=False)
with connection, connection.cursor(cursor_factory=DictCursor) as cursor:
    cursor.execute("select id, country from customers where id in %(ids)s order by id", {"ids": (1, 2, 3)})
    print(cursor.fetchall())
    execute_values(cursor, "insert into orders (id, customer_id, status, total) values %s", [
        (2000 + n, 1, "it's new", n) for n in range(300)
    ])
    print(cursor.rowcount)
    with open("/dev/null", "rb") as nothing:
        cursor.copy_expert("copy orders (id, status) from stdin", nothing)
    cursor.execute("savepoint before")
    try:
        cursor.execute("insert into orders values (1, 1, 'twice', 1)")
    except psycopg2.errors.UniqueViolation as error:
        print(error.pgcode, error.diag.constraint_name)
        cursor.execute("rollback to savepoint before")
    cursor.execute("update orders set status = null where id = %s", (2000,))
    cursor.callproc("length", ["four"])
    print(cursor.fetchone())
with connection, connection.cursor(name="named") as cursor:
    cursor.itersize = 7
    cursor.execute("select id from orders order by id")
    print(len(list(cursor)), cursor.rowcount)
connection.autocommit = True
with connection.cursor() as cursor:
    cursor.execute("delete from orders where id >= 2000")
    print(cursor.rowcount, cursor.statusmessage)
connection.reset()
print(connection.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_IDLE)
connection.set_client_encoding("UTF8")
connection.close()
