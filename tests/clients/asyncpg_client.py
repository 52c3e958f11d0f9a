"""asyncpg: a pool that resets its connections, introspection of types, cursors, COPY, savepoints, errors."""

import asyncio
import os
import ssl

import asyncpg


async def work():
    tls = ssl.create_default_context(cafile=os.environ["PGSSLROOTCERT"])
    async with asyncpg.create_pool(min_size=2, max_size=3, ssl=tls) as pool:
        print(await asyncio.gather(*(pool.fetchval("select $1::int + 1", n) for n in range(20))))
        async with pool.acquire() as connection:
            print(await connection.fetch("select id, country from customers where id = any($1::int[]) order by id", [1, 2]))
            print(await connection.fetchval("select array_agg(t order by t) from (values ('a'::name), ('b')) x(t)"))
            print(await connection.fetchval("select int4range(1, 5)"), await connection.fetchval("select row(1, 'x'::text)"))
            print(await connection.copy_records_to_table(
                "orders", records=[(3000 + n, 1, "new", n) for n in range(100)],
                columns=["id", "customer_id", "status", "total"],
            ))
            async with connection.transaction():
                print([row["id"] async for row in connection.cursor("select id from orders order by id limit 5", prefetch=2)])
                try:
                    async with connection.transaction():
                        await connection.execute("insert into orders values (1, 1, 'twice', 1)")
                except asyncpg.UniqueViolationError as error:
                    print(error.sqlstate, error.constraint_name)
            await connection.execute("set statement_timeout = '7s'")
        # Only the pool's reset between the two takes it back.
        async with pool.acquire() as connection:
            print(await connection.fetchval("show statement_timeout"))
            print(await connection.execute("delete from orders where id >= $1", 3000))


asyncio.run(work())
