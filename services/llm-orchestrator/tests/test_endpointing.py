"""How long to wait after the caller's last voiced sample: precedence, plans, bounds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus_contracts.speaking import StartSpeakingPlan
from voxbus_llm_orchestrator.endpointing import (
    LONGEST_WAIT_MS,
    UNSURE_WAIT_MS,
    ByEvidence,
    Endpointing,
    FixedSilence,
    TurnSoFar,
    Wait,
    endpoint,
    endpointing_of,
)

JUDGE = FixedSilence(400)
TRANSCRIPTION = {"onPunctuationSeconds": 0.2, "onNoPunctuationSeconds": 1.1, "onNumberSeconds": 0.7}
WHILE_NUMBER = {"type": "assistant", "regex": "phone number", "timeoutSeconds": 3}
SPELLS = {
    "type": "customer",
    "regex": r"\b\w$",
    "timeoutSeconds": 2,
    "regexOptions": [{"type": "ignore-case", "enabled": True}],
}


def plan(**fields: Any) -> Endpointing:
    return endpointing_of(StartSpeakingPlan.model_validate(fields), JUDGE)


def said(text: str, asked: str = "", advised_ms: int | None = None) -> TurnSoFar:
    return TurnSoFar(text, asked, began_pts_ms=1000, ended_pts_ms=3000, advised_ms=advised_ms)


def test_without_any_plan_the_platform_judges() -> None:
    assert endpoint(plan(), said("hello")) == Wait(400, "silence")
    assert endpoint(plan(waitSeconds=2), said("hello")) == Wait(400, "silence")


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("It is broken.", Wait(200, "punctuation")),
        ("Is it broken?", Wait(200, "punctuation")),
        ('He said "no."', Wait(200, "punctuation")),
        ("it is broken", Wait(1100, "no-punctuation")),
        ("it is broken,", Wait(1100, "no-punctuation")),
        ("my number is 555", Wait(700, "number")),
        ("my number is 555.", Wait(700, "number")),
        ("five five four", Wait(700, "number")),
        ("I live in the city", Wait(1100, "no-punctuation")),
        ("", Wait(1100, "no-punctuation")),
    ],
)
def test_a_given_transcription_plan_looks_at_the_number_then_the_punctuation(text: str, wait: Wait) -> None:
    assert endpoint(plan(transcriptionEndpointingPlan=TRANSCRIPTION), said(text)) == wait


def test_an_empty_transcription_plan_counts_as_given_with_the_defaults_of_the_api() -> None:
    empty = plan(transcriptionEndpointingPlan={})
    assert [endpoint(empty, said(text)).ms for text in ("Yes.", "yes", "7")] == [100, 1500, 500]


def test_the_first_rule_that_matches_wins_over_everything_else() -> None:
    ruled = plan(
        customEndpointingRules=[WHILE_NUMBER, SPELLS],
        smartEndpointingPlan={"provider": "vapi"},
        transcriptionEndpointingPlan=TRANSCRIPTION,
    )
    assert endpoint(ruled, said("a b c", asked="What is your phone number?")) == Wait(3000, "custom-rule")
    assert endpoint(ruled, said("a b C", asked="Spell it.")) == Wait(2000, "custom-rule")
    assert endpoint(ruled, said("no idea", asked="Spell it.")) == Wait(400, "vapi")


def test_a_rule_for_both_needs_both() -> None:
    both = plan(
        customEndpointingRules=[
            {"type": "both", "assistantRegex": "number", "customerRegex": r"\d$", "timeoutSeconds": 4}
        ]
    )
    assert endpoint(both, said("it is 5", asked="Your number?")).ms == 4000
    assert endpoint(both, said("it is 5", asked="Your name?")).ms == 400
    assert endpoint(both, said("it is", asked="Your number?")).ms == 400


def test_the_wait_function_gets_the_probability_that_the_caller_is_still_speaking() -> None:
    smart = plan(smartEndpointingPlan={"provider": "livekit", "waitFunction": "1000 * x + t"})
    assert endpoint(smart, said("Yes.")) == Wait(round(1000 * (1 - 0.9) + 2), "livekit")
    assert endpoint(smart, said("and")).ms == 502


@pytest.mark.parametrize(("formula", "ms"), [("-50", 0), ("1 / (x - x)", LONGEST_WAIT_MS), ("1e9", LONGEST_WAIT_MS)])
def test_a_wait_function_never_waits_less_than_nothing_nor_for_ever(formula: str, ms: int) -> None:
    assert endpoint(plan(smartEndpointingPlan={"provider": "livekit", "waitFunction": formula}), said("and")).ms == ms


def test_krisps_threshold_tells_a_sure_end_from_an_unsure_one() -> None:
    krisp = plan(smartEndpointingPlan={"provider": "krisp", "threshold": 0.8})
    assert endpoint(krisp, said("Yes.")) == Wait(400, "krisp")
    assert endpoint(krisp, said("and")) == Wait(UNSURE_WAIT_MS, "krisp")


def test_the_customers_server_counts_once_it_has_answered_and_the_next_plan_until_then() -> None:
    server = {"provider": "custom-endpointing-model", "server": {"url": "https://a.example"}}
    asked = plan(smartEndpointingPlan=server, transcriptionEndpointingPlan=TRANSCRIPTION)
    assert asked.asks_server
    assert endpoint(asked, said("Yes.", advised_ms=900)) == Wait(900, "custom-endpointing-model")
    assert endpoint(asked, said("Yes.")) == Wait(200, "punctuation")


@given(
    st.text(max_size=80),
    st.text(max_size=80),
    st.none() | st.integers(0, 100_000),
    st.sampled_from(["livekit", "vapi", "voxbus", "krisp", "custom-endpointing-model", None]),
    st.booleans(),
)
def test_any_words_under_any_plan_have_a_bounded_wait_and_a_reason(
    text: str, asked: str, advised_ms: int | None, provider: str | None, by_transcript: bool
) -> None:
    fields: dict[str, Any] = {"customEndpointingRules": [WHILE_NUMBER, SPELLS]}
    if provider:
        fields["smartEndpointingPlan"] = {"provider": provider}
    if by_transcript:
        fields["transcriptionEndpointingPlan"] = TRANSCRIPTION
    wait = endpoint(plan(**fields), TurnSoFar(text, asked, 0, 100, advised_ms=advised_ms))
    assert 0 <= wait.ms <= LONGEST_WAIT_MS
    assert wait.reason


def test_the_evidence_answers_a_finished_sentence_soon_and_gives_a_number_time() -> None:
    judge = ByEvidence()
    finished, trailing, dictating = (
        judge.wait_ms(said(text)) for text in ("where is my order", "i want to go to the", "my number is five five")
    )
    assert finished < 700 < trailing <= LONGEST_WAIT_MS
    assert dictating > 1100
    assert endpoint(endpointing_of(StartSpeakingPlan(), judge), said("where is my order")) == Wait(finished, "evidence")
