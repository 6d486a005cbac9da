"""What a model's answer to a question about a call comes to. Pure."""

import json
from dataclasses import dataclass
from typing import Any

from voxbus_contracts.pattern import BadPattern, Pattern
from voxbus_llm_orchestrator.analysis.parts import Part
from voxbus_llm_orchestrator.analysis.rubrics import SCALES, read_evaluation
from voxbus_runtime.json_schema import BadSchema, problems


@dataclass(frozen=True, slots=True)
class Read:
    """A value, or what is wrong with the answer; never what stood in it. `is_final`: asking again changes nothing."""

    value: Any = None
    problem: str = ""
    is_final: bool = False


def read(part: Part, answer: str) -> Read:
    if part.schema is not None:
        return _data(part.schema, answer)
    if part.rubric is not None:
        value = read_evaluation(part.rubric, answer)
        return Read(value) if value else Read(problem=f"the model's answer is not on the scale {part.rubric}")
    return Read(answer.strip()) if answer.strip() else Read(problem="the model answered nothing")


def repair(part: Part, problem: str) -> str:
    """What the model is told about an answer that cannot be used."""
    if part.rubric is not None:
        return f"That cannot be used. Answer with the value alone. {SCALES[part.rubric].told}"
    return f"That cannot be used: {problem}. Answer again, with the corrected JSON alone."


def searched(regex: str, schema: Any, transcript: str) -> Read:
    """Whether a transcript matches; only that can be told of an expression."""
    if not isinstance(schema, dict) or schema.get("type") != "boolean":
        return Read(problem="structuredOutput.schema.type must be boolean: a regex only tells whether it matches")
    flags = {"i": "ignore-case", "m": "multi-line"}
    body, options = regex, ""
    if regex.startswith("/") and (end := regex.rfind("/")) > 0:
        body, options = regex[1:end], regex[end + 1 :]
    try:
        return Read(Pattern(body, [flags[each] for each in options if each in flags]).is_in(transcript))
    except BadPattern as wrong:
        return Read(problem=f"structuredOutput.regex {wrong}")


def _data(schema: Any, answer: str) -> Read:
    try:
        value = json.loads(_bare(answer))
    except ValueError:
        return Read(problem="the model's answer is no JSON")
    try:
        wrong = problems(schema, value)
    except BadSchema as bad:
        return Read(problem=f"the schema {bad}", is_final=True)
    return Read(problem="the model's answer does not fit: " + "; ".join(wrong)) if wrong else Read(value)


def _bare(answer: str) -> str:
    """Without the fence that models like to put around code."""
    text = answer.strip()
    if text.startswith("```") and text.endswith("```") and len(text) > 6:
        text = text[3:-3].removeprefix("json").strip()
    return text
