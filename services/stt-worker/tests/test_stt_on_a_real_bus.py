"""The stt-worker on a real nats-server, with the position recognizer: transcripts on the bus, and takeovers."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from voxbus_contracts import DEFAULT_ORG, Event
from voxbus_contracts.assistant import Assistant, Transcriber, WordLabel
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import CallEnded, SpeechStarted, SpeechStopped, TranscriptFinal, TranscriptPartial
from voxbus_contracts.streams import OWNERS
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_runtime.bus import Bus
from voxbus_runtime.claims import put_claims
from voxbus_stt_worker.settings import Settings
from voxbus_stt_worker.wiring import wire
from voxbus_testing.nats import RunningService, bus_at, eventually, start_service, store_config

pytestmark = pytest.mark.integration

WORDS = [f"word{number}" for number in range(60)]
LABELS = tuple(
    WordLabel(text=word, start_ms=1_000 + 100 * number, end_ms=1_080 + 100 * number)
    for number, word in enumerate(WORDS)
)


async def start(url: str, worker: str) -> RunningService:
    settings = Settings(nats_url=url, stt_default="position")
    return await start_service("stt-worker", settings, wire, worker)


class Line:
    """media-ingress and vad of one call, as the test wants them; and everything that was transcribed."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.transcriber = Transcriber(model="position", labels=LABELS)
        self.config = CallConfig(
            org=DEFAULT_ORG,
            call=str(uuid.uuid4()),
            created_at_ms=1,
            stages=("stt-worker",),
            assistant=Assistant(transcriber=self.transcriber),
        )
        self.pts_ms = 0

    async def open(self) -> None:
        await store_config(self.bus, self.config)
        await put_claims(self.bus, self.config)

    async def hear(self, upto_ms: int, pause_s: float = 0.0) -> None:
        """The caller's frames, twenty times as fast as life."""
        while self.pts_ms < upto_ms:
            await self.send_frame(self.pts_ms)
            self.pts_ms += 20
            await asyncio.sleep(pause_s or 0.001)

    async def send_frame(self, pts_ms: int) -> None:
        frame = AudioFrame(pcm=bytes(640), pts_ms=pts_ms, seq=pts_ms // 20 + 1, epoch=1, attachment=1)
        await self.bus.nc.publish(self.config.ref.audio("caller"), frame.SerializeToString())

    async def say(self, event: Event) -> None:
        await self.bus.publish_event(self.config.ref, event, stage="vad")

    async def start_speech(self, seq: int, pts_ms: int) -> None:
        await self.say(SpeechStarted(speech_seq=seq, pts_ms=pts_ms, detected_pts_ms=pts_ms + 80))

    async def stop_speech(self, seq: int, pts_ms: int) -> None:
        await self.say(SpeechStopped(speech_seq=seq, pts_ms=pts_ms, detected_pts_ms=pts_ms + 200, voiced_ms=100))

    async def end(self) -> None:
        await self.say(CallEnded(pts_ms=self.pts_ms, reason="customer-ended-call"))

    async def names(self) -> list[str]:
        return [message.name for message in await self.bus.call_log(self.config.ref)]

    async def finals(self, count: int) -> list[TranscriptFinal]:
        """The first `count` finals, waited for."""
        async with asyncio.timeout(10):
            while True:
                found = [
                    TranscriptFinal.model_validate_json(message.payload)
                    for message in await self.bus.call_log(self.config.ref)
                    if message.name == "transcript.final"
                ]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.02)


@pytest.fixture
async def line(nats_url: str) -> AsyncIterator[Line]:
    async with bus_at(nats_url) as bus:
        yield Line(bus)


def words_between(first: int, upto: int) -> str:
    return " ".join(WORDS[first:upto])


async def test_speech_on_the_bus_becomes_partials_a_final_and_usage_in_order(nats_url: str, line: Line) -> None:
    worker = await start(nats_url, "stt-a")
    await line.open()
    await eventually(worker.component.calls, what="call claimed")
    await line.hear(1_040)
    await line.start_speech(1, 960)
    await line.hear(3_200)
    await line.stop_speech(1, 3_000)
    (final,) = await line.finals(1)
    assert final.text == words_between(0, 22)
    assert (final.transcript_seq, final.speech_seq, final.end_pts_ms, final.provider) == (1, 1, 3_200, "position")
    await line.end()
    await eventually(lambda: not worker.component.calls(), what="call let go")
    names = await line.names()
    assert names[0] == "stage.claimed"
    transcripts = [name for name in names if name.startswith(("transcript.", "usage."))]
    assert transcripts[-2:] == ["transcript.final", "usage.recorded"]
    assert 1 <= transcripts.count("transcript.partial") == len(transcripts) - 2
    assert names[-1] == "stage.released"
    assert await line.bus.kv_get(OWNERS.name, line.config.ref.owner_key("stt-worker")) is None
    await worker.stop()


async def test_an_utterance_begun_under_a_killed_owner_is_recognized_whole_and_once(nats_url: str, line: Line) -> None:
    first = await start(nats_url, "stt-a")
    await line.open()
    await eventually(first.component.calls, what="call claimed")
    await line.hear(1_040)
    await line.start_speech(1, 960)
    await line.hear(1_700)
    await line.stop_speech(1, 1_500)
    await line.finals(1)
    await line.hear(2_000)
    await line.start_speech(2, 1_900)
    await line.hear(3_000)
    second = await start(nats_url, "stt-b")
    await first.vanish()
    await line.hear(4_000, pause_s=0.02)
    await line.stop_speech(2, 3_800)
    await line.hear(4_500, pause_s=0.02)
    finals = await line.finals(2)
    assert [(final.transcript_seq, final.speech_seq) for final in finals] == [(1, 1), (2, 2)]
    assert 4_000 <= finals[1].end_pts_ms < 4_200, "audio that came before the late stop may be in it"
    assert finals[0].text == words_between(0, 7)
    assert finals[1].text == words_between(7, 30), "the pre-roll begins behind the last final"
    await second.stop()


async def test_speech_that_began_and_ended_while_nobody_owned_the_stage_is_recognized(
    nats_url: str, line: Line
) -> None:
    await line.open()
    await line.hear(1_040)
    await line.start_speech(1, 1_000)
    await line.hear(2_200)
    await line.stop_speech(1, 2_000)
    worker = await start(nats_url, "stt-a")
    (final,) = await line.finals(1)
    assert final.text == words_between(0, 12)
    await worker.stop()


async def test_a_drained_worker_hands_an_open_utterance_over_without_losing_a_word(nats_url: str, line: Line) -> None:
    first, second = await start(nats_url, "stt-a"), None
    await line.open()
    await eventually(first.component.calls, what="call claimed")
    await line.hear(1_040)
    await line.start_speech(1, 960)
    await line.hear(2_000)
    second = await start(nats_url, "stt-b")
    await first.stop()
    await line.hear(2_600, pause_s=0.01)
    await line.stop_speech(1, 2_400)
    (final,) = await line.finals(1)
    assert final.text == words_between(0, 16)
    assert "stage.released" in await line.names()
    await second.stop()


async def test_frames_the_worker_never_received_are_read_from_the_stream(nats_url: str, line: Line) -> None:
    """The same bytes are stored, but not heard: what a slow consumer or a reconnect does."""
    worker = await start(nats_url, "stt-a")
    await line.open()
    await eventually(worker.component.calls, what="call claimed")
    await line.hear(1_040)
    await line.start_speech(1, 960)
    await line.hear(1_500)
    heard_by_worker = worker.runtime.bus.nc
    await heard_by_worker.flush()
    subscriptions = [sub for sub in heard_by_worker._subs.values() if sub.subject == line.config.ref.audio("caller")]
    (subscription,) = subscriptions
    deliver, subscription._cb = subscription._cb, _deaf
    await line.hear(2_000)
    await line.bus.nc.flush()
    await heard_by_worker.flush()
    await asyncio.sleep(0.1)
    subscription._cb = deliver
    await line.hear(2_600)
    await line.stop_speech(1, 2_400)
    (final,) = await line.finals(1)
    assert final.text == words_between(0, 16)
    await worker.stop()


async def _deaf(_msg: object) -> None:
    """Hears nothing."""


async def test_partials_name_the_utterance_their_final_has(nats_url: str, line: Line) -> None:
    worker = await start(nats_url, "stt-a")
    await line.open()
    await eventually(worker.component.calls, what="call claimed")
    for seq, from_ms in ((1, 1_000), (2, 3_000)):
        await line.hear(from_ms + 80)
        await line.start_speech(seq, from_ms)
        await line.hear(from_ms + 1_200)
        await line.stop_speech(seq, from_ms + 1_000)
        await line.finals(seq)
    log = await line.bus.call_log(line.config.ref)
    partials = [
        TranscriptPartial.model_validate_json(message.payload)
        for message in log
        if message.name == "transcript.partial"
    ]
    assert {partial.transcript_seq for partial in partials} == {1, 2}
    await worker.stop()
