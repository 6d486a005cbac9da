"""Whether anything is under way on the line, and since when there is nothing. Pure readings of the state."""

from voxbus_llm_orchestrator.state import CallState


def quiet_since_ms(state: CallState) -> int | None:
    """Last sound or key of either side, on the audio clock; None while somebody speaks or something is under way."""
    if not state.started or state.is_caller_speaking or state.open_replies:
        return None
    if state.latest_words or any(not tool.finished for tool in state.tools.values()):
        return None
    stretch = state.stretch
    return max(
        state.answered_pts_ms,
        (stretch.stopped_pts_ms or 0) if stretch else 0,
        state.playbacks[max(state.playbacks)].last_pts_ms if state.playbacks else 0,
        state.keys[-1].pts_ms if state.keys else 0,
    )


def is_callers_turn(state: CallState) -> bool:
    """The caller has fallen silent and nobody answers yet."""
    return state.started and not state.open_replies and not state.is_caller_speaking


def caller_last_began_ms(state: CallState) -> int:
    """When the caller last began to speak or pressed a key, 0 = never."""
    return max(
        max((stretch.started_pts_ms for stretch in state.stretches.values()), default=0),
        state.keys[-1].pts_ms if state.keys else 0,
    )


def may_be_broken_off(state: CallState) -> bool:
    """Nothing that is being said forbids to be interrupted."""
    return all(state.utterances[seq].interruptible for _, reply in state.open_replies for seq in reply.utterances)
