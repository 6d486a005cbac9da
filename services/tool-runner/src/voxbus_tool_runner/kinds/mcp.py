"""mcp tools: which tools a server has, and calls of them."""

import asyncio
import importlib
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx

from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import DiscoveredTool
from voxbus_contracts.tool import Tool
from voxbus_runtime.server_access import ServerAccess
from voxbus_runtime.signing import Signed
from voxbus_tool_runner.answer import Answer
from voxbus_tool_runner.asking import told
from voxbus_tool_runner.errors import BadArguments, ServerMissing, ServerRefused
from voxbus_tool_runner.job import Job, Run

if TYPE_CHECKING:
    from types import ModuleType

    from voxbus_tool_runner.mcp_client.session import McpServer

DISCOVERY_S: Final = 10.0
_KEPT_S: Final = 60.0
_KEPT_SERVERS: Final = 500
_LONGEST_SCHEMAS: Final = 200_000
"""Characters of all that a server says of its tools: every question to the model carries them."""
_NAME: Final = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True, slots=True)
class _Found:
    tools: tuple[DiscoveredTool, ...]
    until_s: float


class McpTools:
    """Sessions last as long as what is asked; what a server was found to have is kept for a minute."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        access: ServerAccess,
        *,
        max_answer_bytes: int,
    ) -> None:
        self._client = client
        self._access = access
        self._max_answer_bytes = max_answer_bytes
        self._found: OrderedDict[tuple[str, ...], _Found] = OrderedDict()

    def job(self, run: Run) -> Job:
        """Raises BadArguments, ServerMissing, ServerRefused, BadSeal."""
        remote = run.command.remote
        if remote is None:
            raise BadArguments("This tool stands for the tools of a server; one of those must be called.")
        server = run.tool.server
        limit_s = min(run.timeout_s, server.timeout_seconds) if server else run.timeout_s

        async def act() -> Answer:
            sdk = await _sdk()
            to = await self._server(sdk, run.config, run.tool, run.headers)
            call = sdk.ToolCall(remote.name, {**run.command.arguments, **run.static}, run.key)
            return await sdk.call_tool(to, call, self._client, self._max_answer_bytes)

        return Job(act, limit_s)

    async def discover(self, config: CallConfig, tool: Tool) -> tuple[DiscoveredTool, ...]:
        """Raises ToolError."""
        sdk = await _sdk()
        with told(DISCOVERY_S):
            async with asyncio.timeout(DISCOVERY_S):
                server = await self._server(sdk, config, tool, {"user-agent": "voxbus-tool-runner"})
                key = (config.org, server.url, *sorted(f"{name}={value}" for name, value in server.headers.items()))
                known = self._found.get(key)
                if known is not None and time.monotonic() < known.until_s:
                    return known.tools
                offered = await sdk.list_tools(server, self._client, self._max_answer_bytes)
        tools = discovered(offered)
        self._found[key] = _Found(tools, time.monotonic() + _KEPT_S)
        while len(self._found) > _KEPT_SERVERS:
            self._found.popitem(last=False)
        return tools

    async def _server(
        self, sdk: "ModuleType", config: CallConfig, tool: Tool, headers: Mapping[str, str]
    ) -> "McpServer":
        server = tool.server
        if server is None or not server.url:
            raise ServerMissing("The mcp tool has no server.")
        plan = config.authentication_of(server)
        if plan and plan.get("type") == "hmac":
            raise ServerRefused("An mcp server takes a bearer or oauth2 credential, no hmac one.")
        lets_in = await self._access.headers(server, plan, Signed(server.url, b"", "", 0))
        is_sse = (tool.metadata or {}).get("protocol") == "sse"
        return sdk.McpServer(server.url, lets_in | dict(headers), is_sse)


def discovered(offered: list[dict[str, Any]]) -> tuple[DiscoveredTool, ...]:
    """Under names a model may call; the first of a name counts, and as many as are not too much to tell."""
    found: dict[str, DiscoveredTool] = {}
    left = _LONGEST_SCHEMAS
    for each in offered:
        name = _NAME.sub("_", each["name"])[:64]
        left -= len(str(each["inputSchema"])) + len(each["description"])
        if left < 0:
            break
        schema = each["inputSchema"] if isinstance(each["inputSchema"], dict) else {}
        found.setdefault(
            name,
            DiscoveredTool(name=name, remote_name=each["name"], description=each["description"], parameters=schema),
        )
    return tuple(found.values())


async def _sdk() -> "ModuleType":
    """The first time in a thread: it takes a while, and calls are being served."""
    return await asyncio.to_thread(importlib.import_module, "voxbus_tool_runner.mcp_client.session")
