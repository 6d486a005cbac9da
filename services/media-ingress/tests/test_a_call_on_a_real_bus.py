"""One call's transport on a real nats-server: letting in, audio and texts both ways, control."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import grpc.aio
import pytest

from voxbus_audio import mulaw_encode, sine
from voxbus_contracts.commands import ClearPlayback, SaySentence
from voxbus_contracts.events import ReplyStarted, SpeechStarted, TranscriptFinal
from voxbus_proto.control.v1 import control_pb2, control_pb2_grpc
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_runtime.audio_frames import frames_of
from voxbus_testing.nats import eventually

pytestmark = pytest.mark.integration


def sound(seq: int, index: int) -> bytes:
    return (seq * 1_000 + index).to_bytes(2, "little") * 320


def get(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


async def test_a_call_is_answered_when_every_stage_has_claimed_it(rig: Any) -> None:
    await rig.watch()
    client = await rig.connect()
    attached = await rig.event("media.attached")
    assert (attached.pts_ms, attached.resumed, attached.sample_rate_hz) == (0, False, 16_000)
    await rig.event("call.ringing")
    info = await eventually(lambda: asyncio.ensure_future(rig.bus.js.stream_info("CLAIMS")))
    assert (await info).state.messages == 5, "one per stage the call waits for, and the recorder's"
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
    await client.send_live(25)
    await asyncio.sleep(0.2)
    frames = rig.frames["caller"]
    pts = rig.caller_pts
    assert pts == list(range(pts[0], pts[0] + 20 * len(pts), 20))
    assert [f.seq for f in frames] == list(range(frames[0].seq, frames[0].seq + len(frames)))
    assert all(len(f.pcm) == 640 for f in frames)
    loud = rig.heard_frames
    assert len(loud) == 25
    assert all(f.epoch == f.attachment == rig.server.attached(rig.config.ref).call.epoch for f in frames)
    assert all(0 <= time.time() * 1e6 - f.origin_unix_us < 10e6 for f in loud)


async def test_mulaw_at_8_khz_cut_at_odd_places_becomes_the_same_frames(make_rig: Callable[..., Any]) -> None:
    rig = await make_rig(transport={"encoding": "mulaw", "sample_rate_hz": 8_000})
    client = await rig.answered()
    wire = mulaw_encode(sine(440, 400, sample_rate_hz=8_000))
    for at in range(0, len(wire), 77):
        await client.socket.send(wire[at : at + 77])
    loud = await eventually(lambda: rig.heard_frames[18:], what="frames")
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
    await eventually(lambda: len(rig.heard_frames) == 30, what="30 frames")
    assert time.monotonic() - started >= 0.5
    assert b"".join(f.pcm for f in rig.heard_frames) == tone


async def test_the_answer_reaches_the_caller_and_its_latency_is_told(rig: Any) -> None:
    client = await rig.answered()
    await client.send_live(10)
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
    assert client.heard == [1_000 + n for n in range(10)]
    played = rig.frames["played"]
    assert [f.pts_ms for f in played] == [started.pts_ms + 20 * n for n in range(10)]
    assert {f.utterance_seq for f in played} == {1}
    assert rig.played == [1_000 + n for n in range(10)]
    told = await client.told("transcript", role="assistant")
    assert told["transcript"] == "Hi."


async def test_what_was_played_is_told_five_frames_at_a_time_and_the_rest_as_soon_as_nothing_follows(rig: Any) -> None:
    await rig.answered()
    messages: list[list[int]] = []

    def on_message(_subject: str, _headers: dict[str, str] | None, payload: bytes) -> None:
        messages.append([frame.seq for frame in frames_of(payload)])

    await rig.bus.nc.subscribe_live(rig.config.ref.audio("played"), on_message)
    await rig.bus.nc.flush()
    await rig.publish("llm-orchestrator", SaySentence(utterance_seq=1, reply=1, turn=1, text="Hi."))
    await rig.speak(1, range(12))
    await rig.event("playback.finished")
    await eventually(lambda: messages and messages[-1][-1] == 12, what="the rest")
    assert messages == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12]]
    stored = await rig.stages["llm-orchestrator"].replay_audio("played", rig.frames["played"][11].pts_ms)
    assert [frame.seq for frame in stored] == [12], "read back frame by frame"


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
    await client.say(type="send-transport-message", message={})
    await client.say(type="say", message="One moment.")
    await client.say(type="control", control="mute-customer")
    said = await rig.event("call.say")
    assert said.content == "One moment."
    errors = [t["error"] for t in client.texts if t["type"] == "error"]
    assert [e["code"] for e in errors] == ["malformed-json", "wrong-type", "not-supported"]
    assert errors[1]["field"] == "content"
    await rig.event("call.control")
    seen = len(rig.frames["caller"])
    await client.send_live(10)
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
        await client.send_live(5)
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


async def test_a_caller_that_stops_sending_is_silence_and_the_call_goes_on(rig: Any) -> None:
    client = await rig.answered()
    await client.send_live(5)
    await eventually(lambda: sum(f.filled for f in rig.frames["caller"][-20:]) == 20, what="20 filled frames")
    assert all(f.pcm == bytes(640) for f in rig.frames["caller"] if f.filled)
    await client.send_live(3)
    await eventually(lambda: len(rig.heard_frames) == 8, what="heard again")
    assert all(b - a == 20 for a, b in pairwise(rig.caller_pts))


async def test_bytes_cut_in_the_middle_of_a_sample_are_joined(rig: Any) -> None:
    client = await rig.answered()
    tone = sine(440, 100)
    for at in range(0, len(tone), 333):
        await client.socket.send(tone[at : at + 333])
    await eventually(lambda: len(rig.heard_frames) == 5, what="5 frames")
    assert b"".join(f.pcm for f in rig.heard_frames) == tone


async def test_a_broken_wav_header_is_told_once_and_the_call_goes_on(rig: Any) -> None:
    client = await rig.answered()
    fmt = (9).to_bytes(2, "little") + (1).to_bytes(2, "little") + (16_000).to_bytes(4, "little") + bytes(8)
    for _ in range(3):
        await client.socket.send(
            b"RIFF" + bytes(4) + b"WAVEfmt " + (16).to_bytes(4, "little") + fmt + b"data" + bytes(99)
        )
    await client.told("error")
    await client.say(type="say", content="Still here.")
    await rig.event("call.say")
    (error,) = [t["error"] for t in client.texts if t["type"] == "error"]
    assert (error["code"], error["field"]) == ("audio.wav_header_invalid", "audio")


async def hold(rig: Any, seq: int, reply: int) -> None:
    """A sentence of an answer that is being prepared, and its sound."""
    await rig.publish("llm-orchestrator", SaySentence(utterance_seq=seq, reply=reply, turn=1, text="x", hold=True))
    for index in range(10):
        frame = AudioFrame(
            pcm=sound(seq, index), pts_ms=20 * index, utterance_seq=seq, last=index == 9, seq=index + 1, held=True
        )
        rig.stages["tts-worker"].publish_audio("agent", frame)


async def test_a_prepared_answer_is_silent_until_it_is_given_and_then_leaves_within_a_frame(rig: Any) -> None:
    client = await rig.answered()
    await client.send_live(10)
    anchor = rig.frames["caller"][-1].pts_ms
    await hold(rig, 1, reply=1)
    await asyncio.sleep(0.3)
    assert (rig.events("playback.started"), rig.played) == ([], [])
    released_s = time.monotonic()
    released = ReplyStarted(reply=1, turn=1, source="model", utterances=(1,), anchor_pts_ms=anchor)
    await rig.publish("llm-orchestrator", released)
    started = await rig.event("playback.started")
    waited_ms = (time.monotonic() - released_s) * 1_000
    assert started.anchor_pts_ms == anchor
    assert started.v2v_ms >= 300
    assert started.waited_ms <= 20
    assert waited_ms <= 100  # a frame, and the way of the report on a machine that does other things
    await rig.event("playback.finished")
    assert [number for number in rig.played if number] == [1_000 + index for index in range(10)]


async def test_a_prepared_answer_that_is_not_wanted_is_never_heard_nor_told(rig: Any) -> None:
    client = await rig.answered()
    await hold(rig, 1, reply=1)
    await rig.publish("llm-orchestrator", ClearPlayback(up_to_utterance_seq=1, reason="caller-went-on"))
    await hold(rig, 2, reply=2)
    await rig.publish("llm-orchestrator", ReplyStarted(reply=2, turn=1, source="model", utterances=(2,)))
    await rig.event("playback.finished")
    assert [number for number in rig.played if number] == [2_000 + index for index in range(10)]
    assert len([text for text in client.texts if text["type"] == "voice-input"]) == 1


async def test_a_prepared_answer_stays_held_for_a_caller_who_comes_back(rig: Any) -> None:
    client = await rig.answered()
    await hold(rig, 1, reply=1)
    client.socket.transport.abort()
    await rig.event("media.detached")
    again = await rig.connect()
    await rig.event("media.attached", lambda attached: attached.resumed)
    await asyncio.sleep(0.3)
    assert [number for number in rig.played if number] == []
    await rig.publish("llm-orchestrator", ReplyStarted(reply=1, turn=1, source="model", utterances=(1,)))
    await rig.event("playback.finished")
    await eventually(lambda: len(again.audio) >= 6_400, what="the answer")
    assert [number for number in again.heard if number] == [1_000 + index for index in range(10)]
