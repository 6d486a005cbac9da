"""What is kept of a call, fetched by plain HTTP: without a key, and while the stack records for real."""

import asyncio
import gzip
import io
import json
import time
import wave
from typing import Any

import httpx
import pytest
from assistants import hearing, scripted, speech_at
from stack import Stack

from voxbus_testing.caller import calling

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

GREETING = "Hello, how can I help?"
NAMES = ("Mono", "Stereo", "Customer", "Assistant")


async def recorded(api: httpx.AsyncClient, call_id: str) -> dict[str, Any]:
    """The call's record once its recording is in it."""
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        call = (await api.get(f"/call/{call_id}")).json()
        if "recordingUrl" in call["artifact"]:
            return call
        await asyncio.sleep(0.2)
    raise AssertionError(f"no recording within a minute: {call['status']}, {call['artifact'].keys()}")


async def test_recordings_and_logs_are_fetched_by_plain_http_without_a_header(stack: Stack) -> None:
    pcm, _, labels = speech_at("where is my order", 3_000)
    rule = {"when": "order", "say": "It ships on Friday."}
    assistant = hearing(scripted(rule, firstMessage=GREETING, firstMessageMode="assistant-speaks-first"), labels)
    async with calling(stack.api, stack.key, assistant) as caller:
        caller.say(pcm)
        await caller.until(lambda: caller.clock_ms > 7_000, 60, "the end of the conversation")
        await caller.hang_up()
        await caller.ended_record(30)
    headers = {"authorization": f"Bearer {stack.key}"}
    async with (
        httpx.AsyncClient(base_url=stack.api, headers=headers, trust_env=False) as api,
        httpx.AsyncClient(trust_env=False) as anybody,
    ):
        call = await recorded(api, caller.call_id)
        for name in NAMES:
            kept = await anybody.get(call["artifact"][f"presigned{name}Url"])
            assert kept.status_code == 200
            with wave.open(io.BytesIO(kept.content)) as sound:
                assert sound.getnchannels() == (2 if name == "Stereo" else 1)
                assert 5 <= sound.getnframes() / sound.getframerate() <= 60
                assert any(sound.readframes(sound.getnframes()))
            assert (await anybody.get(f"{stack.api}/call/{call['id']}/{name.lower()}-recording")).status_code == 401
            found = await api.get(f"/call/{call['id']}/{name.lower()}-recording")
            assert found.status_code == 302
            assert (await anybody.get(found.headers["location"])).content == kept.content
        logs = await anybody.get(call["artifact"]["presignedLogUrl"])
        lines = [json.loads(line) for line in gzip.decompress(logs.content).decode().splitlines()]
        events = [line["attributes"]["event"] for line in lines]
        assert all(line["time"] > 1_600_000_000_000 for line in lines)
        for name in (
            "call.queued",
            "call.inProgress",
            "pipeline.firstMessageStarted",
            "assistant.voice.requestStarted",
            "pipeline.botSpeechStarted",
            "pipeline.userSpeechStarted",
            "assistant.transcriber.finalTranscript",
            "pipeline.turnStarted",
            "call.ended",
        ):
            assert name in events, name
        assert (await api.delete(f"/call/{call['id']}")).status_code == 200
        deadline_s = time.monotonic() + 30
        while (await anybody.get(call["artifact"]["presignedMonoUrl"])).status_code != 404:
            assert time.monotonic() < deadline_s, "the recording of a deleted call is still there"
            await asyncio.sleep(0.2)
