"""Endpointing plans in virtual time: when the turn is taken, and what cancels the wait."""

from typing import Any

from virtual_call import VirtualCall

from voxbus_contracts import events as e
from voxbus_contracts.speaking import StartSpeakingPlan
from voxbus_llm_orchestrator.endpointing import FixedSilence, endpointing_of
from voxbus_llm_orchestrator.plan import Plan

CUSTOM = {"provider": "custom-endpointing-model", "server": {"url": "https://a.example"}}


def call(wait_ms: int = 0, first_message: str = "", **start: Any) -> VirtualCall:
    endpointing = endpointing_of(StartSpeakingPlan.model_validate(start), FixedSilence(500))
    virtual = VirtualCall(Plan(endpointing=endpointing, wait_ms=wait_ms, first_message=first_message))
    virtual.attach()
    return virtual


def turns(virtual: VirtualCall) -> list[tuple[str, int, str]]:
    """Text, wait after the last voiced sample, reason."""
    committed = virtual.said(e.TurnCommitted)
    return [
        (turn.text, turn.pts_ms - turn.anchor_pts_ms, turn.reason)
        for turn in committed
        if isinstance(turn, e.TurnCommitted)
    ]


def test_the_wait_follows_the_transcript_and_wait_seconds_is_its_minimum() -> None:
    for text, waits in (("Done.", 300), ("so I", 1500), ("seven", 500)):
        virtual = call(wait_ms=300, transcriptionEndpointingPlan={})
        virtual.caller_says(text, 1000, 1000)
        assert [waited for _, waited, _ in turns(virtual.run(8000))] == [waits]


def test_a_rule_about_the_question_gives_the_caller_time_and_a_later_turn_none() -> None:
    rule = {"type": "assistant", "regex": "phone number", "timeoutSeconds": 2}
    virtual = call(first_message="What is your phone number?", customEndpointingRules=[rule])
    virtual.caller_says("four two", 2000, 600)
    virtual.caller_says("seven one", 4300, 600)
    virtual.caller_says("that is it", 10_000, 600)
    assert turns(virtual.run(20_000)) == [("four two seven one", 2000, "custom-rule"), ("that is it", 500, "silence")]


def test_the_customers_server_decides_and_its_answer_is_on_the_log() -> None:
    virtual = call(smartEndpointingPlan=CUSTOM)
    virtual.advice_ms = [900]
    virtual.caller_says("I was wondering", 1000, 1000)
    assert turns(virtual.run(8000)) == [("I was wondering", 900, "custom-endpointing-model")]
    assert virtual.reasons.count("endpointing-server-asked") == 1


def test_more_words_ask_the_server_again_and_its_earlier_answer_counts_no_more() -> None:
    virtual = call(smartEndpointingPlan=CUSTOM)
    virtual.advice_ms = [3000, 400]
    virtual.caller_says("I was", 1000, 500)
    virtual.caller_says("wondering", 2500, 500)
    assert turns(virtual.run(9000)) == [("I was wondering", 400, "custom-endpointing-model")]


def test_a_server_that_fails_leaves_the_turn_to_the_next_plan() -> None:
    virtual = call(smartEndpointingPlan=CUSTOM, transcriptionEndpointingPlan={"onNoPunctuationSeconds": 1})
    virtual.advice_ms = [None]
    virtual.caller_says("hello there", 1000, 1000)
    assert turns(virtual.run(8000)) == [("hello there", 1000, "no-punctuation")]


def test_a_server_that_never_answers_is_not_waited_for_longer_than_its_limit() -> None:
    virtual = call(smartEndpointingPlan=CUSTOM)
    virtual.caller_says("hello there", 1000, 1000)
    assert turns(virtual.run(8000)) == [("hello there", 1500, "silence")]


def test_a_rule_that_matches_spares_the_server() -> None:
    rule = {"type": "customer", "regex": "hello", "timeoutSeconds": 1}
    virtual = call(smartEndpointingPlan=CUSTOM, customEndpointingRules=[rule])
    virtual.caller_says("hello there", 1000, 1000)
    assert turns(virtual.run(8000)) == [("hello there", 1000, "custom-rule")]
    assert "endpointing-server-asked" not in virtual.reasons


def test_a_new_owner_uses_the_answer_that_is_logged_and_asks_where_there_is_none() -> None:
    virtual = call(smartEndpointingPlan=CUSTOM)
    virtual.advice_ms = [2000]
    virtual.caller_says("I was wondering", 1000, 1000)
    virtual.run(3500)
    assert not turns(virtual)
    virtual.advising = 0
    assert turns(virtual.run(8000)) == [("I was wondering", 2000, "custom-endpointing-model")]
    assert virtual.reasons.count("endpointing-server-asked") == 1
