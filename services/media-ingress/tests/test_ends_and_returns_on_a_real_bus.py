"""A transport on a real nats-server that breaks, comes back, is replaced, or ends; and a bus that goes away."""

import asyncio
import socket
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from websockets.asyncio.client import connect

import voxbus_media_ingress.server as server_module
from voxbus_contracts.commands import SaySentence
from voxbus_contracts.streams import OWNERS
from voxbus_contracts.subjects import backs_of
from voxbus_media_ingress.errors import SettingsClash
from voxbus_media_ingress.server import MediaServer
from voxbus_media_ingress.settings import Settings
from voxbus_runtime.claims import take_call
from voxbus_runtime.service import Runtime
from voxbus_testing.nats import bus_at, eventually, mortal_nats

pytestmark = pytest.mark.integration


async def test_a_lost_socket_is_resumed_with_pts_and_playout_going_on(rig: Any) -> None:
    client = await rig.answered()
    await rig.publish("llm-orchestrator", SaySentence(utterance_seq=1, reply=1, turn=1, text="Long."))
    await rig.speak(1, range(60))
    await eventually(lambda: len(client.audio) > 640 * 10, what="sound")
    client.socket.transport.abort()
    detached = await rig.event("media.detached")
    assert (detached.clean, detached.code) == (False, 1006)
    await asyncio.sleep(0.3)
    before = rig.caller_pts
    played_before = rig.played
    again = await rig.connect()
    attached = await rig.event("media.attached", lambda e: e.resumed)
    assert attached.pts_ms % 20 == 0
    assert 250 <= attached.pts_ms - before[-1] <= 1_500
    await again.told("status-update", status="in-progress")
    finished = await rig.event("playback.finished")
    assert finished.played_ms == 1_200
    played = rig.played
    assert played == [1_000 + n for n in range(60)]
    assert again.heard == played[len(played_before) :]
    assert len(rig.events("call.ringing")) == len(rig.events("call.started")) == 1
    assert all(b > a for a, b in pairwise(rig.caller_pts))
    usage = await rig.event("usage.recorded")
    assert (usage.item, usage.unit) == ("transport", "ms")


async def test_who_comes_back_speaks_where_it_is_heard_however_long_the_call_takes_to_be_claimed(
    rig: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await rig.answered()
    await client.send_live(10)
    before_s, before_pts = time.monotonic(), rig.caller_pts[-1]
    client.socket.transport.abort()
    await rig.event("media.detached")

    async def takes_long(*arguments: Any) -> Any:
        await asyncio.sleep(0.4)
        return await take_call(*arguments)

    monkeypatch.setattr(server_module, "take_call", takes_long)
    again = await rig.connect()
    passed_ms = (time.monotonic() - before_s) * 1_000
    await again.send_live(40)
    first_pts = next(frame.pts_ms for frame in rig.frames["caller"] if frame.pts_ms > before_pts and not frame.filled)
    assert abs(first_pts - before_pts - passed_ms) <= 100


async def test_the_newest_transport_wins_and_the_older_is_told_so(rig: Any) -> None:
    first = await rig.answered()
    second = await rig.connect()
    code, reason = await first.closed()
    assert (code, reason) == (4409, "a newer connection has this call")
    await second.told("status-update", status="in-progress")
    await second.send_live(5)
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
    assert error["message"].startswith("no stt-worker and no tts-worker and no vad had a free slot")
    assert ended.message == error["message"]


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
    async with mortal_nats() as server:
        rig = await make_rig(nats_url=server.url)
        client = await rig.answered()
        await client.send_live(25)
        server.kill()
        await client.send_live(25)
        server.start()
        await eventually(lambda: rig.bus.connected, what="reconnected")
        await client.send_live(25)
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
        assert client.heard == [1_000, 1_001, 1_002]
        assert not rig.events("media.detached")
        await rig.close()


async def test_sound_that_a_dying_bus_took_along_is_waited_for_until_it_is_said_again(
    make_rig: Callable[..., Any],
) -> None:
    async with mortal_nats() as server:
        rig = await make_rig(nats_url=server.url)
        client = await rig.answered()
        await rig.publish("llm-orchestrator", SaySentence(utterance_seq=1, reply=1, turn=0, text="Still here."))
        await rig.speak(1, range(3), last=False)
        await rig.speak(1, range(4, 6), last=False)
        await eventually(lambda: len(client.heard) == 3, what="what is here")
        server.kill()
        await client.send_live(30)
        server.start()
        await eventually(lambda: rig.bus.connected, what="reconnected")
        await client.send_live(30)
        assert client.heard == [1_000, 1_001, 1_002], "nothing is played as silence: it may be said again yet"
        await rig.speak(1, range(3, 7))
        await rig.event("playback.finished")
        assert client.heard == [1_000 + n for n in range(7)]
        await rig.close()


async def test_who_was_cut_off_from_the_bus_says_so_and_may_be_told_again_what_it_missed(rig: Any) -> None:
    await rig.answered()
    backs: list[str] = []
    async with bus_at(rig.service.runtime.settings.nats_url) as ear:
        await ear.nc.subscribe_live(
            backs_of("media-ingress"), lambda subject, _headers, _payload: backs.append(subject)
        )
        await ear.nc.flush()
        await rig.service.runtime.bus.reconnected()
        await eventually(lambda: backs, what="that it is back")
    assert backs == [f"worker.v1.media-ingress.{rig.service.runtime.worker}.back"]


async def test_a_caller_who_is_back_in_a_moment_leaves_no_hole_that_readers_would_wait_for(rig: Any) -> None:
    first = await rig.answered()
    await first.send_live(10)
    await eventually(lambda: len(rig.caller_pts) >= 10, what="the caller's frames")
    second = await rig.connect()
    await second.told("status-update", status="in-progress")
    await second.send_live(10)
    attached = await rig.event("media.attached", lambda e: e.resumed)
    await eventually(lambda: rig.caller_pts[-1] >= attached.pts_ms + 100, what="frames of the second")
    pts = rig.caller_pts
    assert all(b - a == 20 for a, b in pairwise(pts)), pts
    pause = [frame for frame in rig.frames["caller"] if frame.attachment == attached.attachment]
    assert all(frame.filled for frame in pause if frame.pts_ms < attached.pts_ms)


async def test_a_used_port_is_named(rig: Any) -> None:
    settings = Settings(media_port=rig.server.port)
    second = MediaServer(Runtime("media-ingress", settings, rig.bus, rig.bus.log, "second"))
    with pytest.raises(SettingsClash, match=f"{rig.server.port} .VOXBUS_MEDIA_PORT"):
        await second.start()


async def test_draining_moves_callers_who_can_come_back_and_says_where_to(rig: Any) -> None:
    client = await rig.answered()
    assert await rig.server.drain() == 1
    assert await client.closed() == (1012, "this server restarts: connect again to the same URL")
    detached = await rig.event("media.detached")
    assert detached.clean is False
