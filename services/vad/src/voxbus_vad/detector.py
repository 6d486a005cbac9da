"""When the caller's speech starts and stops: hysteresis over one call's 20 ms frames, each voiced or not.

Order of what comes out, per call: (SpeechStarted, SpeechPaused*, SpeechStopped)*, their pts never going back.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from voxbus_audio import FRAME_MS
from voxbus_contracts.events import SpeechPaused, SpeechStarted, SpeechStopped
from voxbus_contracts.message import Message

SpeechEvent = SpeechStarted | SpeechPaused | SpeechStopped
_NOTHING: Final[tuple[SpeechEvent, ...]] = ()


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """How much voice starts a stretch of speech, how much silence ends it, and what is told as a pause (0 = none)."""

    start_voiced_ms: int = 60
    start_window_ms: int = 100
    silence_ms: int = 200
    pause_ms: int = 0


@dataclass(frozen=True, slots=True)
class Quiet:
    """The caller does not speak. `recent` = pts of the voiced frames inside the start window, oldest first."""

    speech_seq: int = 0
    upto_ms: int = 0
    """End of the last frame heard; anything before is late or a duplicate."""
    recent: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Speaking:
    """The caller speaks. `voiced_upto_ms` None = taken over from another owner, nothing heard yet.

    `paused` = this silence was told of already.
    """

    speech_seq: int
    upto_ms: int
    started_ms: int
    voiced_upto_ms: int | None
    voiced_ms: int
    paused: bool = False


DetectorState = Quiet | Speaking


def resumed(history: Iterable[Message], rules: Hysteresis) -> DetectorState:
    """The state the call's log leaves behind: numbering goes on, and an open stretch stays open.

    Voice between the log's end and the first frame heard is unknown: an open stretch that goes on in silence ends at
    that first frame, and its voiced_ms is a lower bound.
    """
    started: SpeechStarted | None = None
    stopped: SpeechStopped | None = None
    for message in history:
        if isinstance(message, SpeechStarted) and (started is None or message.speech_seq > started.speech_seq):
            started = message
        elif isinstance(message, SpeechStopped) and (stopped is None or message.speech_seq > stopped.speech_seq):
            stopped = message
    if started is not None and (stopped is None or stopped.speech_seq < started.speech_seq):
        known_voiced_ms = min(rules.start_voiced_ms, started.detected_pts_ms - started.pts_ms)
        return Speaking(started.speech_seq, started.detected_pts_ms, started.pts_ms, None, known_voiced_ms)
    if stopped is not None:
        return Quiet(stopped.speech_seq, stopped.detected_pts_ms)
    return Quiet()


def hear(
    state: DetectorState, rules: Hysteresis, pts_ms: int, voiced: bool
) -> tuple[DetectorState, tuple[SpeechEvent, ...]]:
    """Takes the frame that starts at `pts_ms`; a jump of pts counts as silence, an older frame changes nothing.

    Speech that a jump has ended is detected at the jump's end, so that whoever goes on from the log hears this frame.
    """
    if pts_ms < state.upto_ms:
        return state, _NOTHING
    if isinstance(state, Quiet):
        return _hear_quiet(state, rules, pts_ms, voiced)
    return _hear_speaking(state, rules, pts_ms, voiced)


def _hear_quiet(
    state: Quiet, rules: Hysteresis, pts_ms: int, voiced: bool
) -> tuple[DetectorState, tuple[SpeechEvent, ...]]:
    upto_ms = pts_ms + FRAME_MS
    if not voiced and not state.recent:
        return Quiet(state.speech_seq, upto_ms), _NOTHING
    recent = tuple(pts for pts in state.recent if pts >= upto_ms - rules.start_window_ms)
    if voiced:
        recent = (*recent, pts_ms)
    voiced_ms = len(recent) * FRAME_MS
    if voiced_ms < rules.start_voiced_ms:
        return Quiet(state.speech_seq, upto_ms, recent), _NOTHING
    started = SpeechStarted(speech_seq=state.speech_seq + 1, pts_ms=recent[0], detected_pts_ms=upto_ms)
    return Speaking(started.speech_seq, upto_ms, recent[0], upto_ms, voiced_ms), (started,)


def _hear_speaking(
    state: Speaking, rules: Hysteresis, pts_ms: int, voiced: bool
) -> tuple[DetectorState, tuple[SpeechEvent, ...]]:
    upto_ms = pts_ms + FRAME_MS
    voiced_upto_ms = pts_ms if state.voiced_upto_ms is None else state.voiced_upto_ms
    if pts_ms - voiced_upto_ms >= rules.silence_ms:
        quiet, started = _hear_quiet(Quiet(state.speech_seq, pts_ms), rules, pts_ms, voiced)
        return quiet, (_stopped(state, voiced_upto_ms, pts_ms), *started)
    if voiced:
        voiced_ms = state.voiced_ms + FRAME_MS
        return Speaking(state.speech_seq, upto_ms, state.started_ms, upto_ms, voiced_ms), _NOTHING
    if upto_ms - voiced_upto_ms >= rules.silence_ms:
        return Quiet(state.speech_seq, upto_ms), (_stopped(state, voiced_upto_ms, upto_ms),)
    silent = replace(state, upto_ms=upto_ms, voiced_upto_ms=voiced_upto_ms)
    if state.paused or not rules.pause_ms or upto_ms - voiced_upto_ms < rules.pause_ms:
        return silent, _NOTHING
    paused = SpeechPaused(speech_seq=state.speech_seq, pts_ms=voiced_upto_ms, detected_pts_ms=upto_ms)
    return replace(silent, paused=True), (paused,)


def _stopped(state: Speaking, voiced_upto_ms: int, detected_ms: int) -> SpeechStopped:
    return SpeechStopped(
        speech_seq=state.speech_seq,
        pts_ms=voiced_upto_ms,
        detected_pts_ms=detected_ms,
        voiced_ms=state.voiced_ms,
    )
