"""What a service that ends utterances by itself has understood, as one final hearing for each flush. Pure.

Its finals come before or after the vad's end of speech, or never: those before are kept, those after are waited for a
little, and without one the last partial counts. Times are in ms of any steady clock.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

PARTIAL_SETTLES_MS: Final = 1_000
"""How long after a flush a final may come that says the last partial for good."""
FINAL_SETTLES_MS: Final = 200
"""How long after a flush more may come when all that was understood is final already."""
HURRIED_SETTLES_MS: Final = 500
"""How long after each final more may come of sound that was sent faster than it was spoken: all of it at once."""
NOTHING_SETTLES_MS: Final = 1_500
"""How long after a flush the first words of the stretch may come: noise has none."""


@dataclass(slots=True)
class _Flushed:
    """A stretch that waits for its final; one without sound has nothing to wait for."""

    settles_at_ms: float
    has_sound: bool
    is_hurried: bool


@dataclass(frozen=True, slots=True)
class Said:
    """A hearing without its place in the audio."""

    text: str
    final: bool
    confidence: float | None = None
    language: str | None = None


class Understanding:
    """One session's. A partial replaces the partial before it."""

    def __init__(self) -> None:
        self._finals: list[str] = []
        self._confidences: list[float] = []
        self._language: str | None = None
        self._partial = ""
        self._given = ""
        self._flushed: deque[_Flushed] = deque()

    @property
    def wake_at_ms(self) -> float | None:
        """When `due` has something to say; None while nobody waits."""
        return self._flushed[0].settles_at_ms if self._flushed else None

    def partial(self, text: str, now_ms: float) -> list[Said]:
        self._partial = self._news(text)
        if self._flushed and self._partial:
            first = self._flushed[0]
            first.settles_at_ms = max(first.settles_at_ms, now_ms + FINAL_SETTLES_MS)
        return self._so_far()

    def final(
        self, text: str, now_ms: float, confidence: float | None = None, language: str | None = None
    ) -> list[Said]:
        """The last language that is told counts for what is put together."""
        news, self._given, self._partial = self._news(text), "", ""
        if news:
            self._finals.append(news)
            self._language = language or self._language
            if confidence is not None:
                self._confidences.append(confidence)
        hurried = next((each for each in self._flushed if each.is_hurried), None)
        if hurried is not None:
            hurried.settles_at_ms = now_ms + HURRIED_SETTLES_MS
        elif self._flushed and self._finals:
            return self._upto_the_first_with_sound()
        return self._so_far() if news else []

    def flush(self, now_ms: float, *, has_sound: bool = True, is_hurried: bool = False) -> None:
        """The stretch of speech is over."""
        settles_ms = NOTHING_SETTLES_MS
        if self._partial and not is_hurried:
            settles_ms = PARTIAL_SETTLES_MS
        elif self._finals and not is_hurried:
            settles_ms = FINAL_SETTLES_MS
        self._flushed.append(
            _Flushed(now_ms + settles_ms if has_sound else now_ms, has_sound, is_hurried and has_sound)
        )

    def due(self, now_ms: float) -> list[Said]:
        """What is settled because nothing more came in time."""
        settled: list[Said] = []
        while self._flushed and self._flushed[0].settles_at_ms <= now_ms:
            settled.append(self._settled())
        return settled

    def _upto_the_first_with_sound(self) -> list[Said]:
        settled: list[Said] = []
        while self._flushed and not (settled and settled[-1].text):
            settled.append(self._settled())
        return settled

    def _settled(self) -> Said:
        if not self._flushed[0].has_sound:
            self._flushed.popleft()
            return Said("", True)
        text = self._text()
        confidence, language = min(self._confidences, default=None), self._language
        self._given, self._partial, self._language = self._partial, "", None
        self._finals.clear()
        self._confidences.clear()
        self._flushed.popleft()
        return Said(text, True, confidence, language)

    def _so_far(self) -> list[Said]:
        return [Said(self._text(), False)] if self._text() else []

    def _text(self) -> str:
        return " ".join(part for part in (*self._finals, self._partial) if part)

    def _news(self, text: str) -> str:
        """Without the words of a partial that was taken for final before its own final came."""
        text = text.strip()
        given = _words(self._given)
        if given and _words(text)[: len(given)] == given:
            return " ".join(text.split()[len(given) :])
        return text


def _words(text: str) -> list[str]:
    return ["".join(mark for mark in word.lower() if mark.isalnum()) for word in text.split()]
