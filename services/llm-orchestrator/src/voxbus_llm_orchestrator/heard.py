"""What the caller has heard: the words whose audio left media-ingress, no further. Pure.

A word counts once its last sample has left. Where the voice gives no word times, the sound is shared out among the
words by their letters; where not even its length is known yet, by how fast the call's voice has spoken so far.
"""

from itertools import accumulate
from typing import Final

from voxbus_llm_orchestrator.state import CallState, Reply

MS_PER_CHARACTER: Final = 65.0
"""Of a voice that has not spoken yet: 150 words a minute."""


def heard_of_utterance(state: CallState, seq: int) -> str:
    """Words of one utterance that were played in full."""
    if is_wholly_heard(state, seq):
        return state.utterances[seq].text
    playback, text = state.playbacks.get(seq), state.utterances[seq].text
    again = next((other.text for other in state.utterances.values() if other.repeats == seq), "")
    if again and text.endswith(again):
        return text.removesuffix(again).strip()  # what was said again counts where it was said again
    return "" if playback is None else words_upto(state, seq, playback.played_ms)


def heard_of_reply(state: CallState, reply: Reply) -> str:
    """All that was heard of a reply, in the order it was said."""
    parts = (heard_of_utterance(state, seq) for seq in reply.utterances)
    return " ".join(part for part in parts if part)


def words_upto(state: CallState, seq: int, played_ms: int) -> str:
    """Words of an utterance that end within its first `played_ms`."""
    words = state.utterances[seq].text.split()
    voiced = state.voiced.get(seq)
    if voiced is not None and len(voiced.words) == len(words):
        ends_ms = [float(word.end_ms) for word in voiced.words]
    else:
        ends_ms = _ends_by_rate(words, length_ms(state, seq))
    return " ".join(word for word, end_ms in zip(words, ends_ms, strict=True) if end_ms <= played_ms)


def length_ms(state: CallState, seq: int) -> float:
    """How long an utterance sounds; an estimate until the voice has said so."""
    voiced = state.voiced.get(seq)
    if voiced is not None and voiced.duration_ms > 0 and not voiced.failed:
        return float(voiced.duration_ms)
    spoken = [(known, state.utterances[at].text) for at, known in state.voiced.items() if at in state.utterances]
    spoken = [(known, text) for known, text in spoken if known.duration_ms > 0 and text and not known.failed]
    characters = sum(len(text) for _, text in spoken)
    rate = sum(known.duration_ms for known, _ in spoken) / characters if characters else MS_PER_CHARACTER
    return rate * len(state.utterances[seq].text)


def is_wholly_heard(state: CallState, seq: int) -> bool:
    """Its end was reported; or that report was lost, but a later one has begun, and they play in order."""
    playback, voiced = state.playbacks.get(seq), state.voiced.get(seq)
    if playback is not None and playback.finished:
        return not voiced.failed if voiced is not None else bool(playback.played_ms)
    if playback is None and (voiced is None or not voiced.duration_ms):
        return False
    later = state.playbacks
    if seq <= state.cleared_upto:  # a reply is cleared whole: what began after it belongs to another
        reply = state.replies.get(state.utterances[seq].reply)
        later = {at: state.playbacks[at] for at in (reply.utterances if reply else ()) if at in state.playbacks}
    return any(at > seq for at in later)


def is_over(state: CallState, seq: int) -> bool:
    """Nothing more of this utterance will be heard."""
    voiced, playback = state.voiced.get(seq), state.playbacks.get(seq)
    is_unsaid = playback is not None and playback.finished and voiced is not None and voiced.failed
    return seq <= state.cleared_upto or is_unsaid or is_wholly_heard(state, seq)


def _ends_by_rate(words: list[str], whole_ms: float) -> list[float]:
    """Where each word ends when every character, the blank before a word included, takes the same time."""
    upto = list(accumulate(len(word) + (1 if at else 0) for at, word in enumerate(words)))
    return [whole_ms * end / upto[-1] for end in upto]
