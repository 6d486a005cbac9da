"""The caller's turn that is under way, read out of the state."""

from voxbus_llm_orchestrator.endpointing import TurnSoFar
from voxbus_llm_orchestrator.pauses import pauses_of
from voxbus_llm_orchestrator.state import CallState

_PUNCTUATION = (".", "?", "!", ",")


def turn_so_far(state: CallState) -> TurnSoFar:
    """What no committed turn holds yet. It ends at the last voiced sample, or where recognition ended without any."""
    finals = [final for _, final in state.unconsumed if final.text]
    stretch = state.stretch
    ended = (stretch.stopped_pts_ms or 0) if stretch else 0
    return TurnSoFar(
        text=" ".join(final.text for final in finals),
        asked=_asked(state),
        began_pts_ms=_began(state),
        ended_pts_ms=ended or max((final.end_pts_ms for final in finals), default=0),
        pauses=pauses_of(state),
        audio=state.judged.get(max(state.stretches, default=0)),
        prosody=stretch.finished if stretch else None,
        is_punctuated=any(final.text.endswith(_PUNCTUATION) for final in state.finals.values()),
        advised_ms=state.advice.get(state.latest_words),
    )


def _began(state: CallState) -> int:
    """Where the first stretch after the last turn began, on the audio clock."""
    last_anchor = max((turn.anchor_pts_ms for turn in state.turns.values()), default=-1)
    starts = [s.started_pts_ms for s in state.stretches.values() if (s.stopped_pts_ms or 0) > last_anchor]
    return min(starts, default=0)


def _asked(state: CallState) -> str:
    """The assistant's last message, heard to its end or not."""
    for number in sorted(state.replies, reverse=True):
        texts = [state.utterances[seq].text for seq in state.replies[number].utterances]
        if texts:
            return " ".join(texts)
    return ""
