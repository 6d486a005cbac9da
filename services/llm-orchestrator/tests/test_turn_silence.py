"""What happens while nobody speaks: idle messages, hooks, the silence timeout; and how a call is ended by words."""

from typing import Any

import pytest
from virtual_call import VirtualCall

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_contracts.config import CallConfig
from voxbus_llm_orchestrator.plan import Plan, plan_of

WAITS = {"firstMessageMode": "assistant-waits-for-user"}


def planned(**assistant: Any) -> Plan:
    """The plan of an assistant; a turn ends after half a second."""
    tree = {"org": "org-1", "call": "0198a3c2-7b1e-7c55-9f3e-5d2a6b4c8d0e", "created_at_ms": 1, "assistant": assistant}
    return plan_of(CallConfig.model_validate(tree), end_silence_ms=500)


def call(answers: list[list[object]] | None = None, **assistant: Any) -> VirtualCall:
    virtual = VirtualCall(planned(**assistant), answers)
    virtual.attach()
    return virtual


def hook(*do: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"on": "customer.speech.timeout", "do": list(do), "options": options}


def replies(virtual: VirtualCall, source: str) -> list[tuple[int, str]]:
    """When they began, and what was heard of them."""
    state = virtual.state
    return [(reply.started_pts_ms, reply.heard) for reply in state.replies.values() if reply.source == source]


def test_idle_messages_come_one_after_the_other_and_no_more_often_than_allowed() -> None:
    plan = {"idleMessages": ["Still there?", "Hello?"], "idleTimeoutSeconds": 5, "idleMessageMaxSpokenCount": 3}
    virtual = call(firstMessage="Hi.", silenceTimeoutSeconds=60, messagePlan=plan).run(50_000)
    spoken = replies(virtual, "idle-message")
    assert [heard for _, heard in spoken] == ["Still there?", "Hello?", "Still there?"]
    ends = [event.pts_ms for event in virtual.said(e.PlaybackFinished) if isinstance(event, e.PlaybackFinished)]
    assert [begun - end for (begun, _), end in zip(spoken, ends, strict=False)] == [5_000] * 3


def test_a_hook_on_the_callers_silence_has_the_defaults_of_the_api() -> None:
    virtual = call(hooks=[hook({"type": "say", "exact": "Are you there?"})], silenceTimeoutSeconds=100, **WAITS)
    virtual.run(90_000)
    spoken = replies(virtual, "hook")
    assert len(spoken) == 3
    assert spoken[0] == (7_530, "Are you there?")


@pytest.mark.parametrize(("mode", "times"), [("never", 1), ("onUserSpeech", 2)])
def test_a_hooks_count_starts_anew_when_the_caller_speaks_only_if_it_says_so(mode: str, times: int) -> None:
    say = {"type": "say", "exact": ["There?"]}
    asks = hook(say, timeoutSeconds=3, triggerMaxCount=1, triggerResetMode=mode)
    virtual = call(hooks=[asks], **WAITS)
    virtual.caller_says("yes I am", 6_000, 800)
    assert len(replies(virtual.run(25_000), "hook")) == times


def test_a_hook_with_a_prompt_has_the_model_speak() -> None:
    virtual = call(
        [["Shall I repeat that?"]], hooks=[hook({"type": "say", "prompt": "Ask whether to repeat."})], **WAITS
    )
    virtual.run(9_000)
    (added,) = virtual.said(e.MessageAdded)
    assert isinstance(added, e.MessageAdded)
    assert (added.role, added.content) == ("system", "Ask whether to repeat.")
    assert [heard for _, heard in replies(virtual, "model")] == ["Shall I repeat that?"]


def test_a_hook_can_end_the_call_with_or_without_a_word() -> None:
    end = {"type": "tool", "tool": {"type": "endCall"}}
    silent = call(hooks=[hook(end, timeoutSeconds=4)], **WAITS).run(20_000)
    polite = call(hooks=[hook({"type": "say", "exact": "Goodbye."}, end, timeoutSeconds=4)], **WAITS).run(20_000)
    assert polite.end_reason == silent.end_reason == "assistant-ended-call"
    assert [heard for _, heard in replies(polite, "hook")] == ["Goodbye."]


def test_nothing_idle_is_said_while_a_tool_runs_or_the_line_is_down() -> None:
    hooks = [hook({"type": "say", "exact": "There?"}, timeoutSeconds=2)]
    working = call([[("look", {})]], hooks=hooks, **WAITS)
    working.caller_says("look it up", 500, 800)
    working.run(4_000)
    assert not replies(working, "hook")
    down = call(hooks=hooks, **WAITS)
    down.break_line(1_000)
    assert not replies(down.run(8_000), "hook")


def test_hooks_on_unknown_occasions_do_nothing_and_disturb_nothing() -> None:
    virtual = call(hooks=[{"on": "call.sneezed", "do": [{"type": "say", "exact": "x"}]}], **WAITS).run(20_000)
    assert not virtual.state.replies


def test_long_silence_ends_the_call_after_a_last_message_if_there_is_one() -> None:
    plan = {"silenceTimeoutMessage": "Nobody is there, goodbye."}
    virtual = call(firstMessage="Hi.", silenceTimeoutSeconds=5, messagePlan=plan).run(20_000)
    assert virtual.end_reason == "silence-timed-out"
    assert [heard for _, heard in replies(virtual, "silence-timeout")] == ["Nobody is there, goodbye."]


def test_a_caller_who_breaks_off_the_last_message_is_there_after_all() -> None:
    plan = {"silenceTimeoutMessage": "Nobody is there, so I will hang up now, goodbye and thank you."}
    virtual = call(firstMessage="Hi.", silenceTimeoutSeconds=5, messagePlan=plan)
    virtual.caller_says("wait I am here", 6_000, 900)
    virtual.run(10_000)
    assert not virtual.end_reason
    assert [turn.text for turn in virtual.state.turns.values()] == ["wait I am here"]


@pytest.mark.parametrize(
    ("said", "phrases", "ends"),
    [
        ("Thank you, Good-Bye!", ["good bye"], True),
        ("That is your friend.", ["end"], False),
        ("Have a nice day.", ["have a nice day", "ciao"], True),
        ("Have a nicer day.", ["have a nice day"], False),
        ("Goodbye.", ["  ", "..."], False),
    ],
)
def test_phrases_that_end_the_call_are_whole_words_the_assistant_was_heard_to_say(
    said: str, phrases: list[str], ends: bool
) -> None:
    virtual = call([[said]], endCallPhrases=phrases, **WAITS)
    virtual.caller_says("that was all", 500, 700)
    virtual.run(8_000)
    assert virtual.end_reason == ("assistant-said-end-call-phrase" if ends else "")


@pytest.mark.parametrize(("interruptible", "cleared"), [(False, 0), (True, 1)])
def test_a_first_message_of_the_model_is_interruptible_only_if_the_assistant_says_so(
    interruptible: bool, cleared: int
) -> None:
    virtual = call(
        [["Good morning, this is the shop with the very long greeting, how may I help you?"], ["Sure."]],
        firstMessageMode="assistant-speaks-first-with-model-generated-message",
        firstMessageInterruptionsEnabled=interruptible,
    )
    virtual.caller_says("hello I have a question", 1_000, 1_500)
    virtual.run(12_000)
    assert len(virtual.said(c.ClearPlayback)) == cleared
    assert [turn.text for turn in virtual.state.turns.values()] == ["hello I have a question"]
    assert virtual.said(e.ReplyFinished)[-1].heard == "Sure."  # type: ignore[attr-defined]


def test_an_assistant_that_waits_lets_the_caller_open_the_call() -> None:
    virtual = call([["Hello."]], firstMessage="Unused.", **WAITS)
    virtual.caller_says("hi", 2_000, 500)
    virtual.run(6_000)
    assert [heard for _, heard in replies(virtual, "model")] == ["Hello."]
    assert not replies(virtual, "first-message")
