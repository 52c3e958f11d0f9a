"""An MCP server of the official SDK, as its users write one: both revisions, over Streamable HTTP."""

import asyncio
import socket
import sys
import threading

import uvicorn
from mcp.server.mcpserver import MCPServer

server = MCPServer("tracker")


@server.tool()
def get_issue(number: int) -> str:
    """Reads an issue."""
    return f"issue {number} is open"


@server.tool()
def set_priority(number: int, priority: str) -> str:
    """Sets the priority of an issue."""
    return f"issue {number} is now {priority}"


@server.tool()
def delete_project(name: str) -> str:
    """Deletes a project with everything in it."""
    return f"{name} is gone"


@server.prompt()
def summary(number: str) -> str:
    """Asks for a summary of an issue."""
    return f"Sum up issue {number}."


@server.prompt()
def blame(number: str) -> str:
    """Asks whose fault an issue is."""
    return f"Whose fault is issue {number}?"


@server.resource("issue://1")
def first() -> str:
    """The first issue."""
    return "It does not work."


@server.resource("issue://2")
def second() -> str:
    """The second issue."""
    return "It still does not work."


listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
config = uvicorn.Config(server.streamable_http_app(), log_level="error")
serving = uvicorn.Server(config)


def end():
    sys.stdin.read()
    serving.should_exit = True


threading.Thread(target=end, daemon=True).start()
asyncio.run(serving.serve(sockets=[listening]))
