"""Hooks in virtual time: when each occasion comes, what is done then, and once, whoever owns the call."""

from typing import Any

import pytest
from test_turn_silence import WAITS, call, replies
from virtual_call import VirtualCall
from virtual_log import fold, shuffled

from voxbus_contracts import commands as c
from voxbus_contracts import events as e

LONG = "Let me tell you all about our many wonderful products and services."


def say(*exact: str) -> dict[str, Any]:
    return {"type": "say", "exact": list(exact)}


def hook(on: str, *do: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"on": on, "do": list(do), **more}


def notify(name: str = "notify") -> dict[str, Any]:
    function = {"name": name}
    return {"type": "tool", "tool": {"type": "function", "function": function, "server": {"url": "https://a.example"}}}


def heard(virtual: VirtualCall) -> list[str]:
    return [text for _, text in replies(virtual, "hook")]


def triggers(virtual: VirtualCall) -> list[str]:
    return [event.trigger for event in virtual.said(e.HookTriggered) if isinstance(event, e.HookTriggered)]


def test_a_time_that_has_elapsed_is_told_once_and_not_into_the_callers_turn() -> None:
    virtual = call(
        [["Sure."]], hooks=[hook("call.timeElapsed", say("One minute left."), options={"seconds": 3})], **WAITS
    )
    virtual.caller_says("can you help me please", 2_500, 1_500)
    virtual.run(20_000)
    assert heard(virtual) == ["One minute left."]
    (begun, _), *_ = replies(virtual, "hook")
    answered = virtual.said(e.ReplyFinished)[0]
    assert isinstance(answered, e.ReplyFinished)
    assert answered.heard == "Sure."
    assert begun >= answered.pts_ms
    assert triggers(virtual) == ["hook:0:elapsed"]


def test_after_an_interruption_the_hook_speaks_before_the_answer_and_its_own_words_do_not_call_for_more() -> None:
    hooks = [hook("assistant.speech.interrupted", say("Sorry about that."))]
    virtual = call([["Of course."]], firstMessage=LONG, firstMessageInterruptionsEnabled=True, hooks=hooks)
    virtual.caller_says("wait I have a question", 1_000, 900)
    virtual.caller_says("hold on please", 2_500, 500)
    virtual.run(15_000)
    assert triggers(virtual) == ["hook:0:reply-1"]
    assert heard(virtual) == ["Sorry about that."]
    sources = [reply.source for _, reply in sorted(virtual.state.replies.items())]
    assert sources[:3] == ["first-message", "hook", "model"]


def test_a_prompt_after_an_interruption_goes_along_with_the_answer_that_comes_anyway() -> None:
    hooks = [hook("assistant.speech.interrupted", {"type": "say", "prompt": "Apologise briefly."})]
    virtual = call([["Sorry, of course."]] * 2, firstMessage=LONG, firstMessageInterruptionsEnabled=True, hooks=hooks)
    virtual.caller_says("wait I have a question", 1_000, 900)
    virtual.run(12_000)
    assert [message.content for message in virtual.said(e.MessageAdded)] == ["Apologise briefly."]  # type: ignore[attr-defined]
    assert [text for _, text in replies(virtual, "model")] == ["Sorry, of course."]


def test_the_assistant_that_speaks_into_the_callers_words_is_an_occasion_of_its_own() -> None:
    virtual = call(hooks=[hook("customer.speech.interrupted", say("Please go on."))], **WAITS)
    order = c.SayOnCall(content="The shop closes in five minutes.", interruptions_enabled=False)
    virtual.happens(1_500, "control-api", order)
    virtual.caller_says("so what I wanted to know is how long it takes and what", 1_000, 3_000)
    virtual.run(15_000)
    assert triggers(virtual) == ["hook:0:reply-1"]
    assert heard(virtual)[0].startswith("Please")


def test_a_slow_model_is_excused_while_it_is_asked_again_and_not_after_it_has_answered() -> None:
    hooks = [hook("model.response.timeout", say("My system is slow today."))]
    virtual = call([["Here it is."]] * 3, hooks=hooks, model={"provider": "custom-llm", "timeoutSeconds": 3}, **WAITS)
    virtual.hanging = {0}
    virtual.caller_says("what is my balance", 500, 900)
    virtual.run(20_000)
    assert heard(virtual) == ["My system is slow today."]
    assert [text for _, text in replies(virtual, "model")] == ["Here it is."]


@pytest.mark.parametrize(("confidence", "dismissed", "said"), [(0.3, 1, 1), (0.1, 1, 0), (0.9, 0, 0), (None, 0, 0)])
def test_words_of_low_confidence_are_no_turn_and_the_hook_asks_again(
    confidence: float | None, dismissed: int, said: int
) -> None:
    hooks = [hook("assistant.transcriber.endpointedSpeechLowConfidence", say("Could you repeat that?"))]
    virtual = call([["Yes."]], hooks=hooks, **WAITS)
    virtual.caller_says("mumble mumble", 500, 900, confidence=confidence)
    virtual.run(6_000)
    assert len(virtual.said(e.TranscriptDismissed)) == dismissed
    assert heard(virtual) == ["Could you repeat that?"] * said
    assert len(virtual.state.turns) == 1 - dismissed


def test_without_a_hook_a_threshold_that_was_given_has_the_platform_ask_again() -> None:
    virtual = call(transcriber={"confidenceThreshold": 0.5}, **WAITS)
    virtual.caller_says("mumble", 500, 900, confidence=0.45)
    virtual.run(6_000)
    assert [text for _, text in replies(virtual, "recovery")] == [
        "Sorry, I did not catch that. Could you say it again?"
    ]


def test_exact_words_are_chosen_by_lot_and_every_owner_chooses_the_same() -> None:
    texts = [f"Line {number}." for number in range(8)]
    hooks = [hook("customer.speech.timeout", say(*texts), options={"timeoutSeconds": 2, "triggerMaxCount": 10})]
    first, second = (call(hooks=hooks, silenceTimeoutSeconds=60, **WAITS) for _ in range(2))
    second.worker_dies(9_000)
    spoken = heard(first.run(50_000))
    assert len(set(spoken)) > 2
    assert spoken == heard(second.run(50_000))


def test_a_message_is_added_for_the_model_and_answered_only_if_it_says_so() -> None:
    def added(**more: Any) -> VirtualCall:
        message = {"type": "message.add", "message": {"role": "system", "content": "Wrap up."}, **more}
        return call([["Let us wrap up."]], hooks=[hook("call.timeElapsed", message, options={"seconds": 2})], **WAITS)

    silent, speaking = added(triggerResponseEnabled=False).run(8_000), added().run(8_000)
    assert [message.content for message in silent.said(e.MessageAdded)] == ["Wrap up."]  # type: ignore[attr-defined]
    assert not silent.state.replies
    assert [text for _, text in replies(speaking, "model")] == ["Let us wrap up."]


def test_a_tool_of_a_hook_runs_once_over_a_takeover_and_hooks_rest_meanwhile() -> None:
    hooks = [
        hook("call.timeElapsed", notify(), say("I have told them."), options={"seconds": 2}),
        hook("assistant.speech.interrupted", say("Sorry.")),
    ]
    virtual = call([["Sure."]], firstMessage=LONG, firstMessageInterruptionsEnabled=True, hooks=hooks)
    virtual.caller_says("stop it please", 2_600, 800)
    for dies in (2_050, 3_000, 4_500):
        virtual.worker_dies(dies)
    done = e.ToolFinished(tool_call_id="hook_0_elapsed_0", tool_name="notify", result="ok", duration_ms=5)
    virtual.happens(6_000, "tool-runner", done)
    virtual.run(20_000)
    (order,) = virtual.said(c.RunTool)
    assert isinstance(order, c.RunTool)
    assert (order.tool_call_id, order.tool_name) == ("hook_0_elapsed_0", "notify")
    assert heard(virtual) == ["I have told them."]
    passed = [
        event for event in virtual.said(e.HookTriggered) if isinstance(event, e.HookTriggered) and event.passed_over
    ]
    assert [event.trigger for event in passed] == ["hook:1:reply-1"]


def ending(*do: dict[str, Any], reasons: list[str] | None = None, **assistant: Any) -> VirtualCall:
    filters = [{"type": "oneOf", "key": "call.endedReason", "oneOf": reasons}] if reasons else []
    return call(hooks=[hook("call.ending", *do, filters=filters)], silenceTimeoutSeconds=5, **WAITS, **assistant)


def test_the_last_word_is_heard_before_the_call_ends_and_the_end_says_so() -> None:
    virtual = ending(say("Goodbye and thank you."), reasons=["silence-timed-out"]).run(20_000)
    assert heard(virtual) == ["Goodbye and thank you."]
    assert virtual.end_reason == "call.ending.hook-executed-say"
    finished, ended = virtual.said(e.ReplyFinished)[-1], virtual.said(e.CallEnded)[0]
    assert isinstance(finished, e.ReplyFinished)
    assert isinstance(ended, e.CallEnded)
    assert ended.pts_ms >= finished.pts_ms


def test_a_filter_takes_reasons_that_begin_with_it_and_no_others() -> None:
    for reason, is_for in (("pipeline-error-openai-llm-failed", True), ("manually-canceled", False)):
        virtual = ending(say("Sorry."), reasons=["pipeline-error"])
        virtual.happens(2_000, "control-api", c.EndCall(reason=reason))
        virtual.run(10_000)
        assert bool(triggers(virtual)) == is_for
        assert virtual.end_reason == ("call.ending.hook-executed-say" if is_for else reason)


def test_a_tool_at_the_end_is_waited_for_but_not_for_ever_and_not_when_the_caller_is_gone() -> None:
    waiting = ending(notify()).run(60_000)
    assert waiting.end_reason == "silence-timed-out"
    ended = waiting.said(e.CallEnded)[0]
    assert isinstance(ended, e.CallEnded)
    assert 5_000 + 19_000 < ended.pts_ms < 5_000 + 23_000
    gone = ending(say("Bye."), notify())
    gone.happens(2_000, "media-ingress", e.MediaDetached(attachment=1, pts_ms=2_000, clean=True, code=1000))
    gone.run(10_000)
    assert gone.end_reason == "customer-ended-call"
    assert len(gone.said(c.RunTool)) == 1
    assert not heard(gone)


def test_a_worker_that_dies_at_the_end_leaves_the_last_word_to_the_next_once() -> None:
    virtual = ending(say("Goodbye and thank you for calling us today."))
    for at_ms in (5_031, 5_100, 6_000):
        virtual.worker_dies(at_ms)
    virtual.run(20_000)
    assert heard(virtual) == ["Goodbye and thank you for calling us today."]
    assert len(virtual.said(e.CallEnded)) == 1
    for seed in range(5):
        assert fold(shuffled(virtual.log, seed)) == virtual.state


def test_filters_on_other_fields_hold_for_the_call_or_the_hook_never_acts() -> None:
    def with_filter(key: str, value: str) -> VirtualCall:
        filters = [{"type": "oneOf", "key": key, "oneOf": [value]}]
        timed = hook("call.timeElapsed", say("Hello."), options={"seconds": 1}, filters=filters)
        return call(hooks=[timed], **WAITS).run(5_000)

    assert heard(with_filter("call.type", "vapi.websocketCall")) == ["Hello."]
    assert not heard(with_filter("call.type", "inboundPhoneCall"))
    assert not heard(with_filter("nobody.knows", "x"))


FRONT_DESK = {"type": "number", "number": "+14155550100"}


def transfer(**destination: Any) -> dict[str, Any]:
    return {"type": "transfer", "destination": {**FRONT_DESK, **destination}}


def transferring() -> dict[str, Any]:
    return {"type": "tool", "tool": {"type": "transferCall", "destinations": [FRONT_DESK]}}


@pytest.mark.parametrize("action", [transfer(), transferring()], ids=["transfer", "transferCall"])
def test_a_hook_takes_the_call_to_somebody_else_once_its_words_were_heard_over_a_takeover(
    action: dict[str, Any],
) -> None:
    virtual = call(hooks=[hook("call.timeElapsed", say("Let me help."), action, options={"seconds": 2})], **WAITS)
    for at_ms in (2_050, 3_000, 4_000):
        virtual.worker_dies(at_ms)
    virtual.run(20_000)
    assert [text for _, text in replies(virtual, "hook")] == ["Let me help."]
    assert [text for _, text in replies(virtual, "transfer-message")] == ["Transferring the call now"]
    (gone,) = virtual.said(e.CallTransferred)
    assert isinstance(gone, e.CallTransferred)
    assert (gone.destination, gone.cause) == ("+14155550100", "hook:0:elapsed:1")
    assert virtual.end_reason == "assistant-forwarded-call"
    for seed in range(5):
        assert fold(shuffled(virtual.log, seed)) == virtual.state


def test_a_hook_transfers_a_call_that_would_end_and_the_end_says_so() -> None:
    virtual = ending(transfer(message="One moment."), reasons=["pipeline-error"])
    virtual.happens(2_000, "control-api", c.EndCall(reason="pipeline-error-openai-llm-failed"))
    virtual.run(20_000)
    assert [text for _, text in replies(virtual, "transfer-message")] == ["One moment."]
    assert len(virtual.said(e.CallTransferred)) == 1
    assert virtual.end_reason == "call.ending.hook-executed-transfer"


def test_a_caller_who_is_gone_is_transferred_nowhere() -> None:
    virtual = ending(transfer())
    virtual.happens(2_000, "media-ingress", e.MediaDetached(attachment=1, pts_ms=2_000, clean=True, code=1000))
    virtual.run(10_000)
    assert not virtual.said(e.CallTransferred)
    assert virtual.end_reason == "customer-ended-call"


@pytest.mark.parametrize("reasons", [["silence-timed-out"], ["pipeline-error"]])
def test_a_call_whose_last_word_no_voice_can_say_ends_without_it(reasons: list[str]) -> None:
    virtual = ending(say("Goodbye and thank you."), reasons=reasons)
    virtual.failing = set(range(1, 20))
    if reasons == ["pipeline-error"]:
        virtual.happens(2_000, "control-api", c.EndCall(reason="pipeline-error-vapi-voice-failed"))
    virtual.run(30_000)
    assert virtual.reasons.count("voice-failed-given-up") == 1
    assert virtual.end_reason in ("silence-timed-out", "pipeline-error-vapi-voice-failed")
