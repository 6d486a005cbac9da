"""A line that its media-ingress lost: nothing is said again until the caller is there and could have heard it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest
from virtual_shell import FakeCall, FakeModel, HearingPeers

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_llm_orchestrator import line_watch, rows_supervisor, rows_voice
from voxbus_llm_orchestrator.cast import Cast
from voxbus_llm_orchestrator.models import Models
from voxbus_llm_orchestrator.shell import CallShell

SILENT_MS = 300


def claimed(epoch: int) -> e.StageClaimed:
    return e.StageClaimed(stage="media-ingress", epoch=epoch, worker=f"media-ingress-{epoch}", address="")


def attached(epoch: int, pts_ms: int) -> e.MediaAttached:
    return e.MediaAttached(
        attachment=epoch,
        transport="vapi.websocket",
        encoding="pcm_s16le",
        sample_rate_hz=16_000,
        pts_ms=pts_ms,
        resumed=epoch > 1,
    )


@contextlib.asynccontextmanager
async def shell_of(call: FakeCall, peers: HearingPeers) -> AsyncGenerator[None]:
    cast = Cast(call.config, lambda assistant: assistant, 300)
    shell = CallShell(call, cast, Models(lambda _: FakeModel()), peers, None)  # type: ignore[arg-type]
    running = asyncio.create_task(shell.run())
    try:
        yield
    finally:
        call.leaving.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_sentence_is_not_said_again_between_a_takeover_of_the_line_and_the_callers_return(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows_voice, "VOICE_SILENT_MS", SILENT_MS)
    call = FakeCall({"firstMessage": "Hello.", "model": {"provider": "openai", "model": "x"}})
    peers = HearingPeers()
    async with shell_of(call, peers):
        call.hears("media-ingress", claimed(1), attached(1, 0), e.CallStarted(pts_ms=0, setup_ms=1))
        await call.says(c.SaySentence)
        call.hears("media-ingress", e.PlaybackStarted(utterance_seq=1, pts_ms=100))
        peers.lost = {"media-ingress-1"}
        await asyncio.sleep(2 * SILENT_MS / 1_000)
        call.hears("media-ingress", claimed(2))
        await asyncio.sleep(2 * SILENT_MS / 1_000)
        assert call.all_of(e.FaultRaised) == []
        back_ms = 4 * SILENT_MS
        call.hears("media-ingress", attached(2, back_ms))
        fault = await call.says(e.FaultRaised)
        assert fault.code == "voice-silent"
        clear = await call.says(c.ClearPlayback)
        assert clear.pts_ms >= back_ms + SILENT_MS


def lose_line_in_mid_speech(call: FakeCall, peers: HearingPeers) -> None:
    call.hears("media-ingress", claimed(1), attached(1, 0), e.CallStarted(pts_ms=0, setup_ms=1))
    call.hears("vad", e.SpeechStarted(speech_seq=1, pts_ms=10, detected_pts_ms=20))
    call.hears("stt-worker", e.TranscriptPartial(transcript_seq=1, text="where is", start_pts_ms=10, end_pts_ms=30))
    peers.lost = {"media-ingress-1"}
    call.hears("vad", e.SpeechStopped(speech_seq=1, pts_ms=40, detected_pts_ms=45, voiced_ms=30))


async def test_a_transcript_is_waited_for_as_long_as_the_callers_audio_itself_is_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server was cut off with media-ingress on it: vad took its silence for the caller's."""
    monkeypatch.setattr(rows_supervisor, "AWAIT_FINAL_MS", SILENT_MS)
    monkeypatch.setattr(line_watch, "CATCHES_UP_MS", 3 * SILENT_MS)
    call = FakeCall({"firstMessageMode": "assistant-waits-for-user", "model": {"provider": "openai", "model": "x"}})
    peers = HearingPeers()
    async with shell_of(call, peers):
        lose_line_in_mid_speech(call, peers)
        await asyncio.sleep(2 * SILENT_MS / 1_000)
        peers.lost = set()
        await asyncio.sleep(2 * SILENT_MS / 1_000)
        assert call.all_of(e.TurnCommitted) == []
        call.hears(
            "stt-worker",
            e.TranscriptFinal(
                transcript_seq=1,
                text="Where is my parcel?",
                start_pts_ms=10,
                end_pts_ms=45,
                speech_seq=1,
                provider="x",
                recognition_ms=1,
            ),
        )
        committed = await call.says(e.TurnCommitted)
        assert committed.text == "Where is my parcel?"
        assert call.all_of(e.FaultRaised) == []


async def test_a_transcript_that_does_not_come_is_done_without_once_the_line_has_caught_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows_supervisor, "AWAIT_FINAL_MS", SILENT_MS)
    monkeypatch.setattr(line_watch, "CATCHES_UP_MS", SILENT_MS)
    call = FakeCall({"firstMessageMode": "assistant-waits-for-user", "model": {"provider": "openai", "model": "x"}})
    peers = HearingPeers()
    async with shell_of(call, peers):
        lose_line_in_mid_speech(call, peers)
        await asyncio.sleep(SILENT_MS / 1_000)
        peers.lost = set()
        committed = await call.says(e.TurnCommitted)
        assert (committed.text, committed.reason) == ("where is", "final-never-came")
