"""What was found out about a call, as its record shows it. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from voxbus_contracts.events import AnalysisCompleted, AnalysisMade, CostUpdated
from voxbus_control_api.past_events import PastEvent

Json = dict[str, Any]

ANALYSIS: Final = "analysis"
"""What a report waits for, as its own or as in `cost of the analysis`."""

_MULTI: Final = "structuredDataMulti:"
_OUTPUT: Final = "structuredOutput:"


def analysis(events: Iterable[PastEvent]) -> Json:
    """`summary`, `structuredData`, `structuredDataMulti`, `successEvaluation`; `skipped`: why others are not there."""
    found: Json = {}
    skipped: dict[str, str] = {}
    for event in events:
        match event.message:
            case AnalysisMade() as made if not made.run and not made.part.startswith(_OUTPUT):
                if made.problem:
                    skipped[made.part] = made.problem
                elif made.part.startswith(_MULTI):
                    entry = {"key": made.part.removeprefix(_MULTI), "result": made.result.get("value")}
                    found.setdefault("structuredDataMulti", []).append(entry)
                else:
                    found[made.part] = made.result.get("value")
            case AnalysisCompleted() as completed:
                skipped |= {part: why for part, why in completed.skipped.items() if not part.startswith(_OUTPUT)}
            case _:
                pass
    return found | ({"skipped": skipped} if skipped else {})


def structured_outputs(events: Iterable[PastEvent]) -> Json:
    """By id: name and result, or the error in its place; a later run replaces an earlier one."""
    found: Json = {}
    for event in events:
        match event.message:
            case AnalysisMade() as made if made.part.startswith(_OUTPUT) and not made.is_preview:
                found[made.part.removeprefix(_OUTPUT)] = shown_output(made)
            case AnalysisCompleted() as completed:
                found |= dict(_not_asked(completed))
            case _:
                pass
    return found


def shown_output(made: AnalysisMade) -> Json:
    """`{name, result}`, with the error of one that has no result."""
    error = {"error": made.problem} if made.problem else {}
    return {"name": made.output_name, "result": made.result.get("value"), **error}


def missing_analysis(messages: Iterable[Any]) -> str:
    """What a report still has to wait for: `analysis`, `cost` of it, or nothing."""
    there = list(messages)
    completed = next((each for each in there if isinstance(each, AnalysisCompleted)), None)
    if completed is None:
        return ANALYSIS
    used = completed.prompt_tokens + completed.completion_tokens
    costs = [each for each in there if isinstance(each, CostUpdated)]
    latest = max(costs, key=lambda each: each.version, default=None)
    counted: Json = latest.breakdown.get("analysisCostBreakdown", {}) if latest else {}
    tokens = {name: count for name, count in counted.items() if name.endswith(("PromptTokens", "CompletionTokens"))}
    billed = sum(count for name, count in tokens.items() if "Cached" not in name)
    return "cost of the analysis" if billed < used else ""


def said(record: Json) -> Iterator[Json]:
    """A record's conversation as a question about it needs it: user, assistant, tool."""
    for each in record.get("artifact", {}).get("messages", []):
        match each["role"]:
            case "user" | "bot":
                yield {"role": "assistant" if each["role"] == "bot" else "user", "content": each["message"]}
            case "tool_call_result":
                yield {"role": "tool", "content": f"{each['name']}: {each['result']}"}
            case _:
                pass


def _not_asked(completed: AnalysisCompleted) -> Iterator[tuple[str, Json]]:
    for part, why in completed.skipped.items():
        if part.startswith(_OUTPUT):
            yield part.removeprefix(_OUTPUT), {"name": "", "result": None, "error": why}
