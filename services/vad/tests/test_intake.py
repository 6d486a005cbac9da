"""Live frames wait for those a takeover missed, and never for long."""

import asyncio
from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY

from voxbus_audio import FRAME_BYTES
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_runtime.errors import NotStored
from voxbus_vad.cheap import Verdict
from voxbus_vad.detector import Hysteresis, Quiet, SpeechEvent
from voxbus_vad.intake import Intake, catch_up
from voxbus_vad.listening import Listener


class AlwaysVoiced:
    def judge(self, pcm: bytes) -> Verdict:
        return Verdict.VOICED


class UnsureEar:
    def judge(self, pcm: bytes) -> Verdict:
        return Verdict.LEANS_VOICED


class SilentOpinion:
    """Never answers."""

    def remember(self, pts_ms: int, pcm: bytes) -> None: ...

    def ask(self, answer: Callable[[bool | None], bool]) -> None: ...


def an_intake(*, hold: bool) -> tuple[Intake, list[SpeechEvent]]:
    said: list[SpeechEvent] = []
    return Intake(Listener(AlwaysVoiced(), Hysteresis(), Quiet(), said.append), hold), said


def frame(pts_ms: int) -> AudioFrame:
    return AudioFrame(pcm=bytes(FRAME_BYTES), pts_ms=pts_ms)


async def test_without_a_takeover_frames_are_heard_as_they_arrive() -> None:
    intake, said = an_intake(hold=False)
    for pts_ms in (0, 20, 40):
        intake.on_frame(frame(pts_ms))
    assert [event.pts_ms for event in said] == [0]


async def test_missed_frames_are_heard_before_the_live_ones_that_waited() -> None:
    intake, said = an_intake(hold=True)
    asked: list[tuple[int, int]] = []

    async def replay(from_ms: int, upto_ms: int) -> list[AudioFrame]:
        asked.append((from_ms, upto_ms))
        intake.on_frame(frame(5_020))
        return [frame(pts_ms) for pts_ms in range(4_000, 4_060, 20)]

    intake.on_frame(frame(5_000))
    assert said == []
    assert await catch_up(intake, replay, 3_000) is True
    assert asked == [(2_000, 5_000)]
    assert [(event.name(), event.pts_ms) for event in said] == [("speech.started", 4_000), ("speech.stopped", 4_060)]
    intake.on_frame(frame(5_040))
    assert [event.pts_ms for event in said] == [4_000, 4_060, 5_000]


async def test_a_stream_that_does_not_answer_holds_live_audio_back_only_until_the_timeout() -> None:
    failures = REGISTRY.get_sample_value("vad_failed_catch_ups_total") or 0.0
    intake, said = an_intake(hold=True)

    async def replay(from_ms: int, upto_ms: int) -> list[AudioFrame]:
        await asyncio.Event().wait()
        return []

    for pts_ms in (5_000, 5_020, 5_040):
        intake.on_frame(frame(pts_ms))
    async with asyncio.timeout(10):
        assert await catch_up(intake, replay, 3_000, timeout_s=0.0) is False
    assert [event.pts_ms for event in said] == [5_000]
    assert REGISTRY.get_sample_value("vad_failed_catch_ups_total") == failures + 1


async def test_a_stream_without_a_leader_means_live_audio_only() -> None:
    intake, said = an_intake(hold=True)

    async def replay(from_ms: int, upto_ms: int) -> list[AudioFrame]:
        raise NotStored("stream AUDIO answers 503")

    for pts_ms in (5_000, 5_020, 5_040):
        intake.on_frame(frame(pts_ms))
    assert await catch_up(intake, replay, 3_000) is False
    assert [event.pts_ms for event in said] == [5_000]


async def test_frames_after_leaving_are_left_to_the_next_owner() -> None:
    intake, said = an_intake(hold=False)
    intake.stop()
    for pts_ms in (0, 20, 40):
        intake.on_frame(frame(pts_ms))
    assert said == []


async def test_leaving_decides_the_frames_that_wait_for_a_second_opinion() -> None:
    said: list[SpeechEvent] = []
    listener = Listener(UnsureEar(), Hysteresis(), Quiet(), said.append)
    listener.consult(SilentOpinion(), 60)
    intake = Intake(listener, hold=False)
    for pts_ms in (0, 20, 40):
        intake.on_frame(frame(pts_ms))
    assert said == []
    intake.stop()
    assert [event.pts_ms for event in said] == [0]


async def test_after_a_loss_of_the_bus_what_was_missed_is_heard_before_what_came_behind_it() -> None:
    intake, said = an_intake(hold=False)
    for pts_ms in range(0, 200, 20):
        intake.on_frame(frame(pts_ms))
    await intake.on_bus_lost()
    await intake.on_bus_back()
    intake.on_frame(frame(1_000))
    assert [event.name() for event in said] == ["speech.started"], "the hole may still be filled"
    for pts_ms in range(200, 1_020, 20):
        intake.on_frame(frame(pts_ms))
    intake.on_frame(frame(1_020))
    assert intake._listener.upto_ms == 1_040
    assert [event.name() for event in said] == ["speech.started"], "speech went on all the time"
    intake.stop()


async def test_what_does_not_come_after_a_loss_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxbus_vad.intake.MISSED_WITHIN_S", 0.05)
    intake, said = an_intake(hold=False)
    for pts_ms in range(0, 200, 20):
        intake.on_frame(frame(pts_ms))
    await intake.on_bus_lost()
    await intake.on_bus_back()
    for pts_ms in (1_020, 1_000):
        intake.on_frame(frame(pts_ms))
    async with asyncio.timeout(5):
        while intake._listener.upto_ms < 1_040:
            await asyncio.sleep(0.01)
    intake.on_frame(frame(1_040))
    assert [(event.name(), event.pts_ms) for event in said][:2] == [("speech.started", 0), ("speech.stopped", 200)]
    assert intake._listener.upto_ms == 1_060, "frames are heard as they arrive again"


async def test_a_loss_before_the_first_frame_keeps_nothing_back() -> None:
    intake, said = an_intake(hold=False)
    await intake.on_bus_lost()
    for pts_ms in (4_000, 4_020, 4_040):
        intake.on_frame(frame(pts_ms))
    assert [event.pts_ms for event in said] == [4_000]
