"""Answers prepared in the caller's pauses, in virtual time: when they start, are given or dropped, and their price."""

from dataclasses import replace

import pytest
from virtual_call import VirtualCall

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_contracts.assistant import Assistant
from voxbus_llm_orchestrator.conversation import messages_for
from voxbus_llm_orchestrator.endpointing import Endpointing, FixedSilence
from voxbus_llm_orchestrator.plan import Plan, Speculating
from voxbus_llm_orchestrator.speculation import HELD_CHARACTERS
from voxbus_llm_orchestrator.words import words_of

QUIET = Plan(first_message_mode="assistant-waits-for-user")
QUICK = replace(QUIET, wait_ms=0, endpointing=Endpointing(judge=FixedSilence(200)))
QUESTION = "where is my order"
ANSWER = "It ships on Friday."


def call(plan: Plan = QUIET, *answers: list[object]) -> VirtualCall:
    virtual = VirtualCall(plan, list(answers) or [[ANSWER]])
    virtual.attach()
    return virtual


def speaks(virtual: VirtualCall, text: str = QUESTION, end_ms: int = 2_000, final: str | None = None) -> None:
    """One stretch: the recognizer has guessed all of it 50 ms after its end, the vad tells of the pause at 40."""
    seq = virtual._speech_seq = virtual._speech_seq + 1
    start_ms = end_ms - 1_000
    virtual.happens(
        start_ms + 60, "vad", e.SpeechStarted(speech_seq=seq, pts_ms=start_ms, detected_pts_ms=start_ms + 60)
    )
    virtual.recognizer_guesses(" ".join(text.split()[:-1]), end_ms - 100, seq)
    virtual.caller_pauses(seq, end_ms)
    virtual.recognizer_guesses(text, end_ms + 50, seq)
    stops(virtual, seq, end_ms, text if final is None else final)


def stops(virtual: VirtualCall, seq: int, end_ms: int, text: str) -> None:
    stopped = e.SpeechStopped(speech_seq=seq, pts_ms=end_ms, detected_pts_ms=end_ms + 200, voiced_ms=900)
    virtual.happens(end_ms + 200, "vad", stopped)
    final = e.TranscriptFinal(
        transcript_seq=seq,
        text=text,
        start_pts_ms=end_ms - 1_000,
        end_pts_ms=end_ms,
        speech_seq=seq,
        provider="virtual",
        recognition_ms=20,
    )
    virtual.happens(end_ms + 250, "stt-worker", final)


def fates(virtual: VirtualCall) -> list[str]:
    return [each.fate for each in virtual.state.speculations.values()]


def test_the_answer_is_asked_for_at_the_pause_and_heard_when_the_turn_is_over() -> None:
    virtual = call(QUICK)
    virtual.model_delay_ms = 150
    speaks(virtual)
    virtual.run(6_000)
    (speculated,) = virtual.said(e.ReplySpeculated)
    assert (speculated.text, speculated.pts_ms, speculated.basis) == (QUESTION, 2_050, "partial")
    (turn,) = virtual.said(e.TurnCommitted)
    (started,) = virtual.said(e.ReplyStarted)
    (played,) = virtual.said(e.PlaybackStarted)
    assert (turn.pts_ms, started.reply, started.utterances, started.anchor_pts_ms) == (2_250, 1, (1,), 2_000)
    assert played.v2v_ms == 270
    assert [reply.heard for reply in virtual.said(e.ReplyFinished)] == [ANSWER]
    assert virtual.asked == [QUESTION]
    assert not virtual.said(e.ReplyDropped)


def test_with_speculation_off_the_model_is_asked_when_the_turn_is_over() -> None:
    virtual = call(replace(QUICK, speculating=Speculating(enabled=False)))
    speaks(virtual)
    virtual.run(6_000)
    assert not virtual.said(e.ReplySpeculated)
    assert not any(say.hold for say in virtual.said(c.SaySentence))
    assert virtual.said(e.PlaybackStarted)[0].v2v_ms == 250 + 50 + 20


def test_a_final_that_says_something_else_drops_the_answer_and_is_answered_itself() -> None:
    virtual = call(QUICK, ["To the first."], ["To the second."])
    speaks(virtual, QUESTION, final="where is my older brother")
    virtual.run(6_000)
    (drop,) = virtual.said(e.ReplyDropped)
    assert (drop.reply, drop.reason, drop.prompt_tokens) == (1, "caller-went-on", 100)
    assert virtual.asked == [QUESTION, "where is my older brother"]
    assert [reply.heard for reply in virtual.said(e.ReplyFinished)] == ["To the second."]
    assert {played.utterance_seq for played in virtual.said(e.PlaybackStarted)} == {2}


def test_case_and_punctuation_of_the_final_do_not_matter() -> None:
    virtual = call(QUICK)
    speaks(virtual, QUESTION, final="Where is my order?")
    virtual.run(6_000)
    assert fates(virtual) == ["given"]
    assert virtual.asked == [QUESTION]
    assert words_of("I\u2019d like  2, please!") == words_of("id like 2 please") != words_of("id like 3 please")


def test_a_caller_who_goes_on_is_answered_to_all_of_it() -> None:
    virtual = call(QUIET, ["Early."], ["To all."])
    speaks(virtual, "i have a question", 2_000)
    speaks(virtual, QUESTION, 3_400)
    virtual.run(8_000)
    (turn,) = virtual.said(e.TurnCommitted)
    assert turn.text == f"i have a question {QUESTION}"
    assert [reply.heard for reply in virtual.said(e.ReplyFinished)] == ["To all."]
    assert fates(virtual)[0] == "dropped"


@pytest.mark.parametrize("text", ["my number is", "four two seven", "i would like to and", "um"])
def test_after_words_that_are_not_all_nothing_is_prepared(text: str) -> None:
    virtual = call(QUICK)
    speaks(virtual, text)
    virtual.run(2_249)
    assert not virtual.said(e.ReplySpeculated)


def test_a_pause_the_caller_did_not_stop_after_starts_nothing_later() -> None:
    virtual = call(QUICK)
    virtual.happens(1_060, "vad", e.SpeechStarted(speech_seq=1, pts_ms=1_000, detected_pts_ms=1_060))
    virtual.recognizer_guesses("where is", 1_500)
    virtual.caller_pauses(1, 1_600)
    virtual.recognizer_guesses(QUESTION, 2_200)
    virtual.run(3_000)
    assert not virtual.said(e.ReplySpeculated)


def test_the_same_words_are_tried_once_and_a_guess_is_not_followed_by_the_next_at_once() -> None:
    virtual = call(QUICK, ["One."], ["Two."], ["Three."])
    virtual.happens(1_060, "vad", e.SpeechStarted(speech_seq=1, pts_ms=1_000, detected_pts_ms=1_060))
    virtual.recognizer_guesses(QUESTION, 1_500)
    virtual.caller_pauses(1, 1_600)
    virtual.recognizer_guesses("where is my other order", 1_680)
    virtual.recognizer_guesses(QUESTION, 1_700)
    virtual.run(3_000)
    assert [each.text for each in virtual.said(e.ReplySpeculated)] == ["where is my other order"]


def test_a_guess_that_has_not_heard_the_last_word_is_waited_for() -> None:
    virtual = call(QUICK)
    virtual.happens(1_060, "vad", e.SpeechStarted(speech_seq=1, pts_ms=1_000, detected_pts_ms=1_060))
    virtual.recognizer_guesses("where is my", 1_700)
    virtual.caller_pauses(1, 2_000)
    virtual.recognizer_guesses(QUESTION, 2_090)
    virtual.run(2_150)
    assert [(each.text, each.pts_ms) for each in virtual.said(e.ReplySpeculated)] == [(QUESTION, 2_090)]


def test_a_tool_of_a_prepared_answer_is_not_run_nor_asked_for_before_the_turn_is_over() -> None:
    virtual = call(QUICK, ["Let me look.", ("order_status", {"n": 1}), "Just a moment, please."], ["It shipped."])
    speaks(virtual)
    virtual.run(2_249)
    assert [say.text for say in virtual.said(c.SaySentence)] == ["Let me look."]
    assert not virtual.said(e.ToolRequested)
    done = e.ToolFinished(tool_call_id="call_1_1", tool_name="order_status", result="shipped", duration_ms=5)
    virtual.happens(2_400, "tool-runner", done)
    virtual.run(8_000)
    assert len(virtual.said(c.RunTool)) == 1
    heard = [reply.heard for reply in virtual.said(e.ReplyFinished)]
    assert heard == ["Let me look. Just a moment, please.", "It shipped."]


def test_a_dropped_answers_tool_is_never_asked_for() -> None:
    virtual = call(QUICK, [("cancel_order", {"n": 1})], ["Fine."])
    speaks(virtual, "cancel my order", final="do not cancel my order")
    virtual.run(6_000)
    assert not virtual.said(e.ToolRequested)
    assert [reply.heard for reply in virtual.said(e.ReplyFinished)] == ["Fine."]


def test_only_the_first_sentences_of_a_prepared_answer_are_given_to_the_voice() -> None:
    sentences: list[object] = [f"This is sentence number {n} of a long answer." for n in range(6)]
    virtual = call(QUIET, sentences)
    speaks(virtual)
    virtual.run(2_490)
    ahead = [say.text for say in virtual.said(c.SaySentence)]
    assert HELD_CHARACTERS <= sum(map(len, ahead)) < 2 * HELD_CHARACTERS
    virtual.run(30_000)
    assert [say.text for say in virtual.said(c.SaySentence)] == sentences
    assert [reply.heard for reply in virtual.said(e.ReplyFinished)] == [" ".join(map(str, sentences))]


def test_a_message_put_in_meanwhile_drops_what_was_prepared_without_it() -> None:
    virtual = call(QUIET, ["Without."], ["With."])
    speaks(virtual)
    virtual.happens(2_300, "control-api", c.AddMessage(role="system", content="A fact.", trigger_response=False))
    virtual.run(6_000)
    (drop,) = virtual.said(e.ReplyDropped)
    assert (drop.reason, drop.characters) == ("conversation-changed", len("Without."))
    assert [reply.heard for reply in virtual.said(e.ReplyFinished)] == ["With."]


def test_something_told_to_be_said_goes_before_what_was_prepared() -> None:
    virtual = call(QUIET, ["Prepared."], ["Asked anew."])
    speaks(virtual)
    virtual.happens(2_300, "control-api", c.SayOnCall(content="Please hold."))
    virtual.run(8_000)
    assert fates(virtual)[0] == "dropped"
    assert "Prepared." not in [virtual.state.utterances[seq].text for seq in virtual.state.playbacks]
    assert virtual.said(e.ReplyFinished)[-1].heard == "Asked anew."


def test_the_history_never_holds_a_dropped_answer() -> None:
    virtual = call(QUICK, ["To the first."], ["To the second."])
    speaks(virtual, QUESTION, final="where is my older brother")
    virtual.run(6_000)
    texts = [turn.content for turn in messages_for(virtual.state, Assistant(), 2)]
    assert "where is my older brother" in texts
    assert not any("To the first" in text or text == QUESTION for text in texts)


def test_a_call_that_ends_leaves_no_prepared_answer_open() -> None:
    virtual = call(QUIET)
    speaks(virtual)
    virtual.happens(2_300, "control-api", c.EndCall(reason="manually-canceled"))
    virtual.run(6_000)
    assert fates(virtual) == ["dropped"]
    assert virtual.end_reason == "manually-canceled"
    assert not virtual.said(e.PlaybackStarted)


@pytest.mark.parametrize(("budget", "dropped"), [(20_000, 4), (50, 1)])
def test_wasted_tokens_end_speculation_for_the_call(budget: int, dropped: int) -> None:
    virtual = call(replace(QUICK, speculating=Speculating(max_wasted_tokens=budget)))
    virtual.answer_to = lambda _: ["Yes."]
    for n in range(8):
        speaks(virtual, QUESTION, 2_000 + 3_000 * n, final=QUESTION if n % 2 else "where is my older brother")
    virtual.run(30_000)
    assert len(virtual.said(e.ReplySpeculated)) == len(virtual.said(e.ReplyDropped)) == dropped
    assert virtual.state.wasted_tokens == 101 * dropped
    assert len(virtual.said(e.ReplyFinished)) == 8


def test_a_budget_of_nothing_prepares_nothing() -> None:
    virtual = call(replace(QUICK, speculating=Speculating(max_wasted_tokens=0)))
    speaks(virtual)
    virtual.run(6_000)
    assert not virtual.said(e.ReplySpeculated)
    assert [reply.heard for reply in virtual.said(e.ReplyFinished)] == [ANSWER]


def test_a_recognizer_whose_guesses_are_wrong_is_not_answered_on_guesses_for_ever() -> None:
    virtual = call(QUIET)
    virtual.answer_to = lambda _: ["Yes."]
    virtual.prompt_tokens = 0
    for n in range(12):
        speaks(virtual, f"is this the {n} question", 2_000 + 3_000 * n, final=f"is this question {n}")
    virtual.run(40_000)
    bases = [(each.basis, each.fate) for each in virtual.state.speculations.values()]
    assert bases.count(("partial", "dropped")) == 1
    assert bases.count(("final", "given")) >= 8
    turns = len(virtual.said(e.TurnCommitted))
    assert turns == 12
    assert len(virtual.asked) <= 1.5 * turns


@pytest.mark.parametrize("dies_ms", [2_070, 2_150, 2_255, 2_400])
def test_whoever_takes_the_call_over_gives_the_prepared_answer_once_and_whole(dies_ms: int) -> None:
    virtual = call(QUICK)
    virtual.answer_to = lambda text: ["First of it.", "Second of it.", "And the third of what I say."]
    virtual.model_delay_ms = 80
    speaks(virtual)
    virtual.worker_dies(dies_ms)
    virtual.run(10_000)
    assert [say.text for say in virtual.said(c.SaySentence)] == virtual.answer_to("")
    assert [reply.heard for reply in virtual.said(e.ReplyFinished)] == [" ".join(map(str, virtual.answer_to("")))]
    assert fates(virtual) == ["given"]
