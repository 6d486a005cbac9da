"""Listening to a call over a real WebSocket, the call's frames on a real bus."""

import asyncio
import json
from array import array
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from voxbus_bus.publishing import StoredPublisher
from voxbus_contracts import CallRef
from voxbus_contracts.events import CallEnded
from voxbus_control_api.http.server import ApiServer, bound_socket
from voxbus_control_api.key_store import Key
from voxbus_control_api.live.sound import LiveSound
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_runtime.bus import Bus
from voxbus_testing.nats import bus_at

pytestmark = pytest.mark.integration


class Listening:
    """The API on a port, and the bus its calls are on."""

    def __init__(self, server: Any, bus: Bus, api: ApiServer, sound: LiveSound) -> None:
        self.server = server
        self.bus = bus
        self.sound = sound
        self._at = f"ws://127.0.0.1:{api.port}"

    async def call(self, **plan: Any) -> tuple[CallRef, str]:
        """A call, and where it is listened to; "" = nowhere."""
        call = await self.server.call(assistant={"monitorPlan": plan})
        address = call["monitor"].get("listenUrl", "").replace("ws://api:8080", self._at)
        return CallRef(self.server.org, call["id"]), address

    async def speak(self, ref: CallRef, start_ms: int, upto_ms: int, *, played: bool = True) -> None:
        for pts in range(start_ms, upto_ms, 20):
            frames = {"played": -5, "caller": 7} if played else {"caller": 7}
            for direction, value in frames.items():
                pcm = array("h", [value] * 320).tobytes()
                frame = AudioFrame(pcm=pcm, pts_ms=pts, epoch=1)
                await self.bus.nc.publish(ref.audio(direction), frame.SerializeToString())  # type: ignore[arg-type]
        await self.bus.nc.flush()

    async def end(self, ref: CallRef) -> None:
        ended = CallEnded(pts_ms=1, reason="customer-ended-call")
        await StoredPublisher(self.bus, "llm-orchestrator").publish_stored(ref, ended)


@pytest.fixture
async def listening(server: Any, nats_url: str) -> AsyncGenerator[Listening]:
    async with bus_at(nats_url) as bus:
        sound = LiveSound(bus)
        server.app.state.api = replace(server.app.state.api, sound=sound)
        api = ApiServer(server.app, bound_socket("127.0.0.1", 0))
        serving = asyncio.ensure_future(api.run_until_stopped())
        async with asyncio.timeout(10):
            while not api.started:
                await asyncio.sleep(0.01)
        yield Listening(server, bus, api, sound)
        await sound.stop()
        api.stop()
        await serving


@asynccontextmanager
async def ear(address: str, **headers: str) -> AsyncGenerator[ClientConnection]:
    """Connected, the format read."""
    async with connect(address, additional_headers=headers) as socket:
        start = json.loads(await asyncio.wait_for(socket.recv(), 10))
        assert start == {"type": "start", "encoding": "linear16", "sampleRate": 16000, "channels": 2}
        yield socket


async def heard(socket: ClientConnection, frames: int) -> bytes:
    sound = b""
    async with asyncio.timeout(10):
        while len(sound) < frames * 1280:
            part = await socket.recv()
            assert isinstance(part, bytes)
            sound += part
    return sound


async def refused(address: str, **headers: str) -> int:
    with pytest.raises(InvalidStatus) as answer:
        await connect(address, additional_headers=headers)
    return answer.value.response.status_code


async def test_several_hear_caller_and_assistant_side_by_side_until_the_call_is_over(listening: Listening) -> None:
    ref, address = await listening.call()
    subscriptions = listening.bus.nc.subscription_count
    async with ear(address) as first, ear(address) as second:
        await first.send("whatever a listener says is ignored")
        await listening.speak(ref, 0, 1_000)
        one, two = await heard(first, 40), await heard(second, 40)
        assert one == two
        samples = array("h", one)
        assert (set(samples[0::2]), set(samples[1::2])) == ({7}, {-5})
        await listening.end(ref)
        assert array("h", await heard(first, 10)) == samples[: 10 * 640], "what came last is heard to its end"
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(first.recv(), 10)
        assert first.close_code == 1000
    async with asyncio.timeout(10):
        while listening.bus.nc.subscription_count > subscriptions + 1:
            await asyncio.sleep(0.02)


async def test_a_listener_that_does_not_read_holds_up_nobody_and_loses_the_oldest(listening: Listening) -> None:
    ref, _ = await listening.call()
    async with listening.sound.listening(ref) as slow, listening.sound.listening(ref) as quick:
        got = 0
        for start in range(0, 12_000, 1_000):
            await listening.speak(ref, start, start + 1_000, played=False)
            async with asyncio.timeout(10):
                while got < start // 20 + 30:
                    got += len(await quick.next()) // 1280
        late = len(await slow.next()) // 1280
    assert late == 100


async def test_only_who_has_the_address_listens_and_where_the_plan_says_so_only_with_a_key(
    listening: Listening,
) -> None:
    _, address = await listening.call()
    _, other = await listening.call()
    assert await refused(address[:-40] + other[-40:]) in (401, 404)
    assert await refused(address.split("?", maxsplit=1)[0]) == 401
    _, guarded = await listening.call(listenAuthenticationEnabled=True)
    keys = listening.server.app.state.api.keys
    await keys.add("vb_page", Key("key-9", listening.server.org, "public", 9, 9))
    assert await refused(guarded) == 401
    assert await refused(guarded, Authorization=listening.server.theirs["authorization"]) == 401
    async with ear(guarded, Authorization="Bearer vb_page"):
        pass
    ref, nowhere = await listening.call(listenEnabled=False)
    assert nowhere == ""
    path = address.split("/call/", maxsplit=1)[0] + f"/call/{ref.call}/listen"
    assert await refused(path, Authorization=f"Bearer {listening.server.key}") == 403


async def test_a_call_that_has_ended_is_refused_and_a_server_that_stops_sends_its_listeners_away(
    listening: Listening,
) -> None:
    ref, address = await listening.call()
    async with ear(address) as socket:
        await listening.sound.stop()
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 10)
        assert socket.close_code == 1012
    await listening.server.happened(ref.call, CallEnded(pts_ms=1, reason="customer-ended-call"))
    assert await refused(address) == 409
