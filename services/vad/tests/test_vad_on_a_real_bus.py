"""The service on a real nats-server: events on the bus, takeover in the middle of speech, Silero for several calls."""

import asyncio
import importlib.util
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from nats.aio.msg import Msg
from prometheus_client import REGISTRY

from voxbus_audio import FRAME_MS, SAMPLE_RATE_HZ, SILENCE_FRAME, frames
from voxbus_contracts import DEFAULT_ORG, CallRef, decode, read_envelope
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import CallEnded, SpeechPaused, SpeechStarted, SpeechStopped
from voxbus_contracts.speaking import SpeculationPlan, StartSpeakingPlan
from voxbus_contracts.subjects import parse
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_runtime.bus import Bus
from voxbus_runtime.claims import put_claims
from voxbus_testing.nats import RunningService, bus_at, eventually, start_service, store_config
from voxbus_vad.settings import Settings
from voxbus_vad.wiring import wire

HEARD_FRAMES = "voxbus_frame_latency_milliseconds_count"

pytestmark = pytest.mark.integration


def without_opinion(heard: list[Any]) -> list[Any]:
    """As if nobody had listened to how the speech ends."""
    return [
        event.model_copy(update={"finished": None}) if isinstance(event, SpeechStopped) else event for event in heard
    ]


def vowel(ms: int, amplitude: float = 3_000) -> list[bytes]:
    """A buzzing 140 Hz sound, voiced to every ear; a faint one leaves the cheap detector unsure."""
    at = np.arange(SAMPLE_RATE_HZ * ms // 1_000) / SAMPLE_RATE_HZ
    buzz = sum(np.sin(2 * np.pi * 140 * k * at) / k for k in range(1, 20))
    sound = amplitude / 3 * buzz * (1 + 0.5 * np.sin(2 * np.pi * 4 * at))
    return frames(sound.clip(-32_768, 32_767).astype("<i2").tobytes())


def silence(ms: int) -> list[bytes]:
    return [SILENCE_FRAME] * (ms // FRAME_MS)


class Line:
    """A call's transport as the bus sees it: frames with growing pts, and everything the vad says about them."""

    def __init__(self, bus: Bus, ref: CallRef) -> None:
        self.ref = ref
        self.pts_ms = 0
        self.heard: list[SpeechStarted | SpeechStopped] = []
        self.pauses: list[SpeechPaused] = []
        self.epochs: list[int] = []
        self._bus = bus

    async def listen(self) -> None:
        await self._bus.nc.subscribe(self.ref.event("speech", "*"), cb=self._on_event)
        await self._bus.nc.flush()

    async def _on_event(self, msg: Msg) -> None:
        parsed = parse(msg.subject)
        message = decode("event", f"{parsed.entity}.{parsed.what}", msg.data)
        if isinstance(message, SpeechPaused):
            self.pauses.append(message)
            return
        assert isinstance(message, SpeechStarted | SpeechStopped)
        self.heard.append(message)
        self.epochs.append(read_envelope(msg.headers).epoch)

    async def send(self, sound: list[bytes]) -> None:
        """As fast as it goes: the vad's clock is the audio's."""
        for pcm in sound:
            frame = AudioFrame(
                pcm=pcm,
                pts_ms=self.pts_ms,
                seq=self.pts_ms // FRAME_MS + 1,
                epoch=1,
                attachment=1,
                origin_unix_us=time.time_ns() // 1_000,
            )
            self.pts_ms += FRAME_MS
            await self._bus.nc.publish(self.ref.audio("caller"), frame.SerializeToString())
        await self._bus.nc.flush()

    @asynccontextmanager
    async def quiet_line(self) -> AsyncGenerator[None]:
        """Sends silence in real time meanwhile."""

        async def send_silence() -> None:
            while True:
                await self.send(silence(FRAME_MS))
                await asyncio.sleep(FRAME_MS / 1_000)

        sending = asyncio.get_running_loop().create_task(send_silence())
        try:
            yield
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    def stops(self) -> list[SpeechStopped]:
        return [event for event in self.heard if isinstance(event, SpeechStopped)]


async def a_worker(url: str, name: str, **settings: Any) -> RunningService:
    return await start_service("vad", Settings(nats_url=url, slots=10, **settings), wire, name)


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def a_line(url: str, worker: RunningService, *, speculates: bool = True) -> AsyncGenerator[Line]:
    """A call that `worker` has claimed and listens to."""
    start = StartSpeakingPlan(speculation=SpeculationPlan(enabled=speculates))
    assistant = Assistant(start_speaking_plan=start)
    config = CallConfig(org=DEFAULT_ORG, call=str(uuid.uuid4()), created_at_ms=1, stages=("vad",), assistant=assistant)
    async with bus_at(url) as bus:
        line = Line(bus, config.ref)
        await line.listen()
        await store_config(bus, config)
        await put_claims(bus, config)
        await eventually(lambda: str(config.ref) in worker.component.calls(), what="the claim")
        measured = sample(HEARD_FRAMES)
        async with line.quiet_line():
            await eventually(lambda: sample(HEARD_FRAMES) > measured, what="a frame is heard")
        yield line
        ended = CallEnded(pts_ms=line.pts_ms, reason="customer-ended-call")
        await bus.publish_event(config.ref, ended, stage="llm-orchestrator")
        await bus.outbox.flush(2)


async def test_what_the_caller_says_becomes_events_on_the_bus(nats_url: str) -> None:
    worker = await a_worker(nats_url, "vad-a")
    async with a_line(nats_url, worker) as line:
        measured = sample(HEARD_FRAMES)
        start_ms = line.pts_ms
        await line.send(vowel(600) + silence(400) + vowel(300) + silence(400))
        await eventually(lambda: len(line.heard) == 4, what="two stretches of speech")
        stops = [event for event in line.heard if isinstance(event, SpeechStopped)]
        assert all(stop.finished is not None and 0 < stop.finished < 1 for stop in stops)
        assert without_opinion(line.heard) == [
            SpeechStarted(speech_seq=1, pts_ms=start_ms, detected_pts_ms=start_ms + 60),
            SpeechStopped(speech_seq=1, pts_ms=start_ms + 600, detected_pts_ms=start_ms + 800, voiced_ms=600),
            SpeechStarted(speech_seq=2, pts_ms=start_ms + 1_000, detected_pts_ms=start_ms + 1_060),
            SpeechStopped(speech_seq=2, pts_ms=start_ms + 1_300, detected_pts_ms=start_ms + 1_500, voiced_ms=300),
        ]
    await eventually(lambda: not worker.component.calls(), what="the call is let go")
    assert sample(HEARD_FRAMES) >= measured + 85
    await worker.stop()


@pytest.mark.parametrize("speculates", [True, False])
async def test_pauses_are_told_on_calls_that_speculate_and_on_no_others(nats_url: str, speculates: bool) -> None:
    worker = await a_worker(nats_url, "vad-a")
    async with a_line(nats_url, worker, speculates=speculates) as line:
        start_ms = line.pts_ms
        await line.send(vowel(600) + silence(120) + vowel(300) + silence(400))
        await eventually(lambda: len(line.heard) == 2, what="a stretch of speech")
        told = [(pause.speech_seq, pause.pts_ms - start_ms, pause.detected_pts_ms - start_ms) for pause in line.pauses]
        assert told == ([(1, 600, 640), (1, 1_020, 1_060)] if speculates else [])
    await worker.stop()


async def test_frames_of_a_wrong_length_are_counted_and_taken_for_silence(nats_url: str) -> None:
    worker = await a_worker(nats_url, "vad-a")
    broken = sample("vad_broken_frames_total")
    async with a_line(nats_url, worker) as line:
        await line.send([b"", b"\1", b"\1" * 639, b"\1" * 100_000, *vowel(100), *silence(300)])
        await eventually(line.stops, what="speech behind the broken frames")
        assert sample("vad_broken_frames_total") == broken + 4
    await worker.stop()


async def test_speech_that_ends_while_nobody_listens_is_ended_at_its_own_time_by_the_next_owner(nats_url: str) -> None:
    first, second = await a_worker(nats_url, "vad-a"), None
    async with a_line(nats_url, first) as line:
        start_ms = line.pts_ms
        await line.send(vowel(400))
        await eventually(lambda: line.heard, what="the start")
        await eventually(lambda: not first.runtime.bus.outbox.waiting, what="the start is stored")
        second = await a_worker(nats_url, "vad-b")
        await first.vanish()
        await line.send(vowel(200) + silence(300) + vowel(100) + silence(100))
        async with line.quiet_line():
            await eventually(lambda: len(line.stops()) == 2, what="both stretches end")
        stopped, started, again = line.heard[1:]
        assert isinstance(stopped, SpeechStopped)
        assert (stopped.speech_seq, stopped.pts_ms) == (1, start_ms + 600)
        assert 60 <= stopped.voiced_ms <= 600
        assert started == SpeechStarted(speech_seq=2, pts_ms=start_ms + 900, detected_pts_ms=start_ms + 960)
        assert (again.speech_seq, again.pts_ms) == (2, start_ms + 1_000)
        assert line.epochs == sorted(line.epochs)
        assert line.epochs[0] < line.epochs[1]
    await second.stop()


async def test_without_replay_an_open_stretch_ends_when_silence_has_lasted_in_live_audio(nats_url: str) -> None:
    first = await a_worker(nats_url, "vad-a")
    async with a_line(nats_url, first) as line:
        await line.send(vowel(400))
        await eventually(lambda: line.heard, what="the start")
        await eventually(lambda: not first.runtime.bus.outbox.waiting, what="the start is stored")
        second = await a_worker(nats_url, "vad-b", vad_replay_ms=0)
        await first.vanish()
        unheard_upto_ms = line.pts_ms
        async with line.quiet_line():
            await eventually(line.stops, what="the stop")
        (stopped,) = line.stops()
        assert stopped.speech_seq == 1
        assert stopped.pts_ms >= unheard_upto_ms
        assert stopped.detected_pts_ms - stopped.pts_ms == 200
    await second.stop()


async def test_a_drain_in_the_middle_of_speech_loses_none_of_it(nats_url: str) -> None:
    first = await a_worker(nats_url, "vad-a")
    async with a_line(nats_url, first) as line:
        start_ms = line.pts_ms
        await line.send(vowel(400))
        await eventually(lambda: line.heard, what="the start")
        second = await a_worker(nats_url, "vad-b")
        leaving = asyncio.get_running_loop().create_task(first.stop())
        await line.send(vowel(400))
        await leaving
        async with line.quiet_line():
            await eventually(line.stops, what="the stop")
        assert [event.speech_seq for event in line.heard] == [1, 1]
        assert line.heard[1].pts_ms == start_ms + 800
    await second.stop()


@pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="requirements/silero.lock is not installed")
async def test_silero_is_asked_for_several_calls_at_once_and_only_where_the_cheap_ear_is_unsure(nats_url: str) -> None:
    worker = await a_worker(nats_url, "vad-a", vad_engine="silero")
    async with a_line(nats_url, worker) as one, a_line(nats_url, worker) as two:
        decided = sample("vad_unsure_frames_total", decided_by="silero")
        late = sample("vad_unsure_frames_total", decided_by="cheap")
        batches, asks = sample("vad_silero_batch_size_count"), sample("vad_silero_batch_size_sum")
        sound = vowel(200) + silence(300) + vowel(600, amplitude=300) + silence(300)
        for pcm in sound:
            await asyncio.gather(one.send([pcm]), two.send([pcm]), asyncio.sleep(FRAME_MS / 1_000))
        await eventually(lambda: one.stops() and two.stops(), what="the loud vowel in both calls")
        asked = sample("vad_silero_batch_size_sum") - asks
        assert 0 < asked < 2 * len(sound) * 0.8
        assert asked > sample("vad_silero_batch_size_count") - batches
        answered = sample("vad_unsure_frames_total", decided_by="silero") - decided
        assert answered + sample("vad_unsure_frames_total", decided_by="cheap") - late == asked
        assert answered > 0
        assert [event.speech_seq for event in one.heard] == [event.speech_seq for event in two.heard]
    await worker.stop()
