"""Rows about answers that are prepared in the caller's pauses, and when that is worth its price."""

from typing import Final

from voxbus_contracts.events import ReplySpeculated
from voxbus_llm_orchestrator.completeness import completeness
from voxbus_llm_orchestrator.decision import AskModel, At, Decide, View
from voxbus_llm_orchestrator.speculation import (
    SoFar,
    context_version,
    dropped,
    misfit,
    understood,
)
from voxbus_llm_orchestrator.state import CallState, Speculation
from voxbus_llm_orchestrator.tools_running import tools_known_by_ms
from voxbus_llm_orchestrator.turn_so_far import turn_so_far
from voxbus_llm_orchestrator.words import words_of

COVERS_MS: Final = 30
"""A guess that reaches so near to the last voiced sample has heard it all: it is started on at once."""

GUESS_COMES_WITHIN_MS: Final = 120
"""Of the last voiced sample. A recognizer is some 50 ms behind the audio, more on a full machine: who starts before its
guess has come starts on a word too few. One that does not tell how far it has heard is waited for so long."""

PAUSE_LASTS_MS: Final = 300
"""A pause older than that which has not become the end of the stretch (at the vad's 200 ms) was none: the caller went
on."""

BETWEEN_GUESSES_MS: Final = 300
"""Two starts on guesses lie so far apart: not one for every word of a slow recognizer."""


def drop(view: View) -> Decide | None:
    """The prepared answer is not the one that is needed now."""
    reason = misfit(view.state)
    return Decide(reason, dropped(view, reason)) if reason else None


def start(view: View) -> Decide | At | None:
    """The caller pauses, and what was said looks like all of it: the model and the voice start on an answer."""
    state = view.state
    silent_since_ms = _silent_since_ms(state)
    if silent_since_ms is None or not _is_free(view) or not _is_worth_it(view):
        return None
    so_far = understood(state)
    if not _looks_whole(view, so_far) or _was_tried(state, so_far):
        return None
    from_ms = silent_since_ms
    if so_far.basis == "partial":
        is_pause_old = view.now_ms > silent_since_ms + PAUSE_LASTS_MS
        if is_pause_old or not state.is_caller_speaking or not _are_guesses_good(state):
            return None  # once the stretch is over, its final is near: it is worth waiting for
        if state.partial_end_pts_ms < silent_since_ms - COVERS_MS:
            from_ms += GUESS_COMES_WITHIN_MS
        from_ms = max(from_ms, _latest_start_ms(state) + BETWEEN_GUESSES_MS)
    if view.now_ms < from_ms:
        return At(from_ms)
    number = state.next_reply
    speculated = ReplySpeculated(
        reply=number,
        turn=state.next_turn,
        text=so_far.text,
        context=context_version(state),
        basis=so_far.basis,
        pts_ms=max(0, view.now_ms),
    )
    return Decide(f"prepared-on-{so_far.basis}", (speculated, AskModel(number)))


def _silent_since_ms(state: CallState) -> int | None:
    """End of the last voiced sample, when the caller pauses or has stopped; None = speaks, or never spoke."""
    latest = state.stretch
    if latest is None:
        return None
    return latest.paused_pts_ms if latest.stopped_pts_ms is None else latest.stopped_pts_ms


def _is_free(view: View) -> bool:
    """Nobody answers, nothing is being prepared, and no tool's answer is still to come."""
    state = view.state
    is_idle = state.started and not state.open_replies and not state.speculating and not view.asking
    return is_idle and view.now_ms >= tools_known_by_ms(view) and all(tool.finished for tool in state.tools.values())


def _is_worth_it(view: View) -> bool:
    """At most one start in vain for two turns, and one ahead; and no more tokens in vain than the plan allows."""
    state, plan = view.state, view.plan.speculating
    if not plan.enabled or state.wasted_tokens >= plan.max_wasted_tokens > 0 or not plan.max_wasted_tokens:
        return False
    in_vain = sum(1 for each in state.speculations.values() if each.fate == "dropped")
    return 2 * in_vain < len(state.turns) + 1


def _looks_whole(view: View, so_far: SoFar) -> bool:
    asked = turn_so_far(view.state).asked
    return bool(so_far.text) and completeness(so_far.text, view.plan.speculating.language, asked).looks_finished


def _of_turn(state: CallState) -> list[Speculation]:
    return [each for each in state.speculations.values() if each.turn == state.next_turn]


def _was_tried(state: CallState, so_far: SoFar) -> bool:
    """The same words in the same turn: whatever became of it would become of it again."""
    words = words_of(so_far.text)
    return any(words_of(each.text) == words for each in _of_turn(state))


def _latest_start_ms(state: CallState) -> int:
    return max((each.started_pts_ms for each in _of_turn(state)), default=-BETWEEN_GUESSES_MS)


def _are_guesses_good(state: CallState) -> bool:
    """This recognizer's last guess of an utterance has mostly been what it became."""
    return state.guesses_wrong <= state.guesses_right
