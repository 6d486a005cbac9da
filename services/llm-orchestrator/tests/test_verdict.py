"""A call that no assistant takes: the caller hears why, or goes on to somebody else, and the call ends for that."""

from typing import Any

import pytest
from virtual_call import VirtualCall
from virtual_log import fold

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_contracts.config import CallConfig, Verdict
from voxbus_llm_orchestrator.cast import Cast
from voxbus_llm_orchestrator.plan import Plan
from voxbus_llm_orchestrator.state import CallState

CALL = "0b6c4a34-3f55-4f38-a15e-2f4be0a1f0c7"
REASON = "assistant-request-returned-error"
DESK = {"type": "number", "number": "+14155550199"}


def plan_with(**verdict: Any) -> Plan:
    told = Verdict(reason=REASON, problem="It is Sunday.", **verdict)
    config = CallConfig(org="org-1", call=CALL, created_at_ms=1, verdict=told)
    return Cast(config, lambda assistant: assistant, 300).speaking(CallState())[1]


def messages(call: VirtualCall, kind: type[Any]) -> list[Any]:
    return [entry.message for entry in call.log if isinstance(entry.message, kind)]


def lived(plan: Plan, hang_up_ms: int | None = None, dies_ms: int | None = None) -> VirtualCall:
    call = VirtualCall(plan)
    call.attach()
    call.caller_says("hello there", 400)
    if hang_up_ms is not None:
        call.happens(
            hang_up_ms, "media-ingress", e.MediaDetached(attachment=1, pts_ms=hang_up_ms, clean=True, code=1000)
        )
    if dies_ms is not None:
        call.worker_dies(dies_ms)
    return call.run(60_000)


def end_of(call: VirtualCall) -> tuple[str, str | None]:
    (ended,) = messages(call, e.CallEnded)
    return ended.reason, ended.message


def test_the_caller_hears_the_sentence_to_its_end_and_the_call_is_over() -> None:
    call = lived(plan_with(say="We are closed on Sundays."))
    (said,) = messages(call, c.SaySentence)
    assert (said.text, said.interruptible, said.reflex) == ("We are closed on Sundays.", False, "none")
    (reply,) = messages(call, e.ReplyFinished)
    assert reply.heard == "We are closed on Sundays."
    assert end_of(call) == (REASON, "It is Sunday.")
    assert fold(call.log) == call.state


@pytest.mark.parametrize("say", ["", "I connect you."])
def test_the_call_leaves_for_the_destination_once_that_was_said(say: str) -> None:
    call = lived(plan_with(say=say, destination=DESK))
    assert [each.text for each in messages(call, c.SaySentence)] == ([say] if say else [])
    (gone,) = messages(call, e.CallTransferred)
    assert (gone.destination, gone.mode) == ("+14155550199", "blind-transfer")
    assert end_of(call)[0] == REASON


@pytest.mark.parametrize("destination", [{}, DESK])
def test_a_caller_who_hangs_up_before_does_not_change_why_it_is_over(destination: dict[str, Any]) -> None:
    call = lived(plan_with(say="We are closed on Sundays. Please call again.", destination=destination), hang_up_ms=800)
    assert messages(call, e.CallTransferred) == []
    assert end_of(call)[0] == REASON


@pytest.mark.parametrize("dies_ms", [20, 100, 700, 1_200])
def test_a_new_owner_says_and_moves_nothing_twice(dies_ms: int) -> None:
    for destination in ({}, DESK):
        call = lived(plan_with(say="I connect you now.", destination=destination), dies_ms=dies_ms)
        assert [each.text for each in messages(call, c.SaySentence)] == ["I connect you now."]
        assert len(messages(call, e.CallTransferred)) == (1 if destination else 0)
        assert end_of(call)[0] == REASON
