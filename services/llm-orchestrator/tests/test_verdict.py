"""A call that no assistant takes: the caller hears why, or goes on to somebody else, and the call ends for that."""

from dataclasses import replace
from typing import Any

import pytest
from virtual_call import VirtualCall
from virtual_log import fold, shuffled

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_contracts.config import CallConfig, Verdict
from voxbus_llm_orchestrator.cast import Cast
from voxbus_llm_orchestrator.plan import Plan
from voxbus_llm_orchestrator.state import CallState

CALL = "0b6c4a34-3f55-4f38-a15e-2f4be0a1f0c7"
REASON = "assistant-request-returned-error"


def plan_with(**verdict: Any) -> Plan:
    told = Verdict(reason=REASON, problem="It is Sunday.", **verdict)
    config = CallConfig(org="org-1", call=CALL, created_at_ms=1, verdict=told)
    return Cast(config, lambda assistant: assistant, 300).speaking(CallState())[1]


def messages(call: VirtualCall, kind: type[Any]) -> list[Any]:
    return [entry.message for entry in call.log if isinstance(entry.message, kind)]


def test_the_caller_hears_the_sentence_to_its_end_and_the_call_is_over() -> None:
    call = VirtualCall(plan_with(say="We are closed on Sundays."))
    call.answer()
    call.speak(400, 900)
    call.run_until(60_000)
    (said,) = messages(call, c.SaySentence)
    assert (said.text, said.interruptible, said.reflex) == ("We are closed on Sundays.", False, "none")
    (reply,) = messages(call, e.ReplyFinished)
    assert reply.heard == "We are closed on Sundays."
    (ended,) = messages(call, e.CallEnded)
    assert (ended.reason, ended.message) == (REASON, "It is Sunday.")


@pytest.mark.parametrize("say", ["", "I connect you."])
def test_the_call_leaves_for_the_destination_once_that_was_said(say: str) -> None:
    destination = {"type": "number", "number": "+14155550199"}
    call = VirtualCall(plan_with(say=say, destination=destination))
    call.answer()
    call.run_until(60_000)
    assert [each.text for each in messages(call, c.SaySentence)] == ([say] if say else [])
    (gone,) = messages(call, e.CallTransferred)
    assert (gone.destination, gone.mode) == ("+14155550199", "blind-transfer")
    (ended,) = messages(call, e.CallEnded)
    assert ended.reason == REASON


def test_a_caller_who_hangs_up_before_does_not_change_why_it_is_over() -> None:
    call = VirtualCall(plan_with(say="We are closed on Sundays. Please call again on Monday."))
    call.answer()
    call.hang_up_at(800)
    call.run_until(60_000)
    (ended,) = messages(call, e.CallEnded)
    assert ended.reason == REASON


def test_a_new_owner_says_and_moves_nothing_twice() -> None:
    destination = {"type": "number", "number": "+14155550199"}
    plan = replace(plan_with(say="I connect you.", destination=destination))
    call = VirtualCall(plan)
    call.answer()
    call.run_until(60_000)
    assert fold(call.log) == call.state
    assert fold(shuffled(call.log)) is not None
