"""The service on a real nats-server: sentences become frames and events, cancels silence them, a takeover goes on."""

import asyncio
import importlib.util
import os
import signal
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from nats.aio.msg import Msg

from voxbus_contracts import DEFAULT_ORG, CallRef, Command, Envelope, decode, read_envelope
from voxbus_contracts.assistant import Assistant, Voice
from voxbus_contracts.commands import CancelSpeech, ClearPlayback, SaySentence
from voxbus_contracts.config import CallConfig, WorkerBack
from voxbus_contracts.events import CallEnded, FaultRaised, ReplyStarted, SpeechSynthesized, UsageRecorded
from voxbus_contracts.message import Message
from voxbus_contracts.subjects import parse, worker_back
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_runtime.audio_frames import frames_of
from voxbus_runtime.bus import Bus, unix_ms
from voxbus_runtime.claims import put_claims
from voxbus_testing.nats import (
    NatsServer,
    RunningService,
    bus_at,
    eventually,
    mortal_nats,
    start_service,
    store_config,
)
from voxbus_testing.stub_voice import stub_tone
from voxbus_tts_worker.providers.espeak import EspeakVoice
from voxbus_tts_worker.settings import Settings
from voxbus_tts_worker.wiring import TtsWorker, wire

pytestmark = pytest.mark.integration

needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="requirements/voice-espeak.lock is not installed"
)


class Ear:
    """A call as the bus sees it: its frames and events, and an orchestrator that gives orders."""

    def __init__(self, bus: Bus, ref: CallRef) -> None:
        self.ref = ref
        self.frames: list[AudioFrame] = []
        self.events: list[Message] = []
        self._bus = bus
        self._number = 0

    async def listen(self) -> None:
        await self._bus.nc.subscribe(self.ref.audio("agent"), cb=self._on_frame)
        await self._bus.nc.subscribe(self.ref.all_events, cb=self._on_event)
        await self._bus.nc.flush()

    async def _on_frame(self, msg: Msg) -> None:
        self.frames += frames_of(msg.data)

    async def _on_event(self, msg: Msg) -> None:
        if read_envelope(msg.headers).stage == "tts-worker":
            parsed = parse(msg.subject)
            self.events.append(decode("event", f"{parsed.entity}.{parsed.what}", msg.data))

    def tells_when_it_is_back(self) -> None:
        """As a media-ingress does that was cut off from the bus."""

        async def tell() -> None:
            back = WorkerBack(deaf_ms=500)
            await self._bus.nc.publish(worker_back("media-ingress", "ear"), back.payload())

        self._bus.on_reconnect(tell)

    async def order(self, command: Command | ReplyStarted) -> None:
        """As the llm-orchestrator says it: numbered and stored."""
        self._number += 1
        envelope = Envelope(
            event_id=f"{self.ref.call}.llm-orchestrator.1.{self._number}",
            schema=command.schema_id(),
            occurred_at_ms=unix_ms(),
            producer="test",
            stage="llm-orchestrator",
            epoch=1,
            number=self._number,
            traceparent="",
        )
        await self._bus.outbox.stored(command.subject(self.ref), command.payload(), envelope.headers())

    async def say(self, seq: int, text: str) -> None:
        await self.order(SaySentence(utterance_seq=seq, reply=1, turn=1, text=text))

    def of(self, seq: int, epoch: int = 0) -> list[AudioFrame]:
        return [frame for frame in self.frames if frame.utterance_seq == seq and frame.epoch >= epoch]

    def pcm(self, seq: int, epoch: int = 0) -> bytes:
        return b"".join(frame.pcm for frame in self.of(seq, epoch))

    def synthesized(self) -> dict[int, SpeechSynthesized]:
        return {event.utterance_seq: event for event in self.events if isinstance(event, SpeechSynthesized)}

    def all_of(self, kind: type[Message]) -> list[Message]:
        return [event for event in self.events if isinstance(event, kind)]


async def a_worker(url: str, name: str, **settings: Any) -> RunningService:
    return await start_service("tts-worker", Settings(nats_url=url, slots=10, **settings), wire, name)


@asynccontextmanager
async def a_call(url: str, worker: RunningService, voice_id: str, provider: str = "vapi") -> AsyncGenerator[Ear]:
    """A call that `worker` has claimed."""
    config = CallConfig(
        org=DEFAULT_ORG,
        call=str(uuid.uuid4()),
        created_at_ms=1,
        stages=("tts-worker",),
        assistant=Assistant(voice=Voice(provider=provider, voice_id=voice_id)),
    )
    async with bus_at(url) as bus:
        ear = Ear(bus, config.ref)
        await ear.listen()
        await store_config(bus, config)
        await put_claims(bus, config)
        await eventually(lambda: str(config.ref) in worker.component.calls(), what="the claim")
        yield ear
        await bus.publish_event(config.ref, CallEnded(pts_ms=0, reason="done"), stage="llm-orchestrator")
        await bus.outbox.flush(2)


async def test_sentences_become_frames_and_events_in_order(nats_url: str) -> None:
    worker = await a_worker(nats_url, "tts-a", tts_default="stub")
    async with a_call(nats_url, worker, "stub") as ear:
        await ear.say(1, "Hello you.")
        await ear.say(1, "Hello you.")
        await ear.say(2, "Bye now.")
        await eventually(lambda: len(ear.all_of(UsageRecorded)) == 2, what="both sentences")
        assert ear.pcm(1) == stub_tone(300)
        assert ear.pcm(2) == stub_tone(240)
        assert [frame.seq for frame in ear.frames] == list(range(1, 28))
        assert [frame.pts_ms for frame in ear.of(2)] == [20 * index for index in range(12)]
        assert [frame.last for frame in ear.of(1)] == [False] * 14 + [True]
        first = ear.synthesized()[1]
        assert (first.duration_ms, first.characters, first.provider) == (300, 10, "stub")
        assert [word.text for word in first.words] == ["Hello", "you."]
        usage = UsageRecorded(item="voice", provider="vapi", model="stub", unit="characters", quantity=10)
        assert usage in ear.events
    await eventually(lambda: not worker.component.calls(), what="the call is let go")
    await worker.stop()


async def test_held_sentences_are_made_at_once_and_counted_when_it_is_known_whether_they_are_heard(
    nats_url: str,
) -> None:
    worker = await a_worker(nats_url, "tts-a", tts_default="stub")

    def counted(ear: Ear) -> list[tuple[int, bool]]:
        return [(u.quantity, u.wasted) for u in ear.all_of(UsageRecorded) if isinstance(u, UsageRecorded)]

    async with a_call(nats_url, worker, "stub") as ear:
        for seq, text in enumerate(("One.", "Three", "Seven..", "Nothing came."), 1):
            await ear.order(SaySentence(utterance_seq=seq, reply=min(seq, 3), turn=1, text=text, hold=True))
            if seq == 1:
                await eventually(lambda: set(ear.synthesized()) == {1}, what="the first held sentence")
                await ear.order(ClearPlayback(up_to_utterance_seq=1))
        await eventually(lambda: set(ear.synthesized()) == {1, 2, 3, 4}, what="held sentences")
        assert counted(ear) == [(4, True)]
        assert ear.frames and all(frame.held for frame in ear.frames)
        await ear.order(ReplyStarted(reply=2, turn=1, source="model", utterances=(2, 3)))
        await eventually(lambda: len(ear.all_of(UsageRecorded)) == 3, what="the released ones")
        assert counted(ear)[1:] == [(5, False), (7, False)]
        await ear.order(ClearPlayback(up_to_utterance_seq=4))
        await eventually(lambda: len(ear.all_of(UsageRecorded)) == 4, what="the dropped one")
        assert counted(ear)[3:] == [(13, True)]
    await worker.stop()


async def test_what_is_cancelled_or_cleared_falls_silent_and_the_next_is_spoken(nats_url: str) -> None:
    worker = await a_worker(nats_url, "tts-a", tts_default="stub", tts_ahead_ms=1_000)
    async with a_call(nats_url, worker, "stub") as ear:
        await ear.say(1, "A very long sentence. " * 20)
        await ear.say(2, "Never heard.")
        await eventually(lambda: len(ear.of(1)) >= 50, what="its first second")
        await ear.order(CancelSpeech(up_to_utterance_seq=2))
        await ear.order(ClearPlayback(up_to_utterance_seq=3))
        await ear.say(3, "Never heard either.")
        await ear.say(4, "Yes?")
        await eventually(lambda: 4 in ear.synthesized(), what="the sentence behind")
        assert not ear.of(2)
        assert not ear.of(3)
        assert ear.pcm(4) == stub_tone(120)
        assert set(ear.synthesized()) == {4}
        assert len(ear.of(1)) < 200
        assert not any(frame.last for frame in ear.of(1))
    await worker.stop()


async def test_when_the_worker_vanishes_the_next_says_what_was_not_said_to_its_end(nats_url: str) -> None:
    first = await a_worker(nats_url, "tts-a", tts_default="stub", tts_ahead_ms=1_000)
    async with a_call(nats_url, first, "stub") as ear:
        long = "This is a sentence of some length."
        await ear.say(1, "First.")
        await eventually(lambda: len(ear.all_of(UsageRecorded)) == 1, what="the first sentence")
        await eventually(lambda: not first.runtime.bus.outbox.waiting, what="the first sentence is stored")
        await ear.say(2, long * 4)
        await ear.say(3, "Third.")
        await ear.say(4, "Fourth.")
        await eventually(lambda: len(ear.of(2)) >= 50, what="a part of the second sentence")
        second = await a_worker(nats_url, "tts-b", tts_default="stub", tts_ahead_ms=1_000)
        await first.vanish()
        old_epoch = ear.frames[-1].epoch
        await eventually(lambda: set(ear.synthesized()) == {1, 2, 3, 4}, what="all sentences")
        assert not ear.of(1, old_epoch + 1)
        assert ear.pcm(2, old_epoch + 1) == stub_tone(30 * len(long) * 4)
        assert ear.pcm(2, old_epoch + 1).startswith(ear.pcm(2)[: 640 * 50])
        assert ear.pcm(3) == stub_tone(180)
        assert [event.utterance_seq for event in ear.all_of(SpeechSynthesized)] == [1, 2, 3, 4]  # type: ignore[attr-defined]
    await second.stop()


async def test_a_sentence_that_a_dying_bus_took_along_is_said_again_to_whoever_is_back() -> None:
    async with mortal_nats() as server:
        worker = await a_worker(server.url, "tts-a", tts_default="stub")
        try:
            await _speaks_while_the_bus_dies(server, worker)
        finally:
            await worker.stop()


async def _speaks_while_the_bus_dies(server: NatsServer, worker: RunningService) -> None:
    long = "This is a sentence of some length. " * 4
    async with a_call(server.url, worker, "stub") as ear:
        ear.tells_when_it_is_back()
        await ear.say(1, long)
        await eventually(lambda: len(ear.of(1)) >= 20, what="its beginning")
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)  # it takes frames, and takes them along
        await asyncio.sleep(0.3)
        server.kill()
        heard = len(ear.of(1))
        server.start()
        await eventually(lambda: 1 in ear.synthesized(), what="the whole sentence")
        await eventually(lambda: any(frame.last for frame in ear.of(1)), what="its end")
        by_pts = {frame.pts_ms: frame.pcm for frame in ear.of(1)}
        assert heard < len(by_pts)
        assert b"".join(by_pts[pts] for pts in sorted(by_pts)) == stub_tone(30 * len(long))


async def test_a_drain_finishes_the_running_sentence_and_leaves_the_rest_to_the_next(nats_url: str) -> None:
    first = await a_worker(nats_url, "tts-a", tts_default="stub", tts_ahead_ms=1_000)
    async with a_call(nats_url, first, "stub") as ear:
        await ear.say(1, "A very long sentence. " * 20)
        await ear.say(2, "Bye.")
        await eventually(lambda: len(ear.of(1)) >= 50, what="its first second")
        second = await a_worker(nats_url, "tts-b", tts_default="stub")
        await first.stop()
        await eventually(lambda: 2 in ear.synthesized(), what="the second sentence")
        assert len(ear.of(1)) == 30 * 22 * 20 // 20
        assert len({frame.epoch for frame in ear.of(1)}) == 1
        assert ear.of(2)[0].epoch > ear.of(1)[0].epoch
    await second.stop()


async def test_an_unknown_provider_is_reported_once_and_the_default_voice_speaks(nats_url: str) -> None:
    worker = await a_worker(nats_url, "tts-a", tts_default="stub")
    async with a_call(nats_url, worker, "rachel", provider="acme") as ear:
        await ear.say(1, "Hello.")
        await ear.say(2, "Bye.")
        await eventually(lambda: set(ear.synthesized()) == {1, 2}, what="both sentences")
        faults = [event for event in ear.events if isinstance(event, FaultRaised)]
        assert [fault.code for fault in faults] == ["provider-missing"]
        assert ear.pcm(2) == stub_tone(120)
    await worker.stop()


@needs_espeak
async def test_the_engine_killed_in_the_middle_of_a_call_costs_no_sentence(nats_url: str) -> None:
    worker = await a_worker(nats_url, "tts-a")
    async with a_call(nats_url, worker, "Elliot") as ear:
        await ear.say(1, "Your order ships on Friday.")
        await eventually(lambda: 1 in ear.synthesized(), what="the first sentence")
        assert isinstance(worker.component, TtsWorker)
        voice = await worker.component.engines.get("espeak-ng")
        assert isinstance(voice, EspeakVoice)
        pid = voice.children[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await ear.say(2, "Your order ships on Friday.")
        await eventually(lambda: 2 in ear.synthesized(), what="the second sentence")
        assert ear.synthesized()[2].duration_ms > 1_000
        assert [word.text for word in ear.synthesized()[1].words] == ["Your", "order", "ships", "on", "Friday."]
    await worker.stop()
