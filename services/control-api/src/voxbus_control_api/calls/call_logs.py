"""A call's log in the public API's vocabulary: `{"time": ms, "attributes": {"event": name, …}}`, a line each. Pure.

Names are those of the public API's event tables; what theirs have no name for begins with `voxbus.`. Latencies and
durations are in ms, `turnId` numbers the caller's turns. Audio frames, playback progress and takeovers are left out.
"""

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from voxbus_contracts import events as e
from voxbus_contracts.commands import ControlCall, EndCall, SaySentence
from voxbus_contracts.events.reply import BY_CALLER
from voxbus_contracts.message import Message
from voxbus_control_api.past_events import PastEvent

Json = dict[str, Any]
Line = tuple[str, Json]

_ENDS: Final = {
    "silence-timed-out": "call.silenceTimeout",
    "exceeded-max-duration": "call.maxDurationReached",
    "voicemail": "call.voicemailDetected",
}
_FAILED: Final = {
    "stt-worker": "assistant.transcriber.requestFailed",
    "tts-worker": "assistant.voice.requestFailed",
}
FIRST: Final = "first-message"


@dataclass(slots=True)
class _Heard:
    """What later lines need to know of earlier ones."""

    asked: set[int] = field(default_factory=set[int])
    """Replies the model was asked for."""
    firsts: set[int] = field(default_factory=set[int])
    """Replies that are the first message."""
    is_speaking: bool = False


def log_records(events: Sequence[PastEvent]) -> list[Json]:
    """`events` are in order, commands among them."""
    heard = _Heard()
    return [
        {"time": event.occurred_at_ms, "attributes": {"event": name, **_given(attributes)}}
        for event in events
        for name, attributes in _lines(event, heard)
    ]


def gzipped(records: Sequence[Json]) -> bytes:
    """JSON lines; the same for the same records."""
    text = "".join(f"{json.dumps(record, ensure_ascii=False, separators=(',', ':'))}\n" for record in records)
    return gzip.compress(text.encode(), mtime=0)


def _given(attributes: Json) -> Json:
    return {name: value for name, value in attributes.items() if value is not None}


def _lines(event: PastEvent, heard: _Heard) -> Iterator[Line]:
    if isinstance(event.message, e.FaultRaised):
        yield _fault(event.message, event.stage)
        return
    yield from _TABLE.get(type(event.message), _nothing)(event.message, heard)


def _nothing(_message: Message, _heard: _Heard) -> Iterator[Line]:
    return iter(())


def _fault(fault: e.FaultRaised, stage: str) -> Line:
    is_models = stage == "llm-orchestrator" and fault.code.startswith("model")
    name = "assistant.model.requestFailed" if is_models else _FAILED.get(stage, "voxbus.faultRaised")
    return name, {"error": fault.code, "message": fault.detail, "stage": stage, "retryable": fault.retryable}


def _queued(queued: e.CallQueued, _heard: _Heard) -> Iterator[Line]:
    yield "call.queued", {"type": queued.call_type, "transport": queued.transport, "assistantId": queued.assistant_id}


def _attached(attached: e.MediaAttached, _heard: _Heard) -> Iterator[Line]:
    name = "call.transportReconnected" if attached.resumed else "call.transportConnected"
    yield name, {"transport": attached.transport}


def _ringing(_ringing: e.CallRinging, _heard: _Heard) -> Iterator[Line]:
    yield "call.started", {}
    yield "call.customerJoined", {}


def _started(started: e.CallStarted, _heard: _Heard) -> Iterator[Line]:
    yield "call.inProgress", {"latency": started.setup_ms}
    yield "call.assistantStarted", {}


def _detached(detached: e.MediaDetached, _heard: _Heard) -> Iterator[Line]:
    yield "call.transportDisconnected", {"code": detached.code}
    if detached.clean:
        yield "call.customerLeft", {}


def _transferred(transferred: e.CallTransferred, _heard: _Heard) -> Iterator[Line]:
    yield "call.transferCompleted", {"destination": transferred.destination, "mode": transferred.mode}


def _handed_off(handoff: e.HandoffCompleted, _heard: _Heard) -> Iterator[Line]:
    between = {"fromAssistant": handoff.from_assistant, "toAssistant": handoff.to_assistant}
    yield "call.handoffCompleted", between
    yield "call.assistantSwapped", between


def _ended(ended: e.CallEnded, _heard: _Heard) -> Iterator[Line]:
    if ended.reason in _ENDS:
        yield _ENDS[ended.reason], {}
    yield "call.ended", {"endedReason": ended.reason, "message": ended.message}


def _keys(pressed: e.DtmfReceived, _heard: _Heard) -> Iterator[Line]:
    yield "call.dtmfReceived", {"digits": pressed.digits}


def _controlled(control: ControlCall | EndCall, _heard: _Heard) -> Iterator[Line]:
    yield "call.controlReceived", {"control": control.control if isinstance(control, ControlCall) else "end-call"}


def _user_began(_speech: e.SpeechStarted, _heard: _Heard) -> Iterator[Line]:
    yield "pipeline.userSpeechStarted", {}


def _user_stopped(speech: e.SpeechStopped, _heard: _Heard) -> Iterator[Line]:
    yield "pipeline.userSpeechStopped", {"duration": speech.voiced_ms}


def _partial(partial: e.TranscriptPartial, _heard: _Heard) -> Iterator[Line]:
    yield "assistant.transcriber.partialTranscript", {"transcript": partial.text}


def _final(final: e.TranscriptFinal, _heard: _Heard) -> Iterator[Line]:
    told = {"transcript": final.text, "confidence": final.confidence, "latency": final.recognition_ms}
    yield "assistant.transcriber.finalTranscript", told


def _language(detected: e.LanguageDetected, _heard: _Heard) -> Iterator[Line]:
    yield "voxbus.languageDetected", {"language": detected.language, "before": detected.before}


def _dismissed(dismissed: e.TranscriptDismissed, _heard: _Heard) -> Iterator[Line]:
    yield "assistant.transcriber.transcriptIgnored", {"reason": dismissed.reason}


def _committed(turn: e.TurnCommitted, _heard: _Heard) -> Iterator[Line]:
    decided = {"turnId": turn.turn, "latency": turn.endpointing_ms, "reason": turn.reason}
    yield "pipeline.endpointingTriggered", decided
    yield "pipeline.turnStarted", {"turnId": turn.turn}


def _measured(turn: e.TurnMeasured, _heard: _Heard) -> Iterator[Line]:
    yield "voxbus.turnMeasured", {"turnId": turn.turn, "latency": turn.v2v_ms, "parts": turn.parts}


def _speculated(reply: e.ReplySpeculated, heard: _Heard) -> Iterator[Line]:
    heard.asked.add(reply.reply)
    yield "assistant.model.requestStarted", {"turnId": reply.turn, "reply": reply.reply, "speculative": True}


def _reply_began(reply: e.ReplyStarted, heard: _Heard) -> Iterator[Line]:
    if reply.source == FIRST:
        heard.firsts.add(reply.reply)
        yield "pipeline.firstMessageStarted", {}
    elif reply.source in ("model", "tool") and reply.reply not in heard.asked:
        heard.asked.add(reply.reply)
        yield "assistant.model.requestStarted", {"turnId": reply.turn, "reply": reply.reply}


def _retried(reply: e.ReplyRetried, _heard: _Heard) -> Iterator[Line]:
    yield "assistant.model.requestAttemptFailed", {"reply": reply.reply, "error": reply.reason}


def _generated(reply: e.ReplyGenerated, heard: _Heard) -> Iterator[Line]:
    if reply.reply in heard.asked:
        yield "assistant.model.firstTokenReceived", {"reply": reply.reply, "latency": reply.first_token_ms}
        yield "assistant.model.responseSucceeded", {"reply": reply.reply}


def _said(sentence: SaySentence, _heard: _Heard) -> Iterator[Line]:
    which = {"turnId": sentence.turn or None, "reply": sentence.reply, "utterance": sentence.utterance_seq}
    yield "assistant.voice.requestStarted", which
    yield "assistant.voice.textPushed", {**which, "text": sentence.text}


def _synthesized(speech: e.SpeechSynthesized, _heard: _Heard) -> Iterator[Line]:
    which = {"utterance": speech.utterance_seq}
    if speech.failed:
        yield "assistant.voice.generationFailed", which
        return
    yield "assistant.voice.firstAudioReceived", {**which, "latency": speech.first_audio_ms}
    made = {"characters": speech.characters, "duration": speech.duration_ms}
    yield "assistant.voice.generationSucceeded", {**which, **made}


def _sounds(playback: e.PlaybackStarted, heard: _Heard) -> Iterator[Line]:
    if not heard.is_speaking:
        heard.is_speaking = True
        yield "pipeline.botSpeechStarted", {"latency": playback.v2v_ms}


def _fell_silent(heard: _Heard) -> Iterator[Line]:
    if heard.is_speaking:
        heard.is_speaking = False
        yield "pipeline.botSpeechStopped", {}


def _reply_done(reply: e.ReplyFinished, heard: _Heard) -> Iterator[Line]:
    yield from _fell_silent(heard)
    if reply.reply in heard.firsts:
        yield "pipeline.firstMessageCompleted", {}


def _reply_cut(reply: e.ReplyInterrupted, heard: _Heard) -> Iterator[Line]:
    why = {"wasInterruption": reply.reason in BY_CALLER, "reason": reply.reason}
    yield "pipeline.cleared", {"turnId": reply.turn or None, **why}
    yield from _fell_silent(heard)


def _tool_wanted(tool: e.ToolRequested, _heard: _Heard) -> Iterator[Line]:
    which = {"turnId": tool.turn, "toolCallId": tool.tool_call_id, "name": tool.tool_name}
    yield "assistant.model.toolCallsReceived", which
    yield "assistant.tool.started", which


def _tool_done(tool: e.ToolFinished, _heard: _Heard) -> Iterator[Line]:
    which = {"toolCallId": tool.tool_call_id, "name": tool.tool_name, "latency": tool.duration_ms}
    if tool.error is None:
        yield "assistant.tool.completed", which
    else:
        yield "assistant.tool.failed", {**which, "error": tool.error}


def _tool_hung(tool: e.ToolGivenUp, _heard: _Heard) -> Iterator[Line]:
    yield "assistant.tool.timeout", {"toolCallId": tool.tool_call_id, "name": tool.tool_name}


def _recorded(stored: e.RecordingStored, _heard: _Heard) -> Iterator[Line]:
    yield "voxbus.recordingStored", {"duration": stored.duration_ms, "tracks": [file.track for file in stored.files]}


_TABLE: Final[dict[type[Message], Callable[[Any, _Heard], Iterator[Line]]]] = {
    e.CallQueued: _queued,
    e.MediaAttached: _attached,
    e.CallRinging: _ringing,
    e.CallStarted: _started,
    e.MediaDetached: _detached,
    e.CallTransferred: _transferred,
    e.HandoffCompleted: _handed_off,
    e.CallEnded: _ended,
    e.DtmfReceived: _keys,
    ControlCall: _controlled,
    EndCall: _controlled,
    e.SpeechStarted: _user_began,
    e.SpeechStopped: _user_stopped,
    e.TranscriptPartial: _partial,
    e.TranscriptFinal: _final,
    e.TranscriptDismissed: _dismissed,
    e.LanguageDetected: _language,
    e.TurnCommitted: _committed,
    e.TurnMeasured: _measured,
    e.ReplySpeculated: _speculated,
    e.ReplyStarted: _reply_began,
    e.ReplyRetried: _retried,
    e.ReplyGenerated: _generated,
    SaySentence: _said,
    e.SpeechSynthesized: _synthesized,
    e.PlaybackStarted: _sounds,
    e.ReplyFinished: _reply_done,
    e.ReplyInterrupted: _reply_cut,
    e.ToolRequested: _tool_wanted,
    e.ToolFinished: _tool_done,
    e.ToolGivenUp: _tool_hung,
    e.RecordingStored: _recorded,
}
