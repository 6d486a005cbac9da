"""The general language: the commonest words and word pairs of a trigram model in pocketsphinx's binary form.

Layout, little endian (pocketsphinx 5.1, `ngram_model_trie.c`, read November 2026): "Trie Language Model", order (u8),
counts per order (u32), quantizer (u32), tables of 65,536 f32 (2-gram probabilities, their back-offs, 3-gram
probabilities), unigrams of (probability f32, back-off f32, first pair u32), pairs as bit fields (word before, back-off,
probability, next), triples, the words. Logarithms are to the base 1.0001; a word's pairs stand under the later word.
"""

import math
import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_MAGIC: Final = b"Trie Language Model"
_LOG_BASE: Final = math.log(1.0001)
_BINS: Final = 65_536
_QUANTUM_BITS: Final = 16
_UNIGRAM: Final = np.dtype([("p", "<f4"), ("rest", "<f4"), ("first", "<u4")])
_CHUNK: Final = 262_144
"""Pairs looked at together: some 20 MB of work space."""

Array = NDArray[Any]


class BadModelFile(ValueError):
    """The file is not of the form this module reads."""


@dataclass(frozen=True, slots=True)
class GeneralLanguage:
    """Probabilities of single words (END among them), and of pairs: P(before, word)."""

    words: dict[str, float]
    pairs: tuple[tuple[str, str, float], ...]


@dataclass(frozen=True, slots=True)
class _Trie:
    words: list[str]
    unigrams: Array
    probabilities: Array
    pairs: Array
    pair_count: int
    pair_bits: int
    word_bits: int


def general_language(data: bytes, most_words: int, most_pairs: int) -> GeneralLanguage:
    """The commonest words, and the pairs of them that tell most (P(a,b) · log P(b|a)/P(b)). Raises BadModelFile."""
    trie = _read(data)
    word_p = np.exp(trie.unigrams["p"][: len(trie.words)].astype(np.float64) * _LOG_BASE)
    chosen = np.argsort(-word_p)[:most_words]
    is_chosen = np.zeros(len(trie.words), bool)
    is_chosen[chosen] = True
    before, after, given = _pairs(trie, is_chosen)
    together = word_p[before] * given
    telling = together * np.log(np.maximum(given / word_p[after], 1e-9))
    best = np.argsort(-telling)[:most_pairs]
    return GeneralLanguage(
        {trie.words[n]: float(word_p[n]) for n in chosen},
        tuple((trie.words[before[n]], trie.words[after[n]], float(together[n])) for n in best),
    )


def _read(data: bytes) -> _Trie:
    at = len(_MAGIC)
    if not data.startswith(_MAGIC) or data[at] != 3:
        raise BadModelFile("the general language model is not a binary trigram model")
    counts: tuple[int, int, int] = struct.unpack_from("<3I", data, at + 1)
    at += 1 + 12 + 4
    probabilities = np.frombuffer(data, "<f4", _BINS, at)
    at += 3 * _BINS * 4
    unigrams = np.frombuffer(data, _UNIGRAM, counts[0] + 1, at)
    at += _UNIGRAM.itemsize * (counts[0] + 1)
    word_bits, next_bits = counts[0].bit_length(), counts[2].bit_length()
    pair_bits = word_bits + 2 * _QUANTUM_BITS + next_bits
    pair_bytes = ((1 + counts[1]) * pair_bits + 7) // 8 + 8
    triple_bytes = ((1 + counts[2]) * (word_bits + _QUANTUM_BITS) + 7) // 8 + 8
    words = data[at + pair_bytes + triple_bytes + 4 :].decode().split("\0")[:-1]
    if len(words) != counts[0]:
        raise BadModelFile(f"the general language model should have {counts[0]} words and has {len(words)}")
    pairs = np.frombuffer(data, np.uint8, pair_bytes, at)
    return _Trie(words, unigrams, probabilities, pairs, int(unigrams["first"][-1]), pair_bits, word_bits)


def _pairs(trie: _Trie, is_chosen: Array) -> tuple[Array, Array, Array]:
    """Numbers of the words before and after, and P(after | before), of all pairs of chosen words."""
    firsts = trie.unigrams["first"].astype(np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(trie.pairs, 8)
    found: list[tuple[Array, Array, Array]] = []
    for start in range(0, trie.pair_count, _CHUNK):
        numbers = np.arange(start, min(start + _CHUNK, trie.pair_count), dtype=np.int64)
        before = _field(windows, numbers * trie.pair_bits, trie.word_bits)
        after = np.searchsorted(firsts, numbers, side="right") - 1
        kept = is_chosen[before] & is_chosen[after]
        quantum = _field(windows, numbers[kept] * trie.pair_bits + trie.word_bits + _QUANTUM_BITS, _QUANTUM_BITS)
        given = np.exp(trie.probabilities[quantum].astype(np.float64) * _LOG_BASE)
        found.append((before[kept], after[kept], given))
    before, after, given = (np.concatenate([each[n] for each in found]) for n in range(3))
    return before, after, given


def _field(windows: Array, bits: Array, width: int) -> Array:
    raw = windows[bits >> 3].copy().view("<u8").ravel() >> (bits & 7).astype(np.uint64)
    return (raw & np.uint64((1 << width) - 1)).astype(np.int64)
