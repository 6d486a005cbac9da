"""One request to the model, as a stream of what it means for the call."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from voxbus_contracts.chunking import ChunkPlan
from voxbus_llm_orchestrator.chunking import splitter_of
from voxbus_providers.model import EndOfCall, LanguageModel, ModelPart, ModelRequest, ModelUsage, TextDelta, ToolCall


@dataclass(frozen=True, slots=True)
class SentenceReady:
    """A sentence is complete; times since the request, ms."""

    text: str
    first_token_ms: int
    sentence_ms: int


@dataclass(frozen=True, slots=True)
class ToolWanted:
    """The model calls a function."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """The model has said all."""

    first_token_ms: int
    end_call: bool
    usage: ModelUsage | None


Heard = SentenceReady | ToolWanted | Answered


@dataclass(frozen=True, slots=True)
class Before:
    """What an earlier owner of the call has logged of this answer already, and is left out."""

    sentences: int = 0
    tools: int = 0


class _Answer:
    """The answer as it comes."""

    def __init__(self, before: Before, chunks: ChunkPlan | None) -> None:
        self._asked_s = time.monotonic()
        self._splitter = splitter_of(chunks)
        self._skip, self._skip_tools = before.sentences, before.tools
        self._usage: ModelUsage | None = None
        self._end_call = False
        self.first_token_ms = -1

    def take(self, part: ModelPart) -> list[Heard]:
        if self.first_token_ms < 0 and not isinstance(part, ModelUsage):
            self.first_token_ms = self._since_asked_ms()
        match part:
            case TextDelta(text):
                return self._ready(self._splitter.push(text))
            case ToolCall():
                return [*self._ready(self._splitter.flush()), *self._tool(part)]
            case EndOfCall():
                self._end_call = True
            case ModelUsage():
                self._usage = part
        return []

    def end(self) -> list[Heard]:
        answered = Answered(max(0, self.first_token_ms), self._end_call, self._usage)
        return [*self._ready(self._splitter.flush()), answered]

    def _ready(self, sentences: list[str]) -> list[Heard]:
        sentence_ms = self._since_asked_ms() - self.first_token_ms
        fresh = sentences[self._skip :]
        self._skip = max(0, self._skip - len(sentences))
        return [SentenceReady(text, self.first_token_ms, sentence_ms) for text in fresh]

    def _tool(self, part: ToolCall) -> list[Heard]:
        if self._skip_tools:
            self._skip_tools -= 1
            return []
        return [ToolWanted(part.name, part.arguments)]

    def _since_asked_ms(self) -> int:
        return round((time.monotonic() - self._asked_s) * 1000)


async def ask(
    model: LanguageModel, request: ModelRequest, before: Before, chunks: ChunkPlan | None = None
) -> AsyncIterator[Heard]:
    """Sentences, or pieces as `chunks` wants them, tool calls, then Answered. Raises ProviderError."""
    answer = _Answer(before, chunks)
    async for part in model.stream(request):
        for heard in answer.take(part):
            yield heard
    for heard in answer.end():
        yield heard
