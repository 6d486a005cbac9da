"""A full-text index over passages: SQLite's FTS5, in memory, best passages first by bm25."""

import re
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_WORD: Final = re.compile(r"\w+", re.UNICODE)
_MOST_WORDS: Final = 64
_CACHE_KIB: Final = 2_000


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a file, in the file's own words."""

    file: str
    text: str


class PassageIndex:
    """Over the passages of some files. Words are compared by their stems and without accents."""

    def __init__(self, passages: Iterable[Passage]) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        self._db.execute(
            "CREATE VIRTUAL TABLE passage USING "
            "fts5(text, file UNINDEXED, tokenize='porter unicode61 remove_diacritics 2')"
        )
        found = [(each.text, each.file) for each in passages]
        self._db.executemany("INSERT INTO passage (text, file) VALUES (?, ?)", found)
        self.characters = sum(len(text) for text, _ in found)

    def best(self, query: str, most: int) -> list[Passage]:
        """Passages with any of the query's words, those with more and rarer ones first."""
        words = list(dict.fromkeys(word.lower() for word in _WORD.findall(query)))[:_MOST_WORDS]
        if not words:
            return []
        match = " OR ".join(f'"{word}"' for word in words)
        with self._lock:
            rows = self._db.execute(
                "SELECT file, text FROM passage WHERE passage MATCH ? ORDER BY bm25(passage), rowid LIMIT ?",
                (match, most),
            ).fetchall()
        return [Passage(file, text) for file, text in rows]

    def close(self) -> None:
        with self._lock:
            self._db.close()
