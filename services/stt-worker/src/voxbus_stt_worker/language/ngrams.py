"""Weighted sentences → a trigram model in ARPA form. Pure.

Interpolated Witten-Bell smoothing (Witten and Bell, 1991): a context of total weight c that was followed by t different
words leaves t / (t + c) of its probability to the shorter context; the shortest is a given distribution over words.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

START: Final = "<s>"
END: Final = "</s>"
_ORDER: Final = 3
_NEVER: Final = -99.0
Gram = tuple[str, ...]
Counts = dict[Gram, float]


class NgramCounts:
    """How often words, pairs and triples were said; weights need not be whole numbers."""

    def __init__(self) -> None:
        self.by_order: list[Counts] = [defaultdict(float) for _ in range(_ORDER)]

    def add(self, sentence: Iterable[str], weight: float = 1.0) -> None:
        """Counts a sentence of words, its start and end too."""
        words = (START, *sentence, END)
        singles, pairs, triples = self.by_order
        for at in range(1, len(words)):
            singles[words[at : at + 1]] += weight
            pairs[words[at - 1 : at + 1]] += weight
            if at > 1:
                triples[words[at - 2 : at + 1]] += weight

    def add_pair(self, before: str, word: str, weight: float) -> None:
        """Counts a pair known from elsewhere."""
        self.by_order[1][before, word] += weight

    def words(self) -> dict[str, float]:
        """Probability of each word and of END in what was counted by sentences."""
        singles = self.by_order[0]
        total = sum(singles.values())
        return {gram[0]: count / total for gram, count in singles.items()} if total else {}


def mixed(first: Mapping[str, float], second: Mapping[str, float], share: float) -> dict[str, float]:
    """One distribution of two; `share` (0 to 1) goes to the second. Each is normalized first, START is left out."""
    found: dict[str, float] = defaultdict(float)
    for words, part in ((first, 1.0 - share), (second, share)):
        total = sum(weight for word, weight in words.items() if word != START)
        for word, weight in words.items():
            if word != START and part > 0 and weight > 0:
                found[word] += part * weight / total
    total = sum(found.values())
    return {word: weight / total for word, weight in found.items()}


def arpa(counts: NgramCounts, words: Mapping[str, float]) -> Iterator[str]:
    """Lines of the model. `words` must hold every word counted, and END; their probabilities add up to 1."""
    models: list[Counts] = [{(word,): probability for word, probability in words.items()}]
    left_over: Counts = {}
    for grams in counts.by_order[1:]:
        models.append(_interpolated(grams, models[-1], left_over))
    yield "\\data\\\n"
    for order, model in enumerate(models, 1):
        yield f"ngram {order}={len(model) + (order == 1)}\n"
    for order, model in enumerate(models, 1):
        yield f"\n\\{order}-grams:\n"
        if order == 1:
            yield _line(_NEVER, (START,), left_over)
        for gram, probability in model.items():
            yield _line(math.log10(probability), gram, left_over if order < _ORDER else {})
    yield "\n\\end\\\n"


def _interpolated(grams: Counts, shorter: Counts, left_over: Counts) -> Counts:
    """Probabilities of `grams`; puts what their contexts leave to shorter ones into `left_over`."""
    totals: Counts = defaultdict(float)
    kinds: dict[Gram, int] = defaultdict(int)
    for gram, count in grams.items():
        totals[gram[:-1]] += count
        kinds[gram[:-1]] += 1
    for context, total in totals.items():
        left_over[context] = kinds[context] / (total + kinds[context])
    return {
        gram: (count + kinds[gram[:-1]] * shorter[gram[1:]]) / (totals[gram[:-1]] + kinds[gram[:-1]])
        for gram, count in grams.items()
    }


def _line(log10: float, gram: Gram, left_over: Counts) -> str:
    rest = left_over.get(gram)
    text = f"{log10:.4f} {' '.join(gram)}"
    return f"{text} {math.log10(rest):.4f}\n" if rest is not None else f"{text}\n"
