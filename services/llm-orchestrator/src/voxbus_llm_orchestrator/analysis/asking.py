"""One question about a call, put to a model: in time, with one more try, and with what it has cost."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from voxbus_llm_orchestrator.analysis.parts import Part
from voxbus_llm_orchestrator.analysis.reading import Read, read, repair
from voxbus_providers.errors import ProviderError
from voxbus_providers.model import LanguageModel, ModelAccess, ModelRequest, ModelUsage, TextDelta, Turn

_ANSWER_TOKENS = 2_000
_TRIES = 2
NOT_ASKED = ModelUsage(0, 0)


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of it; `usage` of all tries together."""

    read: Read
    usage: ModelUsage


@dataclass(frozen=True, slots=True)
class Client:
    """A model, and whom it is asked for."""

    model: LanguageModel
    access: ModelAccess
    call: str
    org: str


async def ask(client: Client, part: Part) -> Asked:
    """Asked again once: after a failure that may pass, or with what was wrong with the first answer. Never raises."""
    used = NOT_ASKED
    turns, outcome = part.prompt, Read(problem="the model was not asked")
    for _ in range(_TRIES):
        said: list[str] = []
        usages: list[ModelUsage] = []
        try:
            async with asyncio.timeout(part.timeout_s):
                await _listen(client, part, turns, said, usages)
        except TimeoutError:
            return Asked(Read(problem=f"the model gave no answer within {part.timeout_s:g} s"), used)
        except ProviderError as trouble:
            outcome = Read(problem=f"{trouble.provider}: {trouble.detail}")
            if not trouble.retryable:
                return Asked(outcome, used)
            continue
        used = _sum(used, *usages)
        answer = "".join(said)
        outcome = read(part, answer)
        if not outcome.problem or outcome.is_final:
            return Asked(outcome, used)
        turns = (*part.prompt, Turn("assistant", answer), Turn("user", repair(part, outcome.problem)))
    return Asked(outcome, used)


async def _listen(client: Client, part: Part, turns: Sequence[Turn], said: list[str], usages: list[ModelUsage]) -> None:
    settings = {"temperature": 0.0, "max_tokens": _ANSWER_TOKENS, "timeout_seconds": part.timeout_s}
    model = part.model.model_copy(update=settings)
    request = ModelRequest(model, tuple(turns), (), call=client.call, org=client.org, access=client.access)
    async for piece in client.model.stream(request):
        if isinstance(piece, TextDelta):
            said.append(piece.text)
        elif isinstance(piece, ModelUsage):
            usages.append(piece)


def _sum(*usages: ModelUsage) -> ModelUsage:
    return ModelUsage(
        sum(each.prompt_tokens for each in usages),
        sum(each.completion_tokens for each in usages),
        sum(each.cached_prompt_tokens for each in usages),
    )
