"""The caller's turn that is under way, read out of the state."""

from itertools import pairwise

from voxbus_llm_orchestrator.endpointing import TurnSoFar
from voxbus_llm_orchestrator.state import CallState

_REMEMBERED = 24
"""Stretches and turns that are looked at: a long call costs no more than a short one."""


def turn_so_far(state: CallState) -> TurnSoFar:
    """What no committed turn holds yet. It ends at the last voiced sample, or where recognition ended without any."""
    finals = [final for _, final in state.unconsumed if final.text]
    began, ended, pauses = _spoken(state)
    return TurnSoFar(
        text=" ".join(final.text for final in finals),
        asked=_asked(state),
        began_pts_ms=began,
        ended_pts_ms=ended or max((final.end_pts_ms for final in finals), default=0),
        pauses_ms=pauses,
        advised_ms=state.advice.get(state.latest_words),
    )


def _spoken(state: CallState) -> tuple[int, int, tuple[int, ...]]:
    """Begin and end of the stretches since the last turn, and the silences between stretches of one turn."""
    anchors = [state.turns[number].anchor_pts_ms for number in sorted(state.turns)[-_REMEMBERED:]]
    stretches = [state.stretches[seq] for seq in sorted(state.stretches)[-_REMEMBERED:]]
    pauses: list[int] = []
    for before, after in pairwise(stretches):
        stopped = before.stopped_pts_ms
        if stopped is not None and not any(stopped <= anchor < after.started_pts_ms for anchor in anchors):
            pauses.append(after.started_pts_ms - stopped)
    last_anchor = anchors[-1] if anchors else -1
    own = [stretch for stretch in stretches if (stretch.stopped_pts_ms or 0) > last_anchor]
    began = own[0].started_pts_ms if own else 0
    return began, stretches[-1].stopped_pts_ms or 0 if stretches else 0, tuple(pauses)


def _asked(state: CallState) -> str:
    """The assistant's last message, heard to its end or not."""
    for number in sorted(state.replies, reverse=True):
        texts = [state.utterances[seq].text for seq in state.replies[number].utterances]
        if texts:
            return " ".join(texts)
    return ""
