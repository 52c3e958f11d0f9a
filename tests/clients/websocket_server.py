"""A WebSocket server that says each message back, and on which path; it speaks HTTP/1.1 in plain text."""

import asyncio
import contextlib
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosedError


async def echo(connection):
    # Sessions are ended on purpose.
    with contextlib.suppress(ConnectionClosedError):
        async for message in connection:
            await connection.send(f"{connection.request.path} {message}" if isinstance(message, str) else message)


async def main():
    async with serve(echo, "127.0.0.1", 0, max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
