"""Every process of a running stack is replaced while somebody talks; the caller hears nothing of it."""

import asyncio
import os
import subprocess
import sys

import pytest
from assistants import hearing, scripted, speech_at
from bus_watch import BusWatch
from stack import Stack

from voxbus_contracts import CLAIMED_STAGES
from voxbus_testing.caller import calling

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

QUESTION = "where is my order number seven please"
ANSWER = "Your order number seven ships on Friday. The driver will ring twice. Do not forget your card."
RULE = {"when": QUESTION, "say": ANSWER}


def restart(stack: Stack, *services: str) -> list[str]:
    """`voxbus restart`, as an operator types it."""
    command = [sys.executable, "-m", "voxbus_cli", "restart", *services]
    environment = {**os.environ, "VOXBUS_DATA_DIR": str(stack.data_dir)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


async def test_all_stages_are_replaced_while_the_agent_speaks_and_no_word_is_lost(
    stack: Stack, watch: BusWatch
) -> None:
    pcm, _, labels = speech_at(QUESTION, 1_500)
    async with calling(stack.api, stack.key, hearing(scripted(RULE), labels)) as caller:
        keeping = asyncio.create_task(caller.keep_line())
        caller.say(pcm)
        await watch.until(caller.call_id, "playback.started", timeout_s=20)
        told = await asyncio.to_thread(restart, stack, *CLAIMED_STAGES)
        assert {line.partition(":")[0] for line in told} == set(CLAIMED_STAGES)
        (finished,) = await watch.until(caller.call_id, "reply.finished", timeout_s=30)
        assert finished["heard"] == ANSWER
        says = await watch.payloads(caller.call_id, "speech.say")
        assert " ".join(say["text"] for say in says) == ANSWER, "no sentence doubled"
        for stage in CLAIMED_STAGES:
            assert len(await watch.owners(caller.call_id, stage, count=2)) == 2
        released = {event["stage"] for event in await watch.payloads(caller.call_id, "stage.released")}
        assert released >= set(CLAIMED_STAGES), "each gave the call back itself"
        await caller.hang_up()
        await caller.ended_record()
        keeping.cancel()


async def test_a_caller_is_moved_to_the_new_media_ingress_and_the_conversation_goes_on(
    stack: Stack, watch: BusWatch
) -> None:
    pcm, _, labels = speech_at(QUESTION, 1_500)
    async with calling(stack.api, stack.key, hearing(scripted(RULE), labels)) as caller:
        keeping = asyncio.create_task(caller.keep_line())
        caller.say(pcm)
        await watch.until(caller.call_id, "playback.started", timeout_s=20)
        await asyncio.to_thread(restart, stack, "media-ingress", "control-api")
        (finished,) = await watch.until(caller.call_id, "reply.finished", timeout_s=30)
        assert finished["heard"] == ANSWER
        assert (caller.moves, caller.lost_s) == (1, [])
        attached = await watch.payloads(caller.call_id, "media.attached")
        assert [event["resumed"] for event in attached] == [False, True]
        (detached,) = await watch.payloads(caller.call_id, "media.detached")
        assert (detached["code"], detached["clean"]) == (1012, False)
        await caller.hang_up()
        record = await caller.ended_record()
        assert record["endedReason"] == "customer-ended-call"
        keeping.cancel()
