"""How an assistant's `voice.chunkPlan` wants its model's text to be cut. Pure."""

from math import ceil
from typing import Final

from voxbus_contracts.chunking import ChunkPlan
from voxbus_llm_orchestrator.sentences import Bounds, SentenceSplitter
from voxbus_llm_orchestrator.speakable import speakable

_WHOLE_FROM: Final = 800
_WHOLE_UP_TO: Final = 1_200
"""An answer that is not to be cut still is, at sentences' ends: voices take no text of any length."""


def splitter_of(plan: ChunkPlan | None) -> SentenceSplitter:
    """Without a plan, or with one that wants nothing in particular, the first sentence is spoken at once."""
    if plan is None:
        return SentenceSplitter(is_eager=True)
    is_formatted = plan.format_plan is None or plan.format_plan.enabled
    clean = speakable if is_formatted else as_written
    if not plan.enabled:
        return SentenceSplitter(_WHOLE_FROM, _WHOLE_UP_TO, clean, bounds=Bounds())
    marks = frozenset("".join(plan.punctuation_boundaries))
    is_particular = bool(marks) or "min_characters" in plan.model_fields_set
    bounds = Bounds(marks) if is_particular else None
    return SentenceSplitter(ceil(plan.min_characters), clean=clean, is_eager=True, bounds=bounds)


def as_written(text: str) -> str:
    """On one line, with every mark and tag the model wrote."""
    return " ".join(text.split())
