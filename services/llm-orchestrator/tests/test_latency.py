"""The parts of a turn's latency: never negative, and they add up to what the caller waited."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_call import VirtualCall

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_contracts.message import Message
from voxbus_llm_orchestrator.apply import apply
from voxbus_llm_orchestrator.latency import PARTS, measured_turn, waterfall
from voxbus_llm_orchestrator.plan import Plan
from voxbus_llm_orchestrator.state import CallState
from voxbus_llm_orchestrator.tool_lines import ToolPlan

SILENT = ToolPlan(is_own=True, is_silent=True)
QUIET = Plan(
    first_message_mode="assistant-waits-for-user",
    tool_plans={name: SILENT for name in ("look", "order_status", "stock")},
)
LOOK: tuple[str, dict[str, str]] = ("order_status", {"order": "7"})

mark = st.tuples(st.sampled_from(PARTS), st.floats(-5_000, 20_000))


@given(st.lists(mark, max_size=15), st.floats(0, 10_000), st.floats(0, 5_000))
def test_whatever_the_order_of_the_marks_no_part_is_negative_and_the_sum_is_the_whole(
    marks: list[tuple[str, float]], since_ms: float, v2v_ms: float
) -> None:
    parts = waterfall(since_ms, since_ms + v2v_ms, marks)
    assert set(parts) == set(PARTS)
    assert min(parts.values()) >= 0
    assert sum(parts.values()) == pytest.approx(v2v_ms, abs=5)


ms = st.integers(0, 4_000)


@settings(max_examples=200)
@given(
    st.fixed_dictionaries({name: ms for name in ("needed", "commit", "started", "asked", "model", "sentence")}), ms, ms
)
def test_a_turn_prepared_ahead_or_late_by_any_clock_adds_up(times: dict[str, int], first_audio: int, left: int) -> None:
    """Whatever a worker's clock showed, and whatever was begun before the turn was committed."""
    state = CallState()
    for message in _turn(times, first_audio, left):
        state = apply(state, message)
    measured = measured_turn(state, 1)
    assert measured is not None
    assert min(measured.parts.values()) >= 0
    assert sum(measured.parts.values()) == pytest.approx(measured.v2v_ms, abs=5)


def _turn(times: dict[str, int], first_audio_ms: int, left_ms: int) -> list[Message]:
    anchor = 1_000
    return [
        e.ReplyStarted(reply=1, turn=1, source="model", pts_ms=anchor + times["started"]),
        c.SaySentence(
            utterance_seq=1,
            reply=1,
            turn=1,
            text="Yes.",
            anchor_pts_ms=anchor,
            asked_pts_ms=anchor + times["asked"],
            model_ms=times["model"],
            sentence_ms=times["sentence"],
        ),
        e.SpeechSynthesized(
            utterance_seq=1, duration_ms=400, characters=4, first_audio_ms=first_audio_ms, provider="virtual"
        ),
        e.TurnCommitted(
            turn=1,
            text="hello",
            transcript_seqs=(1,),
            anchor_pts_ms=anchor,
            pts_ms=anchor + times["commit"],
            reason="silence-after-final",
            endpointing_ms=times["needed"],
        ),
        e.PlaybackStarted(
            utterance_seq=1,
            pts_ms=anchor + left_ms,
            anchor_pts_ms=anchor,
            v2v_ms=float(left_ms),
            left_pts_ms=anchor + left_ms,
            waited_ms=3.0,
            voice_bus_ms=1.0,
        ),
    ]


def test_each_part_ends_where_the_next_begins() -> None:
    times = {"needed": 500, "commit": 560, "started": 560, "asked": 560, "model": 150, "sentence": 50}
    state = CallState()
    for message in _turn(times, first_audio_ms=40, left_ms=810):
        state = apply(state, message)
    measured = measured_turn(state, 1)
    assert measured is not None
    assert measured.parts == {
        "endpointing": 500,
        "recognition": 60,
        "tools": 0,
        "model": 150,
        "sentence": 50,
        "voice": 40,
        "bus": 7,
        "playout": 3,
    }


def test_what_was_ready_before_the_turn_was_committed_costs_the_caller_nothing() -> None:
    times = {"needed": 500, "commit": 500, "started": 200, "asked": 200, "model": 100, "sentence": 50}
    state = CallState()
    for message in _turn(times, first_audio_ms=40, left_ms=510):
        state = apply(state, message)
    measured = measured_turn(state, 1)
    assert measured is not None
    assert measured.parts["endpointing"] == 500
    assert measured.parts["model"] == measured.parts["sentence"] == measured.parts["voice"] == 0
    assert (measured.parts["bus"], measured.parts["playout"]) == (7, 3)


def call(*answers: list[object]) -> VirtualCall:
    virtual = VirtualCall(QUIET, list(answers))
    virtual.attach()
    virtual.caller_says("where is order seven", 500, 900)
    return virtual


def answered(virtual: VirtualCall, at_ms: int, duration_ms: int) -> None:
    finished = e.ToolFinished(
        tool_call_id="call_1_1", tool_name="order_status", result="shipped", duration_ms=duration_ms
    )
    virtual.happens(at_ms, "tool-runner", finished)


def the_turn(virtual: VirtualCall) -> e.TurnMeasured:
    (measured,) = virtual.said(e.TurnMeasured)
    assert isinstance(measured, e.TurnMeasured)
    assert sum(measured.parts.values()) == pytest.approx(measured.v2v_ms, abs=5)
    return measured


def test_a_tool_before_the_first_sound_is_a_part_of_its_own() -> None:
    virtual = call([LOOK], ["It has shipped."])
    answered(virtual, 3_000, 1_040)
    measured = the_turn(virtual.run(8_000))
    asked_ms = 1_400 + 500 + virtual.model_delay_ms
    assert measured.parts["tools"] == 3_000 - asked_ms
    assert measured.parts["model"] == 2 * virtual.model_delay_ms
    assert measured.v2v_ms == 3_000 + virtual.model_delay_ms + 20 - 1_400
    assert measured.answer_ms is None


def test_what_is_said_before_the_tool_ends_the_waiting_and_the_answer_itself_is_measured_too() -> None:
    virtual = call(["Let me look.", LOOK], ["It has shipped."])
    answered(virtual, 3_000, 1_040)
    measured = the_turn(virtual.run(8_000))
    assert measured.v2v_ms == 500 + virtual.model_delay_ms + 20
    assert measured.parts["tools"] == 0
    assert measured.answer_ms == 3_000 + virtual.model_delay_ms + 20 - 1_400
    assert sum(measured.answer_parts.values()) == pytest.approx(measured.answer_ms, abs=5)
    assert measured.answer_parts["tools"] == 3_000 - (1_400 + 500 + virtual.model_delay_ms)


def test_of_two_tools_at_once_the_one_that_answers_last_is_waited_for() -> None:
    virtual = call([LOOK, ("stock", {})], ["It has shipped."])
    answered(virtual, 2_500, 540)
    virtual.happens(
        3_000, "tool-runner", e.ToolFinished(tool_call_id="call_1_2", tool_name="stock", result="9", duration_ms=1_040)
    )
    assert the_turn(virtual.run(8_000)).parts["tools"] == 3_000 - (1_400 + 500 + virtual.model_delay_ms)


def test_an_answer_interrupted_before_its_voice_was_done_is_measured() -> None:
    virtual = call(["This is a rather long answer that goes on and on."])
    virtual.caller_says("stop", 2_200, 600)
    virtual.drops = e.SpeechSynthesized
    virtual.run(3_250)
    assert virtual.said(e.ReplyInterrupted)
    measured = the_turn(virtual)
    assert measured.v2v_ms == 500 + virtual.model_delay_ms + 20
    assert measured.parts["voice"] == 20


def test_a_caller_who_hangs_up_while_the_tool_runs_leaves_the_latency_of_what_was_heard() -> None:
    virtual = call(["Let me look.", LOOK])
    virtual.happens(4_000, "media-ingress", e.MediaDetached(attachment=1, pts_ms=4_000, clean=True, code=1000))
    measured = the_turn(virtual.run(8_000))
    assert measured.answer_ms is None
    assert [type(entry.message) for entry in virtual.log[-2:]] == [e.TurnMeasured, e.CallEnded]


def test_a_tool_that_never_answers_does_not_keep_the_turn_from_being_measured() -> None:
    virtual = call(["Let me look.", LOOK], ["Yes?"])
    virtual.caller_says("are you still there", 5_000, 900)
    virtual.run(9_000)
    assert [measured.turn for measured in virtual.said(e.TurnMeasured)] == [1, 2]  # type: ignore[attr-defined]


def test_a_turn_without_any_sound_is_not_measured() -> None:
    virtual = call([LOOK])
    assert not virtual.run(4_000).said(e.TurnMeasured)
