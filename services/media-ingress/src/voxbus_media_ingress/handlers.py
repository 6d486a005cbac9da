"""One function per message of the bus, and per text of the client: decode → core → publish."""

from collections.abc import Callable
from typing import Any, Final

from voxbus_contracts import Message
from voxbus_contracts.commands import (
    CancelSpeech,
    ClearPlayback,
    ControlCall,
    PausePlayback,
    ResumePlayback,
    SaySentence,
)
from voxbus_contracts.events import (
    CallEnded,
    CallQueued,
    CallRinging,
    CallStarted,
    CallTransferred,
    HandoffCompleted,
    LanguageDetected,
    MediaAttached,
    MediaDetached,
    MessageAdded,
    PlaybackCleared,
    PlaybackFinished,
    PlaybackPaused,
    PlaybackProgressed,
    PlaybackResumed,
    PlaybackStarted,
    ReplyFinished,
    ReplyInterrupted,
    ReplyStarted,
    SpeechStarted,
    SpeechStopped,
    SpeechSynthesized,
    StageClaimed,
    ToolFinished,
    ToolRequested,
    TranscriptFinal,
    TranscriptPartial,
    TurnCommitted,
)
from voxbus_contracts.told.inbound import Hangup
from voxbus_media_ingress.attachment import Attachment
from voxbus_media_ingress.ending import CALL_ENDED, hung_up
from voxbus_media_ingress.errors import InboundRefused
from voxbus_media_ingress.inbound import error_text, read_inbound
from voxbus_runtime.sealing import with_sealed_secrets

INTERESTS: Final = frozenset(
    message.name()
    for message in (
        CallEnded,
        CallQueued,
        CallRinging,
        CallStarted,
        CallTransferred,
        CancelSpeech,
        ClearPlayback,
        ControlCall,
        HandoffCompleted,
        LanguageDetected,
        MediaAttached,
        MediaDetached,
        MessageAdded,
        PausePlayback,
        PlaybackCleared,
        PlaybackFinished,
        PlaybackPaused,
        PlaybackProgressed,
        PlaybackResumed,
        PlaybackStarted,
        ReplyFinished,
        ReplyInterrupted,
        ReplyStarted,
        ResumePlayback,
        SaySentence,
        SpeechStarted,
        SpeechStopped,
        SpeechSynthesized,
        StageClaimed,
        ToolFinished,
        ToolRequested,
        TranscriptFinal,
        TranscriptPartial,
        TurnCommitted,
    )
)
"""Its own events are among them: they say where an earlier attachment stood."""


def on_message(attachment: Attachment, message: Message, at_ms: int) -> None:
    """Any message of the call: acts on it, then tells the client."""
    handler = _HANDLERS.get(type(message))
    if handler is not None:
        handler(attachment, message)
    attachment.teller.tell(message, at_ms)
    if isinstance(message, CallEnded):
        attachment.end(CALL_ENDED)


def on_text(attachment: Attachment, text: str) -> None:
    """A text frame of the client becomes a command, or an error back to it."""
    try:
        inbound = read_inbound(text)
    except InboundRefused as refused:
        attachment.line.text(error_text(refused.code, refused.message, refused.field))
        return
    if isinstance(inbound, Hangup):
        attachment.end(hung_up(inbound.type))
        return
    if isinstance(inbound, ControlCall):
        attachment.order(inbound)
        return
    attachment.publisher.say(with_sealed_secrets(inbound, attachment.call.bus.cluster_key))


def _on_say(attachment: Attachment, command: SaySentence) -> None:
    attachment.agent.tell(lambda playout, now_ms: playout.on_say(command, now_ms))


def _on_reply_started(attachment: Attachment, event: ReplyStarted) -> None:
    if event.utterances:
        attachment.agent.tell(lambda playout, now_ms: playout.on_release(event.utterances, event.anchor_pts_ms, now_ms))


def _on_synthesized(attachment: Attachment, event: SpeechSynthesized) -> None:
    attachment.agent.tell(
        lambda playout, now_ms: playout.on_synthesized(event.utterance_seq, event.duration_ms, now_ms)
    )


def _on_cancel(attachment: Attachment, command: CancelSpeech) -> None:
    attachment.agent.tell(lambda playout, now_ms: playout.on_cancel(command.up_to_utterance_seq, now_ms))


def _on_clear(attachment: Attachment, command: ClearPlayback) -> None:
    attachment.agent.tell(lambda playout, now_ms: playout.on_clear(command.up_to_utterance_seq, now_ms))


def _on_pause(attachment: Attachment, _: PausePlayback) -> None:
    attachment.agent.tell(lambda playout, now_ms: playout.on_pause(now_ms))


def _on_resume(attachment: Attachment, command: ResumePlayback) -> None:
    attachment.agent.tell(lambda playout, now_ms: playout.on_resume(now_ms, command.speech_seq))


def _on_speech_started(attachment: Attachment, event: SpeechStarted) -> None:
    attachment.agent.tell(lambda playout, now_ms: playout.on_speech_started(event, now_ms))


def _on_speech_stopped(attachment: Attachment, event: SpeechStopped) -> None:
    attachment.agent.tell(lambda playout, _: playout.on_speech_stopped(event))


def _on_control(attachment: Attachment, command: ControlCall) -> None:
    attachment.control(command.control)


def _on_claimed(attachment: Attachment, event: StageClaimed) -> None:
    attachment.admission.claimed(event.stage)


_HANDLERS: Final[dict[type[Message], Callable[[Attachment, Any], None]]] = {
    SaySentence: _on_say,
    ReplyStarted: _on_reply_started,
    SpeechSynthesized: _on_synthesized,
    CancelSpeech: _on_cancel,
    ClearPlayback: _on_clear,
    PausePlayback: _on_pause,
    ResumePlayback: _on_resume,
    SpeechStarted: _on_speech_started,
    SpeechStopped: _on_speech_stopped,
    ControlCall: _on_control,
    StageClaimed: _on_claimed,
}
