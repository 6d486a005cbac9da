"""A call as the recorder hears it: frames on the bus, a log, a store."""

import asyncio
import io
import uuid
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxbus_audio import FRAME_BYTES, FRAME_MS, sine
from voxbus_contracts import DEFAULT_ORG, CallRef, decode
from voxbus_contracts.artifact import ArtifactPlan
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import (
    ArchiveStored,
    CallEnded,
    CallStarted,
    FaultRaised,
    MediaAttached,
    MediaDetached,
    RecordingStored,
)
from voxbus_objects import ObjectStore, open_store
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_recorder.settings import Settings
from voxbus_recorder.wiring import wire
from voxbus_runtime.bus import Bus
from voxbus_runtime.claims import put_claims
from voxbus_testing.nats import RunningService, bus_at, eventually, start_service, store_config

ATTACHMENT = 7


@dataclass
class Call:
    """What media-ingress says of a call. `sent` keeps all of it."""

    bus: Bus
    config: CallConfig
    store: ObjectStore
    caller: dict[int, bytes] = field(default_factory=dict)
    played: dict[int, bytes] = field(default_factory=dict)

    @property
    def ref(self) -> CallRef:
        return self.config.ref

    async def begins(self) -> None:
        await store_config(self.bus, self.config)
        await put_claims(self.bus, self.config)
        await self.say(
            MediaAttached(
                attachment=ATTACHMENT, transport="x", encoding="x", sample_rate_hz=16_000, pts_ms=0, resumed=False
            )
        )
        await self.say(CallStarted(pts_ms=0, setup_ms=1))

    async def say(self, event: Any, stage: str = "media-ingress") -> None:
        await self.bus.publish_event(self.ref, event, stage=stage)
        assert await self.bus.outbox.flush(5) == 0

    async def sounds(self, direction: Any, from_ms: int, pcm: bytes) -> None:
        """Frames of 20 ms from a place on the audio clock on."""
        frames = self.caller if direction == "caller" else self.played
        for at in range(0, len(pcm), FRAME_BYTES):
            pts_ms = from_ms + at // FRAME_BYTES * FRAME_MS
            frames[pts_ms] = pcm[at : at + FRAME_BYTES]
            await self.frame(direction, pts_ms, frames[pts_ms])
        await self.bus.nc.flush()

    async def frame(self, direction: Any, pts_ms: int, pcm: bytes) -> None:
        frame = AudioFrame(pcm=pcm, pts_ms=pts_ms, seq=pts_ms // FRAME_MS + 1, epoch=ATTACHMENT, attachment=ATTACHMENT)
        await self.bus.nc.publish(self.ref.audio(direction), frame.SerializeToString())

    async def ends(self) -> None:
        end_ms = max(self.caller, default=0) + FRAME_MS
        await self.say(CallEnded(pts_ms=end_ms, reason="customer-ended-call"), "llm-orchestrator")
        await self.say(MediaDetached(attachment=ATTACHMENT, pts_ms=end_ms, clean=True, code=1000))

    # --- what came of it -----------------------------------------------------------------------------------------

    async def events(self, name: str) -> list[Any]:
        log = await self.bus.call_log(self.ref)
        return [decode("event", name, each.payload) for each in log if each.name == name]

    async def recording(self, nth: int = 1, timeout_s: float = 30) -> RecordingStored:
        found = await self.nth_event("recording.stored", nth, timeout_s)
        assert isinstance(found, RecordingStored)
        return found

    async def archive(self) -> ArchiveStored:
        found = await self.nth_event("archive.stored", 1)
        assert isinstance(found, ArchiveStored)
        return found

    async def nth_event(self, name: str, nth: int, timeout_s: float = 30) -> Any:
        async with asyncio.timeout(timeout_s):
            while len(found := await self.events(name)) < nth:
                await asyncio.sleep(0.05)
        return found[nth - 1]

    async def faults(self) -> list[FaultRaised]:
        return await self.events("fault.raised")

    async def stereo(self, recording: RecordingStored) -> np.ndarray[Any, Any]:
        """Samples by channel: left the caller, right what was played."""
        (file,) = [each for each in recording.files if each.track == "stereo"]
        content = await self.store.get(file.key)
        assert len(content) == file.size_bytes
        with wave.open(io.BytesIO(content)) as wav:
            assert (wav.getnchannels(), wav.getframerate()) == (2, 16_000)
            samples = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2)
        assert len(samples) == recording.duration_ms * 16
        return samples

    def expected(self, direction: Any, duration_ms: int) -> bytes:
        frames = self.caller if direction == "caller" else self.played
        silence = bytes(FRAME_BYTES)
        return b"".join(frames.get(pts_ms, silence) for pts_ms in range(0, duration_ms, FRAME_MS))

    async def is_recorded_whole(self, recording: RecordingStored) -> bool:
        samples = await self.stereo(recording)
        return (
            recording.missing_ms == 0
            and samples[:, 0].tobytes() == self.expected("caller", recording.duration_ms)
            and samples[:, 1].tobytes() == self.expected("played", recording.duration_ms)
        )


@dataclass
class Place:
    """Where a test's recorders live."""

    url: str
    folder: Path
    address: str
    store: ObjectStore
    running: list[RunningService] = field(default_factory=list)

    async def recorder(self, name: str = "recorder-a", **settings: Any) -> RunningService:
        chosen = {"objects_url": self.address, "data_dir": self.folder / "data", "recorder_settle_ms": 300, **settings}
        service = await start_service("recorder", Settings(nats_url=self.url, **chosen), wire, name)
        self.running.append(service)
        return service

    @asynccontextmanager
    async def call(self, plan: ArtifactPlan | None = None, **assistant: Any) -> AsyncIterator[Call]:
        chosen = Assistant(artifact_plan=plan or ArtifactPlan(), **assistant)
        config = CallConfig(org=DEFAULT_ORG, call=str(uuid.uuid4()), created_at_ms=1, stages=(), assistant=chosen)
        async with bus_at(self.url) as bus:
            yield Call(bus, config, self.store)


@pytest.fixture
async def place(nats_url: str, tmp_path: Path) -> AsyncIterator[Place]:
    address = str(tmp_path / "objects")
    found = Place(nats_url, tmp_path, address, open_store(address))
    yield found
    for service in found.running:
        if not service.runtime.bus.nc.is_closed:
            await service.stop()


async def kill(service: RunningService) -> None:
    """Like kill -9; the consumers have a connection of their own."""
    await service.component._broker.stop()
    await service.vanish()


async def is_recording(service: RunningService, call: Call) -> None:
    await eventually(lambda: str(call.ref) in service.component.calls(), what="the recorder has the call")


def tone(hz: float, ms: int) -> bytes:
    return sine(hz, ms)
