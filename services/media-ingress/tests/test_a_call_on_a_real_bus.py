"""One call's transport on a real nats-server: in, both ways, and out again."""

import asyncio
import json
import shutil
import socket
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from websockets.asyncio.client import connect

from voxbus_audio import mulaw_encode, sine
from voxbus_contracts.commands import ClearPlayback, SaySentence
from voxbus_contracts.events import SpeechStarted, TranscriptFinal
from voxbus_contracts.streams import OWNERS
from voxbus_media_ingress.errors import SettingsClash
from voxbus_media_ingress.server import MediaServer
from voxbus_media_ingress.settings import Settings
from voxbus_proto.control.v1 import control_pb2, control_pb2_grpc
from voxbus_runtime.bootstrap import ensure_bus
from voxbus_runtime.service import Runtime
from voxbus_testing.nats import NatsServer, bus_at, eventually, free_port

pytestmark = pytest.mark.integration


def numbers(audio: bytes) -> list[int]:
    return [int.from_bytes(audio[at : at + 2], "little") for at in range(0, len(audio), 640)]


def pts_of(frames: list[Any]) -> list[int]:
    return [frame.pts_ms for frame in frames]


def get(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


async def send_live(client: Any, frames: int, pcm: bytes | None = None) -> None:
    """Real time, by the clock and not by sleeping."""
    pcm = pcm or sine(440, 20)
    started = time.monotonic()
    for n in range(frames):
        await client.socket.send(pcm)
        await asyncio.sleep(max(0.0, started + 0.02 * (n + 1) - time.monotonic()))


async def test_a_call_is_answered_when_every_stage_has_claimed_it(rig: Any) -> None:
    await rig.watch()
    client = await rig.connect()
    attached = await rig.event("media.attached")
    assert (attached.pts_ms, attached.resumed, attached.sample_rate_hz) == (0, False, 16_000)
    await rig.event("call.ringing")
    info = await eventually(lambda: asyncio.ensure_future(rig.bus.js.stream_info("CLAIMS")))
    assert (await info).state.messages == 4
    for stage in ("vad", "stt-worker"):
        await rig.own(stage)
    await asyncio.sleep(0.1)
    assert rig.events("call.started") == []
    await rig.own("tts-worker")
    started = await rig.event("call.started")
    assert 100 <= started.setup_ms <= 5_000
    await client.told("status-update", status="in-progress")
    assert [t["status"] for t in client.texts if t["type"] == "status-update"] == ["ringing", "in-progress"]
    await client.told("assistant.started")


async def test_strangers_are_sent_away_over_http(rig: Any) -> None:
    await rig.watch()
    url = rig.url(scheme="http")
    assert await asyncio.to_thread(get, url.split("/transport")[0].rsplit("/", 1)[0] + "/health") == (
        200,
        {"status": "ok", "bus": True},
    )
    status, body = await asyncio.to_thread(get, rig.url(token="wrong", scheme="http"))
    assert (status, body["error"]["code"]) == (401, "wrong-token")
    status, body = await asyncio.to_thread(get, rig.url(call="6f1c0c1e-30a5-4f0e-9a55-7f6f2a3f3b01", scheme="http"))
    assert (status, body["error"]["code"]) == (404, "no-such-call")
    await rig.call_ends()
    await eventually(lambda: not rig.bus.outbox.waiting, what="stored")
    status, body = await asyncio.to_thread(get, url)
    assert (status, body["error"]["code"]) == (410, "call-ended")


async def test_caller_audio_is_on_the_bus_as_20_ms_frames_from_pts_0_without_holes(rig: Any) -> None:
    client = await rig.answered()
    await send_live(client, 25)
    await asyncio.sleep(0.2)
    frames = rig.frames["caller"]
    pts = pts_of(frames)
    assert pts == list(range(pts[0], pts[0] + 20 * len(pts), 20))
    assert [f.seq for f in frames] == list(range(frames[0].seq, frames[0].seq + len(frames)))
    assert all(len(f.pcm) == 640 for f in frames)
    loud = [f for f in frames if not f.filled]
    assert len(loud) == 25
    assert all(f.epoch == f.attachment == rig.server.attached(rig.config.ref).call.epoch for f in frames)
    assert all(0 <= time.time() * 1e6 - f.origin_unix_us < 10e6 for f in loud)


async def test_mulaw_at_8_khz_cut_at_odd_places_becomes_the_same_frames(make_rig: Callable[..., Any]) -> None:
    rig = await make_rig(transport={"encoding": "mulaw", "sample_rate_hz": 8_000})
    client = await rig.answered()
    wire = mulaw_encode(sine(440, 400, sample_rate_hz=8_000))
    for at in range(0, len(wire), 77):
        await client.socket.send(wire[at : at + 77])
    loud = await eventually(lambda: [f for f in rig.frames["caller"] if not f.filled][18:], what="frames")
    assert loud
    assert all(len(f.pcm) == 640 for f in loud)


async def test_a_whole_wav_at_once_is_paced_and_complete(rig: Any) -> None:
    client = await rig.answered()
    tone = sine(440, 600)
    header = b"RIFF" + (36 + len(tone)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    header += (1).to_bytes(2, "little") * 2 + (16_000).to_bytes(4, "little") + (32_000).to_bytes(4, "little")
    header += (2).to_bytes(2, "little") + (16).to_bytes(2, "little") + b"data" + len(tone).to_bytes(4, "little")
    started = time.monotonic()
    await client.socket.send(header + tone)
    caller = rig.frames["caller"]
    await eventually(lambda: sum(not f.filled for f in caller) == 30, what="30 frames")
    loud = [f for f in caller if not f.filled]
    assert time.monotonic() - started >= 0.5
    assert b"".join(f.pcm for f in loud) == tone


async def test_the_answer_reaches_the_caller_and_its_latency_is_told(rig: Any) -> None:
    client = await rig.answered()
    await send_live(client, 10)
    anchor = rig.frames["caller"][-1].pts_ms
    await rig.publish(
        "llm-orchestrator", SaySentence(utterance_seq=1, reply=1, turn=1, text="Hi.", anchor_pts_ms=anchor)
    )
    await rig.speak(1, range(10))
    started = await rig.event("playback.started")
    finished = await rig.event("playback.finished")
    assert started.anchor_pts_ms == anchor
    assert 0 < started.v2v_ms < 1_000
    assert (finished.played_ms, finished.pts_ms - started.pts_ms) == (200, 200)
    assert numbers(bytes(client.audio)) == [1_000 + n for n in range(10)]
    played = rig.frames["played"]
    assert pts_of(played) == [started.pts_ms + 20 * n for n in range(10)]
    assert {f.utterance_seq for f in played} == {1}
    assert numbers(b"".join(f.pcm for f in played)) == [1_000 + n for n in range(10)]
    told = await client.told("transcript", role="assistant")
    assert told["transcript"] == "Hi."


async def test_barge_in_pauses_at_once_and_a_clear_is_final(rig: Any) -> None:
    client = await rig.answered()
    await rig.publish("llm-orchestrator", SaySentence(utterance_seq=1, reply=1, turn=1, text="Long.", min_voiced_ms=0))
    await rig.speak(1, range(200))
    await eventually(lambda: len(client.audio) > 640 * 5, what="sound")
    pts = rig.frames["caller"][-1].pts_ms
    spoke_at = len(client.audio) // 640
    await rig.publish("vad", SpeechStarted(speech_seq=1, pts_ms=pts, detected_pts_ms=pts + 20))
    paused = await rig.event("playback.paused")
    assert paused.reason == "reflex"
    assert paused.played_ms // 20 <= spoke_at + 4
    await rig.publish("llm-orchestrator", ClearPlayback(up_to_utterance_seq=1))
    cleared = await rig.event("playback.cleared")
    assert (cleared.utterance_seq, cleared.played_ms) == (1, paused.played_ms)
    await rig.speak(1, range(200, 210))
    await asyncio.sleep(0.1)
    assert len(client.audio) == paused.played_ms * 32


async def test_texts_of_the_client_become_commands_and_bad_ones_errors(rig: Any) -> None:
    client = await rig.answered()
    await client.socket.send("{no json")
    await client.told("error")
    await client.say(type="say", content=7)
    await client.say(type="transfer", destination={})
    await client.say(type="say", message="One moment.")
    await client.say(type="control", control="mute-customer")
    said = await rig.event("call.say")
    assert said.content == "One moment."
    errors = [t["error"] for t in client.texts if t["type"] == "error"]
    assert [e["code"] for e in errors] == ["malformed-json", "wrong-type", "not-supported"]
    assert errors[1]["field"] == "content"
    await rig.event("call.control")
    seen = len(rig.frames["caller"])
    await send_live(client, 10)
    assert all(f.pcm == bytes(640) for f in rig.frames["caller"][seen + 1 :])


async def test_the_callers_words_are_told_to_its_client(rig: Any) -> None:
    client = await rig.answered()
    words = TranscriptFinal(
        transcript_seq=1,
        text="where is my order",
        start_pts_ms=0,
        end_pts_ms=20,
        speech_seq=1,
        provider="x",
        recognition_ms=1,
    )
    await rig.publish("stt-worker", words)
    told = await client.told("transcript", role="user")
    assert (told["transcriptType"], told["transcript"]) == ("final", "where is my order")


async def test_a_lost_socket_is_resumed_with_pts_and_playout_going_on(rig: Any) -> None:
    client = await rig.answered()
    await rig.publish("llm-orchestrator", SaySentence(utterance_seq=1, reply=1, turn=1, text="Long."))
    await rig.speak(1, range(60))
    await eventually(lambda: len(client.audio) > 640 * 10, what="sound")
    client.socket.transport.abort()
    detached = await rig.event("media.detached")
    assert (detached.clean, detached.code) == (False, 1006)
    await asyncio.sleep(0.3)
    before = pts_of(rig.frames["caller"])
    played_before = numbers(b"".join(f.pcm for f in rig.frames["played"]))
    again = await rig.connect()
    attached = await rig.event("media.attached", lambda e: e.resumed)
    assert attached.pts_ms % 20 == 0
    assert 250 <= attached.pts_ms - before[-1] <= 1_500
    await again.told("status-update", status="in-progress")
    finished = await rig.event("playback.finished")
    assert finished.played_ms == 1_200
    played = numbers(b"".join(f.pcm for f in rig.frames["played"]))
    assert played == [1_000 + n for n in range(60)]
    assert numbers(bytes(again.audio)) == played[len(played_before) :]
    assert len(rig.events("call.ringing")) == len(rig.events("call.started")) == 1
    assert all(b > a for a, b in zip(pts_of(rig.frames["caller"]), pts_of(rig.frames["caller"])[1:], strict=False))
    usage = await rig.event("usage.recorded")
    assert (usage.item, usage.unit) == ("transport", "ms")


async def test_the_newest_transport_wins_and_the_older_is_told_so(rig: Any) -> None:
    first = await rig.answered()
    second = await rig.connect()
    code, reason = await first.closed()
    assert (code, reason) == (4409, "a newer connection has this call")
    await second.told("status-update", status="in-progress")
    await send_live(second, 5)
    newest = rig.server.attached(rig.config.ref).call.epoch
    assert rig.frames["caller"][-1].epoch == newest


@pytest.mark.parametrize("word", ["end-call", "hangup"])
async def test_the_client_ends_the_call_and_hears_that_it_ended(rig: Any, word: str) -> None:
    client = await rig.answered()
    await client.say(type=word)
    detached = await rig.event("media.detached")
    assert (detached.clean, detached.code, detached.reason) == (True, 1000, word)
    await rig.call_ends()
    assert await client.closed() == (1000, word)
    assert client.texts[-1]["type"] == "status-update"
    assert client.texts[-1]["endedReason"] == "customer-ended-call"


@pytest.mark.parametrize(("code", "clean"), [(1000, True), (1001, False)])
async def test_a_closed_socket_ends_the_call_only_when_it_was_meant(rig: Any, code: int, clean: bool) -> None:
    client = await rig.answered()
    await client.socket.close(code)
    detached = await rig.event("media.detached")
    assert (detached.clean, detached.code) == (clean, code)


async def test_the_end_of_the_call_closes_the_socket_and_removes_the_key(rig: Any) -> None:
    client = await rig.answered()
    await rig.call_ends("assistant-ended-call")
    assert (await client.closed())[0] == 1000
    assert client.texts[-1]["status"] == "ended"

    async def key_is_gone() -> bool:
        return await rig.bus.kv_get(OWNERS.name, rig.config.ref.owner_key("media-ingress")) is None

    for _ in range(100):
        if await key_is_gone():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the key stayed")


async def test_without_workers_the_caller_is_told_and_the_call_is_asked_to_end(make_rig: Callable[..., Any]) -> None:
    rig = await make_rig(media_claims_timeout_ms=500)
    await rig.watch()
    client = await rig.connect()
    ended = await rig.event("call.end")
    assert ended.reason == "call.in-progress.error-vapifault-worker-not-available"
    assert (await client.closed())[0] == 1013
    error = next(t for t in client.texts if t["type"] == "error")["error"]
    assert error["code"] == "worker-not-available"
    assert "stt-worker" in error["message"]


async def test_a_message_too_large_closes_with_1009_and_the_call_waits(rig: Any) -> None:
    client = await rig.answered()
    await client.socket.send(bytes(8 * 1024 * 1024 + 1))
    code, reason = await client.closed()
    assert code == 1009
    assert reason
    detached = await rig.event("media.detached")
    assert (detached.clean, detached.code) == (False, 1009)


async def test_a_caller_that_does_not_read_is_detached(make_rig: Callable[..., Any]) -> None:
    rig = await make_rig(transport={"sample_rate_hz": 192_000}, media_stuck_ms=400)
    await rig.watch()
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    plain.connect(("127.0.0.1", rig.server.port))
    plain.setblocking(False)
    deaf = await connect(rig.url(), sock=plain, compression=None, ping_interval=None)
    deaf.transport.pause_reading()
    for stage in ("vad", "stt-worker", "tts-worker"):
        await rig.own(stage)
    await rig.speak(1, range(400))
    fault = await rig.event("fault.raised")
    detached = await rig.event("media.detached")
    assert fault.code == "caller-does-not-read"
    assert (detached.clean, detached.code, detached.reason) == (False, 1006, "caller does not read")
    deaf.transport.abort()


async def test_a_call_outlives_a_restart_of_nats_and_missed_frames_are_said_again(make_rig: Callable[..., Any]) -> None:
    server = NatsServer(free_port(), Path(tempfile.mkdtemp(prefix="voxbus-nats-")))
    server.start()
    try:
        async with bus_at(server.url) as bus:
            await ensure_bus(bus.nc)
        rig = await make_rig(nats_url=server.url)
        client = await rig.answered()
        await send_live(client, 25)
        server.kill()
        await send_live(client, 25)
        server.start()
        await eventually(lambda: rig.bus.connected, what="reconnected")
        await send_live(client, 25)
        caller = rig.frames["caller"]
        assert {f.pts_ms for f in caller} >= set(range(0, caller[-1].pts_ms, 20))
        by_pts: dict[int, set[tuple[int, bytes]]] = {}
        for frame in caller:
            by_pts.setdefault(frame.pts_ms, set()).add((frame.seq, frame.pcm))
        assert all(len(versions) == 1 for versions in by_pts.values())
        assert len(caller) > len(by_pts)
        await rig.publish("llm-orchestrator", SaySentence(utterance_seq=1, reply=1, turn=0, text="Still here."))
        await rig.speak(1, range(3))
        await rig.event("playback.finished")
        assert numbers(bytes(client.audio)) == [1_000, 1_001, 1_002]
        assert not rig.events("media.detached")
        await rig.close()
    finally:
        server.kill()
        shutil.rmtree(server.store, ignore_errors=True)


async def test_an_operator_mutes_and_unmutes_the_caller_over_grpc(rig: Any) -> None:
    client = await rig.answered()
    runtime = rig.service.runtime
    port = runtime.grpc_server.add_insecure_port("127.0.0.1:0")
    await runtime.grpc_server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = control_pb2_grpc.CallControlStub(channel)
        ref = rig.config.ref
        mute = control_pb2.MuteRequest(
            org=ref.org, call=ref.call, side=control_pb2.MuteRequest.SIDE_CUSTOMER, muted=True
        )
        await stub.Mute(mute)
        command = await rig.event("call.control")
        assert command.control == "mute-customer"
        seen = len(rig.frames["caller"])
        await send_live(client, 5)
        assert all(f.pcm == bytes(640) for f in rig.frames["caller"][seen + 1 :])
        mute.call = "6f1c0c1e-30a5-4f0e-9a55-7f6f2a3f3b01"
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Mute(mute)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        mute.side = control_pb2.MuteRequest.SIDE_UNSPECIFIED
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Mute(mute)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    await runtime.grpc_server.stop(None)


async def test_a_used_port_is_named(rig: Any) -> None:
    settings = Settings(media_port=rig.server.port)
    second = MediaServer(Runtime("media-ingress", settings, rig.bus, rig.bus.log, "second"))
    with pytest.raises(SettingsClash, match=f"{rig.server.port} .VOXBUS_MEDIA_PORT"):
        await second.start()


async def test_draining_sends_callers_elsewhere(rig: Any) -> None:
    client = await rig.answered()
    assert await rig.server.drain() == 1
    assert (await client.closed())[0] == 1001
    detached = await rig.event("media.detached")
    assert detached.clean is False
