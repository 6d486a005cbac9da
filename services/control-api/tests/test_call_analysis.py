"""What was found out about a call stands in its record, and its report waits for it."""

from typing import Any

from voxbus_contracts.events import AnalysisCompleted, AnalysisMade, CallEnded, CallStarted, CostUpdated
from voxbus_contracts.message import Message
from voxbus_control_api.messages.report import missing
from voxbus_control_api.past_events import PastEvent
from voxbus_control_api.projection import CallFacts, project

FACTS = CallFacts("c", "acme", 1, 1, "vapi.websocketCall", {}, is_recorded=False)


def past(*messages: Message) -> list[PastEvent]:
    return [PastEvent(f"e{at}", at + 1, "s", 0, 0, 1_000 + at, each) for at, each in enumerate(messages)]


def made(part: str, value: Any = None, **more: Any) -> AnalysisMade:
    return AnalysisMade(part=part, result={} if value is None else {"value": value}, **more)


def test_answers_and_the_reasons_for_missing_ones_stand_in_the_record() -> None:
    record = project(
        FACTS,
        past(
            made("summary", "They asked."),
            made("structuredData", problem="the model's answer is no JSON"),
            made("structuredDataMulti:a", {"x": 1}),
            made("structuredOutput:o-1", 5, output_name="five"),
            made("structuredOutput:o-2", problem="no answer", output_name="two"),
            AnalysisCompleted(parts=5, skipped={"successEvaluation": "why", "structuredOutput:o-3": "scripted"}),
        ),
    )
    assert record["analysis"] == {
        "summary": "They asked.",
        "structuredDataMulti": [{"key": "a", "result": {"x": 1}}],
        "skipped": {"structuredData": "the model's answer is no JSON", "successEvaluation": "why"},
    }
    assert record["artifact"]["structuredOutputs"] == {
        "o-1": {"name": "five", "result": 5},
        "o-2": {"name": "two", "result": None, "error": "no answer"},
        "o-3": {"name": "", "result": None, "error": "scripted"},
    }


def test_a_later_run_replaces_a_result_and_a_preview_does_not() -> None:
    first = made("structuredOutput:o", 1, output_name="n")
    preview = made("structuredOutput:o", 2, output_name="n", run="r1", is_preview=True)
    again = made("structuredOutput:o", 3, output_name="n", run="r2")
    assert project(FACTS, past(first, preview))["artifact"]["structuredOutputs"]["o"]["result"] == 1
    assert project(FACTS, past(first, again))["artifact"]["structuredOutputs"]["o"]["result"] == 3


def cost(version: int, tokens: int) -> CostUpdated:
    counted = {
        "summary": "0",
        "summaryPromptTokens": tokens,
        "summaryCompletionTokens": 1,
        "summaryCachedPromptTokens": 9,
    }
    breakdown = {"analysisCostBreakdown": counted} if tokens else {}
    return CostUpdated(version=version, rows=(), breakdown=breakdown, total="0", ended=True)


def test_a_report_waits_for_the_analysis_and_for_what_it_costs() -> None:
    life: list[Message] = [CallStarted(pts_ms=0, setup_ms=1), CallEnded(pts_ms=1, reason="x"), cost(1, 0)]
    done = AnalysisCompleted(parts=1, prompt_tokens=10, completion_tokens=1)
    assert missing(past(*life), is_recorded=False) == ["analysis"]
    assert missing(past(*life, done), is_recorded=False) == ["cost of the analysis"]
    assert missing(past(*life, done, cost(2, 10)), is_recorded=False) == []
    assert missing(past(*life, AnalysisCompleted(parts=0)), is_recorded=False) == []
    assert missing(past(*life[1:]), is_recorded=False) == []
