"""Speech over the assistant's, in virtual time: pause, decide, clear or resume; and what becomes of what was said."""

from dataclasses import replace

import pytest
from virtual_call import MS_PER_CHARACTER, VirtualCall

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_llm_orchestrator.plan import Plan
from voxbus_llm_orchestrator.tool_lines import ToolPlan

SILENT = ToolPlan(is_own=True, is_silent=True)
QUIET = Plan(
    first_message_mode="assistant-waits-for-user",
    tool_plans={name: SILENT for name in ("look", "order_status", "stock")},
)
LONG = "This is a rather long answer that goes on and on for quite a while."
QUESTION = "Shall I book the table for you?"
SPEECH_MS = 2500


def answering(text: str = LONG, plan: Plan = QUIET) -> VirtualCall:
    """A call in which the assistant says `text` from 1520 ms on."""
    virtual = VirtualCall(plan, [[text], ["Of course."]])
    virtual.attach()
    virtual.caller_says("tell me", 500, 500)
    return virtual


def turns(virtual: VirtualCall) -> list[str]:
    return [turn.text for turn in virtual.said(e.TurnCommitted)]  # type: ignore[attr-defined]


def guess(virtual: VirtualCall, at_ms: int, text: str, seq: int = 2) -> None:
    partial = e.TranscriptPartial(transcript_seq=seq, text=text, start_pts_ms=at_ms - 300, end_pts_ms=at_ms)
    virtual.happens(at_ms, "stt-worker", partial)


@pytest.mark.parametrize("nod", ["uh-huh", "Mm-hmm.", "okay", "yeah sure", "I see", "um"])
def test_an_acknowledgement_resumes_and_is_no_turn_afterwards(nod: str) -> None:
    virtual = answering()
    virtual.caller_says(nod, SPEECH_MS, 400)
    virtual.run(10_000)
    assert not virtual.said(c.ClearPlayback)
    (resume,) = virtual.said(c.ResumePlayback)
    assert (resume.reason, resume.speech_seq) == ("acknowledged", 2)
    (dismissed,) = virtual.said(e.TranscriptDismissed)
    assert (dismissed.reason, dismissed.transcript_seqs) == ("acknowledged", (2,))
    assert turns(virtual) == ["tell me"]
    assert [reply.heard for reply in virtual.said(e.ReplyFinished)] == [LONG]


def test_a_resumed_playback_goes_on_where_it_was_paused() -> None:
    virtual = answering()
    virtual.caller_says("", SPEECH_MS, 350)
    virtual.run(10_000)
    (paused,), (resumed,) = virtual.said(e.PlaybackPaused), virtual.said(e.PlaybackResumed)
    assert (paused.played_ms, resumed.reason) == (resumed.played_ms, "command")
    assert resumed.pts_ms - paused.pts_ms <= 500


def test_a_nod_in_the_middle_of_a_question_is_a_nod_and_at_its_end_an_answer() -> None:
    early, late = answering(LONG + " " + QUESTION), answering(QUESTION)
    early.caller_says("yes", SPEECH_MS, 300)
    late.caller_says("yes", SPEECH_MS, 300)
    early.run(10_000)
    late.run(10_000)
    assert turns(early) == ["tell me"]
    assert turns(late) == ["tell me", "yes"]
    assert [reply.heard for reply in late.said(e.ReplyFinished)] == [QUESTION, "Of course."]


def test_a_nod_before_the_end_of_a_statement_is_dismissed_and_after_it_a_turn() -> None:
    text = "It ships on Friday."
    end_ms = 1_550 + MS_PER_CHARACTER * len(text)
    during, after = answering(text), answering(text)
    during.caller_says("okay", end_ms - 600, 250)
    after.caller_says("okay", end_ms + 100, 250)
    assert turns(during.run(6_000)) == ["tell me"]
    assert turns(after.run(6_000)) == ["tell me", "okay"]


def test_a_nod_while_a_tool_is_still_at_work_is_no_answer() -> None:
    virtual = VirtualCall(QUIET, [["Let me look.", ("look", {})], ["It has shipped."]])
    virtual.attach()
    virtual.caller_says("where is it", 500, 500)
    virtual.caller_says("okay", 2_000, 300)
    virtual.happens(
        6_000, "tool-runner", e.ToolFinished(tool_call_id="call_1_1", tool_name="look", result="x", duration_ms=9)
    )
    virtual.run(10_000)
    assert turns(virtual) == ["where is it"]
    assert [reply.heard for reply in virtual.said(e.ReplyFinished)] == ["Let me look.", "It has shipped."]


def test_an_interruption_phrase_clears_at_once_from_a_guess_whatever_number_of_words_is_asked_for() -> None:
    for plan in (QUIET, replace(QUIET, num_words=5)):
        virtual = answering(plan=plan)
        virtual.caller_says("wait I meant the other one", SPEECH_MS, 1500)
        virtual.run(10_000)
        (interrupted,) = virtual.said(e.ReplyInterrupted)
        assert interrupted.reason == "interruption-phrase"
        assert virtual.said(c.ClearPlayback)[0].pts_ms == SPEECH_MS + 350  # the first guess
        assert turns(virtual) == ["tell me", "wait I meant the other one"]


def test_a_number_of_words_is_needed_where_one_is_asked_for_and_nothing_pauses_before() -> None:
    few, enough = answering(plan=replace(QUIET, num_words=3)), answering(plan=replace(QUIET, num_words=3))
    few.caller_says("um what about", SPEECH_MS, 1500)
    enough.caller_says("what about tomorrow", SPEECH_MS, 1500)
    few.run(12_000)
    enough.run(12_000)
    assert not few.said(c.ClearPlayback) and not few.said(e.PlaybackPaused)
    assert turns(few) == ["tell me", "um what about"], "what was said is answered once the assistant has finished"
    (interrupted,) = enough.said(e.ReplyInterrupted)
    assert interrupted.reason == "caller-spoke"


def test_a_guess_that_may_become_a_nod_waits_while_the_line_is_quiet_and_more_words_decide() -> None:
    nod, more = answering(), answering()
    for virtual, text in ((nod, "I see"), (more, "I want the other one")):
        guess(virtual, SPEECH_MS + 300, "I")
        guess(virtual, SPEECH_MS + 500, text)
        virtual.caller_says(text, SPEECH_MS, 480)
        virtual.run(10_000)
    assert not nod.said(c.ClearPlayback)
    assert more.said(c.ClearPlayback)[0].pts_ms == SPEECH_MS + 500


def test_a_guess_that_may_become_a_nod_is_waited_for_before_the_line_falls_silent_too() -> None:
    nod, more = answering(), answering()
    for virtual, text in ((nod, "I see"), (more, "I want the other one")):
        guess(virtual, SPEECH_MS + 135, "I")
        guess(virtual, SPEECH_MS + 375, text)
        virtual.caller_says(text, SPEECH_MS, 480)
        virtual.run(10_000)
    assert not nod.said(c.ClearPlayback)
    assert more.said(c.ClearPlayback)[0].pts_ms == SPEECH_MS + 375


def test_words_that_come_after_the_assistant_went_on_still_interrupt_it() -> None:
    virtual = answering()
    virtual.happens(SPEECH_MS + 80, "vad", e.SpeechStarted(speech_seq=2, pts_ms=SPEECH_MS, detected_pts_ms=2580))
    stopped = e.SpeechStopped(speech_seq=2, pts_ms=SPEECH_MS + 400, detected_pts_ms=3100, voiced_ms=400)
    virtual.happens(3_100, "vad", stopped)
    slow = e.TranscriptFinal(
        transcript_seq=2,
        text="where is it",
        start_pts_ms=SPEECH_MS,
        end_pts_ms=2900,
        speech_seq=2,
        provider="slow",
        recognition_ms=700,
    )
    virtual.happens(3_900, "stt-worker", slow)
    virtual.run(10_000)
    assert virtual.said(e.PlaybackResumed)[0].pts_ms == 3_200
    assert virtual.said(c.ClearPlayback)[0].pts_ms == 3_900
    assert turns(virtual) == ["tell me", "where is it"]


def test_every_pause_is_decided_within_half_a_second() -> None:
    for text, length_ms in (("", 200), ("", 600), ("", 3_000), ("okay", 900), ("tell me more", 900), ("stop", 300)):
        virtual = answering()
        virtual.caller_says(text, SPEECH_MS, length_ms)
        virtual.run(10_000)
        (paused,) = virtual.said(e.PlaybackPaused)
        ends = [event.pts_ms for event in (*virtual.said(e.PlaybackResumed), *virtual.said(e.PlaybackCleared))]
        assert 0 < min(ends) - paused.pts_ms <= 502, text
        assert not [event for event in virtual.said(e.PlaybackResumed) if event.reason == "no-decision"]


def test_after_an_interruption_nothing_sounds_for_the_backoff() -> None:
    virtual = answering(plan=replace(QUIET, backoff_ms=4_000))
    virtual.caller_says("stop", SPEECH_MS, 300)
    virtual.run(12_000)
    cleared = virtual.said(c.ClearPlayback)[0]
    answer = [event for event in virtual.said(e.PlaybackStarted) if event.utterance_seq > cleared.up_to_utterance_seq]
    assert answer[0].pts_ms == cleared.pts_ms + 4_000
    say = virtual.said(c.SaySentence)[-1]
    assert say.not_before_pts_ms == cleared.pts_ms + 4_000, "model and voice work meanwhile"


def test_the_reason_of_an_interruption_is_the_true_one() -> None:
    told, ended = answering(), answering()
    told.happens(SPEECH_MS, "control-api", c.SayOnCall(content="Please hold.", interrupt_assistant=True))
    ended.happens(SPEECH_MS, "control-api", c.EndCall(reason="manually-canceled"))
    for virtual, reason in ((told, "told-to-say"), (ended, "call-ended")):
        virtual.run(10_000)
        (interrupted,) = virtual.said(e.ReplyInterrupted)
        assert interrupted.reason == reason
        assert interrupted.heard and LONG.startswith(interrupted.heard)
    assert ended.end_reason == "manually-canceled"
    assert told.said(c.SaySentence)[-1].not_before_pts_ms == 0, "only the caller's interruptions are followed by quiet"


def test_when_the_caller_hangs_up_what_was_heard_until_then_is_logged_before_the_end() -> None:
    virtual = answering()
    progress = e.PlaybackProgressed(utterance_seq=1, played_ms=1_000, pts_ms=2_540)
    virtual.happens(2_540, "media-ingress", progress)
    virtual.happens(2_550, "media-ingress", e.MediaDetached(attachment=1, pts_ms=2_550, clean=True, code=1000))
    virtual.run(10_000)
    assert [type(entry.message) for entry in virtual.log][-1] is e.CallEnded
    (interrupted,) = virtual.said(e.ReplyInterrupted)
    assert (interrupted.heard, interrupted.pts_ms) == ("This is a rather", 2_550)


def test_an_end_that_waits_for_the_last_report_starts_nothing_new_and_waits_half_a_second_at_most() -> None:
    virtual = answering()
    virtual.drops = e.PlaybackCleared
    virtual.caller_says("and my other order", SPEECH_MS - 800, 500)
    virtual.happens(2_400, "control-api", c.EndCall(reason="manually-canceled"))
    virtual.run(10_000)
    assert turns(virtual) == ["tell me"]
    assert len(virtual.said(e.ReplyStarted)) == 1
    assert virtual.said(e.CallEnded)[0].pts_ms <= 2_900


def test_what_must_not_be_interrupted_is_not_even_by_a_phrase_and_the_caller_is_answered_after_it() -> None:
    virtual = VirtualCall(Plan(first_message="Hello, this call is recorded. How can I help you?"), [["Sure."]])
    virtual.attach()
    virtual.caller_says("stop I have a question", 500, 900)
    virtual.run(10_000)
    assert not virtual.said(e.ReplyInterrupted)
    assert turns(virtual) == ["stop I have a question"]


def test_the_assistants_own_words_do_not_interrupt_it_and_are_no_turn() -> None:
    virtual = answering()
    virtual.caller_says("this is a rather", SPEECH_MS, 450)
    virtual.run(10_000)
    assert not virtual.said(c.ClearPlayback)
    assert [d.reason for d in virtual.said(e.TranscriptDismissed)] == ["echo"]
    assert turns(virtual) == ["tell me"]


def test_a_word_of_the_callers_own_beside_an_echo_that_always_interrupts_does() -> None:
    virtual = answering()
    virtual.caller_says("this is a stop", SPEECH_MS, 450)
    virtual.run(10_000)
    assert virtual.said(e.ReplyInterrupted)[0].reason == "interruption-phrase"


def test_who_repeats_the_assistants_words_after_it_has_finished_is_answered() -> None:
    text = "Is Friday at three all right?"
    virtual = answering(text)
    virtual.caller_says("Friday at three", 1_550 + MS_PER_CHARACTER * len(text) + 200, 900)
    assert turns(virtual.run(8_000)) == ["tell me", "Friday at three"]


def test_an_echo_that_comes_back_after_the_last_word_is_no_turn() -> None:
    text = "It ships on Friday."
    end_ms = 1_550 + MS_PER_CHARACTER * len(text)
    virtual = answering(text)
    virtual.caller_says("on friday", end_ms - 300, 700)
    virtual.run(8_000)
    assert turns(virtual) == ["tell me"]
    assert [d.reason for d in virtual.said(e.TranscriptDismissed)] == ["echo"]
