"""The official SDK's client does everything a session has, and prints what came of it: MODE URL [CA TOKEN]."""

import asyncio
import json
import ssl
import sys

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

mode, url, evidence = sys.argv[1], sys.argv[2], sys.argv[3:]


async def told(asked):
    try:
        return await asked
    except MCPError as error:
        return [error.error.code, error.error.message]


async def names(asked, field, name):
    return sorted(str(getattr(entry, name)) for entry in getattr(await asked, field))


async def text(asked):
    return (await asked).content[0].text


async def read(asked):
    return (await asked).contents[0].text


async def main():
    options = {}
    if evidence:
        options["verify"] = ssl.create_default_context(cafile=evidence[0])
        options["headers"] = {"Authorization": f"Bearer {evidence[1]}"}
    async with httpx2.AsyncClient(timeout=20, **options) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            found = {
                "version": client.protocol_version,
                "tools": await told(names(client.list_tools(), "tools", "name")),
                "prompts": await told(names(client.list_prompts(), "prompts", "name")),
                "resources": await told(names(client.list_resources(), "resources", "uri")),
            }
            calls = {
                "get_issue": {"number": 1},
                "set_priority": {"number": 1, "priority": "low"},
                "delete_project": {"name": "all"},
            }
            for name, arguments in calls.items():
                found[name] = await told(text(client.call_tool(name, arguments)))
            high = {"number": 1, "priority": "high"}
            found["set_priority_high"] = await told(text(client.call_tool("set_priority", high)))
            for name in ["summary", "blame"]:
                prompt = await told(client.get_prompt(name, {"number": "1"}))
                found[name] = prompt if isinstance(prompt, list) else prompt.messages[0].content.text
            for uri in ["issue://1", "issue://2"]:
                found[uri] = await told(read(client.read_resource(uri)))
            print(json.dumps(found))


asyncio.run(main())
