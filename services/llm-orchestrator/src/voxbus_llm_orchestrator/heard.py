"""What the caller has heard: the words whose audio left media-ingress, no further."""

from voxbus_llm_orchestrator.state import CallState, Reply


def heard_of_utterance(state: CallState, seq: int) -> str:
    """Words of one utterance that were played in full.

    By the voice's word times where it gave any, else by an even speaking rate over the utterance's length.
    """
    utterance, playback = state.utterances[seq], state.playbacks.get(seq)
    if playback is None:
        return ""
    if playback.finished:
        return utterance.text
    voiced = state.voiced.get(seq)
    words = utterance.text.split()
    if voiced is None or voiced.duration_ms <= 0 or not words:
        return ""
    if len(voiced.words) == len(words):
        count = sum(1 for word in voiced.words if word.end_ms <= playback.played_ms)
    else:
        count = int(len(words) * min(1.0, playback.played_ms / voiced.duration_ms))
    return " ".join(words[:count])


def heard_of_reply(state: CallState, reply: Reply) -> str:
    """All that was heard of a reply, in the order it was said."""
    parts = (heard_of_utterance(state, seq) for seq in reply.utterances)
    return " ".join(part for part in parts if part)


def is_over(state: CallState, seq: int) -> bool:
    """Nothing more of this utterance will be heard."""
    playback = state.playbacks.get(seq)
    return seq <= state.cleared_upto or (playback is not None and playback.finished)
