"""Rows about a voice that fails or stays silent: a sentence is said again, then excused, then the call ends.

Counted from when the sentence could have been heard: ordered, allowed to sound, and nothing else sounding.
"""

from typing import Final

from voxbus_contracts.commands import CancelSpeech, ClearPlayback, EndCall, SaySentence
from voxbus_contracts.events import FaultRaised
from voxbus_llm_orchestrator.decision import At, Decide, Out, View
from voxbus_llm_orchestrator.heard import heard_of_utterance, is_over
from voxbus_llm_orchestrator.state import CallState

VOICE_SILENT_MS: Final = 4_000
"""Longer than it takes until another worker has taken over from a lost one, and shorter than patience."""

EXCUSE: Final = "Sorry, I could not say that."


def say_failed_again(view: View) -> Decide | None:
    """The voice says that it could not say a sentence."""
    state = view.state
    for _, reply in state.awaited_replies:
        for seq in reply.utterances:
            if is_unsaid(state, seq) and seq not in _repeated(state):
                return _mend(view, (seq,), "voice-failed", ())
    return None


def say_silent_again(view: View) -> Decide | At | None:
    """Nothing sounds although a sentence is due, or one stopped in its middle."""
    state = view.state
    due = [seq for _, reply in state.awaited_replies for seq in reply.utterances if _is_due(state, seq)]
    if not due or state.is_paused or state.detached_pts_ms is not None or view.line_lost_pts_ms is not None:
        return None
    repeated = _repeated(state)
    due = [seq for seq in due if seq not in repeated]
    if not due:
        return None
    utterance = state.utterances[due[0]]
    began = state.replies[utterance.reply].started_pts_ms
    may_sound = max(began, utterance.ordered_pts_ms, utterance.not_before_pts_ms, state.attached_pts_ms)
    until = max(may_sound, _sounds_until_ms(state)) + VOICE_SILENT_MS
    if view.now_ms < until:
        return At(until)
    upto = state.next_utterance - 1
    clear = ClearPlayback(up_to_utterance_seq=upto, pts_ms=max(0, view.now_ms), reason="voice-silent")
    return _mend(view, tuple(due), "voice-silent", (clear, CancelSpeech(up_to_utterance_seq=upto)))


def _sounds_until_ms(state: CallState) -> int:
    """Where on the audio clock the latest sentence that sounds or has sounded ends, as far as is known."""
    if not state.playbacks:
        return 0
    seq = max(state.playbacks)
    playback, voiced = state.playbacks[seq], state.voiced.get(seq)
    ends = playback.started_pts_ms + voiced.duration_ms if voiced and not playback.finished else 0
    return max(playback.last_pts_ms, ends)


def is_unsaid(state: CallState, seq: int) -> bool:
    """The voice failed, and what it had made until then is heard."""
    voiced, playback = state.voiced.get(seq), state.playbacks.get(seq)
    return voiced is not None and voiced.failed and (not voiced.duration_ms or bool(playback and playback.finished))


def _is_due(state: CallState, seq: int) -> bool:
    """Not over and not cleared."""
    return seq > state.clear_ordered_upto and not is_over(state, seq)


def _repeated(state: CallState) -> set[int]:
    return {utterance.repeats for utterance in state.utterances.values() if utterance.repeats}


def _times_repeated(state: CallState, seq: int) -> int:
    times = 0
    while before := state.utterances[seq].repeats:
        times, seq = times + 1, before
    return times


def _mend(view: View, seqs: tuple[int, ...], reason: str, before: tuple[Out, ...]) -> Decide:
    """First said again, then excused; a voice that cannot even do that leaves nothing to say."""
    state, plan = view.state, view.plan
    times = _times_repeated(state, seqs[0])
    fault = FaultRaised(code=reason, detail=f"{plan.voice_provider}: a sentence was not heard", retryable=times < 2)
    if times >= 2:
        end = EndCall(reason=f"pipeline-error-{plan.voice_provider}-voice-failed")
        return Decide(f"{reason}-given-up", (fault, end), rescue=f"{reason}-given-up")
    texts = [
        (seq, EXCUSE if times or _are_keys_begun(state, seq) else _rest(state, seq))
        for seq in seqs[: 1 if times else None]
    ]
    says = [_said_again(view, seq, text, offset) for offset, (seq, text) in enumerate(texts)]
    return Decide(reason, (fault, *before, *says), rescue=reason)


def _are_keys_begun(state: CallState, seq: int) -> bool:
    """Whoever listens would take the first of them twice."""
    return bool(state.utterances[seq].keys) and seq in state.playbacks


def _rest(state: CallState, seq: int) -> str:
    """The words of a sentence that were not heard; at least its last."""
    words = state.utterances[seq].text.split()
    heard = len(heard_of_utterance(state, seq).split())
    return " ".join(words[min(heard, len(words) - 1) :])


def _said_again(view: View, seq: int, text: str, offset: int) -> SaySentence:
    state, plan, known = view.state, view.plan, view.state.utterances[seq]
    return SaySentence(
        utterance_seq=state.next_utterance + offset,
        reply=known.reply,
        turn=known.turn,
        text=text,
        anchor_pts_ms=known.anchor_pts_ms,
        reflex="pause" if known.interruptible and not plan.num_words else "none",
        interruptible=known.interruptible,
        min_voiced_ms=plan.voice_ms,
        pts_ms=max(0, view.now_ms),
        repeats=seq,
        keys="" if text else known.keys,
    )
