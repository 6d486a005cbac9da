"""Decoders of one pocketsphinx child: made when needed, lent to one utterance at a time, by language model.

Measured November 2026: a decoder of the general language takes 91 MB and 0.4 s to load, one of an assistant's own
domain (2,000 words and its terms) 9 MB and 40 ms, and a quarter of the time to decode the same speech.
"""

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pocketsphinx import Decoder, get_model_path

from voxbus_stt_worker.providers.pocketsphinx_wire import ARPA, DICTIONARY, GENERAL

_DOMAIN_ONES: Final = 4
"""Decoders of domains for each of the general language: 36 MB against 91."""
_GENERAL_SETTINGS: Final[Mapping[str, Any]] = {"ds": 2, "maxwpf": 5, "maxhmmpf": 3000}
_DOMAIN_SETTINGS: Final[Mapping[str, Any]] = {"ds": 1, "maxwpf": 20, "maxhmmpf": 3000}


def new_decoder(model: str = GENERAL) -> Decoder:
    """Set for a quick end: measured November 2026, 7 ms from the flush to the text. Raises RuntimeError."""
    settings: dict[str, Any] = {"fwdflat": False, "loglevel": "FATAL"}
    if model == GENERAL:
        return Decoder(**_GENERAL_SETTINGS, **settings)
    files = {"lm": str(Path(model) / ARPA), "dict": str(Path(model) / DICTIONARY)}
    return Decoder(hmm=str(Path(get_model_path()) / "en-us" / "en-us"), **files, **_DOMAIN_SETTINGS, **settings)


class Decoders:
    """At most `limit` of the general language and four times as many of all domains together."""

    def __init__(self, limit: int) -> None:
        self._general_limit = max(1, limit)
        self._domain_limit = _DOMAIN_ONES * self._general_limit
        self._made: Counter[str] = Counter({GENERAL: 1})
        first = new_decoder()
        self._free: dict[str, list[Decoder]] = {GENERAL: [first]}
        """The models used last come last."""
        self.neutral_mean: str = first.get_cmn(False)

    def lend(self, model: str) -> Decoder | None:
        """A free one, or a new one where there is room; None = all of them are busy. Raises RuntimeError."""
        free = self._free.get(model)
        if not free and not self._make(model):
            return None
        decoder = self._free[model].pop()
        self._free[model] = self._free.pop(model)
        return decoder

    def made(self, model: str) -> int:
        """How many there are, free or lent."""
        return self._made[model]

    def give_back(self, model: str, decoder: Decoder) -> None:
        self._free[model].append(decoder)

    def prepare(self, wanted: Counter[str]) -> None:
        """In a quiet moment: makes one more of a model of which all are free and more calls are open than there are."""
        for model, calls in wanted.items():
            made = self._made[model]
            if len(self._free.get(model, ())) == made < calls and self._has_room(model):
                try:
                    self._make(model)
                except RuntimeError:
                    continue
                return

    def _make(self, model: str) -> bool:
        if not self._has_room(model) and not self._drop_unused():
            return False
        if not self._has_room(model):
            return False
        decoder = new_decoder(model)
        self._made[model] += 1
        self._free.setdefault(model, []).append(decoder)
        return True

    def _has_room(self, model: str) -> bool:
        if model == GENERAL:
            return self._made[GENERAL] < self._general_limit
        return sum(self._made.values()) - self._made[GENERAL] < self._domain_limit

    def _drop_unused(self) -> bool:
        """Drops the domain's decoder that was used least lately; False when none is free."""
        for model, free in self._free.items():
            if model != GENERAL and free:
                free.pop()
                self._made[model] -= 1
                if not self._made[model]:
                    del self._made[model], self._free[model]
                return True
        return False


def say_unusable(problem: RuntimeError) -> None:
    """Into the service's log; the general model is used."""
    sys.stderr.write(f"a domain's language model cannot be loaded: {type(problem).__name__}\n")
