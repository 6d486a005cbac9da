"""Plans that need more than the table: a customer's endpointing server, a model that is down."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from assistants import hearing, scripted, speech_at
from bus_watch import BusWatch
from stack import Stack

from voxbus_testing.caller import calling

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]

RULE = {"when": "hello", "say": "Hello to you too."}


@asynccontextmanager
async def endpointing_server(answer: bytes) -> AsyncGenerator[tuple[str, list[dict[str, Any]]], None]:
    """Its address, and the messages it gets."""
    asked: list[dict[str, Any]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        asked.append(json.loads(await reader.readexactly(length))["message"])
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(answer), answer))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/ends", asked


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b'{"timeoutSeconds": 1.2}', "custom-endpointing-model"), (b"no idea", "evidence")],
)
async def test_a_customers_endpointing_server_is_asked_and_its_failure_is_survived(
    stack: Stack, watch: BusWatch, answer: bytes, reason: str
) -> None:
    pcm, _, labels = speech_at("hello over there", 1_500)
    async with endpointing_server(answer) as (url, asked):
        smart = {"provider": "custom-endpointing-model", "server": {"url": url}}
        plan = {"waitSeconds": 0, "smartEndpointingPlan": smart}
        async with calling(stack.api, stack.key, hearing(scripted(RULE, startSpeakingPlan=plan), labels)) as caller:
            caller.say(pcm)
            (turn,) = await watch.until(caller.call_id, "turn.committed", timeout_s=20)
            await watch.until(caller.call_id, "reply.finished", timeout_s=20)
            await caller.hang_up()
    (advised,) = await watch.payloads(caller.call_id, "turn.wait-advised")
    assert turn["reason"] == reason
    assert advised.get("wait_ms") == (1_200 if reason != "evidence" else None)
    assert asked[0]["type"] == "call.endpointing.request"
    assert asked[0]["messagesOpenAIFormatted"][-1] == {"role": "user", "content": "hello over there"}
    faults = [fault["code"] for fault in await watch.payloads(caller.call_id, "fault.raised")]
    assert faults == ([] if reason != "evidence" else ["endpointing-server-failed"])


async def test_a_model_that_is_down_is_asked_again_and_apologised_for(stack: Stack, watch: BusWatch) -> None:
    pcm, _, labels = speech_at("hello over there", 1_500)
    model = {"provider": "custom-llm", "model": "m", "url": "http://127.0.0.1:9/v1"}
    async with calling(stack.api, stack.key, hearing(scripted(model=model), labels)) as caller:
        caller.say(pcm)
        (finished,) = await watch.until(caller.call_id, "reply.finished", timeout_s=20)
        await caller.hang_up()
    assert finished["heard"].startswith("Sorry, I have a technical problem.")
    assert len(await watch.payloads(caller.call_id, "reply.retried")) == 1
    faults = [fault["code"] for fault in await watch.payloads(caller.call_id, "fault.raised")]
    assert faults == ["model-failed", "model-failed"]
