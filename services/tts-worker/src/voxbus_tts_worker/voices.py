"""Whose voice says which sentence: after a handoff another assistant's. Pure."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from voxbus_contracts.assistant import Voice
from voxbus_contracts.config import CallConfig
from voxbus_tts_worker.choosing import Choice, choices

IN_VAIN_AT_MOST: Final = 3
"""Sentences a voice may fail on while others can say them: each may have cost the caller the patience with it."""


@dataclass(slots=True)
class Casting:
    """An assistant's voice, and who can say its sentences. `config` is the call's while it speaks."""

    config: CallConfig
    choices: tuple[Choice, ...]
    in_vain: Counter[Choice] = field(default_factory=Counter[Choice])

    @property
    def voice(self) -> Voice:
        return self.config.assistant.voice

    def failed(self, choice: Choice, *, is_for_good: bool) -> None:
        """One that cannot work here, or has failed too often, is not asked again on this call."""
        self.in_vain[choice] += 1
        if (is_for_good or self.in_vain[choice] >= IN_VAIN_AT_MOST) and len(self.choices) > 1:
            self.choices = tuple(other for other in self.choices if other != choice)


class Voices:
    """Of one call; `defaults` are the platform's engines, best first."""

    def __init__(self, first: CallConfig, defaults: Sequence[str]) -> None:
        self._defaults = defaults
        self._from: list[int] = [0]
        self._castings = [Casting(first, choices(first.assistant.voice, defaults))]

    def hand_over(self, config: CallConfig, from_utterance_seq: int) -> None:
        """Told in the order of the handoffs; one that is told twice changes nothing."""
        if from_utterance_seq < self._from[-1]:
            return
        known = next((each for each in self._castings if each.voice == config.assistant.voice), None)
        made = Casting(config, choices(config.assistant.voice, self._defaults))
        if known is not None:
            made.choices, made.in_vain = known.choices, known.in_vain
        self._from.append(from_utterance_seq)
        self._castings.append(made)

    def of(self, utterance_seq: int) -> Casting:
        return self._castings[bisect_right(self._from, utterance_seq) - 1]
