"""While the call waits for a worker: nothing is said, no turn is taken, nothing of the caller is lost."""

from virtual_call import VirtualCall

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_llm_orchestrator.plan import Plan

QUIET = Plan(first_message_mode="assistant-waits-for-user", silence_timeout_ms=10_000)


def ringing(plan: Plan, rings_ms: int, *answers: list[object]) -> VirtualCall:
    virtual = VirtualCall(plan, list(answers))
    virtual.attach(rings_ms=rings_ms)
    return virtual


def test_what_the_caller_says_into_the_ringing_is_answered_once_the_call_is() -> None:
    virtual = ringing(QUIET, 9_000, ["Here I am."])
    virtual.caller_says("hello is anybody there", 1_000, 1_500)
    virtual.run(8_990)
    assert not virtual.said(e.TurnCommitted)
    assert not virtual.said(c.SaySentence)
    virtual.run(12_000)
    (turn,) = virtual.said(e.TurnCommitted)
    assert turn.text == "hello is anybody there"
    assert [say.text for say in virtual.said(c.SaySentence)] == ["Here I am."]


def test_the_greeting_is_said_when_the_call_is_answered_and_not_before() -> None:
    virtual = ringing(Plan(first_message="Hello."), 20_000)
    virtual.run(19_990)
    assert not virtual.said(c.SaySentence)
    virtual.run(21_000)
    assert [say.text for say in virtual.said(c.SaySentence)] == ["Hello."]


def test_silence_and_duration_count_from_the_answer_and_not_from_the_ringing() -> None:
    quiet = ringing(QUIET, 30_000).run(60_000)
    assert (quiet.end_reason, quiet.said(e.CallEnded)[0].pts_ms) == ("silence-timed-out", 40_000)
    long = ringing(Plan(first_message="Hi.", max_duration_ms=12_000), 30_000).run(60_000)
    assert (long.end_reason, long.said(e.CallEnded)[0].pts_ms) == ("exceeded-max-duration", 42_000)


def test_a_refused_call_ends_with_the_reason_and_the_words_of_whoever_refused_it() -> None:
    virtual = ringing(QUIET, 30_000)
    refusal = c.EndCall(reason="call.in-progress.error-vapifault-worker-not-available", message="no slot")
    virtual.happens(10_000, "media-ingress", refusal)
    virtual.happens(10_010, "media-ingress", c.EndCall(reason="manually-canceled", message="too late"))
    virtual.run(20_000)
    (ended,) = virtual.said(e.CallEnded)
    assert (ended.reason, ended.message) == (refusal.reason, "no slot")


def test_a_caller_who_hangs_up_while_it_rings_ends_the_call() -> None:
    virtual = ringing(QUIET, 30_000)
    virtual.happens(4_000, "media-ingress", e.MediaDetached(attachment=1, pts_ms=4_000, clean=True, code=1000))
    assert virtual.run(20_000).end_reason == "customer-ended-call"
