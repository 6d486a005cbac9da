"""The turn table in virtual time."""

from dataclasses import replace

from virtual_call import VirtualCall

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_llm_orchestrator.plan import Plan, Speculating
from voxbus_llm_orchestrator.rows_supervisor import ASK_BACK

QUIET = Plan(first_message_mode="assistant-waits-for-user")
GREETING = Plan(first_message="Hello, this is the shop. How can I help you?")
LONG = "This is a rather long answer that goes on and on for quite a while."


def call(plan: Plan = QUIET, answers: list[list[object]] | None = None) -> VirtualCall:
    virtual = VirtualCall(plan, answers)
    virtual.attach()
    return virtual


def test_the_assistant_opens_the_call_and_its_words_enter_the_history_once_heard() -> None:
    done = call(GREETING).run(10_000)
    (finished,) = done.said(e.ReplyFinished)
    assert finished.heard == GREETING.first_message
    assert done.reasons[0] == "first-message"


def test_silence_after_a_final_commits_the_turn_and_the_answer_carries_its_anchor() -> None:
    virtual = call(replace(QUIET, speculating=Speculating(enabled=False)), [["It ships on Friday."]])
    virtual.caller_says("where is my order", 1000, 1500)
    virtual.run(8_000)
    (turn,) = virtual.said(e.TurnCommitted)
    assert (turn.text, turn.anchor_pts_ms, turn.pts_ms) == ("where is my order", 2500, 3000)
    (say,) = virtual.said(c.SaySentence)
    assert say.anchor_pts_ms == 2500
    (measured,) = virtual.said(e.TurnMeasured)
    assert measured.v2v_ms == 570
    assert abs(sum(measured.parts.values()) - measured.v2v_ms) < 1


def test_a_short_pause_does_not_end_the_turn() -> None:
    virtual = call()
    virtual.caller_says("my number is", 1000, 800)
    virtual.caller_says("four two seven", 2100, 900)
    virtual.run(8_000)
    (turn,) = virtual.said(e.TurnCommitted)
    assert turn.text == "my number is four two seven"
    assert turn.transcript_seqs == (1, 2)


def test_words_during_the_answer_clear_it_and_the_history_has_what_was_heard() -> None:
    virtual = call(answers=[[LONG], ["Of course."]])
    virtual.caller_says("tell me", 500, 500)
    virtual.caller_says("stop please", 2500, 800)
    virtual.run(10_000)
    (interrupted,) = virtual.said(e.ReplyInterrupted)
    assert LONG.startswith(interrupted.heard)
    cleared = virtual.said(e.PlaybackCleared)[0]
    assert 0 <= cleared.played_ms - len(interrupted.heard) * 50 < 50 * len(" answer")
    assert interrupted.reason == "interruption-phrase"
    assert [turn.text for turn in virtual.said(e.TurnCommitted)] == ["tell me", "stop please"]


def test_speech_that_goes_on_interrupts_half_a_second_after_the_pause_even_without_words() -> None:
    virtual = call(answers=[[LONG]])
    virtual.caller_says("tell me", 500, 500)
    virtual.caller_says("", 2500, 2000)
    virtual.run(10_000)
    clear = virtual.said(c.ClearPlayback)[0]
    assert clear.pts_ms == 2500 + QUIET.voice_ms + 500


def test_a_cough_resumes_the_paused_answer() -> None:
    virtual = call(answers=[[LONG]])
    virtual.caller_says("tell me", 500, 500)
    virtual.caller_says("", 2500, 200)
    virtual.happens(
        2700, "media-ingress", e.PlaybackPaused(utterance_seq=1, played_ms=1000, pts_ms=2700, reason="reflex")
    )
    virtual.run(3_500)
    (resume,) = virtual.said(c.ResumePlayback)
    assert resume.speech_seq == 2
    assert not virtual.said(c.ClearPlayback)


def test_the_first_message_is_not_interruptible_and_what_was_said_meanwhile_is_answered_after_it() -> None:
    virtual = call(GREETING, answers=[["Sure."]])
    virtual.caller_says("hello I have a question", 300, 700)
    virtual.run(8_000)
    assert not virtual.said(c.ClearPlayback)
    first, second = virtual.said(e.ReplyFinished)
    assert (first.heard, second.heard) == (GREETING.first_message, "Sure.")
    assert all(say.reflex == "none" for say in virtual.said(c.SaySentence)[:2])


def test_speech_of_which_nothing_was_understood_is_answered_with_a_question_twice_at_most() -> None:
    virtual = call()
    for start in (1000, 6000, 11000):
        virtual.caller_says("", start, 900)
    virtual.run(15_000)
    assert [reply.heard for reply in virtual.said(e.ReplyFinished)] == [ASK_BACK, ASK_BACK]


def test_a_tool_runs_once_and_its_result_is_answered() -> None:
    virtual = call(answers=[["Let me look.", ("order_status", {"order": "7"})], ["It has shipped."]])
    virtual.caller_says("where is order seven", 500, 900)
    finished = e.ToolFinished(tool_call_id="call_1_1", tool_name="order_status", result="shipped", duration_ms=5)
    virtual.happens(3000, "tool-runner", finished)
    virtual.run(8_000)
    assert len(virtual.said(c.RunTool)) == 1
    assert [reply.heard for reply in virtual.said(e.ReplyFinished)] == ["Let me look.", "It has shipped."]
    assert [reply.source for reply in virtual.said(e.ReplyStarted)] == ["model", "tool"]


def test_a_clean_hang_up_ends_the_call_at_once() -> None:
    virtual = call(GREETING)
    virtual.happens(700, "media-ingress", e.MediaDetached(attachment=1, pts_ms=700, clean=True, code=1000))
    virtual.run(5_000)
    assert virtual.end_reason == "customer-ended-call"
    assert virtual.said(e.CallEnded)[0].pts_ms == 700


def test_a_broken_line_is_waited_for_and_the_reply_ends_when_its_rest_was_heard() -> None:
    virtual = call(Plan(first_message=LONG))
    virtual.break_line(1500, back_ms=6000)
    virtual.run(20_000)
    (finished,) = virtual.said(e.ReplyFinished)
    assert finished.heard == LONG
    assert finished.pts_ms > 6000
    assert len(virtual.said(c.SaySentence)) == 1


def test_a_broken_line_nobody_comes_back_to_ends_the_call_after_the_resume_window() -> None:
    virtual = call(GREETING)
    virtual.break_line(1500)
    virtual.run(20_000)
    assert virtual.end_reason == "customer-ended-call"
    assert virtual.said(e.CallEnded)[0].pts_ms == 11_500


def test_silence_of_everybody_ends_the_call() -> None:
    virtual = call(Plan(first_message="Hi.", silence_timeout_ms=5_000))
    virtual.run(60_000)
    assert virtual.end_reason == "silence-timed-out"


def test_the_maximum_duration_ends_the_call() -> None:
    virtual = call(Plan(first_message="Hi.", max_duration_ms=12_000))
    virtual.run(60_000)
    assert virtual.end_reason == "exceeded-max-duration"
    assert virtual.said(e.CallEnded)[0].pts_ms == 12_030, "30 ms after the ringing the call was answered"


def test_a_say_command_waits_for_the_running_answer_unless_it_may_interrupt() -> None:
    polite, urgent = call(GREETING), call(GREETING)
    polite.happens(500, "control-api", c.SayOnCall(content="Please hold."))
    urgent.happens(500, "control-api", c.SayOnCall(content="Please hold.", interrupt_assistant=True))
    assert [r.heard for r in polite.run(10_000).said(e.ReplyFinished)] == [GREETING.first_message, "Please hold."]
    urgent.run(10_000)
    assert [r.heard for r in urgent.said(e.ReplyFinished)] == ["Please hold."]
    assert len(urgent.said(e.ReplyInterrupted)) == 1


def test_a_say_that_ends_the_call_ends_it_once_it_was_heard() -> None:
    virtual = call(GREETING)
    virtual.happens(500, "control-api", c.SayOnCall(content="Goodbye.", end_call_after_spoken=True))
    virtual.run(20_000)
    assert virtual.end_reason == "assistant-ended-call"
    assert virtual.said(e.ReplyFinished)[-1].heard == "Goodbye."


def test_the_first_message_is_said_again_when_that_is_ordered_and_holds_nothing_up_where_there_is_none() -> None:
    virtual, silent = call(GREETING), call(Plan())
    for each in (virtual, silent):
        each.happens(500, "control-api", c.ControlCall(control="say-first-message"))
        each.happens(600, "control-api", c.SayOnCall(content="Please hold."))
        each.run(12_000)
    first = GREETING.first_message
    assert [r.heard for r in virtual.said(e.ReplyFinished)] == [first, first, "Please hold."]
    assert [r.heard for r in silent.said(e.ReplyFinished)] == ["Please hold."]


def test_a_message_put_in_while_something_is_said_is_answered_afterwards_once() -> None:
    virtual = call(GREETING, [["Good to know."], ["Never said."]])
    virtual.happens(500, "control-api", c.AddMessage(role="system", content="The caller is a member."))
    virtual.run(15_000)
    assert [reply.heard for reply in virtual.said(e.ReplyFinished)] == [GREETING.first_message, "Good to know."]
    silent = call(GREETING, [["Never said."]])
    silent.happens(500, "control-api", c.AddMessage(role="system", content="x", trigger_response=False))
    silent.happens(600, "control-api", c.AddMessage(role="assistant", content="I said that."))
    assert [reply.heard for reply in silent.run(15_000).said(e.ReplyFinished)] == [GREETING.first_message]


def test_a_message_put_in_is_taken_along_by_the_answer_to_the_caller_who_spoke_meanwhile() -> None:
    virtual = call(GREETING, [["It ships on Friday."], ["Never said."]])
    virtual.happens(500, "control-api", c.AddMessage(role="system", content="The caller is a member."))
    virtual.caller_says("where is my order", 700, 1_500)
    virtual.run(15_000)
    assert [reply.heard for reply in virtual.said(e.ReplyFinished)] == [
        *(GREETING.first_message, "It ships on Friday.")
    ]
    names = [type(entry.message) for entry in virtual.log]
    assert names.index(e.MessageAdded) < names.index(e.TurnCommitted)
