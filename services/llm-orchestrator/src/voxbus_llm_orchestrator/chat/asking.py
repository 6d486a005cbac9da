"""One request to the model in a chat: text as it was written, not sentence by sentence; tool calls; the end."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from voxbus_llm_orchestrator.asking import Answered, ToolWanted
from voxbus_llm_orchestrator.sentences import without_flush
from voxbus_providers.model import EndOfCall, LanguageModel, ModelRequest, ModelUsage, TextDelta, ToolCall


@dataclass(frozen=True, slots=True)
class Wrote:
    """The model has written a little more."""

    text: str


Written = Wrote | ToolWanted | Answered


@dataclass(frozen=True, slots=True)
class Before:
    """What is logged of this answer already; a model that says the same again says that much in vain."""

    characters: int = 0
    tools: int = 0


async def ask(model: LanguageModel, request: ModelRequest, before: Before) -> AsyncIterator[Written]:
    """Text and tool calls as they come, then Answered; a `<flush />` is for voices. Raises ProviderError."""
    asked_s, first_token_ms = time.monotonic(), -1
    characters, tools = before.characters, before.tools
    end_call, usage = False, None
    held = ""
    async for part in model.stream(request):
        if first_token_ms < 0 and not isinstance(part, ModelUsage):
            first_token_ms = round((time.monotonic() - asked_s) * 1000)
        match part:
            case TextDelta(text):
                text, held = without_flush(held + text)
                fresh, characters = text[characters:], max(0, characters - len(text))
                if fresh:
                    yield Wrote(fresh)
            case ToolCall(name=name, arguments=arguments):
                tools -= 1
                if tools < 0:
                    yield ToolWanted(name, arguments)
            case EndOfCall():
                end_call = True
            case ModelUsage():
                usage = part
    if held[characters:]:
        yield Wrote(held[characters:])
    yield Answered(max(0, first_token_ms), end_call, usage)


def written_instead(message: str, before: Before) -> list[Written]:
    """A text in the model's place, without what is logged of it already."""
    return [Wrote(message[before.characters :]), Answered(0, False, None)]
