"""What media-ingress and the voice say of the assistant's sentences, added to the state."""

from dataclasses import replace
from typing import Any
from typing import Final as Constant

from voxbus_contracts import events as e
from voxbus_llm_orchestrator.folding import Changes, changed, with_entry
from voxbus_llm_orchestrator.state import CallState, Playback, Voiced

_Report = (
    e.PlaybackStarted
    | e.PlaybackProgressed
    | e.PlaybackPaused
    | e.PlaybackResumed
    | e.PlaybackFinished
    | e.PlaybackCleared
)


def _playback(state: CallState, event: _Report, **changes: Any) -> CallState:
    """Reports only ever add: one that comes twice, late or in another order takes nothing back."""
    known = state.playbacks.get(event.utterance_seq) or Playback(event.pts_ms)
    if known.finished or event.pts_ms < known.last_pts_ms:
        changes.pop("paused", None)
    changes["played_ms"] = max(known.played_ms, getattr(event, "played_ms", 0))
    changes["last_pts_ms"] = known.last_pts_ms if known.finished else max(known.last_pts_ms, event.pts_ms)
    return changed(state, playbacks=with_entry(state.playbacks, event.utterance_seq, replace(known, **changes)))


def _playback_started(state: CallState, event: e.PlaybackStarted, _id: str) -> CallState:
    return _playback(
        state,
        event,
        started_pts_ms=event.pts_ms,
        v2v_ms=event.v2v_ms,
        left_pts_ms=event.left_pts_ms,
        waited_ms=event.waited_ms,
        voice_bus_ms=event.voice_bus_ms,
    )


def _progressed(state: CallState, event: e.PlaybackProgressed, _id: str) -> CallState:
    return _playback(state, event)


def _paused(state: CallState, event: e.PlaybackPaused, _id: str) -> CallState:
    known = state.playbacks.get(event.utterance_seq)
    latest_ms = max(event.pts_ms, (known.paused_pts_ms or 0) if known else 0)
    return _playback(state, event, paused=True, paused_pts_ms=latest_ms)


def _resumed(state: CallState, event: e.PlaybackResumed, _id: str) -> CallState:
    return _playback(state, event, paused=False)


def _finished(state: CallState, event: e.PlaybackFinished, _id: str) -> CallState:
    return _playback(state, event, paused=False, finished=True)


def _cleared(state: CallState, event: e.PlaybackCleared, _id: str) -> CallState:
    if event.utterance_seq:
        state = _playback(state, event, paused=False)
    return changed(state, cleared_upto=max(state.cleared_upto, event.up_to_utterance_seq))


def _synthesized(state: CallState, event: e.SpeechSynthesized, _id: str) -> CallState:
    voiced = Voiced(event.duration_ms, event.first_audio_ms, event.words, event.failed)
    return changed(state, voiced=with_entry(state.voiced, event.utterance_seq, voiced))


PLAYBACK_CHANGES: Constant[Changes] = {
    e.PlaybackStarted: _playback_started,
    e.PlaybackProgressed: _progressed,
    e.PlaybackPaused: _paused,
    e.PlaybackResumed: _resumed,
    e.PlaybackFinished: _finished,
    e.PlaybackCleared: _cleared,
    e.SpeechSynthesized: _synthesized,
}
