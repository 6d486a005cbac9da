"""Events of a call → the messages its client or its customer's server gets, as the assistant subscribed them. Pure.

Source: the public API's client and server messages, which have the same types and fields. Every message has `type`
and `timestamp` (ms since the epoch). What was said is told from what was heard: the assistant's
words appear when they have left towards the caller, never before.
"""

import uuid
from collections.abc import Callable, Iterable
from typing import Any, Final

from voxbus_contracts.commands import SaySentence
from voxbus_contracts.config import CallConfig
from voxbus_contracts.destination import FIRST
from voxbus_contracts.events import (
    CallControlRequested,
    CallEnded,
    CallQueued,
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
from voxbus_contracts.events.reply import BY_CALLER
from voxbus_contracts.message import Message
from voxbus_contracts.told.conversation import Conversation, Span
from voxbus_contracts.told.shapes import told_assistant, told_tool_call, told_tool_with_call

HANG_AFTER_MS: Final = 3_000
"""A turn without a sound for this long counts as delayed."""

_FINAL_TRANSCRIPT: Final = 'transcript[transcriptType="final"]'
_MODEL_SOURCES: Final = ("model", "tool")
Fields = dict[str, Any]


class Subscription:
    """Which messages `clientMessages` or `serverMessages` ask for."""

    def __init__(self, wanted: Iterable[str]) -> None:
        self._wanted = frozenset(name.replace("'", '"').replace(" ", "") for name in wanted)

    def type_sent(self, kind: str, fields: Fields) -> str | None:
        """The `type` to send, None when it is not asked for; a filter is sent under its own name."""
        if kind in self._wanted:
            return kind
        if kind == "transcript" and fields["transcriptType"] == "final" and _FINAL_TRANSCRIPT in self._wanted:
            return _FINAL_TRANSCRIPT
        return None


class CallMessages:
    """One call's messages to one listener. Feed it every event once, in order; history first, its output dropped."""

    def __init__(self, config: CallConfig, wanted_of: Callable[[CallConfig], Iterable[str]]) -> None:
        """`wanted_of`: what the listener is to get while an assistant has the call, which is given as it is then."""
        self._config = self.speaking = config
        self._wanted_of = wanted_of
        self.member = FIRST
        """Key of the assistant that has the call; `speaking` is the configuration as it is while it has."""
        self._subscription = Subscription(wanted_of(config))
        self._conversation = Conversation()
        self._out: list[Fields] = []
        self._at_ms = 0
        self._turn = 0
        self._spoken_turn: int | None = None
        self._sources: dict[int, str] = {}
        self._says: dict[int, SaySentence] = {}
        self._finals: dict[int, Span] = {}
        self._reply_began: dict[int, int] = {}
        self._finished: list[SaySentence] = []
        self._hang_due_ms: int | None = None
        self.status = "queued"
        self._handlers: dict[type[Message], Callable[[Any], None]] = {
            CallQueued: self._on_queued,
            CallRinging: self._on_ringing,
            CallStarted: self._on_started,
            CallTransferred: self._on_transferred,
            CallControlRequested: self._on_control_requested,
            HandoffCompleted: self._on_handoff,
            CallEnded: self._on_ended,
            SpeechStarted: self._on_speech_started,
            SpeechStopped: self._on_speech_stopped,
            TranscriptPartial: self._on_partial,
            TranscriptFinal: self._on_final,
            LanguageDetected: self._on_language,
            TurnCommitted: self._on_turn,
            MessageAdded: self._on_message_added,
            ReplyStarted: self._on_reply_started,
            SaySentence: self._on_say,
            PlaybackStarted: self._on_playback_started,
            PlaybackFinished: self._on_playback_finished,
            PlaybackCleared: self._on_playback_cleared,
            ReplyFinished: self._on_reply_finished,
            ReplyInterrupted: self._on_reply_interrupted,
            ToolRequested: self._on_tool_requested,
            ToolFinished: self._on_tool_finished,
        }
        for prompt in config.assistant.model.messages:
            if prompt.role == "system" and prompt.content:
                self._conversation.add_text("system", prompt.content, Span(0, 0))

    @property
    def hang_due_ms(self) -> int | None:
        """When (ms since the epoch) the listener is told that the answer is late, unless it sounds before."""
        return self._hang_due_ms

    def learn(self, config: CallConfig) -> None:
        """The call may be handed to more assistants than was known when it began."""
        self._config = config

    def on_message(self, message: Message, at_ms: int) -> list[Fields]:
        """What to send for one event or command; `at_ms` is when it happened, ms since the epoch."""
        handler = self._handlers.get(type(message))
        if handler is None:
            return []
        self._at_ms = at_ms
        handler(message)
        return self._take()

    def on_time(self, now_ms: int) -> list[Fields]:
        """Tells a delayed answer, once per turn."""
        if self._hang_due_ms is not None and now_ms >= self._hang_due_ms:
            self._hang_due_ms = None
            self._at_ms = now_ms
            self._send("hang", {})
        return self._take()

    def artifact(self) -> Fields:
        """The conversation so far, as the `artifact` of a server message has it."""
        return self._conversation.artifact()

    def current_status(self, now_ms: int) -> list[Fields]:
        """The call's status again, for a client that came back."""
        self._at_ms = now_ms
        self._send("status-update", {"status": self.status})
        return self._take()

    # The call

    def _on_queued(self, _: CallQueued) -> None:
        self.status = "queued"

    def _on_ringing(self, _: CallRinging) -> None:
        self._set_status("ringing")

    def _on_started(self, event: CallStarted) -> None:
        self._conversation.started_at_ms = self._at_ms - event.pts_ms
        self._set_status("in-progress")
        self._send("assistant.started", {"newAssistant": self._told_speaker()})

    def _on_transferred(self, event: CallTransferred) -> None:
        kind, name = ("sip", "sipUri") if event.destination.startswith(("sip:", "sips:")) else ("number", "number")
        where = {"destination": {"type": kind, name: event.destination}}
        so_far = {} if self._config.is_private else self._conversation.artifact()
        self._set_status("forwarding", {**where, **so_far})
        self._send("transfer-update", where)

    def _on_control_requested(self, event: CallControlRequested) -> None:
        destination = {"destination": event.destination} if event.destination else {}
        self._send("phone-call-control", {"request": event.request, **destination})

    def _on_handoff(self, event: HandoffCompleted) -> None:
        """Who hands over is told so, who takes over that it has the call: each where it wants to be told that."""
        before, after, subscription = self._told_speaker(), {"name": event.to_assistant}, self._subscription
        if self._config.has_member(event.member):
            self.member, self.speaking = event.member, self._config.spoken_by(event.member)
            subscription, after = Subscription(self._wanted_of(self.speaking)), self._told_speaker()
        destination = {"type": "assistant", "assistantName": event.to_assistant}
        self._send("transfer-update", {"destination": destination, "fromAssistant": before, "toAssistant": after})
        self._subscription = subscription
        self._send("assistant.started", {"newAssistant": after})

    def _on_ended(self, event: CallEnded) -> None:
        self._hang_due_ms = None
        self._fall_silent()
        self._set_status("ended", {"endedReason": event.reason})

    def _set_status(self, status: str, more: Fields | None = None) -> None:
        self.status = status
        self._send("status-update", {"status": status, **(more or {})})

    # The caller

    def _on_speech_started(self, _: SpeechStarted) -> None:
        self._send("speech-update", {"role": "user", "status": "started", "turn": self._turn})

    def _on_speech_stopped(self, _: SpeechStopped) -> None:
        self._send("speech-update", {"role": "user", "status": "stopped", "turn": self._turn})

    def _on_partial(self, event: TranscriptPartial) -> None:
        self._send_transcript("user", "partial", event.text)

    def _on_final(self, event: TranscriptFinal) -> None:
        self._finals[event.transcript_seq] = Span(event.start_pts_ms, event.end_pts_ms)
        self._send_transcript("user", "final", event.text)

    def _on_language(self, event: LanguageDetected) -> None:
        """A change, not the first one that is known. `language-changed` is its older name."""
        if event.before is not None:
            self._send("language-change-detected", {"language": event.language})
            self._send("language-changed", {"language": event.language})

    def _on_turn(self, event: TurnCommitted) -> None:
        spans = [self._finals.pop(seq) for seq in event.transcript_seqs if seq in self._finals]
        self._turn = event.turn
        self._hang_due_ms = self._at_ms + HANG_AFTER_MS
        if event.text:
            start_pts_ms = min((span.start_pts_ms for span in spans), default=event.anchor_pts_ms)
            self._conversation.add_text("user", event.text, Span(start_pts_ms, event.anchor_pts_ms))
            self._send_conversation()

    def _on_message_added(self, event: MessageAdded) -> None:
        now_pts_ms = self._pts_now()
        self._conversation.add_text(event.role, event.content, Span(now_pts_ms, now_pts_ms))
        self._send_conversation()

    # The assistant

    def _on_reply_started(self, event: ReplyStarted) -> None:
        self._sources[event.reply] = event.source
        for seq in event.utterances:
            if seq in self._says:
                self._tell_say(self._says[seq])

    def _on_say(self, command: SaySentence) -> None:
        """A held sentence is told when it may be heard."""
        self._says[command.utterance_seq] = command
        if not command.hold:
            self._tell_say(command)

    def _tell_say(self, command: SaySentence) -> None:
        if self._sources.get(command.reply) in _MODEL_SOURCES:
            self._send("model-output", {"output": command.text, "turnId": self._turn_id(command.turn)})
        self._send("voice-input", {"input": command.text, "turnId": self._turn_id(command.turn)})

    def _on_playback_started(self, event: PlaybackStarted) -> None:
        self._hang_due_ms = None
        say = self._says.get(event.utterance_seq)
        if say is None:
            return
        turn = max(0, say.turn - 1)
        self._reply_began.setdefault(say.reply, event.pts_ms)
        if self._spoken_turn is None:
            self._spoken_turn = turn
            self._finished = []
            self._send("speech-update", {"role": "assistant", "status": "started", "turn": turn})
        text = " ".join(said.text for said in (*self._finished, say) if said.reply == say.reply)
        source = "model" if self._sources.get(say.reply) in _MODEL_SOURCES else "force-say"
        self._send("assistant.speechStarted", {"text": text, "turn": turn, "source": source})

    def _on_playback_finished(self, event: PlaybackFinished) -> None:
        say = self._says.pop(event.utterance_seq, None)
        if say is not None and event.played_ms > 0:
            self._finished.append(say)
            self._send_transcript("assistant", "final", say.text)

    def _on_playback_cleared(self, event: PlaybackCleared) -> None:
        if event.utterance_seq:
            self._fall_silent()
        for seq in [seq for seq in self._says if seq <= event.up_to_utterance_seq]:
            del self._says[seq]

    def _on_reply_finished(self, event: ReplyFinished) -> None:
        self._fall_silent()
        self._enter(event)

    def _on_reply_interrupted(self, event: ReplyInterrupted) -> None:
        """`heard` is the whole reply up to the break: what no finished sentence has told yet is told now."""
        self._fall_silent()
        self._hang_due_ms = None
        told = [word for said in self._finished if said.reply == event.reply for word in said.text.split()]
        self._send_transcript("assistant", "final", " ".join(event.heard.split()[len(told) :]))
        if event.reason in BY_CALLER:
            self._send("user-interrupted", {"turnId": self._turn_id(event.turn)})
        self._enter(event)

    def _enter(self, event: ReplyFinished | ReplyInterrupted) -> None:
        """What was heard of a reply enters the history."""
        began_pts_ms = self._reply_began.pop(event.reply, event.pts_ms)
        if event.heard:
            self._conversation.add_text("assistant", event.heard, Span(began_pts_ms, event.pts_ms))
            self._send_conversation()

    def _fall_silent(self) -> None:
        if self._spoken_turn is not None:
            self._send("speech-update", {"role": "assistant", "status": "stopped", "turn": self._spoken_turn})
            self._spoken_turn = None

    # Tools

    def _on_tool_requested(self, event: ToolRequested) -> None:
        call = told_tool_call(event)
        self._conversation.add_tool_call(call, Span(self._pts_now(), self._pts_now()))
        self._send("model-output", {"output": [call], "turnId": self._turn_id(event.turn)})
        with_tool = told_tool_with_call(self.speaking.assistant, call)
        self._send("tool-calls", {"toolCallList": [call], "toolCalls": [call], "toolWithToolCallList": [with_tool]})
        self._send("function-call", {"functionCall": {"name": event.tool_name, "parameters": event.arguments}})
        self._send_conversation()

    def _on_tool_finished(self, event: ToolFinished) -> None:
        result = event.result if event.result is not None else event.error or ""
        fields: Fields = {"toolCallId": event.tool_call_id, "name": event.tool_name, "result": result}
        self._conversation.add_tool_result(
            event.tool_call_id, event.tool_name, result, Span(self._pts_now() - event.duration_ms, self._pts_now())
        )
        self._send("tool-calls-result", {"toolCallResult": fields})
        self._send("tool.completed", {"toolCallResult": fields})
        self._send_conversation()

    # Sending

    def _send(self, kind: str, fields: Fields) -> None:
        sent = self._subscription.type_sent(kind, fields)
        if sent is not None:
            self._out.append({"type": sent, "timestamp": self._at_ms, **fields})

    def _send_transcript(self, role: str, kind: str, text: str) -> None:
        if text:
            self._send("transcript", {"role": role, "transcriptType": kind, "transcript": text})

    def _send_conversation(self) -> None:
        self._send("conversation-update", self._conversation.update())

    def _take(self) -> list[Fields]:
        out, self._out = self._out, []
        return out

    def _pts_now(self) -> int:
        return max(0, self._at_ms - self._conversation.started_at_ms)

    def _turn_id(self, turn: int) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self._config.call}/{turn}"))

    def _told_speaker(self) -> Fields:
        return told_assistant(self.speaking.assistant, self.speaking.assistant_id)
