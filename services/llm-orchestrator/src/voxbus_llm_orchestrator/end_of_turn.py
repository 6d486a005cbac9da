"""The end of a turn by evidence: one probability that the caller has finished, one policy to wait by. Pure.

A caller who has finished stays silent; one who has not goes on after a pause of a length of his own. So silence raises
the odds that the turn is over by 1 / P(pause longer than this). What the vad calls a pause has its shortest length, and
what is beyond it is taken to be exponential: in the recordings of people who speak at length by themselves the median,
the upper quartile and the 95th percentile lie 216, 504 and 824 ms beyond (an exponential with that median has 432 and
933). What the words say, and an audio model where there is one, give the odds at the last voiced sample.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Final

from voxbus_llm_orchestrator.completeness import completeness
from voxbus_llm_orchestrator.pauses import SHORTEST_MS, TYPICAL_BEYOND_MS, Pauses

_PARTIAL_LOGIT: Final = -0.4
"""A transcript that still may change says a little less about the end."""

_UNPUNCTUATED_LOGIT: Final = -0.7
"""A recognizer that writes punctuation, and wrote none at the end."""

_AUDIO_WEIGHT: Final = 0.4
"""Of the audio model's log odds beside those of the words: both hear the same sentence, so they do not add in full."""

_CERTAIN: Final = 0.98
"""No model is believed beyond this."""

_PROSODY_WEIGHT: Final = 0.7
"""Of its log odds beside those of the words. Fitted on the tuning half of the turn-taking score, like the next one."""

_TURNS_OF_SENTENCES: Final = 0.8
"""Of whole sentences so many are whole turns: no words and no voice are surer of the end than this."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known when the caller is silent.

    `silence_ms` since the last voiced sample; `text` of the turn so far, `is_final` or a stable partial; `asked` = what
    the assistant said before it; `has_punctuation` = the recognizer writes punctuation, so that missing punctuation
    tells something; `pauses` of this caller; `speech_ms` = length of the turn; `audio` = probability of the optional
    audio model that the turn is over; `prosody` = the same by level and pitch of the last voiced second and a half.
    """

    silence_ms: int
    text: str
    is_final: bool = True
    has_punctuation: bool = False
    pauses: Pauses = field(default_factory=Pauses)
    speech_ms: int = 0
    audio: float | None = None
    prosody: float | None = None
    language: str = "en"
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """`threshold` = probability from which the turn counts as over; the wait lies between `wait_ms` and `timeout_ms`.

    `beyond_ms` stretches the curve between them: how long pauses last on average beyond the shortest.
    """

    threshold: float = 0.86
    wait_ms: int = 250
    timeout_ms: int = 1_700
    beyond_ms: float = float(TYPICAL_BEYOND_MS)


DEFAULT_POLICY: Final = Policy()


def probability(evidence: Evidence) -> float:
    """That the turn is over, 0..1; never falls while the silence grows."""
    logit = _logit_of_text_and_prosody(evidence) + _logit_of_audio(evidence.audio)
    logit += max(0, evidence.silence_ms - SHORTEST_MS) / evidence.pauses.beyond_ms
    return 1 / (1 + math.exp(-logit))


def wait_ms(probability: float, policy: Policy = DEFAULT_POLICY) -> int:
    """Silence after the last voiced sample that ends the turn.

    `probability` is the one at the last voiced sample (`silence_ms` 0): the wait is the silence at which it will have
    grown to the threshold.
    """
    if probability >= policy.threshold:
        return policy.wait_ms
    if probability <= 0:
        return policy.timeout_ms
    needed = SHORTEST_MS + policy.beyond_ms * (_logit(policy.threshold) - _logit(probability))
    return max(policy.wait_ms, math.ceil(min(policy.timeout_ms, needed)))


def silence_needed_ms(evidence: Evidence, policy: Policy = DEFAULT_POLICY) -> int:
    """Silence after the last voiced sample that ends the turn, by all the evidence but the silence itself.

    So it stays the same until something is heard, whenever it is asked.
    """
    pace = evidence.pauses.beyond_ms / TYPICAL_BEYOND_MS
    at_the_anchor = probability(replace(evidence, silence_ms=0))
    return wait_ms(at_the_anchor, replace(policy, beyond_ms=policy.beyond_ms * pace))


def _logit_of_text_and_prosody(evidence: Evidence) -> float:
    """Prosody says something about sentences alone: between digits, letters and after "um" the voice may fall, too."""
    judged = completeness(evidence.text, evidence.language, evidence.asked)
    logit = _logit_of_text(evidence, judged.score)
    if not judged.is_sentence:
        return logit
    if evidence.prosody is not None:
        logit += _PROSODY_WEIGHT * _logit(_believed(evidence.prosody))
    return _logit(_TURNS_OF_SENTENCES / (1 + math.exp(-logit)))


def _logit_of_text(evidence: Evidence, score: float) -> float:
    logit = _logit(score)
    if evidence.has_punctuation and not evidence.text.rstrip().endswith((".", "!", "?", '."', '?"')):
        logit += _UNPUNCTUATED_LOGIT
    return logit if evidence.is_final else logit + _PARTIAL_LOGIT


def _logit_of_audio(audio: float | None) -> float:
    if audio is None:
        return 0.0
    return _AUDIO_WEIGHT * _logit(_believed(audio))


def _believed(share: float) -> float:
    return min(_CERTAIN, max(1 - _CERTAIN, share))


def _logit(share: float) -> float:
    """Log odds."""
    return math.log(share) - math.log1p(-share)
