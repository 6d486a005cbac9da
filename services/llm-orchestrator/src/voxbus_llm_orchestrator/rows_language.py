"""The row that notices in which language the caller speaks."""

import unicodedata

from voxbus_contracts.events import LanguageDetected
from voxbus_contracts.language import is_same_language
from voxbus_llm_orchestrator.decision import Decide, View
from voxbus_llm_orchestrator.quiet import is_callers_turn

_WORDS_AT_LEAST = 2
"""A single word is the same in many languages (`no`, `okay`, a name): recognizers guess then."""


def notice_language(view: View) -> Decide | None:
    """What is about to become a turn was said in another language than the caller spoke before, or in the first known.

    Only what no turn has taken and nothing has dismissed is looked at: echoes and doubtful words change nothing.
    """
    state = view.state
    if not is_callers_turn(state):
        return None
    said = [(seq, final) for seq, final in reversed(state.unconsumed) if final.text]
    language = said[0][1].language if said else None
    known = state.language or view.plan.language
    if language is None or (known is not None and is_same_language(known, language)):
        return None
    words = sum(
        _words(final.text) for _, final in said if final.language and is_same_language(final.language, language)
    )
    if words < _WORDS_AT_LEAST:
        return None
    detected = LanguageDetected(language=language, before=known, transcript_seq=said[0][0], pts_ms=max(0, view.now_ms))
    return Decide("language-detected", (detected,))


def _words(text: str) -> int:
    """Between blanks; a sign of a script that has none (Chinese, Japanese) counts as one."""
    return sum(max(1, sum(unicodedata.east_asian_width(sign) == "W" for sign in word)) for word in text.split())
