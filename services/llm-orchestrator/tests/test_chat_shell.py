"""The shell of a chat: one request at a time, what it says is logged first, usage is metered."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from virtual_shell import TIMEOUT_S, FakeCall, FakeModel

from voxbus_contracts import CallRef
from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_contracts.config import CHAT
from voxbus_contracts.message import Message
from voxbus_llm_orchestrator.chat.shell import ChatShell
from voxbus_llm_orchestrator.knowledge_server import KnowledgeServer
from voxbus_llm_orchestrator.models import Models
from voxbus_providers.errors import ProviderRejected, ProviderUnavailable
from voxbus_providers.model import EndOfCall, ModelUsage, TextDelta, ToolCall
from voxbus_runtime.bus import unix_ms
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client
from voxbus_runtime.sequencing import LoggedMessage
from voxbus_runtime.server_access import ServerAccess

ASSISTANT: dict[str, Any] = {
    "model": {"provider": "openai", "model": "x", "messages": [{"role": "system", "content": "Be kind."}]}
}


class FakeBus:
    """What is said under an id of its own goes where everything else goes."""

    def __init__(self, call: FakeCall) -> None:
        self.call = call
        self.ids: list[str] = []

    async def publish_event(self, _ref: CallRef, message: Message, *, event_id: str, **_: Any) -> None:
        self.ids.append(event_id)
        await self.call.publish(message)


@asynccontextmanager
async def asked(
    model: FakeModel,
    *history: Message,
    answer_within_ms: int = 60_000,
    assistant: dict[str, Any] = ASSISTANT,
    knows: Callable[[httpx.Request], httpx.Response] | None = None,
) -> AsyncIterator[FakeCall]:
    """A chat somebody has just written "hi" in; `history` is what an earlier worker has logged of it."""
    call = FakeCall(assistant)
    config = {"call_type": CHAT, "created_at_ms": unix_ms()}
    call.config = call.config.model_copy(update=config)
    lines = (e.ChatLine(role="user", content="hi"),)
    requested = e.ChatRequested(lines=lines, answer_by_ms=unix_ms() + answer_within_ms)
    call.hears("control-api", requested)
    call.history = tuple(logged(message) for message in history)
    call.stage, call.bus = "llm-orchestrator", FakeBus(call)  # type: ignore[attr-defined]
    client = customer_client(Guard(), inner=httpx.MockTransport(knows)) if knows else None
    knowledge = KnowledgeServer(client, ServerAccess(client, None)) if client else None
    shell = ChatShell(call, call.config.assistant, Models(lambda _: model, knowledge))  # type: ignore[arg-type]
    running = asyncio.create_task(shell.run())
    try:
        yield call
        async with asyncio.timeout(TIMEOUT_S):
            await running
    finally:
        running.cancel()


def logged(message: Message) -> LoggedMessage:
    call = FakeCall({})
    call.hears("llm-orchestrator", message)  # type: ignore[arg-type]
    return call._coming.get_nowait()


def texts(call: FakeCall) -> str:
    return "".join(word.text for word in call.all_of(e.ChatWorded))


async def test_the_answer_is_logged_piece_by_piece_metered_and_ended() -> None:
    model = FakeModel()
    async with asked(model) as call:
        model.say(TextDelta("Hello"), ends=False)
        await call.says(e.ChatWorded)
        model.say(TextDelta(" you."), ModelUsage(12, 2))
        ended = await call.says(e.ChatEnded)
    assert texts(call) == "Hello you."
    assert [(line.role, line.content) for line in ended.lines] == [("assistant", "Hello you.")]
    used = {usage.unit: usage.quantity for usage in call.all_of(e.UsageRecorded) if usage.item == "model"}
    assert used == {"prompt_tokens": 12, "completion_tokens": 2}
    assert [usage.quantity for usage in call.all_of(e.UsageRecorded) if usage.item == "chat"] == [1]
    assert call.bus.ids == [f"chat.{call.ref.call}"]  # type: ignore[attr-defined]
    names = [message.name() for message in call.said]
    assert names.index("chat.worded") < names.index("reply.generated") < names.index("chat.ended")
    assert [(turn.role, turn.content) for turn in model.requests[0].messages] == [
        ("system", "Be kind."),
        ("user", "hi"),
    ]


async def test_tokens_that_come_together_leave_together() -> None:
    model = FakeModel()
    async with asked(model) as call:
        model.say(*[TextDelta(f"{number} ") for number in range(100)])
        await call.says(e.ChatEnded)
    assert len(call.all_of(e.ChatWorded)) <= 3
    assert texts(call) == "".join(f"{number} " for number in range(100))


async def test_a_tools_answer_goes_back_to_the_model() -> None:
    model = FakeModel()
    async with asked(model) as call:
        model.say(ToolCall("x", "order_status", {"order": "4711"}))
        run = await call.says(c.RunTool)
        call.hears(
            "tool-runner",
            e.ToolFinished(tool_call_id=run.tool_call_id, tool_name=run.tool_name, result="Friday", duration_ms=1),
        )
        model.say(TextDelta("On Friday."), request=1)
        await call.says(e.ChatEnded)
    assert [(turn.role, turn.content) for turn in model.requests[1].messages[-2:]] == [
        ("assistant", ""),
        ("tool", "Friday"),
    ]


async def test_what_a_broken_request_said_is_kept_and_the_next_one_goes_on_from_there() -> None:
    model = FakeModel()
    async with asked(model) as call:
        model.say(TextDelta("Hello"), ProviderUnavailable("openai", "broke off"), ends=False)
        await call.says(e.ReplyRetried)
        model.say(TextDelta(" you."), request=1)
        ended = await call.says(e.ChatEnded)
    assert ended.lines[0].content == "Hello you."
    assert model.requests[1].messages[-2].content == "Hello"


async def test_a_flush_is_for_voices_and_never_written_however_it_comes_apart() -> None:
    model = FakeModel()
    async with asked(model) as call:
        model.say(*[TextDelta(text) for text in ("Hello <fl", "ush /", ">you, 1 <", " 2.")])
        ended = await call.says(e.ChatEnded)
    assert texts(call) == ended.lines[0].content == "Hello you, 1 < 2."


async def test_a_model_that_is_down_gives_its_place_to_one_that_stands_in() -> None:
    model = FakeModel()
    stands_in = {"model": {**ASSISTANT["model"], "fallbackModels": ["y"]}}
    async with asked(model, assistant=stands_in) as call:
        model.say(ProviderRejected("openai", "answered 404"), ends=False)
        model.say(TextDelta("Hello."), ModelUsage(12, 2), request=1)
        ended = await call.says(e.ChatEnded)
    assert ended.lines[0].content == "Hello."
    assert [request.model.model for request in model.requests] == ["x", "y"]
    assert {usage.model for usage in call.all_of(e.UsageRecorded) if usage.item == "model"} == {"y"}


async def test_a_chat_asks_the_customers_knowledge_too() -> None:
    def knows(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"documents": [{"content": "We open at nine."}]})

    model = FakeModel()
    base = {"provider": "custom-knowledge-base", "server": {"url": "https://know.example/"}}
    async with asked(model, assistant={"model": {**ASSISTANT["model"], "knowledgeBase": base}}, knows=knows) as call:
        model.say(TextDelta("At nine."))
        await call.says(e.ChatEnded)
    told = [turn.content for turn in model.requests[0].messages]
    assert "We open at nine." in told[1]
    assert told[2] == "hi"


async def test_a_message_of_the_customers_knowledge_takes_the_models_place_in_a_chat() -> None:
    def knows(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"message": "We are closed."})

    model = FakeModel()
    base = {"provider": "custom-knowledge-base", "server": {"url": "https://know.example/"}}
    async with asked(model, assistant={"model": {**ASSISTANT["model"], "knowledgeBase": base}}, knows=knows) as call:
        ended = await call.says(e.ChatEnded)
    assert ended.lines[0].content == "We are closed."
    assert not model.requests


async def test_a_model_that_is_down_ends_the_chat_with_its_reason() -> None:
    model = FakeModel()
    async with asked(model) as call:
        for request in (0, 1):
            model.say(ProviderUnavailable("openai", "is down"), request=request, ends=False)
        ended = await call.says(e.ChatEnded)
    assert (ended.error, ended.detail) == ("model-failed", "openai: is down")


async def test_an_end_that_somebody_else_declared_aborts_the_model() -> None:
    model = FakeModel()
    async with asked(model) as call:
        while not model.requests:
            await asyncio.sleep(0)
        call.hears("control-api", e.ChatEnded(error="too-slow"))
    assert model.aborted == [0]
    assert not call.all_of(e.ChatEnded)


async def test_a_new_owner_of_a_model_that_never_says_the_same_keeps_the_tools_it_called() -> None:
    model = FakeModel()
    wanted = e.ToolRequested(tool_call_id="call_1_1", tool_name="t", arguments={}, reply=1, turn=1)
    before: tuple[Any, ...] = (
        e.ReplyStarted(reply=1, turn=1, source="model"),
        e.ChatWorded(reply=1, piece=1, text="One moment."),
        wanted,
        c.RunTool(tool_call_id="call_1_1", tool_name="t", arguments={}),
        e.ToolFinished(tool_call_id="call_1_1", tool_name="t", result="done", duration_ms=1),
    )
    async with asked(model, *before) as call:
        model.say(TextDelta("Done."), EndOfCall())
        ended = await call.says(e.ChatEnded)
    assert not call.all_of(c.RunTool)
    assert [line.content for line in ended.lines] == ["One moment.", "done", "Done."]
    assert ended.end_call
