"""What a recognizer is told of the words it will probably hear. Imports nothing heavy: recognizers' children use it."""

from dataclasses import dataclass
from typing import Final, Literal

Expected = Literal["yes-no", "digits", "numbers", "dates", "times", "spelling"]


@dataclass(frozen=True, slots=True)
class RecognitionTerms:
    """All texts in `groups` and `background` are spoken words, lower case, one blank between two.

    `groups`: lists of alternatives, one of each is as likely as one of another; none = nothing is known of the callers'
    words. `background`: words of the prompt and of descriptions. `keyterms`: as written, the most telling first.
    """

    groups: tuple[tuple[str, ...], ...] = ()
    background: tuple[str, ...] = ()
    expected: tuple[Expected, ...] = ()
    keyterms: tuple[str, ...] = ()

    @property
    def has_domain(self) -> bool:
        """Is enough known to prefer these words to all others?"""
        return bool(self.groups)


NO_TERMS: Final = RecognitionTerms()
