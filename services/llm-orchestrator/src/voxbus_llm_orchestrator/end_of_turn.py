"""The end of a turn by evidence: one probability that the caller has finished, one policy to wait by. Pure.

A caller who has finished stays silent; one who has not goes on after a pause of a length of his own. So silence raises
the odds that the turn is over by 1 / P(pause longer than this), and pauses are taken to be log-logistic: half of them
are longer than the caller's typical one. What the words say, and an audio model where there is one, give the odds at
the last voiced sample.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Final

from voxbus_llm_orchestrator.completeness import Completeness, completeness
from voxbus_llm_orchestrator.pauses import TYPICAL_MS, Pauses

_PAUSE_SHAPE: Final = 2.6
"""Of the log-logistic lengths of pauses; the quartiles of the recordings' pauses, 420 and 930 ms, are 3^(±1/shape) of
the median apart."""

_PARTIAL_LOGIT: Final = -0.4
"""A transcript that still may change says a little less about the end."""

_AUDIO_WEIGHT: Final = 0.8
"""Of the audio model's log odds beside those of the words: both hear the same sentence, so they do not add in full."""

_CERTAIN: Final = 0.98
"""No model is believed beyond this."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known when the caller is silent.

    `silence_ms` since the last voiced sample; `text` of the turn so far, `is_final` or a stable partial;
    `has_punctuation` = the recognizer writes punctuation, so that missing punctuation tells something; `pauses` of this
    caller; `speech_ms` = voiced length of the turn; `audio` = probability of the optional audio model that the turn is
    over.
    """

    silence_ms: int
    text: str
    is_final: bool = True
    has_punctuation: bool = False
    pauses: Pauses = field(default_factory=Pauses)
    speech_ms: int = 0
    audio: float | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Policy:
    """`threshold` = probability from which the turn counts as over; the wait lies between `wait_ms` and `timeout_ms`.

    `pause_ms` stretches the curve between them: the typical pause.
    """

    threshold: float = 0.8
    wait_ms: int = 250
    timeout_ms: int = 1_700
    pause_ms: float = float(TYPICAL_MS)


DEFAULT_POLICY: Final = Policy()


def probability(evidence: Evidence) -> float:
    """That the turn is over, 0..1; never falls while the silence grows."""
    odds = _odds_of_text(evidence) * _odds_of_audio(evidence.audio)
    longer = max(0, evidence.silence_ms) / evidence.pauses.typical_ms
    odds *= 1 + longer**_PAUSE_SHAPE
    return odds / (1 + odds)


def wait_ms(probability: float, policy: Policy = DEFAULT_POLICY) -> int:
    """Silence after the last voiced sample that ends the turn.

    `probability` is the one at the last voiced sample (`silence_ms` 0): the wait is the silence at which it will have
    grown to the threshold.
    """
    if probability >= policy.threshold:
        return policy.wait_ms
    if probability <= 0:
        return policy.timeout_ms
    growth = _odds(policy.threshold) / _odds(probability)
    needed = policy.pause_ms * (growth - 1) ** (1 / _PAUSE_SHAPE)
    return max(policy.wait_ms, math.ceil(min(policy.timeout_ms, needed)))


def silence_needed_ms(evidence: Evidence, policy: Policy = DEFAULT_POLICY) -> int:
    """Silence after the last voiced sample that ends the turn, by all the evidence but the silence itself.

    So it stays the same until something is heard, whenever it is asked.
    """
    at_the_anchor = probability(replace(evidence, silence_ms=0))
    return wait_ms(at_the_anchor, replace(policy, pause_ms=policy.pause_ms * _pace(evidence.pauses)))


def _pace(pauses: Pauses) -> float:
    """How much longer this caller's pauses are than everybody's."""
    return pauses.typical_ms / TYPICAL_MS


def _odds_of_text(evidence: Evidence) -> float:
    judged: Completeness = completeness(evidence.text, evidence.language)
    score = judged.score
    if evidence.has_punctuation and not evidence.text.rstrip().endswith((".", "!", "?", '."', '?"')):
        score *= 0.5
    logit = math.log(_odds(score))
    return math.exp(logit if evidence.is_final else logit + _PARTIAL_LOGIT)


def _odds_of_audio(audio: float | None) -> float:
    if audio is None:
        return 1.0
    bounded = min(_CERTAIN, max(1 - _CERTAIN, audio))
    return math.exp(_AUDIO_WEIGHT * math.log(_odds(bounded)))


def _odds(share: float) -> float:
    return share / (1 - share)
