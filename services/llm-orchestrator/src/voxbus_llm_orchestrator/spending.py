"""What a request to the model has used so far, so that one that is broken off is paid for. Pure."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from voxbus_llm_orchestrator.asking import Answered, Heard, SentenceReady, ToolWanted
from voxbus_llm_orchestrator.decision import Spent
from voxbus_providers.model import Turn

CHARACTERS_PER_TOKEN: Final = 4
"""English text in the tokenizers of today's large models: a rule of thumb of their vendors. Only what a request that
was broken off never reported is reckoned by it."""


def estimated(messages: Iterable[Turn]) -> Spent:
    """The prompt has been sent."""
    return Spent(prompt_tokens=sum(_tokens(turn.content) for turn in messages))


def after(spent: Spent, heard: Heard) -> Spent:
    """The model has said this; at its end it tells what it really used. A model that costs nothing stays at nothing."""
    match heard:
        case Answered(usage=used) if used is not None:
            return Spent(used.prompt_tokens, used.completion_tokens)
        case SentenceReady(text=text) if spent.prompt_tokens:
            return replace(spent, completion_tokens=spent.completion_tokens + _tokens(text))
        case ToolWanted(name=name, arguments=arguments) if spent.prompt_tokens:
            used_tokens = _tokens(name) + _tokens(json.dumps(arguments))
            return replace(spent, completion_tokens=spent.completion_tokens + used_tokens)
        case _:
            return spent


def _tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)
