"""What callers, clients and operators do wrong gets a clear error, and nothing is lost."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from assistants import hearing, scripted, speech_at
from bus_watch import BusWatch
from stack import Stack, running
from websockets.asyncio.client import connect

from voxbus_testing.caller import Caller, calling
from voxbus_testing.speech import hush

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

RULE = {"when": "hello", "say": "Hello to you too."}


async def answered(caller: Caller, watch: BusWatch) -> None:
    """The caller's words got their answer after all."""
    (turn,) = await watch.until(caller.call_id, "turn.committed", timeout_s=20)
    assert turn["text"] == "hello over there"
    await watch.until(caller.call_id, "reply.finished", timeout_s=20)


async def test_a_wrong_key_an_unknown_assistant_and_malformed_json_are_refused_by_name(stack: Stack) -> None:
    async with httpx.AsyncClient(base_url=stack.api) as anybody:
        assert (await anybody.get("/assistant")).status_code == 401
        assert (await anybody.get("/assistant", headers={"Authorization": "Bearer no"})).status_code == 401
    async with httpx.AsyncClient(base_url=stack.api, headers={"Authorization": f"Bearer {stack.key}"}) as client:
        transport = {"provider": "vapi.websocket"}
        unknown = {"assistantId": "00000000-0000-4000-8000-00000000dead", "transport": transport}
        missing = await client.post("/call", json=unknown)
        assert missing.status_code in (400, 404)
        assert "assistant" in json.dumps(missing.json()).lower()
        broken = await client.post("/assistant", content=b"{nope", headers={"Content-Type": "application/json"})
        assert broken.status_code == 400
        wrong = await client.post("/assistant", json={"model": {"maxTokens": 7}, "maxDurationSeconds": "long"})
        assert wrong.status_code == 400
        assert {"model.maxTokens", "maxDurationSeconds"} <= {m.split()[0] for m in wrong.json()["message"]}


async def test_malformed_text_frames_are_answered_with_the_field_and_the_call_goes_on(
    stack: Stack, watch: BusWatch
) -> None:
    pcm, _, labels = speech_at("hello over there", 1500)
    async with calling(stack.api, stack.key, hearing(scripted(RULE), labels)) as caller:
        caller.say(pcm)
        for text in ("{nope", "[]", '{"type": "dance"}', '{"type": "say"}', '{"type": "control", "control": "fly"}'):
            await caller.send(text)
        errors = await caller.until(lambda: len(e := caller.messages("error")) >= 5 and e, 5, "five errors")
        assert all(error["error"]["message"] for error in errors)
        await answered(caller, watch)
        await caller.hang_up()


async def test_odd_chunks_lose_nothing(stack: Stack, watch: BusWatch) -> None:
    pcm, _, labels = speech_at("hello over there", 1500)
    async with calling(stack.api, stack.key, hearing(scripted(RULE), labels)) as caller:
        caller.silent = True
        chunk, begun = 333, time.monotonic()
        everything = pcm + hush(3_000)
        for start in range(0, len(everything), chunk):
            await caller.send(everything[start : start + chunk])
            await asyncio.sleep(max(0.0, begun + start / 32_000 - time.monotonic()))
        await answered(caller, watch)
        await caller.hang_up()


async def test_a_whole_file_at_once_is_heard_in_real_time(stack: Stack, watch: BusWatch) -> None:
    pcm, _, labels = speech_at("hello over there", 1500)
    async with calling(stack.api, stack.key, hearing(scripted(RULE), labels)) as caller:
        caller.silent = True
        await caller.send(pcm)
        await answered(caller, watch)
        await caller.hang_up()


async def test_a_caller_that_stops_sending_is_silence_not_the_end(stack: Stack, watch: BusWatch) -> None:
    pcm, _, labels = speech_at("hello over there", 1500)
    async with calling(stack.api, stack.key, hearing(scripted(RULE), labels)) as caller:
        caller.say(pcm)
        await caller.said()
        caller.silent = True
        await answered(caller, watch)
        await caller.hang_up()


async def test_an_oversize_frame_closes_the_line_saying_so_and_the_call_can_be_resumed(
    stack: Stack, watch: BusWatch
) -> None:
    _pcm, _, labels = speech_at("hello over there", 8_000)
    async with calling(stack.api, stack.key, hearing(scripted(RULE), labels)) as caller:
        await caller.until(lambda: caller.clock_ms > 500, 5, "some audio")
        await caller.send(bytes(40 * 1024 * 1024))
        await caller.until(caller.closed.is_set, 10, "closing")
        assert caller.heard.close_code == 1009
        await caller.dial()
        attached = await watch.until(caller.call_id, "media.attached", count=2)
        assert attached[1]["resumed"]
        await caller.hang_up()
        await caller.ended_record()


async def test_a_socket_that_stops_reading_is_cut_off_and_the_others_do_not_notice(
    stack: Stack, watch: BusWatch
) -> None:
    endless = "This goes on. " * 400
    deaf = Caller(stack.api, stack.key)
    await deaf.place(scripted(firstMessage=endless, firstMessageMode="assistant-speaks-first"))
    pcm, _, labels = speech_at("hello over there", 1500)
    async with (
        connect(deaf.url, compression=None, max_queue=1, ping_interval=None) as socket_,
        calling(stack.api, stack.key, hearing(scripted(RULE), labels)) as caller,
    ):
        socket_.transport.pause_reading()
        caller.say(pcm)
        await answered(caller, watch)
        await caller.hang_up()
        socket_.transport.resume_reading()
    await deaf.close()


@pytest.mark.parametrize("path", ["?token=wrong", ""])
async def test_the_transport_refuses_a_wrong_token_and_says_what_to_do(stack: Stack, path: str) -> None:
    caller = Caller(stack.api, stack.key)
    await caller.place(scripted())
    url = caller.url.partition("?")[0] + path
    with pytest.raises(websockets.InvalidStatus) as refused:
        await connect(url)
    assert refused.value.response.status_code == 401
    assert b"message" in (refused.value.response.body or b"")
    await caller.close()


async def test_nats_is_restarted_in_the_middle_of_a_call_and_the_call_goes_on(stack: Stack, watch: BusWatch) -> None:
    pcm, _, labels = speech_at("hello over there", 9_000)
    async with calling(stack.api, stack.key, hearing(scripted(RULE), labels)) as caller:
        caller.say(pcm)
        await watch.until(caller.call_id, "call.started")
        await caller.until(lambda: caller.clock_ms > 2_000, 10, "two seconds of call")
        stack.signal("nats-server", signal.SIGKILL)
        await answered(caller, watch)
        await caller.hang_up()
        assert (await caller.ended_record(25))["endedReason"] == "customer-ended-call"


def test_a_used_port_is_named_with_the_variable_to_change(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environment = {"VOXBUS_PORT": str(port), "VOXBUS_DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
        command = [sys.executable, "-m", "voxbus_cli", "up"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0
    assert str(port) in done.stderr
    assert "VOXBUS_PORT" in done.stderr


def test_a_service_started_before_nats_waits_and_says_so(tmp_path: Path) -> None:
    environment = {"VOXBUS_NATS_URL": "nats://127.0.0.1:9", "PATH": "/usr/bin:/bin", "VOXBUS_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "voxbus_vad"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert "waiting for NATS" in process.stderr.readline()
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()


async def test_two_stacks_run_side_by_side_and_a_second_start_finds_everything_again(
    stack: Stack, tmp_path: Path
) -> None:
    made: dict[str, Any] = {}
    with running(tmp_path / "data") as second:
        assert second.api != stack.api
        async with httpx.AsyncClient(base_url=second.api, headers={"Authorization": f"Bearer {second.key}"}) as client:
            made = (await client.post("/assistant", json={"name": "kept", "unknownField": {"a": 1}})).json()
        async with calling(second.api, second.key, scripted()) as caller:
            await caller.hang_up()
            ended = await caller.ended_record()
        key = second.key
        assert second.stop() == 0
    with running(tmp_path / "data") as again:
        assert again.key == key
        async with httpx.AsyncClient(base_url=again.api, headers={"Authorization": f"Bearer {key}"}) as client:
            kept = (await client.get(f"/assistant/{made['id']}")).json()
            call = (await client.get(f"/call/{ended['id']}")).json()
    assert kept == made
    assert (call["status"], call["endedReason"]) == ("ended", "customer-ended-call")
