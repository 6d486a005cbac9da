"""One session with an MCP server: what it has, and a call of one of its tools."""

import contextlib
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
import httpx2
from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, PaginatedRequestParams

from voxbus_tool_runner.answer import Answer, one_line
from voxbus_tool_runner.errors import BadAnswer, ServerUnreachable
from voxbus_tool_runner.mcp_client.bridge import GuardedBridge, bridged

MOST_TOOLS: Final = 128
_KEY_IN_META: Final = "voxbus/idempotency-key"


@dataclass(frozen=True, slots=True)
class McpServer:
    """Where it is, what lets us in, and which of both transports it speaks."""

    url: str
    headers: Mapping[str, str]
    is_sse: bool = False


async def list_tools(server: McpServer, client: httpx.AsyncClient, max_bytes: int) -> list[dict[str, Any]]:
    """`{name, description, inputSchema}`, at most MOST_TOOLS. Raises ToolError and what the client raises."""
    found: list[dict[str, Any]] = []
    async with _session(server, client, max_bytes) as session:
        cursor: str | None = None
        while len(found) < MOST_TOOLS:
            page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor) if cursor else None)
            found += [
                {"name": each.name, "description": each.description or "", "inputSchema": each.input_schema}
                for each in page.tools
            ]
            cursor = page.next_cursor
            if not cursor:
                break
    return found[:MOST_TOOLS]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What is to be called there; the key is the same however often the call is made."""

    name: str
    arguments: Mapping[str, Any]
    key: str


async def call_tool(server: McpServer, call: ToolCall, client: httpx.AsyncClient, max_bytes: int) -> Answer:
    """Raises ToolError and what the client raises."""
    async with _session(server, client, max_bytes) as session:
        done = await session.call_tool(call.name, dict(call.arguments), meta={_KEY_IN_META: call.key})
    return _answer(done)


def _answer(done: CallToolResult) -> Answer:
    texts = [str(getattr(each, "text", "")) for each in done.content if getattr(each, "text", "")]
    text = "\n".join(texts)
    if done.is_error:
        return Answer(error=one_line(text) or "The tool failed.")
    value: Any = done.structured_content if done.structured_content is not None else text
    if not texts and done.structured_content is None:
        return Answer(result="Done.", value=None)
    return Answer(result=one_line(text or json.dumps(value)), value=value)


@contextlib.asynccontextmanager
async def _session(server: McpServer, client: httpx.AsyncClient, max_bytes: int) -> AsyncGenerator[ClientSession]:
    bridge = GuardedBridge(client, max_bytes)
    try:
        async with contextlib.AsyncExitStack() as stack:
            reading, writing = await stack.enter_async_context(_transport(server, bridge))
            session = await stack.enter_async_context(ClientSession(reading, writing))
            await session.initialize()
            yield session
    except MCPError as refused:
        raise bridge.problem or BadAnswer(f"The tool's server refused: {one_line(str(refused))[:300]}") from None
    except (ExceptionGroup, httpx2.HTTPError, httpx2.InvalidURL) as failed:
        raise bridge.problem or _first(failed) from None


@contextlib.asynccontextmanager
async def _transport(server: McpServer, bridge: GuardedBridge) -> AsyncGenerator[tuple[Any, Any]]:
    if server.is_sse:

        def factory(*_: Any, **__: Any) -> httpx2.AsyncClient:
            return bridged(bridge, server.headers)

        async with sse_client(server.url, httpx_client_factory=factory) as streams:
            yield streams[0], streams[1]
        return
    async with (
        bridged(bridge, server.headers) as http,
        streamable_http_client(server.url, http_client=http) as streams,
    ):
        yield streams[0], streams[1]


def _first(failed: BaseException) -> Exception:
    """What lies at the bottom of what the SDK's tasks threw together, in our own words."""
    while isinstance(failed, BaseExceptionGroup):
        failed = failed.exceptions[0]
    if isinstance(failed, httpx2.HTTPStatusError):
        return BadAnswer(f"The tool's server answered with status {failed.response.status_code}.")
    if isinstance(failed, MCPError):
        return BadAnswer(f"The tool's server refused: {one_line(str(failed))[:300]}")
    return failed if isinstance(failed, BadAnswer) else ServerUnreachable("The tool's server could not be reached.")
