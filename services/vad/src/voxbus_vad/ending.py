"""Does the end of a stretch of speech sound like the end of a turn? Boosted trees of two steps over its prosody.

The trees are data: models/prosody.json, made by tests/bench/turn_taking/train_prosody.py. English speakers were heard.
"""

import json
from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from voxbus_contracts.events import SpeechStopped
from voxbus_vad.detector import SpeechEvent
from voxbus_vad.last_seconds import LastSeconds
from voxbus_vad.prosody import AFTER_MS, BEFORE_MS, FEATURES, at_once, prosody_in_steps

REMEMBERED_MS: Final = 2_000
"""Reaches back from where a stop is told of: 200 ms of silence, what Silero may take, and the sound looked at."""

_LEAST_MS: Final = 500
"""Who has heard less of the voice than this, after a takeover, does not judge it."""

_MODEL_FILE: Final = "prosody.json"


@dataclass(frozen=True, slots=True)
class Ending:
    """Trees side by side: which number each of the three questions asks about [n, 3], from where on the answer is yes
    [n, 3], and what no-no, no-yes, yes-no and yes-yes add to the log odds [n, 4]."""

    asks: NDArray[np.intp]
    above: NDArray[np.float64]
    adds: NDArray[np.float64]
    start: float

    @classmethod
    def of(cls, model: dict[str, list[list[float]] | list[str] | float]) -> Self:
        """Of the file's content. Raises ValueError when it was made for other numbers than these."""
        if model["features"] != list(FEATURES):
            raise ValueError(f"{_MODEL_FILE} was made for other numbers than prosody.py gives: train it again")
        trees = np.array(model["trees"], np.float64)
        return cls(trees[:, 0:3].astype(np.intp), trees[:, 3:6], trees[:, 6:10], float(model["start"]))  # type: ignore[arg-type]

    def log_odds(self, numbers: NDArray[np.floating]) -> float:
        """That the turn is over, given one row of prosody; 0 = the sound says nothing."""
        yes = numbers[self.asks] > self.above
        leaf = np.where(yes[:, 0], 2 + yes[:, 2], yes[:, 1])
        return self.start + float(self.adds[np.arange(len(leaf)), leaf].sum())


@lru_cache(maxsize=1)
def ending() -> Ending:
    """The trees that come with the package."""
    return Ending.of(json.loads(files("voxbus_vad").joinpath("models", _MODEL_FILE).read_text()))


Judging = Generator[None, None, float | None]


def judging(pts_ms: int, memory: LastSeconds) -> Judging:
    """The probability that the turn is over whose voice has ended at `pts_ms`, by its sound, in steps; None where too
    little was heard. The sound is what is remembered now; it must reach AFTER_MS behind the end."""
    sound = None
    if memory.reaches_back_to(pts_ms - _LEAST_MS):
        sound = memory.between(pts_ms - BEFORE_MS, pts_ms + AFTER_MS)
    return _judging(sound)


def _judging(sound: NDArray[np.int16] | None) -> Judging:
    """No sound: too little was heard."""
    if sound is None:
        return None
    numbers = yield from prosody_in_steps(sound)
    return round(float(1 / (1 + np.exp(-ending().log_odds(numbers)))), 3)


def with_judgement(stopped: SpeechStopped, finished: float | None) -> SpeechStopped:
    """The stop with what its sound says."""
    return stopped.model_copy(update={"finished": finished})


def judged(event: SpeechEvent, memory: LastSeconds) -> SpeechEvent:
    """A stop with the probability that the turn is over by the sound up to the last voiced sample; None in it where too
    little was heard. Other events as they are."""
    if not isinstance(event, SpeechStopped):
        return event
    return with_judgement(event, at_once(judging(event.pts_ms, memory)))
