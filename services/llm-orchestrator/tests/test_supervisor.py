"""A silent line is a bug: whoever fails in the assistant's turn, the caller hears something, and it is counted."""

from dataclasses import replace

import pytest
from virtual_call import VirtualCall

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_llm_orchestrator.answering import APOLOGY, Failure, failed
from voxbus_llm_orchestrator.apply_tools import TOOL_GAVE_NO_ANSWER
from voxbus_llm_orchestrator.plan import Plan
from voxbus_llm_orchestrator.rows_supervisor import ASK_BACK, FILLERS
from voxbus_llm_orchestrator.rows_voice import EXCUSE
from voxbus_llm_orchestrator.tool_lines import ToolPlan

QUIET = Plan(first_message_mode="assistant-waits-for-user", voice_provider="custom-voice", model_provider="custom-llm")


def call(answers: list[list[object]] | None = None, plan: Plan = QUIET) -> VirtualCall:
    virtual = VirtualCall(plan, answers)
    virtual.attach()
    return virtual


def asking(text: str = "where is my order", *, plan: Plan = QUIET, **knobs: object) -> VirtualCall:
    """The caller asks; the turn is committed at 2500."""
    virtual = call([["It ships on Friday."]] * 2, plan)
    for name, value in knobs.items():
        setattr(virtual, name, value)
    virtual.caller_says(text, 1_000, 1_000)
    return virtual


def heard(virtual: VirtualCall) -> list[str]:
    replies = virtual.state.replies.values()
    return [reply.heard for reply in replies if reply.heard]


def faults(virtual: VirtualCall) -> list[str]:
    return [fault.code for fault in virtual.said(e.FaultRaised) if isinstance(fault, e.FaultRaised)]


def silences_ms(virtual: VirtualCall, since_ms: int) -> list[int]:
    """How long the caller heard nothing, each time, from `since_ms` to the last sound."""
    sounds = sorted((p.started_pts_ms, p.last_pts_ms) for p in virtual.state.playbacks.values() if p.played_ms)
    at_ms, gaps = since_ms, []
    for started, ended in sounds:
        if ended > since_ms:
            gaps.append(max(0, started - at_ms))
            at_ms = max(at_ms, ended)
    return gaps


# --- the model ---


def test_a_slow_model_is_bridged_with_a_filler_and_its_answer_still_comes() -> None:
    virtual = asking(model_delay_ms=6_000).run(20_000)
    assert heard(virtual) == ["It ships on Friday.", FILLERS[0]]
    assert virtual.rescues == ["filler"]
    assert not faults(virtual)
    assert max(silences_ms(virtual, 2_000)) <= 5_000


def test_a_model_that_says_nothing_is_asked_once_more() -> None:
    virtual = asking(hanging={0}).run(25_000)
    assert heard(virtual)[0] == "It ships on Friday."
    assert faults(virtual) == ["model-slow"]
    (retried,) = virtual.said(e.ReplyRetried)
    assert isinstance(retried, e.ReplyRetried)
    assert (retried.reply, retried.pts_ms) == (1, 10_500)


def test_a_model_that_never_says_anything_is_apologised_for_and_the_second_time_the_call_ends() -> None:
    virtual = asking(hanging={0, 1, 2, 3}).run(25_000)
    assert [reply.heard for reply in virtual.state.replies.values() if reply.source == "model"] == [APOLOGY]
    assert virtual.rescues.count("model-slow") == 2
    virtual.caller_says("hello", 26_000, 800)
    virtual.run(60_000)
    assert virtual.end_reason == "pipeline-error-custom-llm-llm-failed"


def test_a_model_that_stops_in_the_middle_is_asked_to_go_on() -> None:
    virtual = call([["It ships on Friday."]])
    virtual.hanging = {0, 1}
    virtual.caller_says("where is my order", 1_000, 1_000)
    virtual.run(2_600)
    virtual.log_it("llm-orchestrator", c.SaySentence(utterance_seq=1, reply=1, turn=1, text="It ships", pts_ms=2_600))
    virtual._react(virtual.log[-1].message)
    virtual.run(30_000)
    assert virtual.rescues == ["filler", "model-slow", "filler", "model-slow"]
    assert virtual.state.replies[1].heard == f"It ships {APOLOGY}"


def test_a_patience_of_its_own_is_the_models() -> None:
    patient = Plan(first_message_mode="assistant-waits-for-user", model_patience_ms=20_000)
    virtual = call([["Yes."]], patient)
    virtual.model_delay_ms = 15_000
    virtual.caller_says("are you there", 1_000, 1_000)
    virtual.run(25_000)
    assert not faults(virtual)
    assert virtual.rescues == ["filler", "filler"]


@pytest.mark.parametrize(("retryable", "retries"), [(True, 1), (False, 0)])
def test_a_model_that_is_down_is_asked_again_only_where_that_may_help(retryable: bool, retries: int) -> None:
    virtual = asking(hanging={0}).run(3_000)
    virtual.asking = 0
    failure = Failure("model-failed", "custom-llm: down", retryable)
    virtual.carry_out(failed(virtual.state, virtual.plan, 1, failure, virtual.now_ms))
    assert len(virtual.said(e.ReplyRetried)) == retries
    assert heard(virtual.run(10_000)) == (["It ships on Friday."] if retryable else [APOLOGY])


@pytest.mark.parametrize("retryable", [True, False])
def test_a_model_that_fails_gives_its_place_to_the_next_one_for_the_rest_of_the_call(retryable: bool) -> None:
    virtual = asking(hanging={0}, plan=replace(QUIET, stand_ins=2)).run(3_000)
    virtual.asking = 0
    failure = Failure("model-failed", "custom-llm: down", retryable)
    virtual.carry_out(failed(virtual.state, virtual.plan, 1, failure, virtual.now_ms))
    (retried,) = virtual.said(e.ReplyRetried)
    assert retried.stand_in == virtual.state.stand_in == 1
    assert heard(virtual.run(10_000)) == ["It ships on Friday."]


def test_a_slow_model_gives_its_place_to_the_next_one_and_the_last_one_is_not_asked_twice() -> None:
    virtual = asking(hanging={0, 1}, plan=replace(QUIET, stand_ins=1)).run(30_000)
    assert [retried.stand_in for retried in virtual.said(e.ReplyRetried)] == [1]
    assert APOLOGY in heard(virtual)


# --- tools ---


def test_a_slow_tool_that_wants_silence_is_bridged_and_its_answer_is_given() -> None:
    silent = Plan(
        first_message_mode="assistant-waits-for-user", tool_plans={"look": ToolPlan(is_own=True, is_silent=True)}
    )
    virtual = call([[("look", {})], ["It has shipped."]], silent)
    virtual.caller_says("look it up", 1_000, 1_000)
    done = e.ToolFinished(tool_call_id="call_1_1", tool_name="look", result="shipped", duration_ms=9_000)
    virtual.happens(12_000, "tool-runner", done)
    virtual.run(20_000)
    assert heard(virtual) == [FILLERS[0], "It has shipped."]
    assert [reply.source for reply in virtual.state.replies.values()] == ["model", "filler", "tool"]


def test_a_tool_that_never_answers_is_given_up_at_its_limit_and_the_model_is_told() -> None:
    plan = Plan(first_message_mode="assistant-waits-for-user", tool_timeouts_ms={"look": 5_000})
    virtual = call([[("look", {})], ["I cannot look it up."]], plan)
    virtual.caller_says("look it up", 1_000, 1_000)
    virtual.run(20_000)
    (order,) = virtual.said(c.RunTool)
    assert isinstance(order, c.RunTool)
    assert order.timeout_ms == 5_000
    (given_up,) = virtual.said(e.ToolGivenUp)
    assert isinstance(given_up, e.ToolGivenUp)
    assert given_up.pts_ms == 2_500 + 5_000 + 2_000
    assert virtual.state.tools["call_1_1"].result == TOOL_GAVE_NO_ANSWER
    assert heard(virtual)[-1] == "I cannot look it up."


def test_a_tools_answer_that_comes_after_it_was_given_up_changes_nothing() -> None:
    plan = Plan(first_message_mode="assistant-waits-for-user", tool_timeouts_ms={"look": 5_000})
    virtual = call([[("look", {})], ["I cannot look it up."]], plan)
    virtual.caller_says("look it up", 1_000, 1_000)
    late = e.ToolFinished(tool_call_id="call_1_1", tool_name="look", result="shipped", duration_ms=9_000)
    virtual.happens(15_000, "tool-runner", late)
    virtual.run(20_000)
    assert virtual.state.tools["call_1_1"].result == TOOL_GAVE_NO_ANSWER
    assert len([reply for reply in virtual.state.replies.values() if reply.source == "tool"]) == 1


def test_a_tools_answer_is_given_although_something_else_was_said_meanwhile() -> None:
    virtual = call([[("look", {})], ["It has shipped."]])
    virtual.caller_says("look it up", 1_000, 1_000)
    virtual.happens(3_000, "control-api", c.SayOnCall(content="Please hold."))
    done = e.ToolFinished(tool_call_id="call_1_1", tool_name="look", result="shipped", duration_ms=3_000)
    virtual.happens(5_000, "tool-runner", done)
    assert heard(virtual.run(15_000)) == ["Please hold.", "It has shipped."]


# --- the voice ---


def test_a_sentence_the_voice_could_not_say_is_said_again_at_once() -> None:
    virtual = asking(failing={1}).run(10_000)
    assert heard(virtual) == ["It ships on Friday."]
    assert virtual.rescues == ["voice-failed"]
    assert virtual.said(e.PlaybackStarted)[0].pts_ms < 3_000  # type: ignore[attr-defined]
    utterances = virtual.state.utterances
    assert [(seq, u.repeats, u.anchor_pts_ms) for seq, u in utterances.items()] == [(1, 0, 2_000), (2, 1, 2_000)]


def test_a_voice_that_breaks_in_the_middle_says_the_rest_again() -> None:
    virtual = asking(mute={1})
    made = e.SpeechSynthesized(
        utterance_seq=1, duration_ms=700, characters=19, first_audio_ms=5, provider="virtual", failed=True
    )
    virtual.happens(2_560, "tts-worker", made)
    virtual.happens(2_580, "media-ingress", e.PlaybackStarted(utterance_seq=1, pts_ms=2_580))
    virtual.happens(3_280, "media-ingress", e.PlaybackFinished(utterance_seq=1, played_ms=700, pts_ms=3_280))
    virtual.run(10_000)
    assert [u.text for u in virtual.state.utterances.values()] == ["It ships on Friday.", "on Friday."]
    assert heard(virtual) == ["It ships on Friday."]
    assert virtual.rescues == ["voice-failed"]


def test_a_sentence_that_stays_silent_is_said_again_after_the_limit() -> None:
    virtual = asking(mute={1}).run(15_000)
    assert heard(virtual) == ["It ships on Friday."]
    assert faults(virtual) == ["voice-silent"]
    assert [clear.reply for clear in virtual.said(c.ClearPlayback) if isinstance(clear, c.ClearPlayback)] == [0]
    assert max(silences_ms(virtual, 2_550)) <= 4_100


def test_what_the_voice_cannot_say_twice_is_excused_and_a_voice_that_cannot_do_that_ends_the_call() -> None:
    assert heard(asking(failing={1, 2}).run(10_000)) == [EXCUSE]
    gone = asking(failing={1, 2, 3}).run(10_000)
    assert gone.end_reason == "pipeline-error-custom-voice-voice-failed"
    silent = asking(mute={1, 2, 3}).run(20_000)
    assert silent.end_reason == "pipeline-error-custom-voice-voice-failed"
    assert silent.now_ms <= 20_000
    assert silent.rescues == ["voice-silent", "voice-silent", "voice-silent-given-up"]


def test_long_sentences_that_sound_are_left_alone() -> None:
    virtual = call([["word " * 60 + "end."], ["Fine."]])
    virtual.caller_says("tell me", 1_000, 1_000)
    virtual.run(40_000)
    assert not virtual.rescues
    assert len(virtual.said(c.SaySentence)) == 1


def test_a_line_that_is_down_is_no_silent_voice() -> None:
    virtual = asking()
    virtual.break_line(2_560, back_ms=9_500)
    virtual.run(20_000)
    assert not virtual.rescues
    assert heard(virtual) == ["It ships on Friday."]


def test_who_does_not_hear_the_bus_concludes_nothing_from_its_silence() -> None:
    virtual = asking(mute={1})

    def hear(is_deaf: bool) -> None:
        virtual.is_deaf = is_deaf

    virtual.at(2_600, lambda: hear(is_deaf=True))
    virtual.at(12_000, lambda: hear(is_deaf=False))
    virtual.run(11_900)
    assert not virtual.rescues
    virtual.run(20_000)
    assert virtual.rescues == ["voice-silent"], "and what is still missing then is said again"
    assert heard(virtual) == ["It ships on Friday."]


# --- the recognizer ---


def test_a_final_that_never_comes_leaves_the_last_guess_to_be_answered() -> None:
    virtual = call([["Hello."]])
    virtual.caller_says("hello there", 1_000, 1_000, is_final_lost=True)
    virtual.run(15_000)
    (turn,) = virtual.said(e.TurnCommitted)
    assert isinstance(turn, e.TurnCommitted)
    assert (turn.text, turn.pts_ms, turn.reason) == ("hello", 5_000, "final-never-came")
    assert heard(virtual) == ["Hello."]
    assert virtual.rescues == ["final-never-came"]


def test_a_final_that_comes_after_its_guess_was_answered_is_not_answered_again() -> None:
    virtual = call([["Hello."]])
    virtual.caller_says("hello there", 1_000, 1_000, is_final_lost=True)
    late = e.TranscriptFinal(
        transcript_seq=1,
        text="hello there",
        start_pts_ms=1_000,
        end_pts_ms=2_000,
        speech_seq=1,
        provider="virtual",
        recognition_ms=5_000,
    )
    virtual.happens(7_000, "stt-worker", late)
    virtual.run(15_000)
    assert len(virtual.said(e.TurnCommitted)) == 1


def test_speech_of_which_nothing_ever_came_is_asked_for_again() -> None:
    virtual = call()
    virtual.caller_says("", 1_000, 1_000, is_final_lost=True)
    virtual.run(15_000)
    assert heard(virtual) == [ASK_BACK]
    assert faults(virtual) == ["final-never-came"]


def test_a_lost_final_does_not_slow_down_the_next_turn() -> None:
    virtual = call([["Hello."], ["Sure."]])
    virtual.caller_says("hello there", 1_000, 1_000, is_final_lost=True)
    virtual.caller_says("can you help", 9_000, 1_000)
    virtual.run(15_000)
    assert [turn.pts_ms for turn in virtual.state.turns.values()] == [5_000, 10_500]


# --- takeover ---


def test_a_new_owner_goes_on_waiting_where_the_last_one_was() -> None:
    virtual = asking(hanging={0, 1}).run(6_900)
    assert virtual.rescues == ["filler"]
    virtual.asking = 0  # the worker is lost, and its request with it
    virtual.run(30_000)
    assert virtual.rescues.count("filler") <= len(FILLERS)
    assert [event.pts_ms for event in virtual.said(e.ReplyRetried) if isinstance(event, e.ReplyRetried)] == [10_500]


def test_noise_before_a_lost_final_does_not_hide_it() -> None:
    virtual = call([["Hello."]])
    virtual.caller_says("", 1_000, 100)
    virtual.caller_says("stop that", 1_400, 900, is_final_lost=True)
    virtual.run(15_000)
    assert [turn.text for turn in virtual.state.turns.values()] == ["stop"]
    assert heard(virtual) == ["Hello."]


def test_words_whose_final_was_lost_are_answered_with_those_before_them() -> None:
    virtual = call([["Hello."]])
    virtual.caller_says("um", 1_000, 300)
    virtual.caller_says("stop that", 1_500, 900, is_final_lost=True)
    virtual.run(15_000)
    assert [turn.text for turn in virtual.state.turns.values()] == ["um stop"]
    assert heard(virtual) == ["Hello."]
