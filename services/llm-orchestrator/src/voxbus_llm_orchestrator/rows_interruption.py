"""Rows about speech over the assistant's: it goes on, it is cut off, and what need not be answered is set aside.

media-ingress falls silent by reflex (or holds back, when the sound is an echo of its own); within 500 ms of that these
rows clear or resume. Words decide where there are any, the length of the voice otherwise.
"""

from dataclasses import dataclass

from voxbus_contracts.commands import ResumePlayback
from voxbus_contracts.events import TranscriptDismissed
from voxbus_llm_orchestrator.decision import At, Decide, View
from voxbus_llm_orchestrator.echo import own_words
from voxbus_llm_orchestrator.overlap import answers, has_sounded_since, reply_spoken_over, words_that_may_echo
from voxbus_llm_orchestrator.phrases import Words, words_of
from voxbus_llm_orchestrator.plan import DECIDE_WITHIN_MS
from voxbus_llm_orchestrator.saying import give_up
from voxbus_llm_orchestrator.state import CallState, Stretch

_HELD_BACK_MS = 100
"""The report of a pause is there by then, if there was one."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What the caller has said since the last turn: all words, and those that are no echo of the assistant's."""

    heard: Words
    own: Words
    is_guess: bool


def interrupt(view: View) -> Decide | At | None:
    """The caller takes the floor: by a phrase that always does, by words enough, or by speech that goes on."""
    state, plan = view.state, view.plan
    stretch = state.stretch
    if stretch is None or not _may_be_interrupted(state):
        return None
    said = _said(view, stretch)
    if plan.phrases.interrupts(said.own):
        return Decide("interruption-phrase", give_up(view, "interruption-phrase"))
    if plan.phrases.counted(said.own) >= max(1, plan.num_words):
        until = _settled_ms(view, stretch) if _may_turn_out_otherwise(view, said) else view.now_ms
        if view.now_ms >= until:
            return Decide("caller-spoke", give_up(view, "caller-spoke"))
        return At(until)
    if plan.num_words or said.heard or not state.is_caller_speaking or max(state.stretches) <= state.forgiven_seq:
        return None
    return _by_voice(view, stretch)


def forgive(view: View) -> Decide | At | None:
    """A cough, a nod, an echo: the assistant goes on with the next sample."""
    state, plan = view.state, view.plan
    stretch, until = state.stretch, _until(view)
    if stretch is None or until is None or max(state.stretches) <= state.forgiven_seq:
        return None
    said = _said(view, stretch)
    if plan.phrases.counted(said.own) >= max(1, plan.num_words):
        return None
    reason = "nothing-said" if not said.heard else "acknowledged" if said.own else "echo"
    is_nod = not state.is_caller_speaking and plan.phrases.acknowledges(said.own)
    is_settled = not state.is_caller_speaking and not state.awaits_final
    if reason == "echo" or is_nod or is_settled or view.now_ms >= until:
        return Decide(reason, (ResumePlayback(reason=reason, speech_seq=max(state.stretches)),))
    return At(until)


def dismiss(view: View) -> Decide | None:
    """What was said over the assistant and calls for no answer does not wait to become a turn."""
    state = view.state
    for seq, final in state.unconsumed:
        stretch = state.stretches.get(final.speech_seq)
        reason = _needs_no_answer(view, stretch, final.speech_seq, words_of(final.text)) if stretch else ""
        if reason:
            dismissed = TranscriptDismissed(transcript_seqs=(seq,), reason=reason, pts_ms=max(0, view.now_ms))
            return Decide(f"{reason}-dismissed", (dismissed,))
    return None


def _needs_no_answer(view: View, stretch: Stretch, speech_seq: int, words: Words) -> str:
    state = view.state
    if words and not _own(view, stretch, words):
        return "echo"
    reply = reply_spoken_over(state, stretch)
    if reply is None:
        return ""
    if not words:
        return "nothing-said" if speech_seq <= state.forgiven_seq else ""
    nods = view.plan.phrases.acknowledges(words) and not answers(state, reply, stretch)
    return "acknowledged" if nods else ""


def _by_voice(view: View, stretch: Stretch) -> Decide | At | None:
    """Speech of which no word is known yet: it interrupts when it goes on for long after the assistant fell silent.

    While the assistant sounds nothing is decided: media-ingress has not fallen silent, so it is not speech to it.
    """
    state = view.state
    until = _until(view)
    if until is None:
        if has_sounded_since(state, stretch.started_pts_ms):
            return None
        until = stretch.started_pts_ms + max(view.plan.voice_ms, DECIDE_WITHIN_MS)
    if view.now_ms < until:
        return At(until)
    return Decide("caller-goes-on-speaking", give_up(view, "caller-spoke"))


def _may_be_interrupted(state: CallState) -> bool:
    """Something is being answered, and none of it forbids it; before the first sound everything may be."""
    replies = state.awaited_replies
    return bool(replies) and all(
        state.utterances[seq].interruptible for _, reply in replies for seq in reply.utterances
    )


def _until(view: View) -> int | None:
    """When what fell silent must go on or be cleared; None = it did not fall silent."""
    since = view.state.paused_since_pts_ms
    return None if since is None else since + DECIDE_WITHIN_MS


def _settled_ms(view: View, stretch: Stretch) -> int:
    """A guess is taken at its word by then; the first one of a quick recognizer comes before the line falls silent."""
    until = _until(view)
    return stretch.started_pts_ms + max(view.plan.voice_ms, DECIDE_WITHIN_MS) if until is None else until


def _may_turn_out_otherwise(view: View, said: _Said) -> bool:
    """One word of a guess: the next guess often is another word, an echo or `uh-huh`. The line is quiet meanwhile."""
    return said.is_guess and (len(said.own) == 1 or view.plan.phrases.may_acknowledge(said.own))


def _said(view: View, stretch: Stretch) -> _Said:
    state = view.state
    finals = [final.text for _, final in state.unconsumed]
    guess = state.guess
    heard = words_of(" ".join((*finals, guess)))
    return _Said(heard, _own(view, stretch, heard), bool(guess) and not any(finals))


def _own(view: View, stretch: Stretch, heard: Words) -> Words:
    if not heard:
        return heard
    said = words_that_may_echo(view.state, stretch, view.now_ms)
    return own_words(heard, said, view.plan.phrases, _is_held_back(view, stretch))


def _is_held_back(view: View, stretch: Stretch) -> bool:
    """media-ingress hears this speech, the assistant sounds, and yet it did not fall silent: to it this is an echo."""
    state = view.state
    until_ms = view.now_ms if stretch.stopped_pts_ms is None else stretch.stopped_pts_ms
    is_long = until_ms - stretch.started_pts_ms >= view.plan.voice_ms + _HELD_BACK_MS
    began_ms = stretch.started_pts_ms
    paused = any((playback.paused_pts_ms or -1) >= began_ms for playback in state.playbacks.values())
    return is_long and not view.plan.num_words and not paused and has_sounded_since(state, began_ms)
