"""A caller whose call nobody has room for yet: what is heard and read until it is answered."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from voxbus_audio import tone_power
from voxbus_testing.nats import eventually

pytestmark = pytest.mark.integration


async def test_a_caller_who_waits_reads_for_whom_and_hears_it_ring_until_the_last_stage_is_there(
    make_rig: Callable[..., Any],
) -> None:
    rig = await make_rig(media_ring_back="425")
    await rig.watch()
    for stage in ("vad", "tts-worker"):
        await rig.own(stage)
    client = await rig.connect()
    told = await client.told("status-update", voxbusWaitingFor=["stt-worker"])
    assert told["status"] == "ringing"
    await eventually(lambda: len(client.audio) >= 640 * 20, what="400 ms of the tone")
    assert tone_power(bytes(client.audio), 425) == pytest.approx(0.01, rel=0.2)
    assert not rig.events("call.started")
    assert not rig.frames["played"], "the tone is the line's, no part of the call"
    await rig.own("stt-worker")
    await rig.event("call.started")
    before = len(client.audio)
    await asyncio.sleep(0.1)
    assert len(client.audio) - before <= 640, "silent as soon as the call is answered"


async def test_without_a_tone_a_waiting_caller_gets_texts_alone_one_for_each_stage_that_comes(
    make_rig: Callable[..., Any],
) -> None:
    rig = await make_rig()
    await rig.watch()
    client = await rig.connect()
    await client.told("status-update", voxbusWaitingFor=["stt-worker", "tts-worker", "vad"])
    await rig.own("vad")
    await client.told("status-update", voxbusWaitingFor=["stt-worker", "tts-worker"])
    assert not client.audio


async def test_a_call_answered_within_a_moment_never_rings(make_rig: Callable[..., Any]) -> None:
    rig = await make_rig(media_ring_back="425")
    client = await rig.answered()
    await asyncio.sleep(1.2)
    assert not client.audio
    assert not any("voxbusWaitingFor" in text for text in client.texts)


async def test_a_caller_who_hangs_up_while_it_rings_asks_for_the_end_of_a_call_nobody_may_have(rig: Any) -> None:
    await rig.watch()
    client = await rig.connect()
    await rig.event("call.ringing")
    await client.say(type="end-call")
    assert (await rig.event("call.end")).reason == "customer-ended-call"
