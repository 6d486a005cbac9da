"""Hooks on real calls: what the bus says of them, and what the caller hears."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from assistants import hearing, scripted, speech_at
from bus_watch import BusWatch, in_order
from stack import Stack, running

from voxbus_testing.caller import calling
from voxbus_testing.transcriber_server import TranscriberServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

Json = dict[str, Any]
RULE = {"when": "order", "say": "It ships on Friday."}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`voxbus up`, whose guard lets the test's own server be reached."""
    folder = tmp_path_factory.mktemp("hooks") / "data"
    with running(folder, VOXBUS_GUARD_ALLOW="127.0.0.0/8") as started:
        yield started


def say(*exact: str) -> Json:
    return {"type": "say", "exact": list(exact)}


def hook(on: str, *do: Json, **more: Any) -> Json:
    return {"on": on, "do": list(do), **more}


@asynccontextmanager
async def tool_server() -> AsyncGenerator[tuple[str, list[tuple[str, Json]]]]:
    """Its address, and the tool calls it gets with their idempotency keys."""
    asked: list[tuple[str, Json]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        message = json.loads(await reader.readexactly(int(headers["content-length"])))["message"]
        asked.append((headers["idempotency-key"], message))
        body = json.dumps({"results": [{"toolCallId": message["toolCallList"][0]["id"], "result": "noted"}]})
        writer.write(f"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/notes", asked


async def heard_of(watch: BusWatch, call: str) -> list[tuple[str, str]]:
    """Source and heard words of every reply, in order."""
    sources = {each["reply"]: each["source"] for each in await watch.payloads(call, "reply.started")}
    ended = await watch.payloads(call, "reply.finished")
    return [(sources[each["reply"]], each["heard"]) for each in ended]


async def test_a_time_that_elapses_speaks_and_calls_a_stored_tool(stack: Stack, watch: BusWatch) -> None:
    async with tool_server() as (url, asked):
        headers = {"Authorization": f"Bearer {stack.key}"}
        async with httpx.AsyncClient(base_url=stack.api, headers=headers, timeout=20) as api:
            tool = {"type": "function", "function": {"name": "note_time"}, "server": {"url": url}}
            tool_id = (await api.post("/tool", json=tool)).raise_for_status().json()["id"]
        does = (say("One minute left."), {"type": "tool", "toolId": tool_id})
        assistant = scripted(hooks=[hook("call.timeElapsed", *does, options={"seconds": 1})])
        async with calling(stack.api, stack.key, hearing(assistant, [])) as caller:
            await watch.until(caller.call_id, "tool.finished", timeout_s=30)
            await caller.hang_up()
        names = await watch.names(caller.call_id)
    in_order(
        names, "hook.triggered", "reply.started", "playback.started", "reply.finished", "tool.run", "tool.finished"
    )
    assert await heard_of(watch, caller.call_id) == [("hook", "One minute left.")]
    assert [key for key, _ in asked] == [f"{caller.call_id}:hook_0_elapsed_1"]


async def test_an_interrupted_assistant_apologises_and_then_answers(stack: Stack, watch: BusWatch) -> None:
    pcm, _, labels = speech_at("stop where is my order please", 1_500)
    greeting = "Welcome to the shop of a thousand things, let me read you our whole catalogue from the beginning."
    assistant = scripted(
        RULE,
        firstMessage=greeting,
        firstMessageMode="assistant-speaks-first",
        firstMessageInterruptionsEnabled=True,
        hooks=[hook("assistant.speech.interrupted", say("Sorry."))],
    )
    async with calling(stack.api, stack.key, hearing(assistant, labels)) as caller:
        caller.say(pcm)
        await watch.until(caller.call_id, "reply.finished", count=2, timeout_s=30)
        await caller.hang_up()
    (triggered,) = await watch.payloads(caller.call_id, "hook.triggered")
    assert triggered["on"] == "assistant.speech.interrupted"
    assert await heard_of(watch, caller.call_id) == [("hook", "Sorry."), ("model", "It ships on Friday.")]


async def test_the_assistant_that_speaks_into_the_callers_words_excuses_itself(stack: Stack, watch: BusWatch) -> None:
    pcm, _, labels = speech_at("so what i always wanted to tell you about it is this long story", 500)
    assistant = scripted(
        hooks=[
            hook("customer.speech.interrupted", say("Please go on.")),
            hook(
                "call.timeElapsed",
                {"type": "message.add", "message": {"role": "system", "content": "Be brief."}},
                options={"seconds": 1},
            ),
        ],
    )
    async with calling(stack.api, stack.key, hearing(assistant, labels)) as caller:
        caller.say(pcm)
        await watch.until(caller.call_id, "message.added", timeout_s=30)
        await caller.send({"type": "say", "content": "We close soon.", "interruptionsEnabled": False})
        await watch.until(caller.call_id, "hook.triggered", count=2, timeout_s=30)
        await watch.until(caller.call_id, "reply.finished", count=2, timeout_s=30)
        await caller.hang_up()
    on = [each["on"] for each in await watch.payloads(caller.call_id, "hook.triggered")]
    assert on == ["call.timeElapsed", "customer.speech.interrupted"]
    assert ("hook", "Please go on.") in await heard_of(watch, caller.call_id)


async def test_a_model_that_gives_no_answer_in_time_is_excused(stack: Stack, watch: BusWatch) -> None:
    pcm, _, labels = speech_at("where is my order", 500)

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        model = {"provider": "custom-llm", "model": "m", "url": url, "timeoutSeconds": 2}
        assistant = scripted(model=model, hooks=[hook("model.response.timeout", say("My system is slow."))])
        async with calling(stack.api, stack.key, hearing(assistant, labels)) as caller:
            caller.say(pcm)
            await watch.until(caller.call_id, "hook.triggered", timeout_s=30)
            await watch.until(caller.call_id, "reply.finished", timeout_s=30)
            await caller.hang_up()
    assert ("hook", "My system is slow.") in await heard_of(watch, caller.call_id)


async def test_the_last_word_of_a_call_is_heard_before_it_ends(stack: Stack, watch: BusWatch) -> None:
    filters = [{"type": "oneOf", "key": "call.endedReason", "oneOf": ["exceeded-max-duration"]}]
    assistant = scripted(maxDurationSeconds=10, hooks=[hook("call.ending", say("Goodbye."), filters=filters)])
    async with calling(stack.api, stack.key, hearing(assistant, [])) as caller:
        (ended,) = await watch.until(caller.call_id, "call.ended", timeout_s=40)
    assert ended["reason"] == "call.ending.hook-executed-say"
    assert await heard_of(watch, caller.call_id) == [("hook", "Goodbye.")]
    (triggered,) = await watch.payloads(caller.call_id, "hook.triggered")
    assert triggered["end_reason"] == "exceeded-max-duration"


async def test_a_silent_caller_is_asked_and_then_taken_to_somebody_else(stack: Stack, watch: BusWatch) -> None:
    desk = {"type": "number", "number": "+14155550100", "message": "Somebody will help you."}
    hooks = [
        hook("customer.speech.timeout", say("Are you there?"), options={"timeoutSeconds": 1, "triggerMaxCount": 1}),
        hook("call.timeElapsed", {"type": "transfer", "destination": desk}, options={"seconds": 6}),
    ]
    async with calling(stack.api, stack.key, hearing(scripted(hooks=hooks), [])) as caller:
        (ended,) = await watch.until(caller.call_id, "call.ended", timeout_s=60)
    assert ended["reason"] == "assistant-forwarded-call"
    said = await heard_of(watch, caller.call_id)
    assert said == [("hook", "Are you there?"), ("transfer-message", "Somebody will help you.")]
    (gone,) = await watch.payloads(caller.call_id, "call.transferred")
    assert (gone["destination"], gone["cause"]) == ("+14155550100", "hook:1:elapsed:0")
    assert len(caller.agent_pcm()) > 0


async def test_words_the_recognizer_does_not_trust_are_asked_for_again_by_the_hook(
    stack: Stack, watch: BusWatch
) -> None:
    pcm, speech, _ = speech_at("where is my order", 500)
    known = {each.text: speech.pcm[each.start_ms * 32 : each.end_ms * 32] for each in speech.labels}
    unsure = hook("assistant.transcriber.endpointedSpeechLowConfidence", say("Sorry, once more please?"))
    async with TranscriberServer(known, confidence=0.3) as ears:
        heard_by = {"provider": "custom-transcriber", "server": {"url": ears.url}}
        assistant = scripted(RULE, hooks=[unsure], transcriber=heard_by)
        async with calling(stack.api, stack.key, assistant) as caller:
            caller.say(pcm)
            await watch.until(caller.call_id, "reply.finished", timeout_s=40)
            await caller.hang_up()
    assert await heard_of(watch, caller.call_id) == [("hook", "Sorry, once more please?")]
    assert not await watch.payloads(caller.call_id, "turn.committed")
    (triggered,) = await watch.payloads(caller.call_id, "hook.triggered")
    assert triggered["on"] == "assistant.transcriber.endpointedSpeechLowConfidence"
