"""The log of a call in the public API's vocabulary."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus_contracts.catalogue import ALL_COMMANDS, ALL_EVENTS
from voxbus_contracts.commands import SaySentence
from voxbus_contracts.events import (
    CallEnded,
    PlaybackStarted,
    ReplyFinished,
    ReplyGenerated,
    ReplyInterrupted,
    ReplySpeculated,
    ReplyStarted,
    SpeechSynthesized,
    ToolFinished,
)
from voxbus_contracts.message import Message
from voxbus_control_api.calls.call_logs import gzipped, log_records
from voxbus_control_api.past_events import PastEvent

CALL = (
    "started ended inProgress queued transportConnected transportDisconnected transportReconnected transferCompleted "
    "handoffCompleted assistantSwapped assistantStarted customerJoined customerLeft controlReceived voicemailDetected "
    "dtmfReceived silenceTimeout maxDurationReached"
)
PIPELINE = (
    "turnStarted cleared botSpeechStarted botSpeechStopped userSpeechStarted userSpeechStopped endpointingTriggered "
    "firstMessageStarted firstMessageCompleted"
)
ASSISTANT = (
    "voice.requestStarted voice.requestFailed voice.firstAudioReceived voice.generationSucceeded "
    "voice.generationFailed voice.textPushed model.requestStarted model.requestFailed model.requestAttemptFailed "
    "model.firstTokenReceived model.responseSucceeded model.toolCallsReceived tool.started tool.completed tool.failed "
    "tool.timeout transcriber.requestFailed transcriber.partialTranscript transcriber.finalTranscript "
    "transcriber.transcriptIgnored"
)
KNOWN = {
    *(f"call.{name}" for name in CALL.split()),
    *(f"pipeline.{name}" for name in PIPELINE.split()),
    *(f"assistant.{name}" for name in ASSISTANT.split()),
}
EXAMPLES: list[Message] = [kind(**kind.example) for kind in (*ALL_EVENTS, *ALL_COMMANDS)]


def past(seq: int, message: Message, stage: str = "llm-orchestrator") -> PastEvent:
    return PastEvent(f"e{seq}", seq, stage, 1, seq, 1_000 + seq, message)


def names(*messages: Message) -> list[str]:
    records = log_records([past(seq, message) for seq, message in enumerate(messages, start=1)])
    return [record["attributes"]["event"] for record in records]


@given(st.lists(st.sampled_from(EXAMPLES), max_size=30), st.sampled_from(["stt-worker", "tts-worker", "billing"]))
def test_every_line_has_a_time_and_a_name_the_public_api_knows_or_that_is_marked_as_ours(
    messages: list[Message], stage: str
) -> None:
    records = log_records([past(seq, message, stage) for seq, message in enumerate(messages)])
    for record in records:
        assert record["time"] >= 1_000
        name = record["attributes"]["event"]
        assert name in KNOWN or name.startswith("voxbus.")
        assert None not in record["attributes"].values()
    assert [json.loads(line) for line in gzip.decompress(gzipped(records)).splitlines()] == records
    assert gzipped(records) == gzipped(records)


def test_an_answer_is_told_from_the_request_to_the_last_sound() -> None:
    say = SaySentence(utterance_seq=1, reply=1, turn=1, text="Soon.")
    made = SpeechSynthesized(utterance_seq=1, duration_ms=400, characters=5, first_audio_ms=3, provider="p")
    assert names(
        ReplySpeculated(reply=1, turn=1, text="when", context=0, basis="partial", pts_ms=1),
        ReplyStarted(reply=1, turn=1, source="model"),
        say,
        ReplyGenerated(reply=1, utterances=(1,), first_token_ms=4),
        made,
        PlaybackStarted(utterance_seq=1, pts_ms=1),
        PlaybackStarted(utterance_seq=2, pts_ms=2),
        ReplyFinished(reply=1, turn=1, heard="Soon.", pts_ms=3),
    ) == [
        "assistant.model.requestStarted",
        "assistant.voice.requestStarted",
        "assistant.voice.textPushed",
        "assistant.model.firstTokenReceived",
        "assistant.model.responseSucceeded",
        "assistant.voice.firstAudioReceived",
        "assistant.voice.generationSucceeded",
        "pipeline.botSpeechStarted",
        "pipeline.botSpeechStopped",
    ]


def test_the_first_message_asks_no_model() -> None:
    first = ReplyStarted(reply=1, turn=0, source="first-message")
    assert names(
        first, ReplyGenerated(reply=1, utterances=(1,)), ReplyFinished(reply=1, turn=0, heard="H", pts_ms=1)
    ) == [
        "pipeline.firstMessageStarted",
        "pipeline.firstMessageCompleted",
    ]


@pytest.mark.parametrize(("reason", "by_caller"), [("caller-spoke", True), ("call-ended", False)])
def test_what_was_cleared_says_whether_it_was_an_interruption(reason: str, by_caller: bool) -> None:
    cut = ReplyInterrupted(reply=1, turn=1, heard="", up_to_utterance_seq=1, pts_ms=1, reason=reason)
    (record,) = log_records([past(1, cut)])
    assert (record["attributes"]["event"], record["attributes"]["wasInterruption"]) == ("pipeline.cleared", by_caller)


def test_ends_and_failures_have_names_of_their_own() -> None:
    assert names(CallEnded(pts_ms=1, reason="silence-timed-out")) == ["call.silenceTimeout", "call.ended"]
    failed = ToolFinished(tool_call_id="t", tool_name="n", error="no", duration_ms=1)
    assert names(failed) == ["assistant.tool.failed"]
