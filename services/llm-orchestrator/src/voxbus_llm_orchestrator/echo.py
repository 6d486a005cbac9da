"""The assistant's own words, heard back through the caller's loudspeaker. Pure."""

from difflib import SequenceMatcher
from typing import Final

from voxbus_llm_orchestrator.phrases import Phrases, Words

_RUN: Final = 2
"""Words in a row that are hardly the caller's own by chance."""
_MISHEARD_SHARE: Final = 0.4
_MISHEARD_WORDS: Final = 2
"""Of an echo this much may be recognized as other words: beside a run; and where its sound says that it is one."""


def own_words(heard: Words, said: Words, phrases: Phrases, is_held_back: bool) -> Words:
    """What is left of `heard` without runs of what was just `said`.

    `is_held_back`: by its sound the speech is an echo (media-ingress does not fall silent for it), so single words
    count as a run too. A few words beside that are taken for misheard ones, unless they always interrupt.
    """
    if not said or not heard:
        return heard
    shortest = 1 if is_held_back else _RUN
    blocks = SequenceMatcher(None, heard, said, autojunk=False).get_matching_blocks()
    echoed = {at for block in blocks if block.size >= shortest for at in range(block.a, block.a + block.size)}
    left = tuple(word for at, word in enumerate(heard) if at not in echoed)
    misheard = len(heard) * _MISHEARD_SHARE if echoed else 0
    if is_held_back:
        misheard = max(misheard, _MISHEARD_WORDS)
    return () if len(left) <= misheard and not phrases.interrupts(left) else left
