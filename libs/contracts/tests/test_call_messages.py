"""What the listeners of a call are told."""

import json
from typing import Any

from voxbus_contracts import Message
from voxbus_contracts.commands import ClearPlayback, SaySentence
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import (
    CallEnded,
    CallRinging,
    CallStarted,
    CallTransferred,
    HandoffCompleted,
    LanguageDetected,
    MessageAdded,
    PlaybackCleared,
    PlaybackFinished,
    PlaybackStarted,
    ReplyFinished,
    ReplyInterrupted,
    ReplyStarted,
    SpeechStarted,
    SpeechStopped,
    ToolFinished,
    ToolRequested,
    TranscriptFinal,
    TranscriptPartial,
    TurnCommitted,
)
from voxbus_contracts.told.call_messages import HANG_AFTER_MS, CallMessages

CALL = "6f1c0c1e-30a5-4f0e-9a55-7f6f2a3f3b01"
STARTED = CallStarted(pts_ms=0, setup_ms=5)
EVERYTHING = (
    "conversation-update",
    "function-call",
    "hang",
    "model-output",
    "speech-update",
    "status-update",
    "transcript",
    "tool-calls",
    "tool-calls-result",
    "tool.completed",
    "user-interrupted",
    "voice-input",
    "assistant.started",
    "assistant.speechStarted",
)


class Told:
    """A client and what it was told."""

    def __init__(self, *members: dict[str, Any], **assistant: Any) -> None:
        assistant.setdefault("clientMessages", EVERYTHING)
        made = {"org": "org-1", "call": CALL, "created_at_ms": 1, "assistant": assistant, "assistant_id": "asst-1"}
        config = CallConfig.model_validate(made | {"members": list(members)})
        self.messages = CallMessages(config, lambda speaking: speaking.assistant.client_messages)

    def by(self, *events: Message, at_ms: int = 10_000) -> list[dict[str, Any]]:
        return [told for event in events for told in self.messages.on_message(event, at_ms)]

    def types(self, *events: Message) -> list[str]:
        return [told["type"] for told in self.by(*events)]


def final(seq: int, text: str) -> TranscriptFinal:
    return TranscriptFinal(
        transcript_seq=seq,
        text=text,
        start_pts_ms=1_240,
        end_pts_ms=2_860,
        speech_seq=1,
        provider="position",
        recognition_ms=1,
    )


def turn(number: int, text: str, *seqs: int) -> TurnCommitted:
    return TurnCommitted(
        turn=number, text=text, transcript_seqs=seqs, anchor_pts_ms=2_860, pts_ms=3_400, reason="silence"
    )


def say(seq: int, text: str, reply: int = 2, turn: int = 1) -> SaySentence:
    return SaySentence(utterance_seq=seq, reply=reply, turn=turn, text=text)


def began(seq: int, pts_ms: int = 3_420) -> PlaybackStarted:
    return PlaybackStarted(utterance_seq=seq, pts_ms=pts_ms)


def ended(seq: int, pts_ms: int = 4_420) -> PlaybackFinished:
    return PlaybackFinished(utterance_seq=seq, played_ms=1_000, pts_ms=pts_ms)


def test_the_life_of_a_call_is_told_as_status() -> None:
    told = Told()
    (ringing,) = told.by(CallRinging(), at_ms=5)
    assert ringing == {"type": "status-update", "timestamp": 5, "status": "ringing"}
    assert [(m["type"], m.get("status")) for m in told.by(STARTED)] == [
        ("status-update", "in-progress"),
        ("assistant.started", None),
    ]
    (over,) = told.by(CallEnded(pts_ms=60_000, reason="customer-ended-call"))
    assert (over["status"], over["endedReason"]) == ("ended", "customer-ended-call")


def test_the_assistant_is_shown_without_addresses_headers_or_secrets() -> None:
    told = Told(
        name="Demo",
        server={"url": "https://example.org", "secret": "hush", "headers": {"x-key": "hush"}},
        model={"provider": "custom-llm", "model": "m", "headers": {"authorization": "hush"}},
    )
    shown = told.by(STARTED)[1]["newAssistant"]
    assert shown["name"] == "Demo"
    assert shown["model"] == {"provider": "custom-llm", "model": "m"}
    assert "hush" not in json.dumps(shown)


def test_the_callers_speech_and_words_are_told() -> None:
    told = Told()
    assert told.by(SpeechStarted(speech_seq=1, pts_ms=1_240, detected_pts_ms=1_320), at_ms=7) == [
        {"type": "speech-update", "timestamp": 7, "role": "user", "status": "started", "turn": 0}
    ]
    told.by(SpeechStopped(speech_seq=1, pts_ms=2_860, detected_pts_ms=3_060, voiced_ms=1_420))
    partial = TranscriptPartial(transcript_seq=1, text="where is", start_pts_ms=1_240, end_pts_ms=2_000)
    assert told.by(partial, at_ms=8) == [
        {
            "type": "transcript",
            "timestamp": 8,
            "role": "user",
            "transcriptType": "partial",
            "transcript": "where is",
        }
    ]
    assert [m["transcriptType"] for m in told.by(final(1, "where is my order"))] == ["final"]
    assert told.by(final(2, "")) == []


def test_the_filter_on_final_transcripts_leaves_partials_out_and_is_the_type_sent() -> None:
    told = Told(clientMessages=['transcript[transcriptType="final"]'])
    assert told.by(TranscriptPartial(transcript_seq=1, text="a", start_pts_ms=0, end_pts_ms=20)) == []
    assert told.types(final(1, "a b")) == ['transcript[transcriptType="final"]']


def test_only_what_was_subscribed_is_sent() -> None:
    told = Told(clientMessages=["hang"])
    assert told.by(CallRinging(), STARTED, final(1, "a"), turn(1, "a", 1), say(1, "b"), began(1), ended(1)) == []


def test_a_committed_turn_enters_the_conversation_with_its_times() -> None:
    told = Told(model={"messages": [{"role": "system", "content": "Be kind."}]})
    told.by(STARTED, at_ms=100_000)
    told.by(final(1, "where is my order"))
    (update,) = told.by(turn(1, "where is my order", 1))
    assert update["messages"] == [
        {
            "role": "system",
            "message": "Be kind.",
            "time": 0,
            "endTime": 0,
            "secondsFromStart": 0.0,
            "duration": 0,
        },
        {
            "role": "user",
            "message": "where is my order",
            "time": 101_240,
            "endTime": 102_860,
            "secondsFromStart": 1.24,
            "duration": 1_620,
        },
    ]
    openai = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "where is my order"}]
    assert update["messagesOpenAIFormatted"] == openai
    assert update["conversation"] == openai


def test_an_answer_is_told_as_it_is_made_and_its_words_when_they_were_heard() -> None:
    told = Told()
    told.by(STARTED, turn(1, "hello"), ReplyStarted(reply=2, turn=1, source="model"))
    made = told.by(say(3, "It ships on Friday."))
    assert [m["type"] for m in made] == ["model-output", "voice-input"]
    assert (made[0]["output"], made[1]["input"]) == ("It ships on Friday.", "It ships on Friday.")
    assert made[0]["turnId"] == made[1]["turnId"]
    sounding = told.by(began(3))
    assert [(m["type"], m.get("status")) for m in sounding] == [
        ("speech-update", "started"),
        ("assistant.speechStarted", None),
    ]
    assert sounding[0]["role"] == "assistant"
    (heard,) = told.by(ended(3))
    assert (heard["role"], heard["transcriptType"], heard["transcript"]) == (
        "assistant",
        "final",
        "It ships on Friday.",
    )
    done = told.by(ReplyFinished(reply=2, turn=1, heard="It ships on Friday.", pts_ms=4_420))
    assert [m["type"] for m in done] == ["speech-update", "conversation-update"]
    assert done[0]["status"] == "stopped"
    assert done[1]["messages"][-1] == {
        "role": "bot",
        "message": "It ships on Friday.",
        "time": 10_000 + 3_420,
        "endTime": 10_000 + 4_420,
        "secondsFromStart": 3.42,
        "duration": 1_000,
    }


def test_a_held_sentence_is_told_when_it_may_be_heard_and_a_dropped_one_never() -> None:
    told = Told()
    assert told.by(SaySentence(utterance_seq=1, reply=1, turn=1, text="It shipped.", hold=True)) == []
    assert told.by(SaySentence(utterance_seq=2, reply=2, turn=1, text="It ships.", hold=True)) == []
    assert told.by(ClearPlayback(up_to_utterance_seq=1, reason="caller-went-on")) == []
    assert told.by(PlaybackCleared(up_to_utterance_seq=1, utterance_seq=0, played_ms=0, pts_ms=3_000)) == []
    released = told.by(ReplyStarted(reply=2, turn=1, source="model", utterances=(2,)))
    assert [(t["type"], t.get("output") or t.get("input")) for t in released] == [
        ("model-output", "It ships."),
        ("voice-input", "It ships."),
    ]


def test_a_fixed_text_is_no_model_output() -> None:
    told = Told()
    told.by(ReplyStarted(reply=1, turn=0, source="first-message"))
    assert told.types(say(1, "Hello!", reply=1, turn=0)) == ["voice-input"]


def test_the_text_spoken_so_far_adds_up_over_the_sentences_of_a_reply() -> None:
    told = Told()
    told.by(ReplyStarted(reply=2, turn=1, source="model"), say(3, "One."), say(4, "Two."), began(3), ended(3))
    (spoken,) = told.by(began(4))
    assert (spoken["type"], spoken["text"], spoken["source"]) == ("assistant.speechStarted", "One. Two.", "model")


def test_an_interrupted_answer_is_told_up_to_what_was_heard() -> None:
    told = Told()
    told.by(STARTED, ReplyStarted(reply=2, turn=1, source="model"), say(3, "It ships."), say(4, "On Friday, I think."))
    told.by(began(3), ended(3), began(4))
    cut = told.by(PlaybackCleared(up_to_utterance_seq=4, utterance_seq=4, played_ms=300, pts_ms=5_000))
    assert [(m["type"], m["status"]) for m in cut] == [("speech-update", "stopped")]
    broken = ReplyInterrupted(
        reply=2, turn=1, heard="It ships. On Friday,", up_to_utterance_seq=4, pts_ms=5_000, reason="caller-spoke"
    )
    told_then = told.by(broken)
    assert [m["type"] for m in told_then] == ["transcript", "user-interrupted", "conversation-update"]
    assert told_then[0]["transcript"] == "On Friday,"
    assert told_then[2]["messages"][-1]["message"] == "It ships. On Friday,"


def test_an_answer_cut_for_another_reason_is_no_interruption_by_the_caller() -> None:
    told = Told()
    told.by(STARTED, ReplyStarted(reply=2, turn=1, source="model"), say(3, "It ships."), began(3))
    broken = ReplyInterrupted(reply=2, turn=1, heard="It", up_to_utterance_seq=3, pts_ms=5_000, reason="told-to-say")
    assert told.types(broken) == ["speech-update", "transcript", "conversation-update"]


def test_a_turn_that_was_not_understood_adds_nothing_to_the_conversation() -> None:
    assert Told().by(turn(1, "")) == []


def test_a_tool_call_is_told_in_every_shape_clients_read() -> None:
    tool = {
        "type": "function",
        "function": {"name": "order_status", "description": "d", "parameters": {"type": "object"}},
        "server": {"url": "https://example.org/tool", "secret": "hush"},
    }
    told = Told(model={"tools": [tool]})
    asked = told.by(
        ToolRequested(tool_call_id="call_2_1", tool_name="order_status", arguments={"order": "4711"}, reply=2, turn=1)
    )
    by_type = {m["type"]: m for m in asked}
    call = {
        "id": "call_2_1",
        "type": "function",
        "function": {"name": "order_status", "arguments": {"order": "4711"}},
        "name": "order_status",
        "arguments": {"order": "4711"},
        "parameters": {"order": "4711"},
    }
    calls = by_type["tool-calls"]
    assert calls["toolCallList"] == calls["toolCalls"] == [call]
    assert calls["toolWithToolCallList"] == [
        {
            "type": "function",
            "function": {"name": "order_status", "description": "d", "parameters": {"type": "object"}},
            "async": False,
            "server": {"url": "https://example.org/tool", "timeoutSeconds": 20.0},
            "messages": [],
            "toolCall": call,
        }
    ]
    assert by_type["function-call"]["functionCall"] == {"name": "order_status", "parameters": {"order": "4711"}}
    entry = by_type["conversation-update"]["messagesOpenAIFormatted"][-1]
    assert entry["tool_calls"][0]["function"] == {"name": "order_status", "arguments": '{"order": "4711"}'}
    answered = told.by(ToolFinished(tool_call_id="call_2_1", tool_name="order_status", result="Friday", duration_ms=10))
    assert {m["type"] for m in answered} == {"tool-calls-result", "tool.completed", "conversation-update"}
    assert answered[-1]["messages"][-1]["role"] == "tool_call_result"
    assert answered[-1]["messages"][-1]["result"] == "Friday"
    assert "hush" not in json.dumps(asked + answered)


def test_an_added_message_enters_the_conversation() -> None:
    told = Told()
    (update,) = told.by(MessageAdded(role="system", content="Be brief.", cause="x"))
    assert update["messagesOpenAIFormatted"] == [{"role": "system", "content": "Be brief."}]


def test_a_late_answer_is_told_once_per_turn() -> None:
    told = Told()
    told.by(turn(1, "hello"), at_ms=1_000)
    assert told.messages.hang_due_ms == 1_000 + HANG_AFTER_MS
    assert told.messages.on_time(1_000 + HANG_AFTER_MS - 1) == []
    assert [each["type"] for each in told.messages.on_time(1_000 + HANG_AFTER_MS)] == ["hang"]
    assert told.messages.hang_due_ms is None


def test_an_answer_in_time_leaves_no_hang() -> None:
    told = Told()
    told.by(turn(1, "hello"), say(1, "Hi."), began(1))
    assert told.messages.hang_due_ms is None


def test_a_client_that_came_back_is_told_the_status_again() -> None:
    told = Told()
    told.by(CallRinging(), STARTED)
    (status,) = told.messages.current_status(20_000)
    assert status == {"type": "status-update", "timestamp": 20_000, "status": "in-progress"}


def handed_to(member: str) -> HandoffCompleted:
    return HandoffCompleted(from_assistant="a", to_assistant="b", member=member, pts_ms=1)


def test_after_a_handoff_the_client_gets_what_the_new_assistants_list_names() -> None:
    quiet = {"key": "1", "assistant": {"name": "b", "clientMessages": ["assistant.started", "hang"]}}
    told = Told(quiet, name="a", clientMessages=["transfer-update", "speech-update"])
    speech = SpeechStarted(speech_seq=1, pts_ms=1, detected_pts_ms=2)
    assert told.types(speech, handed_to("1"), speech) == ["speech-update", "transfer-update", "assistant.started"]
    assert told.types(handed_to("0"), speech) == ["speech-update"], "and the first's again when it has the call again"


def test_an_assistant_that_was_found_while_the_call_ran_counts_once_it_is_known() -> None:
    told = Told(name="a", clientMessages=["assistant.started"])
    assert told.by(handed_to("1"))[0]["newAssistant"] == {"name": "b"}, "its name is all that is known"
    found = Told({"key": "1", "assistant": {"name": "b", "firstMessage": "Hi.", "clientMessages": ["hang"]}}, name="a")
    told.messages.learn(found.messages.speaking)
    assert told.types(handed_to("1")) == []


def test_a_change_of_language_is_told_under_both_its_names_and_the_first_one_known_is_no_change() -> None:
    first = LanguageDetected(language="en", transcript_seq=1, pts_ms=2_900)
    change = LanguageDetected(language="es", before="en", transcript_seq=3, pts_ms=9_100)
    both = ["language-change-detected", "language-changed"]
    assert Told().by(first, change) == [], "not among the defaults"
    made = Told(clientMessages=both).by(first, change)
    assert made == [{"type": kind, "timestamp": 10_000, "language": "es"} for kind in both]


def test_who_forwards_a_call_is_told_where_to_and_what_was_said_before() -> None:
    gone = CallTransferred(destination="+14155550100", mode="blind-transfer")
    made = Told(clientMessages=["status-update", "transfer-update"])
    made.by(STARTED, final(1, "to the desk please"), turn(1, "to the desk please", 1))
    status, update = made.by(gone)
    assert (status["status"], status["transcript"]) == ("forwarding", "User: to the desk please\n")
    assert [each["role"] for each in status["messages"]] == ["user"]
    assert status["destination"] == update["destination"] == {"type": "number", "number": "+14155550100"}
