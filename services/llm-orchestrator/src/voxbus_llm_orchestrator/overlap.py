"""What the assistant was saying when the caller spoke. Pure readings of the state."""

import math
from collections.abc import Iterator
from typing import Final

from voxbus_llm_orchestrator.heard import length_ms, words_upto
from voxbus_llm_orchestrator.phrases import Words, words_of
from voxbus_llm_orchestrator.state import CallState, Playback, Reply, Stretch

_ANSWERED_EARLY_MS: Final = 1_500
"""A question is answered before its last word is out: by then everybody knows what was asked."""
_AGREED_EARLY_MS: Final = 500
"""After a statement only what is said as it ends is more than a nod."""
_JUST_BEFORE_MS: Final = 300
"""A reply may be logged a little after the start of the speech that it overlaps: detection takes its time."""
_ECHO_DELAY_MS: Final = 500
_WORD_MS: Final = 500
_ROOM_MS: Final = 200
"""Sound comes back within the delay, the room goes on with it, and a word begins before its loudest part."""


def reply_spoken_over(state: CallState, stretch: Stretch) -> Reply | None:
    """The reply that was being given when this stretch of speech began, unless it was given up."""
    begun_ms = stretch.started_pts_ms
    for _, reply in sorted(state.replies.items(), reverse=True):
        if reply.started_pts_ms > begun_ms + _JUST_BEFORE_MS:
            continue
        is_over = reply.ended_pts_ms is not None and reply.ended_pts_ms <= begun_ms
        return None if is_over or reply.given_up_pts_ms is not None else reply
    return None


def answers(state: CallState, reply: Reply, stretch: Stretch) -> bool:
    """A short word in time with the end of what was said is an answer to it; before that it is only a nod."""
    asks = any(state.utterances[seq].text.rstrip().endswith(("?", "？")) for seq in reply.utterances)
    early_ms = _ANSWERED_EARLY_MS if asks else _AGREED_EARLY_MS
    return remaining_ms(state, reply, stretch.started_pts_ms) <= early_ms


def remaining_ms(state: CallState, reply: Reply, at_pts_ms: int) -> float:
    """Sound of a reply that was still to come at a time; without bound while more of it may be made."""
    is_whole = reply.generated or bool(reply.ended)
    if not is_whole or any(not state.tools[call_id].finished for call_id in reply.tools):
        return math.inf
    last = max(reply.utterances, default=0)
    playback = state.playbacks.get(last)
    if playback is None:
        return math.inf if last else 0.0
    if playback.finished:
        return max(0.0, playback.last_pts_ms - at_pts_ms)
    return max(0.0, length_ms(state, last) - _played_ms(playback, at_pts_ms))


def has_sounded_since(state: CallState, pts_ms: int) -> bool:
    """Something of the assistant's sounded at that time or later, or sounds still."""
    return any(True for _ in _sounding_since(state, pts_ms))


def words_that_may_echo(state: CallState, stretch: Stretch, now_ms: int) -> Words:
    """Words of the assistant's that can come back out of the caller's loudspeaker in this stretch, in order.

    None when the speech outlasts the sound by more than an echo can: somebody who says the same after the assistant.
    """
    since_ms = stretch.started_pts_ms - _ECHO_DELAY_MS - _WORD_MS
    sounding = list(_sounding_since(state, stretch.started_pts_ms - _ECHO_DELAY_MS))
    silent_since = [_silent_since_ms(state, seq, playback, now_ms) for seq, playback in sounding]
    speech_upto_ms = now_ms if stretch.stopped_pts_ms is None else stretch.stopped_pts_ms
    if not sounding or speech_upto_ms > max(silent_since) + _ECHO_DELAY_MS + _ROOM_MS:
        return ()
    texts: list[str] = []
    for seq, playback in sounding:
        if seq in state.utterances:
            words = words_upto(state, seq, round(_played_ms(playback, now_ms))).split()
            before = words_upto(state, seq, round(_played_ms(playback, since_ms))).split()
            texts += words[len(before) :]
    return words_of(" ".join(texts))


def _silent_since_ms(state: CallState, seq: int, playback: Playback, now_ms: int) -> int:
    is_silent = playback.finished or playback.paused or seq <= state.cleared_upto
    return playback.last_pts_ms if is_silent else now_ms


def _sounding_since(state: CallState, pts_ms: int) -> Iterator[tuple[int, Playback]]:
    for seq, playback in sorted(state.playbacks.items()):
        is_silent = playback.finished or seq <= state.cleared_upto
        if not is_silent or playback.last_pts_ms >= pts_ms:
            yield seq, playback


def _played_ms(playback: Playback, at_pts_ms: int) -> float:
    """How much had sounded at a time, by the latest report and the time between."""
    is_silent = playback.finished or playback.paused
    since_report_ms = min(0, at_pts_ms - playback.last_pts_ms) if is_silent else at_pts_ms - playback.last_pts_ms
    return max(0, playback.played_ms + since_report_ms)
