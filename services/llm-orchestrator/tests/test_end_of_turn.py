"""Probability and policy of the end of a turn, and the caller's own pauses."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_call import VirtualCall

from voxbus_contracts import events as e
from voxbus_llm_orchestrator.end_of_turn import (
    DEFAULT_POLICY,
    Evidence,
    Policy,
    probability,
    silence_needed_ms,
    wait_ms,
)
from voxbus_llm_orchestrator.endpointing import ByEvidence, Endpointing, FixedSilence
from voxbus_llm_orchestrator.pauses import TYPICAL_BEYOND_MS, Pauses, pauses_of
from voxbus_llm_orchestrator.plan import Plan

TEXTS = ["", "yes", "um", "i want a", "i want a large coffee", "four two seven", "my number is", "seven of clubs"]
evidence = st.builds(
    Evidence,
    silence_ms=st.integers(0, 5_000),
    text=st.sampled_from(TEXTS),
    is_final=st.booleans(),
    has_punctuation=st.booleans(),
    pauses=st.builds(lambda heard: pauses(*heard), st.lists(st.integers(200, 1_500), max_size=12)),
    speech_ms=st.integers(0, 20_000),
    audio=st.none() | st.floats(0, 1),
    prosody=st.none() | st.floats(0, 1),
)
policies = st.builds(Policy, st.floats(0.01, 0.99), st.integers(0, 500), st.integers(500, 4_000))


def pauses(*lengths_ms: int) -> Pauses:
    heard = Pauses()
    for length_ms in lengths_ms:
        heard = heard.heard(length_ms)
    return heard


def needed(text: str, **known: object) -> int:
    return silence_needed_ms(replace(Evidence(0, text), **known))  # type: ignore[arg-type]


@given(evidence, st.integers(0, 3_000))
def test_the_probability_never_falls_while_the_silence_grows(known: Evidence, more_ms: int) -> None:
    assert 0 < probability(known) <= probability(replace(known, silence_ms=known.silence_ms + more_ms)) <= 1


@given(st.floats(0, 1), st.floats(0, 1), policies)
def test_the_surer_the_end_the_shorter_the_wait_and_always_within_its_bounds(
    a: float, b: float, policy: Policy
) -> None:
    waits = [wait_ms(p, policy) for p in sorted((a, b))]
    assert policy.timeout_ms >= waits[0] >= waits[1] >= policy.wait_ms


@given(evidence, policies)
def test_the_wait_is_over_when_the_probability_has_grown_to_the_threshold(known: Evidence, policy: Policy) -> None:
    wait = silence_needed_ms(known, policy)
    at_its_end = probability(replace(known, silence_ms=wait))
    if policy.wait_ms < wait < policy.timeout_ms:
        assert at_its_end == pytest.approx(policy.threshold, abs=0.01)
    elif wait < policy.timeout_ms:
        assert at_its_end >= policy.threshold - 1e-9


@given(evidence, st.integers(0, 3_000))
def test_the_silence_so_far_does_not_change_the_wait(known: Evidence, silence_ms: int) -> None:
    assert silence_needed_ms(known) == silence_needed_ms(replace(known, silence_ms=silence_ms))


@given(evidence, st.floats(0, 1), st.floats(0, 1))
def test_the_more_finished_a_voice_sounds_the_shorter_the_wait(known: Evidence, a: float, b: float) -> None:
    less, more = sorted((a, b))
    assert silence_needed_ms(replace(known, prosody=more)) <= silence_needed_ms(replace(known, prosody=less))


def test_a_falling_voice_after_a_sentence_is_answered_sooner_and_full_voice_is_waited_for() -> None:
    text = "i want a large coffee"
    unheard = needed(text)
    assert needed(text, prosody=0.95) <= unheard - 100
    assert needed(text, prosody=0.05) >= unheard + 300


def test_no_voice_shortens_the_wait_for_what_is_read_out_nor_for_who_is_thinking() -> None:
    for text in ("four two seven", "my number is", "um", "j o h n"):
        assert needed(text, prosody=0.98) == needed(text)
        assert needed(text) >= 1_300


def test_the_prosody_of_the_latest_stop_decides() -> None:
    commits = []
    for finished in (0.97, 0.03):
        judge = ByEvidence()
        call = VirtualCall(Plan(endpointing=Endpointing(judge=judge), wait_ms=0, first_message=""))
        call.attach()
        call.caller_says("i want a large coffee", 1_000, finished=finished)
        call.run(6_000)
        (turn,) = call.said(e.TurnCommitted)
        commits.append(turn.endpointing_ms)  # type: ignore[attr-defined]
    assert commits[0] + 500 < commits[1]


@given(evidence, st.floats(0, 1), st.floats(0, 1))
def test_a_surer_audio_model_never_lengthens_the_wait(known: Evidence, a: float, b: float) -> None:
    less, more = sorted((a, b))
    assert silence_needed_ms(replace(known, audio=more)) <= silence_needed_ms(replace(known, audio=less))


@pytest.mark.parametrize("groups", ["four one five", "four one five five five five", "oh seven", "double five", "five"])
@pytest.mark.parametrize("audio", [None, 0.5])
def test_the_pauses_of_a_phone_number_are_waited_for(groups: str, audio: float | None) -> None:
    assert needed(f"my number is {groups}", audio=audio) >= 1_500


def test_a_short_answer_and_a_whole_number_are_answered_at_once_and_a_filler_is_not() -> None:
    assert needed("yes") == needed("four one five five five five zero one two three") == DEFAULT_POLICY.wait_ms
    assert needed("um") > 1_200


def test_a_caller_with_long_pauses_is_given_more_time() -> None:
    slow, quick = pauses(*[1_200] * 8), pauses(*[300] * 8)
    text = "seven of clubs"
    assert needed(text, pauses=slow) > needed(text) > needed(text, pauses=quick)


def test_missing_punctuation_only_tells_something_where_the_recognizer_writes_it() -> None:
    assert needed("I want a large coffee", has_punctuation=True) > needed("I want a large coffee")


def test_a_transcript_that_may_still_change_is_given_more_time() -> None:
    assert needed("i want a large coffee", is_final=False) > needed("i want a large coffee")


def test_a_caller_nobody_knows_pauses_like_everybody() -> None:
    assert Pauses().beyond_ms == TYPICAL_BEYOND_MS
    assert Pauses().heard(100) == Pauses().heard(10_000) == Pauses()


@given(st.lists(st.integers(200, 1_500), min_size=1, max_size=50))
def test_the_estimate_lies_between_the_pauses_heard_and_everybodys(heard_ms: list[int]) -> None:
    beyond = [length - 200 for length in heard_ms]
    assert min(*beyond, TYPICAL_BEYOND_MS) <= pauses(*heard_ms).beyond_ms <= max(*beyond, TYPICAL_BEYOND_MS)


def test_pauses_are_those_inside_turns() -> None:
    virtual = VirtualCall(Plan(Endpointing(judge=FixedSilence(900)), first_message_mode="assistant-waits-for-user"))
    virtual.attach()
    virtual.caller_says("i want to", 1_000, 800)
    virtual.caller_says("order a pizza", 2_300, 900)
    virtual.run(6_000)
    assert pauses_of(virtual.state) == pauses(500)
    virtual.caller_says("thank you", 8_000, 500)
    virtual.run(12_000)
    assert pauses_of(virtual.state) == pauses(500)


def test_a_caller_who_goes_on_right_after_the_commit_had_paused() -> None:
    virtual = VirtualCall(Plan(first_message_mode="assistant-waits-for-user"))
    virtual.attach()
    virtual.caller_says("i want to", 1_000, 800)
    virtual.caller_says("order a pizza", 2_600, 900)
    virtual.run(3_000)
    assert len(virtual.state.turns) == 1
    assert pauses_of(virtual.state) == pauses(800)


def test_the_turn_models_judgement_of_the_latest_stretch_moves_the_commit() -> None:
    def committed_ms(finished: float | None) -> int:
        judge = ByEvidence(policy=Policy(threshold=0.9))
        virtual = VirtualCall(
            Plan(first_message_mode="assistant-waits-for-user", wait_ms=0, endpointing=Endpointing(judge=judge))
        )
        virtual.attach()
        virtual.caller_says("i want a large coffee", 1_000, 900)
        if finished is not None:
            virtual.happens(2_140, "vad", e.SpeechJudged(speech_seq=1, pts_ms=1_900, finished=finished))
        virtual.run(6_000)
        (turn,) = virtual.said(e.TurnCommitted)
        return turn.pts_ms

    assert committed_ms(0.95) < committed_ms(None) < committed_ms(0.05)
