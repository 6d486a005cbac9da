"""The judge of the chaos suite sees what went wrong, and nothing where nothing did."""

import random
import sys
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from chaos_judge import (
    NORMAL_END,
    Evidence,
    Kept,
    Tally,
    faults_of,
    losses_of,
    silences_of,
    tally_of,
    unexcused,
)
from chaos_moments import moments_of
from chaos_talk import PERIOD_MS, talk_of

from voxbus_testing.stub_voice import stub_tone

TALK = talk_of(3)
ALPHA, BRAVO, CHARLIE = TALK.exchanges


def sound(at_ms: float, length_ms: int) -> list[tuple[float, bytes]]:
    """The agent's tone as it arrives, 20 ms after 20 ms."""
    return [((at_ms + offset) / 1_000, stub_tone(20)) for offset in range(0, length_ms, 20)]


def good() -> Evidence:
    turns = [("turn.committed", {"text": e.question, "anchor_pts_ms": e.asked_ms}) for e in TALK.exchanges]
    replies = [("reply.finished", {"heard": e.answer}) for e in TALK.exchanges]
    log: list[tuple[str, Mapping[str, Any]]] = [*turns, *replies, ("reply.finished", {"heard": ""}), ("call.ended", {})]
    transcript = "\n".join(f"{e.question}\n{e.answer}" for e in TALK.exchanges)
    record = {"endedReason": NORMAL_END, "artifact": {"transcript": transcript}}
    audio = [frame for e in TALK.exchanges for frame in sound(e.asked_ms + 300, e.answer_ms)]
    return Evidence(log, record, audio, [("key-1", "charlie"), ("key-1", "charlie")])


def without(event: str, evidence: Evidence, **payload: Any) -> Evidence:
    """The first `event` replaced by one of this payload, or left out."""
    log = list(evidence.log)
    at = next(number for number, (name, _) in enumerate(log) if name == event)
    log[at : at + 1] = [(event, {**log[at][1], **payload})] if payload else []
    return replace(evidence, log=log)


def test_a_call_as_it_should_be_has_no_fault() -> None:
    assert faults_of(TALK, good()) == []


def test_a_lost_and_a_doubled_word_are_named() -> None:
    (fault,) = faults_of(TALK, without("turn.committed", good(), text="tell me me where parcel is"))
    assert fault == "words of the caller lost: alpha; doubled: me"


def test_a_sentence_heard_twice_is_a_fault() -> None:
    twice = without("reply.finished", good(), heard=f"{ALPHA.answer} {ALPHA.answer}")
    assert any(fault.startswith("heard ") for fault in faults_of(TALK, twice))
    longer = replace(good(), audio=[*good().audio, *sound(ALPHA.asked_ms + 4_000, ALPHA.answer_ms)])
    (fault,) = faults_of(TALK, longer)
    assert fault.startswith("the answer on alpha sounded for 5")
    written = {**good().record, "artifact": {"transcript": "\n".join([good().record["artifact"]["transcript"]] * 2)}}
    (fault,) = faults_of(TALK, replace(good(), record=written))
    assert fault.startswith("the record's transcript has twice ")


def test_a_tool_run_under_two_keys_is_a_fault_and_a_repeated_delivery_under_one_is_not() -> None:
    (fault,) = faults_of(TALK, replace(good(), booked=[("key-1", "charlie"), ("key-2", "charlie")]))
    assert "under 2 keys" in fault
    (fault,) = faults_of(TALK, replace(good(), booked=[]))
    assert "saw [] under 0 keys" in fault


def test_what_is_said_while_a_tool_is_slow_is_no_fault() -> None:
    filler = "One moment, please."
    slow = replace(good(), log=[*good().log, ("reply.finished", {"heard": filler})])
    slow = replace(slow, audio=[*slow.audio, *sound(BRAVO.asked_ms + 4_000, len(filler) * 30)])
    assert faults_of(TALK, slow) == []


def test_what_is_lost_and_doubled_is_counted() -> None:
    assert tally_of(TALK, good()) == Tally()
    words = without("turn.committed", good(), text="tell me me where parcel is")
    assert tally_of(TALK, words) == Tally(words_lost=1, words_doubled=1)
    first, second = f"Parcel {ALPHA.parcel} left our house this morning.", "It will be at your door before the evening."
    told = tally_of(TALK, without("reply.finished", good(), heard=f"{first} {first}"))
    assert (told.sentences_lost, told.sentences_doubled) == (1, 1), "the second is the answer of others, too"
    assert ALPHA.answer == f"{first} {second}"
    assert tally_of(TALK, replace(good(), booked=[("1", "charlie"), ("2", "charlie")])) == Tally(effects_doubled=1)


def test_of_a_call_that_was_held_up_only_its_end_and_its_side_effects_are_judged() -> None:
    hurt = without("turn.committed", good())
    assert faults_of(TALK, hurt) != []
    assert unexcused(TALK, hurt) == []
    assert unexcused(TALK, replace(hurt, booked=[("1", "charlie"), ("2", "charlie")])) == ["1 side effects doubled"]
    assert unexcused(TALK, without("call.ended", hurt)) == ["ended 0 times"]


@pytest.mark.parametrize("ends", [0, 2])
def test_a_call_ends_once(ends: int) -> None:
    log = [entry for entry in good().log if entry[0] != "call.ended"] + [("call.ended", {})] * ends
    assert faults_of(TALK, replace(good(), log=log)) == [f"ended {ends} times"]


def test_words_said_into_a_dead_line_are_excused_and_no_others() -> None:
    away = [(float(ALPHA.at_ms + 200), float(ALPHA.at_ms + 900))]
    hurt = replace(without("turn.committed", good(), text="me where"), away_ms=away)
    assert faults_of(TALK, hurt) == []
    worse = without("turn.committed", without("turn.committed", hurt))
    assert any("lost" in fault for fault in faults_of(TALK, worse))


def test_silences_are_the_wait_for_an_answer_and_the_worst_hole_in_it() -> None:
    audio = sound(ALPHA.asked_ms + 300, 1_000) + sound(ALPHA.asked_ms + 1_700, 1_000)
    first, second, _ = silences_of(TALK, audio)
    assert (round(first.late_ms), round(first.hole_ms)) == (300, 400)
    assert second.late_ms == BRAVO.at_ms + PERIOD_MS - BRAVO.asked_ms


def kept() -> Kept:
    asked_ms, answered_ms = sum(e.asked_ms - e.at_ms for e in TALK.exchanges), sum(e.answer_ms for e in TALK.exchanges)
    pause = bytes(32 * 500)
    tracks = {"customer": pause + stub_tone(asked_ms), "assistant": pause + stub_tone(answered_ms) + pause}
    costs = ("transport", "transcriber", "model", "voice", "vapi")
    return Kept({"missing_ms": 0}, tracks, archived_upto=90, ended_at=80, cost_rows=costs)


HEARD = [(0.5, stub_tone(sum(e.answer_ms for e in TALK.exchanges))), (9.0, bytes(6_400))]


def test_a_call_that_is_kept_whole_lacks_nothing() -> None:
    assert losses_of(TALK, kept(), HEARD) == []


def test_what_is_not_kept_of_a_call_is_named() -> None:
    assert losses_of(TALK, replace(kept(), recording=None), HEARD) == ["there is no recording"]
    assert losses_of(TALK, replace(kept(), recording={"missing_ms": 40}), HEARD) == [
        "40 ms are missing in the recording"
    ]
    assert losses_of(TALK, replace(kept(), archived_upto=79), HEARD) == ["the archive ends at 79, the call at 80"]
    assert losses_of(TALK, replace(kept(), cost_rows=kept().cost_rows[:-1]), HEARD) == ["no cost of the vapi"]
    (fault,) = losses_of(TALK, replace(kept(), tracks={**kept().tracks, "assistant": bytes(32_000)}), HEARD)
    assert fault.startswith("0 ms of sound on the assistant's track instead of ")


def test_the_record_of_the_assistant_is_held_to_what_the_caller_heard_whatever_was_planned() -> None:
    (fault,) = losses_of(TALK, kept(), HEARD[1:])
    assert fault.endswith("ms of sound on the assistant's track instead of 0")


@pytest.mark.parametrize("seed", range(20))
def test_strikes_that_make_elections_leave_each_other_the_time_for_one(seed: int) -> None:
    moments = moments_of(random.Random(seed), 2.0, 61.0, 3, apart_s=12.0)
    assert all(later - earlier >= 12.0 for earlier, later in pairwise(moments))
    assert moments_of(random.Random(seed), 2.0, 61.0, 3)[0] == moments[0]
    assert moments[-1] < 61.0
