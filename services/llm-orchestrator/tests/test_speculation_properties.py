"""Whatever vad and recognizer say, and whoever dies: every turn has one answer, to its own words, heard alone."""

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_call import VirtualCall
from virtual_log import fold, shuffled

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_llm_orchestrator.endpointing import Endpointing, FixedSilence
from voxbus_llm_orchestrator.plan import Plan
from voxbus_llm_orchestrator.words import words_of

TEXTS = ["yes", "where is my order", "i want to cancel it", "my number is", "no thank you", "what is the weather like"]

texts = st.sampled_from(TEXTS)
guesses = st.lists(st.tuples(st.integers(-400, 300), texts), max_size=3)
stretch = st.fixed_dictionaries(
    {
        "gap_ms": st.sampled_from([250, 330, 480, 900, 2_500, 7_000]),
        "length_ms": st.integers(300, 1_500),
        "final": st.sampled_from([*TEXTS, ""]),
        "guesses": guesses,
        "pauses_ms": st.lists(st.integers(0, 1_400), max_size=2),
        "guess_is_final": st.booleans(),
    }
)
stories = st.fixed_dictionaries(
    {
        "stretches": st.lists(stretch, min_size=1, max_size=6),
        "silence_ms": st.sampled_from([200, 500, 800]),
        "model_ms": st.sampled_from([20, 150, 600]),
        "dies_ms": st.lists(st.integers(500, 20_000), max_size=2),
        "message_ms": st.none() | st.integers(500, 12_000),
        "tool": st.booleans(),
    }
)


def answer_to(text: str) -> list[object]:
    """Says what it was asked, so that an answer to something else is noticed."""
    return [f"To {words_of(text)}.", "And this is what else there is to say about it."]


def tool_first(text: str) -> list[object]:
    return [f"To {words_of(text)}.", ("look", {"text": text}), "It takes a moment."]


def lives(story: dict[str, Any]) -> VirtualCall:
    judge = Endpointing(judge=FixedSilence(story["silence_ms"]))
    plan = Plan(first_message_mode="assistant-waits-for-user", wait_ms=0, endpointing=judge)
    virtual = VirtualCall(plan)
    virtual.attach()
    virtual.answer_to = tool_first if story["tool"] else answer_to
    virtual.model_delay_ms = story["model_ms"]
    at_ms = 500
    for number, each in enumerate(story["stretches"], 1):
        start_ms = at_ms + each["gap_ms"]
        at_ms = start_ms + each["length_ms"]
        happen(virtual, number, start_ms, at_ms, each)
    for dies_ms in story["dies_ms"]:
        virtual.worker_dies(dies_ms)
    if story["message_ms"]:
        added = c.AddMessage(role="system", content="A fact.", trigger_response=False)
        virtual.happens(story["message_ms"], "control-api", added)
    return virtual.run(at_ms + 25_000)


def happen(virtual: VirtualCall, number: int, start_ms: int, end_ms: int, each: dict[str, Any]) -> None:
    """One stretch of speech with its guesses and pauses, each producer's in its order."""
    started = e.SpeechStarted(speech_seq=number, pts_ms=start_ms, detected_pts_ms=start_ms + 60)
    virtual.happens(start_ms + 60, "vad", started)
    inside = sorted({start_ms + pause_ms for pause_ms in each["pauses_ms"] if 60 < pause_ms < each["length_ms"] - 50})
    for pause_ms in (*inside, end_ms):
        virtual.caller_pauses(number, pause_ms)
    all_guesses = [(end_ms + after_ms, text) for after_ms, text in each["guesses"]]
    if each["guess_is_final"] and each["final"]:
        all_guesses.append((end_ms + 50, each["final"]))
    for ms, text in sorted(all_guesses):
        if start_ms + 80 < ms < end_ms + 250:
            virtual.recognizer_guesses(text, ms, number)
    stopped = e.SpeechStopped(speech_seq=number, pts_ms=end_ms, detected_pts_ms=end_ms + 200, voiced_ms=300)
    virtual.happens(end_ms + 200, "vad", stopped)
    final = e.TranscriptFinal(
        transcript_seq=number,
        text=each["final"],
        start_pts_ms=start_ms,
        end_pts_ms=end_ms,
        speech_seq=number,
        provider="virtual",
        recognition_ms=50,
    )
    virtual.happens(end_ms + 250, "stt-worker", final)


@settings(max_examples=250, deadline=None)
@given(stories)
def test_every_turn_has_one_answer_and_it_answers_the_words_of_the_turn(story: dict[str, Any]) -> None:
    virtual = lives(story)
    state = virtual.state
    for number, turn in state.turns.items():
        if not turn.text:
            continue
        answers = [reply for reply in state.replies.values() if reply.turn == number and reply.source == "model"]
        assert len(answers) == 1
        said = [state.utterances[seq].text for seq in answers[0].utterances]
        assert said[:1] == [f"To {words_of(turn.text)}."] or (answers[0].ended == "interrupted" and not said)
        assert len(set(said)) == len(said)


@settings(max_examples=150, deadline=None)
@given(stories)
def test_nothing_of_a_dropped_answer_sounds_is_heard_or_runs_a_tool(story: dict[str, Any]) -> None:
    virtual = lives(story)
    state = virtual.state
    dropped = {number for number, each in state.speculations.items() if each.fate == "dropped"}
    sounded = {state.utterances[seq].reply for seq in state.playbacks}
    assert not dropped & sounded
    assert not dropped & set(state.replies)
    assert not dropped & {tool.reply for tool in state.tools.values()}
    assert sum(each.fate == "" for each in state.speculations.values()) <= 1


@settings(max_examples=150, deadline=None)
@given(stories)
def test_the_sound_of_a_prepared_answer_and_its_tools_come_after_the_turn_took_it(story: dict[str, Any]) -> None:
    given_now: set[int] = set()
    held: dict[int, int] = {}
    for entry in lives(story).log:
        match entry.message:
            case c.SaySentence(hold=True) as say:
                held[say.utterance_seq] = say.reply
            case e.ReplyStarted() as started:
                given_now.add(started.reply)
            case e.PlaybackStarted() as played if played.utterance_seq in held:
                assert held[played.utterance_seq] in given_now
            case e.ToolRequested() as tool:
                assert tool.reply in given_now
            case _:
                pass


@settings(max_examples=150, deadline=None)
@given(stories, st.integers(0, 10_000))
def test_the_state_is_the_one_folded_from_the_log_in_any_order_of_arrival(story: dict[str, Any], seed: int) -> None:
    virtual = lives(story)
    assert fold(virtual.log) == virtual.state
    assert fold(shuffled(virtual.log, seed)) == virtual.state


@settings(max_examples=150, deadline=None)
@given(stories)
def test_starts_in_vain_are_at_most_one_for_two_turns_and_one_ahead(story: dict[str, Any]) -> None:
    virtual = lives(story)
    in_vain = len(virtual.said(e.ReplyDropped))
    assert in_vain <= len(virtual.state.turns) / 2 + 1
    starts = len(virtual.said(e.ReplySpeculated)) + sum(
        1 for reply in virtual.said(e.ReplyStarted) if reply.source == "model" and not given_ahead(virtual, reply)
    )
    assert starts <= 1.5 * len(virtual.state.turns) + 2


def given_ahead(virtual: VirtualCall, reply: Any) -> bool:
    return reply.reply in virtual.state.speculations


@settings(max_examples=100, deadline=None)
@given(stories)
def test_heard_words_are_only_words_of_given_answers(story: dict[str, Any]) -> None:
    virtual = lives(story)
    known = {text for reply in virtual.state.replies.values() for text in reply.heard.split()}
    said = {word for seq in virtual.state.playbacks for word in re.split(r"\s+", virtual.state.utterances[seq].text)}
    assert known <= said
