"""Speaks with websocket_server.py and prints what it hears: URL [CA TOKEN [wait]]. With `wait` it stays until the end."""

import asyncio
import json
import random
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

url, evidence = sys.argv[1], sys.argv[2:]


async def main():
    options = {}
    if evidence:
        options["ssl"] = ssl.create_default_context(cafile=evidence[0])
        options["additional_headers"] = {"Authorization": f"Bearer {evidence[1]}"}
    try:
        async with connect(url, max_size=None, **options) as connection:
            await connection.send("hello")
            heard = [await connection.recv()]
            if evidence[2:]:
                print(json.dumps(heard), flush=True)
                try:
                    await connection.recv()
                except ConnectionClosed:
                    return
            large = random.Random(7).randbytes(1 << 20)
            await connection.send(large)
            heard.append(await connection.recv() == large)
            print(json.dumps(heard))
    except InvalidStatus as refused:
        print(json.dumps([refused.response.status_code, json.loads(refused.response.body)["title"]]))


asyncio.run(main())
