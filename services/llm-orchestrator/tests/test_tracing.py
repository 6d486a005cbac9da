"""The spans an owner of a call records, from what it publishes."""

from virtual_call import VirtualCall

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_contracts.config import CallConfig
from voxbus_llm_orchestrator.apply import apply
from voxbus_llm_orchestrator.audio_clock import AudioClock
from voxbus_llm_orchestrator.plan import Plan
from voxbus_llm_orchestrator.state import CallState
from voxbus_llm_orchestrator.tool_lines import ToolPlan
from voxbus_llm_orchestrator.tracing import CallTrace
from voxbus_runtime.telemetry import new_trace
from voxbus_testing.spans import Recorded, id_of, recording

SILENT = ToolPlan(is_own=True, is_silent=True)
QUIET = Plan(
    first_message_mode="assistant-waits-for-user",
    tool_plans={name: SILENT for name in ("look", "order_status", "stock")},
)
AT_MS = 1_000_000


def a_call() -> VirtualCall:
    """Two turns; the first is answered, of the second's answer nothing was heard; then the caller hangs up."""
    virtual = VirtualCall(QUIET, [["It ships on Friday."], [("look", {})]])
    virtual.attach()
    virtual.caller_says("where is my order", 500, 900)
    virtual.caller_says("and the other one", 4_000, 900)
    virtual.happens(8_000, "media-ingress", e.MediaDetached(attachment=1, pts_ms=8_000, clean=True, code=1000))
    return virtual.run(9_000)


def traced(virtual: VirtualCall, config: CallConfig) -> tuple[CallTrace, dict[str, str]]:
    """The trace as the owner keeps it while it publishes the log; and what each kind of message carried last."""
    clock = AudioClock()
    clock.heard(0, AT_MS)
    trace, state, carried = CallTrace(config, clock), CallState(), {}
    for entry in virtual.log:
        ours = entry.producer == "llm-orchestrator"
        if ours:
            carried[entry.message.name()] = trace.traceparent_of(state, entry.message)
        state = apply(state, entry.message, entry.event_id)
        if ours:
            trace.on_said(state, entry.message)
    return trace, carried


def config() -> CallConfig:
    return CallConfig(org="acme", call="c1", created_at_ms=AT_MS - 500, traceparent=new_trace())


def ids(recorded: Recorded, name: str) -> list[str]:
    return [f"{s.context.span_id:016x}" for s in recorded.spans if s.name == name and s.context]


def test_turns_lie_under_the_call_and_their_ids_are_those_that_their_commands_carried() -> None:
    with recording() as recorded:
        of_call = config()
        virtual = a_call()
        _, carried = traced(virtual, of_call)
    (measured,) = virtual.said(e.TurnMeasured)
    assert isinstance(measured, e.TurnMeasured)
    first, second = [told for told in recorded.told() if told[0] == "turn"]
    assert first[1:3] == (AT_MS + 1_400, AT_MS + 1_400 + measured.v2v_ms)
    assert second[1] == AT_MS + 4_900
    assert {first[3], second[3]} == set(ids(recorded, "call")) == {id_of(of_call.traceparent)}
    assert id_of(carried[c.SaySentence.name()]) == ids(recorded, "turn")[0]
    assert id_of(carried[c.RunTool.name()]) == ids(recorded, "turn")[1]
    endpointing = [told for told in recorded.told() if told[0] == "endpointing"]
    assert [told[3] for told in endpointing] == ids(recorded, "turn")
    assert endpointing[0][1:3] == (AT_MS + 1_400, AT_MS + 1_900)
    heard, unheard = [span.attributes or {} for span in recorded.spans if span.name == "turn"]
    assert heard["voxbus.v2v_ms"] == measured.v2v_ms
    assert unheard["voxbus.unheard"] is True


def test_without_a_place_for_spans_messages_carry_the_calls_own_context() -> None:
    _, carried = traced(a_call(), config())
    assert set(carried.values()) == {""}
