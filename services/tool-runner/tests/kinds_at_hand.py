"""A tool runner for tests: all types, over the clients and stores that a test gives it."""

from collections.abc import Callable

import httpx
from pydantic import SecretStr

from voxbus_contracts import CallRef
from voxbus_contracts.commands import DiscoverTools
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import DiscoveredTool
from voxbus_objects import ObjectStore
from voxbus_runtime.server_access import ServerAccess
from voxbus_tool_runner.asking import Asker
from voxbus_tool_runner.kinds.api_request import ApiRequestTools
from voxbus_tool_runner.kinds.function import FunctionTools
from voxbus_tool_runner.kinds.mcp import McpTools
from voxbus_tool_runner.kinds.query import QueryTools
from voxbus_tool_runner.kinds.sms import SmsTools
from voxbus_tool_runner.knowledge.library import Library
from voxbus_tool_runner.receipts import Receipts
from voxbus_tool_runner.runner import Configs, Kind, ToolRunner


class Stored:
    """One configuration, whichever call is asked for."""

    def __init__(self, config: CallConfig | None) -> None:
        self.config = config

    async def read_config(self, ref: CallRef) -> CallConfig | None:
        return self.config


def tool_runner(
    configs: Configs,
    client: httpx.AsyncClient,
    key: SecretStr | None = None,
    *,
    max_answer_bytes: int = 1024 * 1024,
    now_ms: Callable[[], int] = lambda: 5,
    objects: ObjectStore | None = None,
    sms: tuple[Receipts, str] | None = None,
) -> ToolRunner:
    """`sms` = receipts and the vendor's address, reached by the same client."""
    asker, access = Asker(client, max_answer_bytes), ServerAccess(client, key)
    kinds: dict[str, Kind] = {
        "function": FunctionTools(asker, access),
        "apiRequest": ApiRequestTools(asker, access, key),
        "mcp": McpTools(client, access, max_answer_bytes=max_answer_bytes),
    }
    if objects is not None:
        kinds["query"] = QueryTools(Library(objects))
    if sms is not None:
        kinds["sms"] = SmsTools(asker, sms[0], sms[1], key)
    return ToolRunner(configs, kinds, now_ms=now_ms)


async def nothing_to_discover(ref: CallRef, command: DiscoverTools) -> tuple[DiscoveredTool, ...]:
    return ()
