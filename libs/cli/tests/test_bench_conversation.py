"""A caller of a benchmark, frame by frame on a clock of the test's own."""

import itertools
from dataclasses import dataclass, field

import pytest

from voxbus_audio import SILENCE_FRAME, sine
from voxbus_cli.bench.behaviour import (
    ANSWER_MS,
    NOMINAL_MS,
    QUESTION,
    TOKENS,
    Variant,
    assistant,
    labels,
    question_frames,
)
from voxbus_cli.bench.conversation import BROKEN_OFF_S, JITTER_S, UNANSWERED_S, Asking, Turn

QUESTION_FRAMES = [b"question %d" % number for number in range(10)]
QUIET = [b"quiet"]
LOUD_FRAME = sine(400, 20)
GAP_S = 0.5


@dataclass
class Line:
    """A caller and an agent whose frames come when the test says so."""

    asking: Asking
    now_s: float = 0.0
    sent: list[bytes] = field(default_factory=list)

    def run(self, seconds: float, answer: bytes = b"") -> None:
        """Time passes; an agent that speaks has a frame for every 20 ms."""
        for _ in range(round(seconds * 50)):
            frame = self.asking.frame(self.now_s, GAP_S)
            self.sent.append(frame)
            self.asking.sent(self.now_s)
            if answer:
                self.asking.heard(answer, self.now_s + 0.001)
            self.now_s += 0.02

    @property
    def turns(self) -> list[Turn]:
        return self.asking.turns


def a_line(interrupts: bool = False) -> Line:
    return Line(Asking(QUESTION_FRAMES, QUIET, 1.0, interrupts))


def test_the_question_is_asked_whole_between_quiet_frames() -> None:
    line = a_line()
    line.run(1.0)
    assert set(line.sent) == {b"quiet"}
    line.run(0.2)
    assert line.sent[50:] == QUESTION_FRAMES
    line.run(0.1)
    assert set(line.sent[60:]) == {b"quiet"}


def test_v2v_runs_from_the_questions_last_frame_to_the_first_loud_sample() -> None:
    line = a_line()
    line.run(1.2)
    asked_s = line.now_s - 0.02
    line.run(0.3, SILENCE_FRAME)
    line.run(ANSWER_MS / 1_000 + 0.1, LOUD_FRAME)
    (turn,) = line.turns
    assert turn.asked_s == pytest.approx(asked_s)
    assert turn.v2v_ms == pytest.approx(321)
    assert turn.underruns == 0


def test_the_next_question_comes_when_the_answer_was_heard_and_a_pause_has_passed() -> None:
    line = a_line()
    line.run(1.2)
    line.run(ANSWER_MS / 1_000, LOUD_FRAME)
    ended_s = line.turns[0].first_s
    assert ended_s is not None
    line.run(2.0)
    begins_s = line.sent.index(QUESTION_FRAMES[0], 60) * 0.02
    assert begins_s == pytest.approx(ended_s + ANSWER_MS / 1_000 + GAP_S, abs=0.15)


def test_sound_that_comes_too_late_for_the_ear_is_an_underrun() -> None:
    line = a_line()
    line.run(1.2)
    line.run(1.0, LOUD_FRAME)
    line.run(JITTER_S + 0.2)
    line.run(ANSWER_MS / 1_000, LOUD_FRAME)
    assert line.turns[0].underruns > 0
    assert line.turns[0].late_s == pytest.approx(0.2, abs=0.03)


def test_a_question_without_an_answer_is_a_turn_without_v2v_and_the_caller_asks_again() -> None:
    line = a_line()
    line.run(1.2 + UNANSWERED_S + GAP_S + 0.1)
    assert [turn.v2v_ms for turn in line.turns] == [None]
    assert line.sent.count(QUESTION_FRAMES[0]) == 2


def test_an_answer_that_breaks_off_does_not_hold_the_caller_up() -> None:
    line = a_line()
    line.run(1.2)
    line.run(0.5, LOUD_FRAME)
    line.run(BROKEN_OFF_S + GAP_S + 0.1)
    assert len(line.turns) == 1
    assert line.sent.count(QUESTION_FRAMES[0]) == 2


def test_an_interrupting_caller_measures_when_the_answer_falls_silent() -> None:
    line = a_line(interrupts=True)
    line.run(1.2)
    line.run(1.0 + GAP_S + 0.04, LOUD_FRAME)
    assert line.sent[-1] == QUESTION_FRAMES[0]
    line.run(0.1, LOUD_FRAME)
    line.run(0.2)
    line.asking.finish()
    line.run(ANSWER_MS / 1_000 + 0.1, LOUD_FRAME)
    interrupted, last = line.turns
    assert interrupted.silent_after_s is None
    assert last.silent_after_s == pytest.approx(0.121, abs=0.002)
    assert line.asking.is_done


def test_after_the_end_no_question_is_begun_and_the_last_answer_is_still_heard() -> None:
    line = a_line()
    line.run(1.1)
    line.asking.finish()
    line.run(0.2)
    assert not line.asking.is_done
    line.run(ANSWER_MS / 1_000 + GAP_S + 1, LOUD_FRAME)
    assert line.asking.is_done
    assert len(line.turns) == 1


def test_the_providers_take_560_ms_one_after_the_other() -> None:
    assert NOMINAL_MS == 560
    assert len(TOKENS) == 30


def test_labels_cover_the_question_to_its_last_sample() -> None:
    found = labels(QUESTION, len(question_frames()) * 20)
    assert " ".join(label["text"] for label in found) == QUESTION
    assert found[0]["start_ms"] == 0
    assert found[-1]["end_ms"] == len(question_frames()) * 20
    assert all(one["end_ms"] == two["start_ms"] for one, two in itertools.pairwise(found))


def test_the_default_plan_has_nothing_set_but_speculation() -> None:
    assert assistant("http://x/v1", Variant(wait_ms=None))["startSpeakingPlan"] == {"speculation": {"enabled": True}}
    plan = assistant("http://x/v1", Variant(wait_ms=400, speculates=False))["startSpeakingPlan"]
    assert plan["waitSeconds"] == 0.4
    assert plan["speculation"] == {"enabled": False}
