"""Asks about a call that is over what its last assistant wants to know, and says on the bus what came of it.

Every answer is logged by itself under an id made of call and question: whoever gets the call's end again, as its first
analyst was lost, asks only what is not answered yet, and what is said twice counts once.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from pydantic import SecretStr

from voxbus_bus import Received
from voxbus_bus.publishing import FactPublisher
from voxbus_contracts import BadPayload, CallRef, UnknownMessage, decode
from voxbus_contracts.analysis import AnalysisPlan
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.commands import AnalyseCall
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import AnalysisCompleted, AnalysisMade, HandoffCompleted, UsageRecorded
from voxbus_contracts.message import Message
from voxbus_llm_orchestrator.analysis.asking import NOT_ASKED, Asked, Client, ask
from voxbus_llm_orchestrator.analysis.material import Material, material_of
from voxbus_llm_orchestrator.analysis.parts import About, Part, analysis_parts, output_part
from voxbus_llm_orchestrator.analysis.reading import Read, searched
from voxbus_llm_orchestrator.model_access import access_of
from voxbus_llm_orchestrator.models import Models
from voxbus_llm_orchestrator.templated import with_templates
from voxbus_providers.errors import ProviderError
from voxbus_providers.model import NO_ACCESS, ModelUsage
from voxbus_runtime.errors import BadSeal, ConfigMissing
from voxbus_runtime.fence import Fence
from voxbus_runtime.sealing import open_config
from voxbus_runtime.sequencing import LoggedMessage, Sequencer
from voxbus_runtime.templates import variables_of

ANALYSES_AT_A_TIME: Final = 8
"""Calls, of one worker: its live calls come first."""

_PRIVATE: Final = "nothing that was said on a private call is kept"


class Logs(Protocol):
    """Where calls' configurations and logs are kept; every method raises what the bus raises when it is away."""

    async def read_config(self, ref: CallRef) -> CallConfig | None: ...

    async def call_log(self, ref: CallRef, from_seq: int = 1) -> list[LoggedMessage]: ...


@dataclass(frozen=True, slots=True)
class _Question:
    """A part with whom it is for. `run` of a request about a call of the past."""

    part: Part
    about: About
    config: CallConfig | None = None
    run: str = ""
    is_preview: bool = False


class Analyst:
    """One process's; several share the work by the queue."""

    def __init__(self, logs: Logs, publisher: FactPublisher, models: Models, cluster_key: SecretStr | None) -> None:
        self._logs = logs
        self._publisher = publisher
        self._models = models
        self._cluster_key = cluster_key

    async def on_call_ended(self, received: Received) -> None:
        """Raises what the bus raises when it is away: then the call's end comes again."""
        ref = received.ref
        try:
            config = await self._logs.read_config(ref)
        except ConfigMissing:
            config = None
        if config is None or config.is_chat:
            return  # The call was deleted: there is nobody to tell.
        lived = tuple(_lived(await self._logs.call_log(ref))) if config.members else ()
        config = _as_it_ended(config, lived)
        try:
            assistant = _opened(config, self._cluster_key)
        except BadSeal as wrong:
            await self._complete(ref, {"analysis": str(wrong)}, ())
            return
        about = About(assistant, Material(), variables_of(config), config.created_at_ms)
        skipped = {part.id: why for part in _parts(about) if (why := self._why_not(part, config))}
        if all(part.id in skipped for part in _parts(about)):
            await self._complete(ref, skipped, ())
            return
        about = replace(about, material=material_of(lived or _lived(await self._logs.call_log(ref))))
        if about.material.is_completed:
            return
        parts = [part for part in _parts(about) if part.id not in skipped]
        skipped |= {part.id: why for part in parts if (why := _too_little(part, about))}
        open_parts = [part for part in parts if part.id not in skipped and part.id not in about.material.made]
        asked = await _each(self._answer(ref, _Question(part, about, config)) for part in open_parts)
        await self._complete(ref, skipped, asked, len(about.material.made & {part.id for part in parts}))

    async def on_run(self, received: Received) -> None:
        """Structured outputs that are wanted of a call of the past. Raises what the bus raises when it is away."""
        command = received.message
        if not isinstance(command, AnalyseCall):
            return
        ref = received.ref
        try:
            config = await self._logs.read_config(ref)
        except ConfigMissing:
            config = None
        model: dict[str, Any] = open_config(command.model, self._cluster_key)
        assistant = Assistant.model_validate({"model": model})
        material = Material(messages=command.messages, ended_reason=command.ended_reason, is_started=True)
        about = About(assistant, material, {}, received.envelope.occurred_at_ms)
        parts = [output_part(about, output) for output in command.outputs]
        questions = [_Question(part, about, config, command.run, command.is_preview) for part in parts]
        await _each(self._answer(ref, question) for question in questions)

    async def _answer(self, ref: CallRef, question: _Question) -> Asked:
        part, material = question.part, question.about.material
        if part.regex is not None:
            asked = Asked(searched(part.regex, part.schema, material.transcript), NOT_ASKED)
        elif question.run and (why := self._cannot(part)):
            asked = Asked(Read(problem=why), NOT_ASKED)
        else:
            asked = await self._put(ref, question)
        await self._record_usage(ref, question, asked.usage)
        made = AnalysisMade(
            part=part.id,
            output_name=part.name,
            result={} if asked.read.problem else {"value": asked.read.value},
            problem=asked.read.problem,
            run=question.run,
            is_preview=question.is_preview,
        )
        await self._publisher.publish_stored(ref, made, event_id=_id(ref, question))
        return asked

    async def _put(self, ref: CallRef, question: _Question) -> Asked:
        part, config = question.part, question.config
        try:
            _, model = self._models.get(part.model)
            access = access_of(config, question.about.assistant, self._cluster_key, part.model) if config else NO_ACCESS
        except ProviderError as trouble:
            return Asked(Read(problem=f"{trouble.provider}: {trouble.detail}"), NOT_ASKED)
        return await ask(Client(model, access, ref.call, ref.org), part)

    async def _record_usage(self, ref: CallRef, question: _Question, used: ModelUsage) -> None:
        counts = {
            "prompt_tokens": used.prompt_tokens,
            "completion_tokens": used.completion_tokens,
            "cached_prompt_tokens": used.cached_prompt_tokens,
        }
        part = question.part
        told = {"item": "analysis", "provider": part.model.provider, "model": part.model.model, "purpose": part.purpose}
        for unit, quantity in counts.items():
            if quantity:
                usage = UsageRecorded.model_validate({**told, "unit": unit, "quantity": quantity})
                await self._publisher.publish_stored(ref, usage, event_id=f"{_id(ref, question)}.{unit}")

    async def _complete(
        self, ref: CallRef, skipped: dict[str, str], asked: Iterable[Asked], answered_before: int = 0
    ) -> None:
        usages = [each.usage for each in asked]
        completed = AnalysisCompleted(
            parts=len(usages) + answered_before,
            skipped=skipped,
            prompt_tokens=sum(each.prompt_tokens for each in usages),
            completion_tokens=sum(each.completion_tokens for each in usages),
        )
        await self._publisher.publish_stored(ref, completed, event_id=f"{ref.call}.analysis")

    def _why_not(self, part: Part, config: CallConfig) -> str:
        return _PRIVATE if config.is_private else "" if part.regex is not None else self._cannot(part)

    def _cannot(self, part: Part) -> str:
        """A script has no answer to a question about a call; one that is made up would be worse than none."""
        try:
            _, model = self._models.get(part.model)
        except ProviderError as trouble:
            return f"{trouble.provider}: {trouble.detail}"
        is_able = model.capabilities.follows_prompts
        return "" if is_able else f"the model {part.model.provider}/{part.model.model} cannot be asked about a call"


def _as_it_ended(config: CallConfig, lived: Iterable[Message]) -> CallConfig:
    """As it was while the last assistant had the call, with what its predecessors had taken from the conversation."""
    handoffs = [each for each in lived if isinstance(each, HandoffCompleted) and config.has_member(each.member)]
    if not handoffs:
        return config
    taken = {name: value for each in handoffs for name, value in each.variables.items()}
    speaking = config.spoken_by(handoffs[-1].member)
    return speaking.model_copy(update={"variables": {**speaking.variables, **taken}})


def _opened(config: CallConfig, cluster_key: SecretStr | None) -> Assistant:
    given = config.assistant.model_dump(by_alias=True, exclude_unset=True)
    return with_templates(Assistant.model_validate(open_config(given, cluster_key)), config, {})


def _parts(about: About) -> list[Part]:
    plan = about.assistant.artifact_plan
    outputs = plan.structured_outputs if plan is not None else ()
    return [*analysis_parts(about), *(output_part(about, output) for output in outputs)]


def _too_little(part: Part, about: About) -> str:
    """Of a call on which hardly anything was said nothing can be told."""
    if not about.material.is_started:
        return "the call was never answered"
    plan = about.assistant.analysis_plan or AnalysisPlan()
    least = 1 if part.purpose == "structuredOutput" else plan.min_messages_threshold
    return f"fewer than {least:g} messages were said" if about.material.spoken < least else ""


def _lived(log: Iterable[LoggedMessage]) -> Iterator[Message]:
    """In the order of the producers' numbers, none twice, none of an owner that was one no more."""
    for logged in Sequencer(Fence()).push_all(log):
        with suppress(UnknownMessage, BadPayload):
            yield decode(logged.kind, logged.name, logged.payload)


def _id(ref: CallRef, question: _Question) -> str:
    """Keys of a customer's are no part of a header: a digest of them is."""
    named = f"{question.run}:{question.part.id}"
    return f"{ref.call}.analysis.{hashlib.sha256(named.encode()).hexdigest()[:16]}"


async def _each(answers: Iterable[Awaitable[Asked]]) -> list[Asked]:
    """All at a time. The first failure is raised when every one has had its turn."""
    done = await asyncio.gather(*answers, return_exceptions=True)
    for each in done:
        if isinstance(each, BaseException):
            raise each
    return [each for each in done if isinstance(each, Asked)]
