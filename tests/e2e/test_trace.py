"""The trace of a real call, as a collector receives it from all services."""

from pathlib import Path

import pytest
from assistants import hearing, scripted, speech_at
from bus_watch import BusWatch
from stack import Stack, running

from voxbus_testing.caller import calling
from voxbus_testing.otlp import Received, collecting

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

WORDS = ("where", "order", "four", "look", "found", "moment")


async def test_one_trace_shows_the_call_its_turns_and_every_stage_under_them(tmp_path: Path) -> None:
    with collecting() as collector:
        environment = {"VOXBUS_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        with running(tmp_path / "data", **environment) as stack:
            measured = await _call_with_a_tool(stack)
            stages = {"recognition", "endpointing", "model", "tool", "voice", "playout"}
            spans = collector.until({"call", "turn", "media-ingress.attachment", *stages})
    assert len({span.trace_id for span in spans}) == 1
    (call,) = [span for span in spans if not span.parent_id]
    assert call.name == "call"
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans)
    assert all(span.parent_id in by_id for span in spans if span is not call), "no span lies under one that is missing"
    (turn,) = [span for span in spans if span.name == "turn"]
    assert turn.parent_id == call.span_id
    under = [span for span in spans if span.parent_id == turn.span_id]
    assert {(span.service, span.name) for span in under} == {
        ("stt-worker", "recognition"),
        ("llm-orchestrator", "endpointing"),
        ("llm-orchestrator", "model"),
        ("tool-runner", "tool"),
        ("tts-worker", "voice"),
        ("media-ingress", "playout"),
    }
    assert len([span for span in under if span.name == "model"]) == 2, "asked before and after the tool"
    _agrees_with_the_record(turn, under, measured)
    told = " ".join(str(value) for span in spans for value in span.attributes.values()).lower()
    assert not [word for word in WORDS if word in told.replace("order_status", "")], "no span repeats what was said"


async def _call_with_a_tool(stack: Stack) -> dict[str, object]:
    """Asks for an order; gives turn.measured."""
    tool = {
        "type": "function",
        "function": {"name": "order_status", "parameters": {"type": "object"}},
        "server": {"url": f"http://127.0.0.1:{stack.port + 2}/tools/order-status"},
    }
    rules = (
        {"afterTool": "order_status", "failed": False, "say": "I found it: {{result}}"},
        {"when": "order (?P<order>\\w+)", "call": {"name": "order_status", "arguments": {"order": "{{order}}"}}},
    )
    pcm, _, labels = speech_at("where is order four")
    assistant = hearing(scripted(*rules), labels)
    assistant["model"]["tools"] = [tool]
    async with BusWatch.at(stack.nats) as watch, calling(stack.api, stack.key, assistant) as caller:
        caller.say(pcm)
        (measured,) = await watch.until(caller.call_id, "turn.measured", timeout_s=20)
        await watch.until(caller.call_id, "reply.finished", count=2, timeout_s=20)
        await caller.hang_up()
        await caller.ended_record()
    assert measured["parts"]["tools"] > 0
    return measured


def _agrees_with_the_record(turn: Received, under: list[Received], measured: dict[str, object]) -> None:
    """The same figures as in turn.measured, and stages that lie where the turn was."""
    assert turn.ms == pytest.approx(measured["v2v_ms"], abs=1)
    assert turn.attributes["voxbus.v2v_ms"] == measured["v2v_ms"]
    parts = {key: value for key, value in turn.attributes.items() if key.startswith("voxbus.part.")}
    assert sum(parts.values()) == pytest.approx(turn.ms, abs=5)
    heard = min(span.moments["first-sample"] for span in under if span.name == "playout")
    assert heard == pytest.approx(turn.end_unix_ms, abs=30)
    for span in under:
        assert turn.start_unix_ms - 30 <= span.start_unix_ms, span.name
