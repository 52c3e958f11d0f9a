"""httpx over HTTP/2: many requests at once on one connection, streams both ways; `refused` asks what policy forbids."""

import asyncio
import os
import ssl
import sys

import httpx

URL = os.environ["URL"]
options = {"http2": True, "trust_env": False, "timeout": 30}
if "CA" in os.environ:
    context = ssl.create_default_context(cafile=os.environ["CA"])
    if "CERTIFICATE" in os.environ:
        context.load_cert_chain(os.environ["CERTIFICATE"], os.environ["KEY"])
    options["verify"] = context
if token := os.environ.get("TOKEN"):
    options["headers"] = {"Authorization": f"Bearer {token}"}


async def pieces():
    for number in range(50):
        yield b"%d" % number * 10_000


async def main():
    async with httpx.AsyncClient(**options) as client:
        if sys.argv[1:] == ["refused"]:
            answer = await client.get(f"{URL}/v1/secrets/1")
            problem = answer.json()
            print(answer.status_code, answer.headers["content-type"], problem["title"], problem["detail"])
            return
        answers = await asyncio.gather(*(client.get(f"{URL}/v1/echo", params={"n": n}) for n in range(40)))
        print([answer.json()[2] for answer in answers])
        print({answer.http_version for answer in answers}, file=sys.stderr)
        print((await client.post(f"{URL}/v1/echo", json={"a": "é"}, headers={"X-Own": "mine"})).json())
        print((await client.put(f"{URL}/v1/echo", content=pieces())).json())
        print((await client.post(f"{URL}/v1/echo", files={"file": b"x" * 100_000})).json())
        async with client.stream("GET", f"{URL}/v1/pieces") as answer:
            print(sum([len(piece) async for piece in answer.aiter_bytes()]))
        answer = await client.get(f"{URL}/v1/redirect", follow_redirects=True)
        print([step.status_code for step in answer.history], answer.json())
        print((await client.get(f"{URL}/v1/gzip")).text[:20], (await client.head(f"{URL}/v1/echo")).status_code)
        print((await client.get(f"{URL}/v1/nothing")).status_code, (await client.get(f"{URL}/v1/fault")).text)
        await client.get(f"{URL}/v1/cookies")
        print(dict(client.cookies), (await client.delete(f"{URL}/v1/echo")).json())


asyncio.run(main())
