"""Owners stand still in the middle of calls, and wake up when another has the call."""

import os
import signal

import pytest
from assistants import hearing, scripted, speech_at
from bus_watch import BusWatch
from stack import Stack

from voxbus_testing.caller import calling

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

ANSWER = "Your order number seven ships on Friday."
RULE = {"when": "where is my order number seven please", "say": ANSWER}


@pytest.mark.parametrize("service", ["vad", "stt-worker", "llm-orchestrator", "tts-worker"])
async def test_an_owner_frozen_past_the_heartbeat_limit_is_replaced_and_ignored_when_it_wakes(
    twin_stack: Stack, service: str
) -> None:
    stack = twin_stack
    text = "where is my order number seven please"
    pcm, _, labels = speech_at(text, 1500)
    again, _, more = speech_at(text, 12_000)
    async with (
        BusWatch.at(stack.nats) as watch,
        calling(stack.api, stack.key, hearing(scripted(RULE), labels + more)) as caller,
    ):
        caller.say(pcm)
        (owner,) = await watch.owners(caller.call_id, service)
        frozen = stack.pid_of_worker(owner)
        os.kill(frozen, signal.SIGSTOP)
        try:
            _, successor = await watch.owners(caller.call_id, service, count=2, timeout_s=10)
            assert successor != owner
            await watch.until(caller.call_id, "turn.committed", timeout_s=20)
        finally:
            os.kill(frozen, signal.SIGCONT)
        await watch.until(caller.call_id, "reply.finished", timeout_s=20)
        caller.say(again[caller.clock_ms * 32 :])
        turns = await watch.until(caller.call_id, "turn.committed", count=2, timeout_s=25)
        assert [turn["text"] for turn in turns] == [text, text]
        replies = await watch.until(caller.call_id, "reply.finished", count=2, timeout_s=20)
        assert [reply["heard"] for reply in replies] == [ANSWER, ANSWER]
        assert await watch.owners(caller.call_id, service) == [owner, successor]
        await caller.hang_up()
