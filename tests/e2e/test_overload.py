"""More calls than slots: those that run stay as they are, the next one waits on the line or is told why it cannot."""

import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest
from assistants import hearing, scripted, speech_at
from bus_watch import BusWatch
from stack import Stack, running

from voxbus_audio import tone_power
from voxbus_contracts import CLAIMED_STAGES
from voxbus_testing.caller import Caller, calling

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

SLOTS = 2
WAITS_MS = 6_000
QUESTION = "where is my order number seven please"
ANSWER = "Your order number seven ships on Friday."
ASKED_AT_MS = 16_000
"""On each caller's own clock: after everything else of a test has happened."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One worker of each stage with two slots."""
    settings = {
        "VOXBUS_SLOTS": str(SLOTS),
        "VOXBUS_MEDIA_CLAIMS_TIMEOUT_MS": str(WAITS_MS),
        "VOXBUS_MEDIA_RING_BACK": "425",
    }
    with running(tmp_path_factory.mktemp("full") / "data", **settings) as started:
        yield started


@contextlib.asynccontextmanager
async def full(stack: Stack, watch: BusWatch) -> AsyncIterator[list[Caller]]:
    """All slots are used by calls in progress."""
    async with contextlib.AsyncExitStack() as calls:
        callers: list[Caller] = []
        for _ in range(SLOTS):
            callers.append(await calls.enter_async_context(calling(stack.api, stack.key, assistant())))
            await watch.until(callers[-1].call_id, "call.started")
        yield callers
        for caller in callers:
            if not caller.closed.is_set():
                await caller.hang_up()
            await caller.ended_record()


def assistant() -> dict[str, object]:
    _, _, labels = speech_at(QUESTION, ASKED_AT_MS)
    return hearing(scripted({"when": QUESTION, "say": ANSWER}), labels)


def ask(caller: Caller) -> None:
    """The question, at its place on the caller's clock."""
    assert caller.clock_ms < ASKED_AT_MS, "the machine is too slow for this test's time table"
    pcm, _, _ = speech_at(QUESTION, ASKED_AT_MS)
    caller.say(pcm[caller.clock_ms * 32 :])


async def is_answered(caller: Caller, watch: BusWatch) -> None:
    (finished,) = await watch.until(caller.call_id, "reply.finished", timeout_s=25)
    assert finished["heard"] == ANSWER


async def test_the_call_beyond_the_slots_rings_until_another_ends_and_is_then_served_whole(
    stack: Stack, watch: BusWatch
) -> None:
    async with full(stack, watch) as (first, second):
        ask(second)
        async with calling(stack.api, stack.key, assistant()) as third:
            await third.until(lambda: waits_for(third), 5, "told what it waits for")
            assert waits_for(third) == sorted(CLAIMED_STAGES)
            await third.until(lambda: len(third.agent_pcm()) >= 640 * 20, 5, "the tone")
            assert tone_power(third.agent_pcm(), 425) == pytest.approx(0.01, rel=0.2)
            assert "call.started" not in await watch.names(third.call_id)
            assert (await third.record())["status"] == "ringing"
            await first.hang_up()
            await watch.until(third.call_id, "call.started", timeout_s=WAITS_MS / 1000)
            ask(third)
            await is_answered(second, watch)
            await is_answered(third, watch)
            await third.hang_up()
            assert (await third.ended_record())["endedReason"] == "customer-ended-call"


async def test_the_call_beyond_the_slots_is_refused_in_time_with_the_reason_and_the_others_go_on(
    stack: Stack, watch: BusWatch
) -> None:
    async with full(stack, watch) as callers:
        async with calling(stack.api, stack.key, assistant()) as third:
            await third.until(third.closed.is_set, WAITS_MS / 1000 + 4, "closed")
            assert third.heard.close_code == 1013
            (error,) = third.messages("error")
            assert error["error"]["code"] == "worker-not-available"
            record = await third.ended_record()
            assert record["endedReason"] == "call.in-progress.error-vapifault-worker-not-available"
            assert record["endedMessage"] == error["error"]["message"]
            for stage in CLAIMED_STAGES:
                assert f"no {stage}" in record["endedMessage"]
            claims = await watch.payloads(third.call_id, "stage.claimed")
            assert not {claim["stage"] for claim in claims} & set(CLAIMED_STAGES)
        for caller in callers:
            ask(caller)
        for caller in callers:
            await is_answered(caller, watch)


def waits_for(caller: Caller) -> list[str]:
    told = [update["voxbusWaitingFor"] for update in caller.messages("status-update") if "voxbusWaitingFor" in update]
    return told[-1] if told else []
