"""Writes a model folder: `model.arpa`, the n-grams, and `words.dict`, how their words sound."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from voxbus_providers.terms import RecognitionTerms
from voxbus_stt_worker.language.general import GeneralLanguage
from voxbus_stt_worker.language.ngrams import END, START, NgramCounts, arpa, mixed
from voxbus_stt_worker.language.pronunciations import Pronunciations
from voxbus_stt_worker.language.sentences import MADE, sentences
from voxbus_stt_worker.providers.pocketsphinx_wire import ARPA, DICTIONARY

_VERSION: Final = 2
"""Goes into the key: higher whenever the same terms give another model."""
_GENERAL_SHARE: Final = 0.1
"""Of single words and of pairs. Hardly matters: 0.05 to 0.5 gave 86 to 88 % of slots of half of the drink orders."""
_BACKGROUND_SHARE: Final = 0.03
_WORDS_MADE: Final = 10 * MADE
"""About as many words as the sentences have: turns the probability of a pair into how often it is said."""
_KEPT: Final = 200
"""Model folders, 1 MB each."""


def model_key(terms: RecognitionTerms) -> str:
    """Names the model of these terms; other terms, another name."""
    content = json.dumps([_VERSION, asdict(terms)], sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:24]


def build(folder: Path, terms: RecognitionTerms, general: GeneralLanguage, sounds: Pronunciations) -> None:
    """Whole or not at all, also when two build the same. Raises OSError."""
    counts = NgramCounts()
    for sentence in sentences(terms):
        counts.add(sentence)
    words = _words(counts.words(), terms, general)
    for before, word, probability in general.pairs:
        counts.add_pair(before, word, probability * _WORDS_MADE * _GENERAL_SHARE)
    partial = folder.with_name(f"{folder.name}.{os.getpid()}")
    partial.mkdir(parents=True, exist_ok=True)
    try:
        (partial / DICTIONARY).write_text("".join(sounds.lines(word for word in words if word != END)))
        (partial / ARPA).write_text("".join(arpa(counts, words)))
        if not folder.exists():
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def forget_oldest(cache: Path, kept: int = _KEPT) -> None:
    """Removes the model folders that were made first, so that the cache does not grow for ever."""
    folders = sorted((each for each in cache.iterdir() if each.is_dir()), key=lambda each: each.stat().st_mtime)
    for folder in folders[:-kept]:
        shutil.rmtree(folder, ignore_errors=True)


def _words(domain: Mapping[str, float], terms: RecognitionTerms, general: GeneralLanguage) -> dict[str, float]:
    known = mixed(domain, general.words, _GENERAL_SHARE)
    background = {word: 1.0 for word in terms.background if word not in (START, END)}
    return mixed(known, background, _BACKGROUND_SHARE if background else 0.0)
