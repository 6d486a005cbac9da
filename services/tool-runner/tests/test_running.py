"""Running tools: the whole of it but the bus and the network."""

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest
import structlog
from cryptography.fernet import Fernet
from kinds_at_hand import nothing_to_discover, tool_runner
from pydantic import SecretStr

from voxbus_bus import Received
from voxbus_contracts import CallRef, Command, Envelope, Event
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.commands import RunTool
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import ToolFinished
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client
from voxbus_runtime.sealing import seal_config
from voxbus_tool_runner.errors import StillRunning
from voxbus_tool_runner.handlers import ToolCommands

REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")
KEY = SecretStr(Fernet.generate_key().decode())
LOCAL = "http://127.0.0.1:9/tool"

Server = Callable[[httpx.Request], httpx.Response]


class Published:
    """A stream in memory: the same id counts once."""

    def __init__(self) -> None:
        self.by_id: dict[str, ToolFinished] = {}

    async def publish_stored(
        self, ref: CallRef, message: Event | Command, *, event_id: str | None = None, traceparent: str = ""
    ) -> int:
        assert isinstance(message, ToolFinished)
        self.by_id.setdefault(event_id or "", message)
        return len(self.by_id)

    async def answered(self, ref: CallRef, tool_call_id: str) -> bool:
        return any(finished.tool_call_id == tool_call_id for finished in self.by_id.values())

    @property
    def only(self) -> ToolFinished:
        (finished,) = self.by_id.values()
        return finished


class Stored:
    """Configurations in memory."""

    def __init__(self, url: str = LOCAL, config: bool = True, **tool: object) -> None:
        server = {"url": url, "secret": "s3cret", "headers": {"x-shop": "north"}}
        function = {"name": "order_status"}
        assistant = {"model": {"tools": [{"type": "function", "function": function, "server": server, **tool}]}}
        sealed = Assistant.model_validate(seal_config(assistant, KEY))
        self.config = CallConfig(org=REF.org, call=REF.call, created_at_ms=1, assistant=sealed) if config else None

    async def read_config(self, ref: CallRef) -> CallConfig | None:
        return self.config


def commands(stored: Stored, server: Server, published: Published, *, key: SecretStr = KEY) -> ToolCommands:
    client = customer_client(Guard.parse("127.0.0.0/8"), inner=httpx.MockTransport(server))
    runner = tool_runner(stored, client, key, max_answer_bytes=1024)
    return ToolCommands(runner, nothing_to_discover, published, published.answered, structlog.get_logger())


def command(tool_call_id: str = "call_1", delivery: int = 1, timeout_ms: int = 5_000) -> Received:
    message = RunTool(
        tool_call_id=tool_call_id, tool_name="order_status", arguments={"order": "4711"}, timeout_ms=timeout_ms
    )
    envelope = Envelope("e", message.schema_id(), 1, "llm", "llm-orchestrator", 1, 1)
    return Received(REF, envelope, message, message.payload(), 1, delivery)


def ships(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"results": [{"toolCallId": "call_1", "result": "ships"}]})


async def test_the_server_is_asked_with_its_secret_headers_and_an_idempotency_key() -> None:
    asked: list[httpx.Request] = []

    def server(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return ships(request)

    published = Published()
    await commands(Stored(), server, published).on_command(command())
    assert published.only.result == "ships"
    assert list(published.by_id) == [f"tool.{REF.call}.call_1"]
    (request,) = asked
    assert request.headers["x-vapi-secret"] == "s3cret"
    assert request.headers["x-shop"] == "north"
    assert request.headers["idempotency-key"] == f"{REF.call}:call_1"
    body = json.loads(request.content)["message"]
    assert body["type"] == "tool-calls"
    assert "s3cret" not in request.content.decode()


async def test_whatever_the_server_does_the_model_gets_an_answer() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("connection reset")

    cases: list[tuple[Stored, Server, str]] = [
        (Stored(), lambda _: httpx.Response(500), "status 500"),
        (Stored(), lambda _: httpx.Response(302, headers={"location": "http://10.0.0.1"}), "status 302"),
        (Stored(), lambda _: httpx.Response(200, content=b"x" * 2000), "more than 1024 bytes"),
        (Stored(), broken, "could not be reached"),
        (Stored(url="http://10.0.0.1/tool"), ships, "must not be reached"),
        (Stored(url="file:///etc/passwd"), ships, "must not be reached"),
        (Stored(url="http://[broken"), ships, "must not be reached"),
        (Stored(config=False), ships, "no configuration"),
        (Stored(function={"name": "other"}), ships, "no tool called order_status"),
    ]
    for stored, server, told in cases:
        published = Published()
        await commands(stored, server, published).on_command(command(delivery=3))
        assert published.only.result is None
        assert told in str(published.only.error), told


async def test_its_server_is_asked_again_as_its_plan_says_within_its_time_and_with_one_key() -> None:
    keys: list[str] = []

    def passing(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["idempotency-key"])
        if len(keys) == 1:
            raise httpx.ConnectError("x")
        return ships(request) if len(keys) == 3 else httpx.Response(503)

    again = {"type": "fixed", "maxRetries": 2, "baseDelaySeconds": 0}
    for server_plan, answers in ((again, 3), ({**again, "excludedStatusCodes": [503]}, 2), (None, 1)):
        keys.clear()
        published = Published()
        server = {"url": LOCAL, **({"backoffPlan": server_plan} if server_plan else {})}
        await commands(Stored(server=server), passing, published).on_command(command())
        assert (published.only.result == "ships", len(keys), len(set(keys))) == (answers == 3, answers, 1)


async def test_a_secret_of_another_cluster_key_is_never_sent() -> None:
    published = Published()
    other = SecretStr(Fernet.generate_key().decode())
    await commands(Stored(), ships, published, key=other).on_command(command())
    assert "cannot be opened" in str(published.only.error)


async def test_a_server_that_does_not_answer_in_time_is_given_up() -> None:
    async def silent(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    published = Published()
    await commands(Stored(), silent, published).on_command(command(timeout_ms=100))  # type: ignore[arg-type]
    assert "within 0.1 seconds" in str(published.only.error)


async def test_an_asynchronous_tool_is_answered_before_its_server_is() -> None:
    published = Published()
    seen: list[int] = []

    def server(request: httpx.Request) -> httpx.Response:
        seen.append(len(published.by_id))
        return ships(request)

    stored = Stored(**{"async": True})
    await commands(stored, server, published).on_command(command())
    assert seen == [1]
    assert published.only.result == "Success."


async def test_a_command_that_comes_again_after_its_answer_does_not_run_twice() -> None:
    asked: list[httpx.Request] = []

    def server(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return ships(request)

    published = Published()
    tools = commands(Stored(), server, published)
    await tools.on_command(command())
    await tools.on_command(command(delivery=2))
    assert len(asked) == 1


async def test_an_asynchronous_tool_whose_runner_died_after_the_answer_is_run_by_the_next_with_the_same_key() -> None:
    class Killed(BaseException):
        """The process ends here."""

    keys: list[str] = []

    def server(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["idempotency-key"])
        if len(keys) == 1:
            raise Killed
        return ships(request)

    stored, published = Stored(**{"async": True}), Published()
    with pytest.raises(Killed):
        await commands(stored, server, published).on_command(command())
    await commands(stored, server, published).on_command(command(delivery=2))
    assert keys == [f"{REF.call}:call_1"] * 2
    assert published.only.result == "Success."


async def test_a_command_that_comes_again_while_it_runs_waits() -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        entered.set()
        await release.wait()
        return ships(request)

    published = Published()
    tools = commands(Stored(), slow, published)  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        group.create_task(tools.on_command(command()))
        await entered.wait()
        try:
            await tools.on_command(command(delivery=2))
        except StillRunning as again:
            assert again.retryable
        else:
            raise AssertionError("ran twice at a time")
        release.set()
    assert published.only.result == "ships"
