"""What is asked about a call that is over: one part per answer, with its prompt. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from voxbus_contracts.analysis import (
    AnalysisPlan,
    Rubric,
    StructuredDataPlan,
    StructuredOutput,
    SuccessEvaluationPlan,
    SummaryPlan,
)
from voxbus_contracts.assistant import Assistant, Model
from voxbus_contracts.events.cost import AnalysisPurpose
from voxbus_llm_orchestrator.analysis.material import Material
from voxbus_llm_orchestrator.analysis.rubrics import SCALES
from voxbus_providers.model import Role, Turn
from voxbus_runtime.templates import filled

OUTPUT_WITHIN_S: Final = 20.0
"""A structured output has no limit of its own in the public API."""

_SUMMARY: Final = (
    "You write notes on phone calls. Sum up the call below in two or three sentences: what the caller wanted, what "
    "came of it, what is still to be done. Write the summary alone."
)
_DATA: Final = (
    "You read data out of phone calls. Answer with one JSON value that fits this JSON Schema, and with nothing else. "
    "Leave out what was not said; make nothing up.\n\nSchema:\n{{ schema }}"
)
_EVALUATION: Final = (
    "You judge whether phone calls reach their goal. The assistant was told:\n\n{{ systemPrompt }}\n\n"
    "Judge by this scale, and answer with the value alone:\n{{ rubric }}"
)
_CALL: Final = "The call:\n\n{{ transcript }}\n\nIt ended with: {{ endedReason }}"


@dataclass(frozen=True, slots=True)
class Part:
    """One question. `schema` None = the answer is text; `rubric` "" = it is no evaluation."""

    id: str
    purpose: AnalysisPurpose
    model: Model
    prompt: tuple[Turn, ...]
    timeout_s: float
    schema: Mapping[str, Any] | None = None
    rubric: Rubric | None = None
    name: str = ""
    regex: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be asked, and what is not and why."""

    parts: tuple[Part, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class About:
    """What all questions about one call have in common. `variables`: the call's own."""

    assistant: Assistant
    material: Material
    variables: Mapping[str, Any]
    now_ms: int


def analysis_parts(about: About) -> Iterator[Part]:
    """By the analysis plan; a summary and an evaluation are asked for where it does not say otherwise."""
    plan, model = about.assistant.analysis_plan or AnalysisPlan(), about.assistant.model
    summary = plan.summary_plan or SummaryPlan()
    if summary.enabled:
        prompt = _prompt(about, summary.messages, _SUMMARY)
        yield Part("summary", "summary", model, prompt, summary.timeout_seconds)
    if plan.structured_data_plan is not None and plan.structured_data_plan.enabled:
        yield _data("structuredData", about, plan.structured_data_plan)
    for keyed in plan.structured_data_multi_plan:
        if keyed.plan.enabled:
            yield _data(f"structuredDataMulti:{keyed.key}", about, keyed.plan)
    evaluation = plan.success_evaluation_plan or SuccessEvaluationPlan()
    if evaluation.enabled:
        rubric = evaluation.rubric
        prompt = _prompt(about, evaluation.messages, _EVALUATION, rubric=SCALES[rubric].told)
        yield Part("successEvaluation", "successEvaluation", model, prompt, evaluation.timeout_seconds, rubric=rubric)


def output_part(about: About, output: StructuredOutput) -> Part:
    """By its own model where it names one."""
    model = Model.model_validate(output.model) if output.model else about.assistant.model
    what = f"What is wanted is called {output.name}" + (f": {output.description}" if output.description else ".")
    return Part(
        id=f"structuredOutput:{output.id}",
        purpose="structuredOutput",
        model=model,
        prompt=_prompt(about, (), f"{_DATA}\n\n{{{{ wanted }}}}", schema=json.dumps(output.schema_), wanted=what),
        timeout_s=OUTPUT_WITHIN_S,
        schema=output.schema_,
        name=output.name,
        regex=output.regex if output.type == "regex" else None,
    )


def _data(part: str, about: About, plan: StructuredDataPlan) -> Part:
    schema = plan.schema_ or {"type": "object"}
    prompt = _prompt(about, plan.messages, _DATA, schema=json.dumps(schema))
    return Part(part, "structuredData", about.assistant.model, prompt, plan.timeout_seconds, schema=schema)


def _prompt(about: About, own: Sequence[Mapping[str, Any]], default: str, **more: str) -> tuple[Turn, ...]:
    """The plan's messages, else the platform's, with what is known of the call in the place of placeholders."""
    material = about.material
    known = {
        **about.variables,
        "transcript": material.transcript,
        "messages": json.dumps(material.messages, ensure_ascii=False),
        "systemPrompt": "\n".join(m.content or "" for m in about.assistant.model.messages if m.role == "system"),
        "endedReason": material.ended_reason,
        **more,
    }
    given = own or ({"role": "system", "content": default}, {"role": "user", "content": _CALL})
    return tuple(
        Turn(_role(str(each.get("role", ""))), str(filled(each.get("content") or "", known, about.now_ms)))
        for each in given
    )


def _role(role: str) -> Role:
    return "assistant" if role == "assistant" else "user" if role == "user" else "system"
