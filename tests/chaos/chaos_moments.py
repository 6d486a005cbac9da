"""When the faults of a round strike. Pure."""

import random
from itertools import accumulate
from typing import Final

LAST_FAULT_BEFORE_END_S: Final = 8.0
ELECTIONS_APART_S: Final = 12.0
"""A leader is away for 5 s, and to elect one takes NATS 4 to 9: with the next loss in the midst of that, an answer that
waits for a tool would come when the caller asks the next question, and be interrupted."""


def moments_of(rng: random.Random, first_s: float, talk_s: float, strikes: int, apart_s: float = 0.0) -> list[float]:
    """Random, one in each of as many equal stretches of the talk; none sooner than `apart_s` after the one before."""
    stretch_s = (talk_s - LAST_FAULT_BEFORE_END_S) / max(1, strikes)
    moments = [first_s + stretch_s * (number + rng.random() * 0.8) for number in range(strikes)]
    return list(accumulate(moments, lambda before_s, at_s: max(at_s, before_s + apart_s)))
