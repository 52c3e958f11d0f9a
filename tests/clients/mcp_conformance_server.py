"""The MCP server that the protocol's own conformance tests ask for: its tools, prompts and resources by their names."""

import asyncio
import base64
import socket
import sys
import threading

import uvicorn
from mcp.server.mcpserver import Audio, Context, Image, MCPServer
from mcp.types import (
    Completion,
    EmbeddedResource,
    ImageContent,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)
from pydantic import BaseModel, Field

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SILENCE = b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0@\x1f\0\0\1\0\x08\0data\0\0\0\0"
server = MCPServer("conformance")


def embedded(uri, text):
    resource = TextResourceContents(uri=uri, mime_type="text/plain", text=text)
    return EmbeddedResource(type="resource", resource=resource)


def picture():
    return ImageContent(type="image", data=base64.b64encode(PIXEL).decode(), mime_type="image/png")


@server.tool()
def test_simple_text() -> str:
    """Says a text."""
    return "This is a simple text response for testing."


@server.tool()
def test_image_content() -> Image:
    """Shows one pixel."""
    return Image(data=PIXEL, format="png")


@server.tool()
def test_audio_content() -> Audio:
    """Plays nothing."""
    return Audio(data=SILENCE, format="wav")


@server.tool()
def test_embedded_resource() -> list:
    """Carries a resource."""
    return [embedded("test://embedded-resource", "This is an embedded resource content.")]


@server.tool()
def test_multiple_content_types() -> list:
    """Says and shows."""
    said = TextContent(type="text", text="Multiple content types test:")
    return [said, picture(), embedded("test://mixed-content-resource", '{"test":"data","value":123}')]


@server.tool()
async def test_tool_with_logging(context: Context) -> str:
    """Tells what it does."""
    for step in ["started", "processing data", "completed"]:
        await context.info(f"Tool execution {step}")
        await asyncio.sleep(0.05)
    return "done"


@server.tool()
async def test_tool_with_progress(context: Context) -> str:
    """Tells how far it is."""
    for progress in [0, 50, 100]:
        await context.report_progress(progress, 100)
        await asyncio.sleep(0.05)
    return "done"


@server.tool()
def test_error_handling() -> str:
    """Always fails."""
    raise ValueError("This tool intentionally returns an error for testing")


@server.tool()
async def test_sampling(prompt: str, context: Context) -> str:
    """Asks the client's model."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    # On the stream of this call: another one may not be open yet.
    call = context.request_id
    answer = await context.session.create_message([message], max_tokens=100, related_request_id=call)
    return f"LLM response: {answer.content.text}"


class Person(BaseModel):
    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


@server.tool()
async def test_elicitation(message: str, context: Context) -> str:
    """Asks the client's user."""
    answer = await context.elicit(message, Person)
    return f"User response: {answer.action}"


class Defaults(BaseModel):
    name: str = Field(default="John Doe")
    age: int = Field(default=30)
    score: float = Field(default=95.5)
    verified: bool = Field(default=True)


@server.tool()
async def test_elicitation_sep1034_defaults(context: Context) -> str:
    """Asks with answers at hand."""
    answer = await context.elicit("Please review", Defaults)
    return f"Elicitation completed: {answer.action}"


@server.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    """A text."""
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    """A picture."""
    return PIXEL


@server.resource("test://template/{id}/data", mime_type="application/json")
def template(id: str) -> str:
    """One of many."""
    return f'{{"id":"{id}","templateTest":true,"data":"Data for ID: {id}"}}'


@server.resource("test://watched-resource")
def watched() -> str:
    """What may change."""
    return "watched"


@server.prompt()
def test_simple_prompt() -> str:
    """A prompt."""
    return "This is a simple prompt for testing."


@server.prompt()
def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """A prompt with two arguments."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


def said(*contents):
    return [{"role": "user", "content": content.model_dump(by_alias=True, mode="json")} for content in contents]


@server.prompt(name="test_prompt_with_embedded_resource")
def prompt_with_resource(resourceUri: str) -> list:
    """A prompt with a resource."""
    text = TextContent(type="text", text="Please process the embedded resource above.")
    return said(embedded(resourceUri, "Embedded resource content for testing."), text)


@server.prompt()
def test_prompt_with_image() -> list:
    """A prompt with a picture."""
    return said(picture(), TextContent(type="text", text="Please analyze the image above."))


@server.completion()
async def complete(reference, argument, context):
    return Completion(values=[], total=0, has_more=False)


listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
config = uvicorn.Config(server.streamable_http_app(), log_level="error")
serving = uvicorn.Server(config)


def end():
    sys.stdin.read()
    serving.should_exit = True


threading.Thread(target=end, daemon=True).start()
asyncio.run(serving.serve(sockets=[listening]))
