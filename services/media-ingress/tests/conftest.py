"""A real media-ingress on a real bus, with the other stages played by the test through the same runtime."""

import asyncio
import contextlib
import hashlib
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.protocol import State

from voxbus_audio import sine
from voxbus_contracts import DEFAULT_ORG, Event
from voxbus_contracts.commands import SaySentence
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import SpeechStarted, SpeechStopped
from voxbus_media_ingress.clock import CallerClock
from voxbus_media_ingress.playout import PlaybackEvent, Playout, SentFrame
from voxbus_media_ingress.server import MediaServer
from voxbus_media_ingress.settings import Settings
from voxbus_media_ingress.utterance import AgentFrame
from voxbus_media_ingress.wiring import wire
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_runtime.bus import Bus
from voxbus_runtime.claims import take_call
from voxbus_runtime.owned_call import OwnedCall
from voxbus_runtime.sequencing import LoggedMessage
from voxbus_testing.nats import RunningService, eventually, start_service, store_config

TOKEN = "open-sesame"
EVERY_EVENT = frozenset(
    f"{entity}.{what}"
    for entity, whats in {
        "call": ("ringing", "started", "end", "say", "add-message", "control"),
        "media": ("attached", "detached"),
        "playback": ("started", "progressed", "paused", "resumed", "finished", "cleared"),
        "usage": ("recorded",),
        "fault": ("raised",),
    }.items()
    for what in whats
)


@dataclass
class Client:
    """A caller: what it was sent, by kind."""

    socket: ClientConnection
    texts: list[dict[str, Any]] = field(default_factory=list)
    audio: bytearray = field(default_factory=bytearray)
    _reading: asyncio.Task[None] | None = None

    def read(self) -> "Client":
        self._reading = asyncio.ensure_future(self._read())
        return self

    async def _read(self) -> None:
        with contextlib.suppress(Exception):
            async for received in self.socket:
                if isinstance(received, str):
                    self.texts.append(json.loads(received))
                else:
                    self.audio += received

    async def say(self, **fields: Any) -> None:
        await self.socket.send(json.dumps(fields))

    async def send_live(self, frames: int) -> None:
        """A tone in real time, by the clock and not by sleeping."""
        pcm, started = sine(440, 20), time.monotonic()
        for n in range(frames):
            await self.socket.send(pcm)
            await asyncio.sleep(max(0.0, started + 0.02 * (n + 1) - time.monotonic()))

    @property
    def heard(self) -> list[int]:
        """What it was played, from `sound` frames at 16 kHz: seq * 1000 + index of each."""
        return numbers(bytes(self.audio))

    async def told(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Waits for a text of this type that has these fields."""

        def find() -> dict[str, Any] | None:
            for text in self.texts:
                if text["type"] == kind and all(text.get(name) == value for name, value in fields.items()):
                    return text
            return None

        return await eventually(find, what=f"text {kind} {fields}")

    async def closed(self) -> tuple[int, str]:
        await asyncio.wait_for(self.socket.wait_closed(), 5)
        return self.socket.close_code or 1006, self.socket.close_reason or ""


@dataclass
class Rig:
    """One call's world."""

    service: RunningService
    config: CallConfig
    stages: dict[str, OwnedCall] = field(default_factory=dict)
    heard: list[LoggedMessage] = field(default_factory=list)
    frames: dict[str, list[AudioFrame]] = field(default_factory=dict)
    _tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    _clients: list[Client] = field(default_factory=list)
    _is_closed: bool = False

    @property
    def server(self) -> MediaServer:
        component = self.service.component
        assert isinstance(component, MediaServer)
        return component

    @property
    def bus(self) -> Bus:
        return self.service.runtime.bus

    def url(self, token: str = TOKEN, call: str | None = None, scheme: str = "ws") -> str:
        return f"{scheme}://127.0.0.1:{self.server.port}/{call or self.config.call}/transport?token={token}"

    async def connect(self, **options: Any) -> Client:
        client = Client(await connect(self.url(), compression=None, max_size=None, **options)).read()
        self._clients.append(client)
        return client

    async def own(self, stage: str) -> OwnedCall:
        call = await take_call(self.service.runtime, self.config, stage, EVERY_EVENT)
        self.stages[stage] = call
        return call

    async def watch(self) -> None:
        """Listens as the orchestrator would, from before the first attachment."""
        orchestrator = await self.own("llm-orchestrator")
        self.heard += orchestrator.history

        async def follow() -> None:
            async for message in orchestrator.messages():
                self.heard.append(message)

        self._tasks.append(asyncio.ensure_future(follow()))
        for direction in ("caller", "played"):
            self.frames[direction] = []
            await orchestrator.subscribe_audio(direction, self.frames[direction].append)

    async def answered(self) -> Client:
        """A call in progress: watched, claimed by every stage, its client attached."""
        if "llm-orchestrator" not in self.stages:
            await self.watch()
        client = await self.connect()
        await self.event("call.ringing")
        for stage in ("vad", "stt-worker", "tts-worker"):
            if stage not in self.stages:
                await self.own(stage)
        await self.event("call.started")
        return client

    @property
    def played(self) -> list[int]:
        """What the bus says was played, as `Client.heard`."""
        return numbers(b"".join(frame.pcm for frame in self.frames["played"]))

    @property
    def caller_pts(self) -> list[int]:
        return [frame.pts_ms for frame in self.frames["caller"]]

    @property
    def heard_frames(self) -> list[AudioFrame]:
        """Caller frames that are not filled."""
        return [frame for frame in self.frames["caller"] if not frame.filled]

    def events(self, name: str) -> list[Any]:
        return [message.message for message in self.heard if message.name == name]

    async def event(self, name: str, where: Callable[[Any], bool] = lambda _: True) -> Any:
        """Waits for an event or command of this name."""
        matching = await eventually(lambda: [e for e in self.events(name) if where(e)], what=name)
        return matching[-1]

    async def speak(self, seq: int, frames: range, last: bool = True) -> None:
        """The voice: frames whose sound tells which they are."""
        voice = self.stages["tts-worker"]
        for index in frames:
            pcm = sound(seq, index)
            is_last = last and index == frames[-1]
            voice.publish_audio(
                "agent", AudioFrame(pcm=pcm, pts_ms=20 * index, utterance_seq=seq, last=is_last, seq=index + 1)
            )

    async def publish(self, stage: str, message: Any) -> None:
        await self.stages[stage].publish(message)

    async def call_ends(self, reason: str = "customer-ended-call") -> None:
        from voxbus_contracts.events import CallEnded

        ended: Event = CallEnded(pts_ms=0, reason=reason)
        await self.publish("llm-orchestrator", ended)

    async def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        for client in self._clients:
            if client.socket.state is not State.CLOSED:
                client.socket.transport.abort()
        for task in self._tasks:
            task.cancel()
        for call in self.stages.values():
            await call.close()
        await self.service.stop()


def sound(seq: int, index: int) -> bytes:
    return (seq * 1_000 + index).to_bytes(2, "little") * 320


def numbers(audio: bytes) -> list[int]:
    """What a stream of `sound` frames at 16 kHz says: seq * 1000 + index of each."""
    return [int.from_bytes(audio[at : at + 2], "little") for at in range(0, len(audio), 640)]


def pcm(seq: int, index: int) -> bytes:
    return (seq * 1_000 + index).to_bytes(4, "little") * 160


class Line:
    """A playout with a perfect timer and everything that came out of it."""

    def __init__(self, after_seq: int = 0, played_frames: int = 0) -> None:
        self.clock = CallerClock(0.0)
        self.playout = Playout(self.clock, after_seq, played_frames)
        self.sent: list[tuple[float, SentFrame]] = []
        self.events: list[PlaybackEvent] = []
        self.now_ms = 0.0
        self.said: set[int] = set()
        self.says_itself = True

    def run_until(self, until_ms: float) -> None:
        for _ in range(100_000):
            due_ms = self.playout.next_due()
            if due_ms is None or due_ms > until_ms:
                break
            self.now_ms = max(self.now_ms, due_ms)
            self._tick()
        else:
            raise AssertionError("playout never comes to rest")
        self.now_ms = until_ms
        self.events += self.playout.take_events()

    def _tick(self) -> None:
        self.clock.poll(self.now_ms)
        frame = self.playout.tick(self.now_ms)
        if frame is not None:
            self.sent.append((self.now_ms, frame))
        self.events += self.playout.take_events()

    def say(
        self,
        seq: int,
        reflex: str = "pause",
        min_voiced_ms: int = 200,
        anchor: int | None = None,
        not_before: int = 0,
    ) -> None:
        command = SaySentence.model_validate(
            {
                "utterance_seq": seq,
                "reply": 1,
                "turn": 1,
                "text": "x",
                "reflex": reflex,
                "min_voiced_ms": min_voiced_ms,
                "anchor_pts_ms": anchor,
                "not_before_pts_ms": not_before,
            }
        )
        self.said.add(seq)
        self.playout.on_say(command, self.now_ms)
        self.run_until(self.now_ms)

    def frames(self, seq: int, indexes: range, last: bool = False, epoch: int = 1) -> None:
        if seq not in self.said and self.says_itself:
            self.say(seq)
        for index in indexes:
            is_last = last and index == indexes[-1]
            self.playout.on_frame(AgentFrame(seq, index, pcm(seq, index), is_last, epoch), self.now_ms)
        self.run_until(self.now_ms)

    def speech_started(self, seq: int, pts_ms: int) -> None:
        self.playout.on_speech_started(
            SpeechStarted(speech_seq=seq, pts_ms=pts_ms, detected_pts_ms=pts_ms + 60), self.now_ms
        )
        self.run_until(self.now_ms)

    def speech_stopped(self, seq: int, pts_ms: int) -> None:
        self.playout.on_speech_stopped(
            SpeechStopped(speech_seq=seq, pts_ms=pts_ms, detected_pts_ms=pts_ms + 200, voiced_ms=100)
        )

    @property
    def heard(self) -> list[tuple[int, int]]:
        """(utterance, index) of every frame that left, read from the sound itself."""
        numbers = [int.from_bytes(frame.pcm[:4], "little") for _, frame in self.sent]
        return [(number // 1_000, number % 1_000) for number in numbers]

    def of(self, kind: type[PlaybackEvent]) -> list[PlaybackEvent]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def line() -> Line:
    """A playout at the start of a call."""
    return Line()


@pytest.fixture
def make_line() -> Callable[..., Line]:
    """`make_line(after_seq=2, played_frames=7)`: one that goes on."""
    return Line


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Callable[[], Any]]:
    """The loop of production: its timers and sockets differ from the standard one's."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def make_rig(nats_url: str, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Callable[..., Any]]:
    """`await make_rig(transport={...}, assistant={...}, media_stuck_ms=...)`."""
    rigs: list[Rig] = []

    async def make(
        transport: dict[str, Any] | None = None, assistant: dict[str, Any] | None = None, **settings: Any
    ) -> Rig:
        chosen = Settings(**{"nats_url": nats_url, "media_port": 0, **settings})
        service = await start_service("media-ingress", chosen, wire, f"media-ingress-{len(rigs)}")
        config = CallConfig.model_validate(
            {
                "org": DEFAULT_ORG,
                "call": str(uuid.uuid4()),
                "created_at_ms": 1,
                "attach_token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(),
                "transport": transport or {},
                "assistant": assistant or {},
            }
        )
        await store_config(service.runtime.bus, config)
        rigs.append(Rig(service, config))
        return rigs[-1]

    yield make
    for rig in rigs:
        await rig.close()
    failures = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    # The exporter of a test of tracing before this one may still be trying.
    assert [record.getMessage() for record in failures if not record.name.startswith("opentelemetry.")] == []


@pytest.fixture
async def rig(make_rig: Callable[..., Any]) -> Rig:
    return await make_rig()
