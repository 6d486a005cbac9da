"""What the caller hears of a tool and when, in virtual time; the turn is committed and the tool wanted at 2500."""

import pytest
from virtual_call import VirtualCall
from virtual_log import fold

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig
from voxbus_contracts.tool import ToolCondition
from voxbus_llm_orchestrator.conversation import messages_for
from voxbus_llm_orchestrator.plan import Plan, plan_of
from voxbus_llm_orchestrator.rows_tools import TOO_MANY_ROUNDS
from voxbus_llm_orchestrator.tool_lines import TOOL_MESSAGE, holds

WANTED_MS = 2_500


def plan_with(*messages: dict[str, object], language: str = "en", **tool: object) -> Plan:
    look = {"type": "function", "function": {"name": "look"}, "messages": list(messages), **tool}
    assistant = Assistant.model_validate(
        {
            "firstMessageMode": "assistant-waits-for-user",
            "model": {"tools": [{name: value for name, value in look.items() if value is not None}]},
            "transcriber": {"language": language},
        }
    )
    return plan_of(CallConfig(org="o", call="c", created_at_ms=1, assistant=assistant), 500)


def start(content: str, **more: object) -> dict[str, object]:
    return {"type": "request-start", "content": content, **more}


def late(content: str, ms: int) -> dict[str, object]:
    return {"type": "request-response-delayed", "content": content, "timingMilliseconds": ms}


def asking(plan: Plan, answered_ms: int | None, *answers: list[object], **finished: object) -> VirtualCall:
    """The caller asks, the model calls the tool, which has answered at `answered_ms`; None = never."""
    virtual = VirtualCall(plan, [[("look", {"order": 7})], *(answers or [["It has shipped."]])])
    virtual.attach()
    virtual.caller_says("look it up", 1_000, 1_000)
    if answered_ms is not None:
        outcome = finished or {"result": "shipped"}
        done = e.ToolFinished.model_validate(
            {"tool_call_id": "call_1_1", "tool_name": "look", "duration_ms": answered_ms - WANTED_MS, **outcome}
        )
        virtual.happens(answered_ms, "tool-runner", done)
    return virtual


def said(virtual: VirtualCall, source: str = TOOL_MESSAGE) -> list[tuple[int, str]]:
    """When each began to be ordered, and what was heard of it."""
    return [(r.started_pts_ms, r.heard) for _, r in sorted(virtual.state.replies.items()) if r.source == source]


def silences_ms(virtual: VirtualCall, since_ms: int) -> list[int]:
    sounds = sorted((p.started_pts_ms, p.last_pts_ms) for p in virtual.state.playbacks.values() if p.played_ms)
    gaps: list[int] = []
    for started, ended in sounds:
        gaps.append(started - since_ms)
        since_ms = ended
    return gaps


# --- the platform's own words ---


def test_a_tool_of_ten_seconds_is_announced_and_never_leaves_two_seconds_of_silence() -> None:
    virtual = asking(plan_with(messages=None), WANTED_MS + 10_000).run(25_000)
    assert said(virtual)[0][0] == WANTED_MS + 700
    assert max(silences_ms(virtual, 2_000)) < 2_000
    assert [r.heard for r in virtual.state.replies.values() if r.source == "tool"] == ["It has shipped."]
    assert virtual.rescues == []


def test_a_quick_tool_is_not_announced() -> None:
    assert said(asking(plan_with(messages=None), WANTED_MS + 600).run(20_000)) == []


def test_words_of_the_models_own_announce_a_tool() -> None:
    virtual = VirtualCall(plan_with(messages=None), [["Let me look that up.", ("look", {})]])
    virtual.attach()
    virtual.caller_says("look it up", 1_000, 1_000)
    virtual.run(8_000)
    first = said(virtual)[0]
    assert first[1] == "I am still working on it."
    assert first[0] == virtual.state.playbacks[1].last_pts_ms + 1_800


def test_the_platform_speaks_the_calls_language() -> None:
    virtual = asking(plan_with(messages=None, language="de-AT"), WANTED_MS + 10_000).run(20_000)
    assert "Ich bin noch dabei." in [text for _, text in said(virtual)]


def test_a_tool_without_any_messages_is_silent_but_the_line_is_not_dead() -> None:
    virtual = asking(plan_with(), WANTED_MS + 10_000).run(20_000)
    assert said(virtual) == []
    assert virtual.rescues == ["filler"]


# --- the assistant's ---


def test_a_start_message_is_said_at_once_and_the_tool_runs_meanwhile() -> None:
    virtual = asking(plan_with(start("Let me look.")), WANTED_MS + 300).run(10_000)
    assert said(virtual) == [(WANTED_MS, "Let me look.")]
    (order,) = [entry for entry in virtual.log if isinstance(entry.message, c.RunTool)]
    heard_ms = virtual.state.replies[2].ended_pts_ms
    assert heard_ms is not None
    assert virtual.log.index(order) < [type(entry.message) for entry in virtual.log].index(e.PlaybackStarted)


def test_a_blocking_start_message_is_over_before_the_tool_runs_and_its_limit_begins() -> None:
    plan = plan_with(start("Let me look.", blocking=True), server={"url": "http://x", "timeoutSeconds": 5})
    virtual = asking(plan, None).run(30_000)
    kinds = [type(entry.message) for entry in virtual.log]
    assert kinds.index(e.PlaybackFinished) < kinds.index(c.RunTool)
    begun = virtual.state.replies[2].ended_pts_ms
    (given_up,) = virtual.said(e.ToolGivenUp)
    assert isinstance(given_up, e.ToolGivenUp)
    assert given_up.pts_ms == (begun or 0) + 5_000 + 2_000


def test_delayed_messages_come_at_their_times_and_the_platform_leaves_the_line_to_them() -> None:
    plan = plan_with(late("It takes longer.", 7_000), start("Let me look."), late("Still looking.", 3_000))
    virtual = asking(plan, WANTED_MS + 8_500).run(20_000)
    assert said(virtual) == [
        (WANTED_MS, "Let me look."),
        (WANTED_MS + 3_000, "Still looking."),
        (WANTED_MS + 7_000, "It takes longer."),
    ]
    assert virtual.rescues == []


def test_a_delayed_message_waits_until_the_caller_has_spoken_and_one_that_was_passed_over_is_not_said() -> None:
    plan = plan_with(start("Look."), late("First.", 1_000), late("Second.", 2_000))
    virtual = asking(plan, None)
    virtual.caller_says("mhm", 3_400, 1_900)
    virtual.run(9_000)
    assert "First." not in [text for _, text in said(virtual)]
    assert next(at for at, text in said(virtual) if text == "Second.") > 5_300


def test_a_complete_message_is_said_in_place_of_the_models_answer() -> None:
    complete = {"type": "request-complete", "content": "It is on its way."}
    virtual = asking(plan_with(complete), 3_000).run(10_000)
    assert [text for _, text in said(virtual)] == ["It is on its way."]
    assert said(virtual, "tool") == []


def test_a_complete_message_may_end_the_call() -> None:
    complete = {"type": "request-complete", "content": "Done. Goodbye.", "endCallAfterSpokenEnabled": True}
    virtual = asking(plan_with(complete), 3_000).run(10_000)
    assert virtual.end_reason == "assistant-ended-call-after-message-spoken"


def test_a_complete_message_of_role_system_is_told_to_the_model_who_answers() -> None:
    complete = {"type": "request-complete", "role": "system", "content": "Be short."}
    virtual = asking(plan_with(complete), 3_000).run(10_000)
    assert [m.content for m in virtual.said(e.MessageAdded) if isinstance(m, e.MessageAdded)] == ["Be short."]
    assert [text for _, text in said(virtual, "tool")] == ["It has shipped."]


def test_a_tool_that_fails_is_excused_with_its_own_message() -> None:
    failed = {"type": "request-failed", "content": "I cannot look right now."}
    complete = {"type": "request-complete", "content": "Found it."}
    virtual = asking(plan_with(complete, failed), 3_000, error="status 500").run(10_000)
    assert [text for _, text in said(virtual)] == ["I cannot look right now."]


def test_a_tool_that_hangs_is_excused_with_its_own_message_at_its_limit() -> None:
    failed = {"type": "request-failed", "content": "I cannot look right now."}
    plan = plan_with(failed, server={"url": "http://x", "timeoutSeconds": 4})
    virtual = asking(plan, None).run(20_000)
    assert said(virtual)[-1][1] == "I cannot look right now."


def test_what_the_tools_server_wants_said_comes_before_the_tools_messages() -> None:
    plan = plan_with({"type": "request-complete", "content": "Found it."})
    virtual = asking(plan, 3_000, result="x", message={"content": "It left on Friday."}).run(10_000)
    assert [text for _, text in said(virtual)] == ["It left on Friday."]


def test_a_message_counts_only_with_the_arguments_it_is_meant_for() -> None:
    one = start("Seven.", conditions=[{"param": "order", "operator": "eq", "value": "7"}])
    other = start("Eight.", conditions=[{"param": "order", "operator": "eq", "value": 8}])
    assert said(asking(plan_with(other, one, start("Any.")), 6_000).run(12_000))[0][1] == "Seven."
    assert said(asking(plan_with(other, start("Any.")), 6_000).run(12_000))[0][1] == "Any."


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [("eq", "10", True), ("neq", 10, False), ("gt", 9, True), ("gte", 10, True), ("lt", 10, False), ("lte", 9, False)],
)
def test_conditions_compare_numbers_as_numbers(operator: str, value: object, expected: bool) -> None:
    assert holds(ToolCondition(param="n", operator=operator, value=value), {"n": 10}) is expected


def test_a_message_is_said_in_the_calls_language() -> None:
    contents = [{"text": "One moment.", "language": "en"}, {"text": "Moment.", "language": "de"}]
    plan = plan_with({"type": "request-start", "contents": contents}, language="de")
    assert said(asking(plan, 6_000).run(12_000))[0][1] == "Moment."


# --- in the conversation ---


def test_the_history_holds_what_was_heard_of_a_tools_messages_before_its_result() -> None:
    plan = plan_with(start("Let me have a long look at it now."))
    virtual = asking(plan, None)
    virtual.caller_says("wait a second", 3_200, 900)
    virtual.run(5_500)
    turns = messages_for(virtual.state, Assistant(), max(virtual.state.replies))
    called = next(turn for turn in turns if turn.tool_calls)
    assert called.content
    assert called.content != "Let me have a long look at it now."
    assert "Let me have a long look at it now.".startswith(called.content)
    assert sum(called.content in turn.content for turn in turns) == 1


@pytest.mark.parametrize("died_ms", [2_560, 3_500, 6_000, 9_000])
def test_a_new_owner_says_nothing_twice(died_ms: int) -> None:
    plan = plan_with(start("Let me look."), late("Still looking.", 3_000), late("It takes longer.", 6_000))
    virtual = asking(plan, WANTED_MS + 8_000)
    virtual.worker_dies(died_ms)
    virtual.run(20_000)
    assert [text for _, text in said(virtual)] == ["Let me look.", "Still looking.", "It takes longer."]
    assert fold(virtual.log) == virtual.state


def test_a_model_that_calls_tools_without_end_is_stopped() -> None:
    virtual = VirtualCall(plan_with(messages=[]), [[("look", {"n": n})] for n in range(50)])
    virtual.attach()
    virtual.caller_says("look it up", 1_000, 1_000)
    for reply in range(1, 40):
        done = e.ToolFinished(tool_call_id=f"call_{reply}_1", tool_name="look", result="again", duration_ms=5)
        virtual.happens(2_600 + 100 * reply, "tool-runner", done)
    virtual.run(20_000)
    assert len(virtual.said(c.RunTool)) == 11
    assert said(virtual)[-1][1] == TOO_MANY_ROUNDS
    assert virtual.rescues == ["tool-loop"]
