"""What a call's log says about its earlier attachments: where this one has to go on."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from voxbus_audio import FRAME_MS
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
    CallRinging,
    CallStarted,
    MediaAttached,
    PlaybackCleared,
    PlaybackFinished,
    PlaybackPaused,
    PlaybackProgressed,
    PlaybackStarted,
    ReplyStarted,
    StageClaimed,
)


@dataclass(slots=True)
class Mutes:
    """Who is muted now."""

    assistant: bool = False
    customer: bool = False

    def obey(self, control: str) -> None:
        """`mute-assistant` and its three siblings; anything else changes nothing."""
        verb, _, side = control.partition("-")
        if verb in ("mute", "unmute") and side in ("assistant", "customer"):
            setattr(self, side, verb == "mute")


@dataclass(slots=True)
class Past:
    """Folded from the history, oldest first; the same at any cut of it as read in one go."""

    attachments: int = 0
    has_rung: bool = False
    has_started: bool = False
    has_ended: bool = False
    claimed: set[str] = field(default_factory=set[str])
    mutes: Mutes = field(default_factory=Mutes)
    done_seq: int = 0
    """All utterances up to it were played or cleared."""
    cleared_seq: int = 0
    """Highest clear that was answered."""
    asked_clear_seq: int = 0
    cancelled_seq: int = 0
    is_paused: bool = False
    """By command."""
    sounding_pts_ms: int = 0
    """Where utterance done_seq + 1 began, if it did."""
    sounding_played_ms: int = 0
    """At least so much of it left."""
    says: dict[int, SaySentence] = field(default_factory=dict[int, SaySentence])
    released: dict[int, int | None] = field(default_factory=dict[int, int | None])
    """Held utterances that may be heard, and their anchors."""

    @property
    def unanswered_clear_seq(self) -> int:
        """A clear that came while nobody could obey it; 0 = none."""
        return self.asked_clear_seq if self.asked_clear_seq > self.cleared_seq else 0

    def apply(self, message: Message) -> None:
        handler = _HANDLERS.get(type(message))
        if handler is not None:
            handler(self, message)

    def leave_behind(self, upto_seq: int) -> None:
        if upto_seq > self.done_seq:
            self.done_seq = upto_seq
            self.sounding_pts_ms = self.sounding_played_ms = 0
            self.says = {seq: say for seq, say in self.says.items() if seq > upto_seq}
            self.released = {seq: anchor for seq, anchor in self.released.items() if seq > upto_seq}


def fold(messages: Iterable[Message | None]) -> Past:
    """The past of a call from its log."""
    past = Past()
    for message in messages:
        if message is not None:
            past.apply(message)
    return past


def continued_pts_ms(last_pts_ms: int, last_stored_at_ms: float, now_ms: float) -> int:
    """First pts of a new attachment: the audio clock went on while nobody was there.

    Both times are the server's: when the last caller frame was stored, and when the new transport was there. Its first
    frame comes within one frame of that, and ends what it took to be spoken.
    """
    passed_ms = max(0.0, now_ms - last_stored_at_ms)
    return last_pts_ms + FRAME_MS + int(passed_ms) // FRAME_MS * FRAME_MS


def _on_attached(past: Past, _: MediaAttached) -> None:
    past.attachments += 1


def _on_ringing(past: Past, _: CallRinging) -> None:
    past.has_rung = True


def _on_started(past: Past, _: CallStarted) -> None:
    past.has_started = True


def _on_ended(past: Past, _: CallEnded) -> None:
    past.has_ended = True


def _on_claimed(past: Past, event: StageClaimed) -> None:
    past.claimed.add(event.stage)


def _on_control(past: Past, command: ControlCall) -> None:
    past.mutes.obey(command.control)


def _on_say(past: Past, command: SaySentence) -> None:
    if command.utterance_seq > past.done_seq:
        past.says[command.utterance_seq] = command


def _on_reply_started(past: Past, event: ReplyStarted) -> None:
    for seq in event.utterances:
        if seq > past.done_seq:
            past.released[seq] = event.anchor_pts_ms if seq == min(event.utterances) else None


def _on_cancel(past: Past, command: CancelSpeech) -> None:
    past.cancelled_seq = max(past.cancelled_seq, command.up_to_utterance_seq)


def _on_clear(past: Past, command: ClearPlayback) -> None:
    past.asked_clear_seq = max(past.asked_clear_seq, command.up_to_utterance_seq)
    past.is_paused = False


def _on_pause(past: Past, _: PausePlayback) -> None:
    past.is_paused = True


def _on_resume(past: Past, _: ResumePlayback) -> None:
    past.is_paused = False


def _on_playback_started(past: Past, event: PlaybackStarted) -> None:
    past.leave_behind(event.utterance_seq - 1)
    past.sounding_pts_ms = event.pts_ms
    past.sounding_played_ms = FRAME_MS


def _on_played(past: Past, event: PlaybackProgressed | PlaybackPaused) -> None:
    past.sounding_played_ms = max(past.sounding_played_ms, event.played_ms)


def _on_finished(past: Past, event: PlaybackFinished) -> None:
    past.leave_behind(event.utterance_seq)


def _on_cleared(past: Past, event: PlaybackCleared) -> None:
    past.cleared_seq = max(past.cleared_seq, event.up_to_utterance_seq)
    past.leave_behind(event.up_to_utterance_seq)


_HANDLERS: dict[type[Message], Callable[[Past, Any], None]] = {
    MediaAttached: _on_attached,
    CallRinging: _on_ringing,
    CallStarted: _on_started,
    CallEnded: _on_ended,
    StageClaimed: _on_claimed,
    ControlCall: _on_control,
    SaySentence: _on_say,
    ReplyStarted: _on_reply_started,
    CancelSpeech: _on_cancel,
    ClearPlayback: _on_clear,
    PausePlayback: _on_pause,
    ResumePlayback: _on_resume,
    PlaybackStarted: _on_playback_started,
    PlaybackProgressed: _on_played,
    PlaybackPaused: _on_played,
    PlaybackFinished: _on_finished,
    PlaybackCleared: _on_cleared,
}
