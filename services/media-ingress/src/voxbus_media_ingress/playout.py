"""Paced playout of the agent's utterances: what the caller hears, frame by frame, and the reports about it.

Times are milliseconds of the same monotonic clock as CallerClock's. After every call that changes something, the owner
looks at `next_due` and calls `tick` then; reports are collected with `take_events`, in order. Utterances play in the
order of their numbers, without gaps; commands and frames may come in any order, because cancel and clear mean "all up
to n" for ever. The first frame leaves at once, the others at whole multiples of 20 ms, which all calls of a process
share: one waking serves them all, and the caller gets them up to 20 ms before their time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from voxbus_audio import FRAME_MS, SILENCE_FRAME
from voxbus_contracts.commands import SaySentence
from voxbus_contracts.events import (
    PlaybackCleared,
    PlaybackFinished,
    PlaybackPaused,
    PlaybackProgressed,
    PlaybackResumed,
    PlaybackStarted,
    SpeechStarted,
    SpeechStopped,
)
from voxbus_media_ingress.clock import CallerClock
from voxbus_media_ingress.echo_guard import EchoGuard
from voxbus_media_ingress.holes import Holes
from voxbus_media_ingress.reflex import Reflex, enough_voice_after_ms
from voxbus_media_ingress.utterance import AgentFrame, Utterance

PlaybackEvent = (
    PlaybackStarted | PlaybackProgressed | PlaybackPaused | PlaybackResumed | PlaybackFinished | PlaybackCleared
)

DECISION_MS: Final = 700.0
_ECHO_AGAIN_MS: Final = 60  # An echo so far may become the caller's own: three frames make a difference.
_PROGRESS_FRAMES: Final = 500 // FRAME_MS
# A late timer is caught up with frame by frame; after a longer stop the rhythm starts anew.
_CATCH_UP_MS: Final = 100.0
# The say command carries the anchor of v2v and the reflex; sound that overtook it waits this long for it.
_UNANNOUNCED_MS: Final = 50.0


@dataclass(frozen=True, slots=True)
class SentFrame:
    """A frame that leaves now, and where on the caller's audio clock."""

    utterance_seq: int
    pts_ms: int
    pcm: bytes


@dataclass(frozen=True, slots=True)
class _Pause:
    """`seq` 0 = nothing sounded. `until_ms` is when a reflex without a decision ends."""

    seq: int
    until_ms: float | None


class Playout:
    """Plays one attachment's utterances. `after_seq`: all up to it were played or cleared by earlier attachments;
    `played_frames`: of the next one, how many left already."""

    def __init__(self, clock: CallerClock, after_seq: int = 0, played_frames: int = 0) -> None:
        self._clock = clock
        self._reflex = Reflex()
        self.echo = EchoGuard()
        self.holes = Holes()
        self._floor = after_seq
        self._cancelled = 0
        self._cleared = 0
        self._epoch = 0
        self._utterances: dict[int, Utterance] = {}
        if played_frames:
            self._utterances[after_seq + 1] = Utterance(played_frames)
        self._pause: _Pause | None = None
        self._next_send_ms = self._sounds_until_ms = 0.0
        self._idle = True
        self._next_pts_ms = 0
        self._events: list[PlaybackEvent] = []
        self.assistant_muted = False
        self.underruns = 0
        self.lost_frames = 0
        self.skipped_utterances = 0
        self.echoes = 0

    @property
    def is_paused(self) -> bool:
        return self._pause is not None

    @property
    def is_flowing(self) -> bool:
        """Something sounds and has its next frame: a further one changes nothing about what is due, and when."""
        utterance = self._current
        return self._pause is None and utterance is not None and utterance.started and utterance.has_next

    @property
    def lost(self) -> tuple[int, int] | None:
        """(utterance_seq, index) of a frame that was lost on the way and holds up the rest."""
        utterance = self._current
        return (self._floor + 1, utterance.next_index) if utterance is not None and utterance.misses_next else None

    def take_events(self) -> list[PlaybackEvent]:
        events, self._events = self._events, []
        return events

    # What comes from the bus

    def on_frame(self, frame: AgentFrame, now_ms: float) -> bool:
        """Keeps a frame to be played; says whether it did."""
        seq = frame.utterance_seq
        if 0 < frame.epoch < self._epoch or seq <= self._floor:
            return False
        self._epoch = max(self._epoch, frame.epoch)
        utterance = self._utterances.get(seq)
        if seq <= self._cancelled and (utterance is None or not utterance.started):
            return False
        if utterance is None:
            utterance = self._utterances[seq] = Utterance()
        kept = utterance.accept(frame, now_ms)
        self._settle(now_ms)
        return kept

    def on_say(self, say: SaySentence, now_ms: float) -> None:
        if say.utterance_seq > max(self._floor, self._cancelled):
            self._utterances.setdefault(say.utterance_seq, Utterance()).announce(say)
            self._settle(now_ms)

    def on_release(self, seqs: Sequence[int], anchor_pts_ms: int | None, now_ms: float) -> None:
        """The held utterances of an answer that is given may be heard; the anchor is that of the first."""
        for seq in seqs:
            if seq > max(self._floor, self._cancelled):
                anchor = anchor_pts_ms if seq == min(seqs) else None
                self._utterances.setdefault(seq, Utterance()).release(anchor, now_ms)
        self._settle(now_ms)

    def on_synthesized(self, utterance_seq: int, duration_ms: int, now_ms: float) -> None:
        """The voice is done with an utterance: tells a lost tail from a slow voice."""
        utterance = self._utterances.get(utterance_seq)
        if utterance is not None:
            utterance.lasts(duration_ms)
            self._settle(now_ms)

    def on_cancel(self, up_to_seq: int, now_ms: float) -> None:
        """No more audio is made: what has not begun is dropped, what sounds ends with the frames that are here."""
        self._cancelled = max(self._cancelled, up_to_seq)
        utterance = self._current
        if utterance is not None and utterance.started and self._floor < up_to_seq:
            utterance.ends_here()
        for seq in [s for s, u in self._utterances.items() if s <= up_to_seq and not u.started]:
            del self._utterances[seq]
        self._settle(now_ms)

    def on_clear(self, up_to_seq: int, now_ms: float) -> None:
        """Drops all up to a number for good; reports once per number."""
        if up_to_seq <= self._cleared:
            return
        self._cleared = up_to_seq
        utterance = self._current
        sounds = utterance is not None and utterance.started and self._floor < up_to_seq
        seq, played_ms = (self._floor + 1, utterance.played_ms) if utterance is not None and sounds else (0, 0)
        for old in [s for s in self._utterances if s <= up_to_seq]:
            del self._utterances[old]
        self._floor = max(self._floor, up_to_seq)
        if self._pause is not None and self._pause.seq <= up_to_seq:
            self._pause = None
            self._idle = True
        self._events.append(
            PlaybackCleared(
                up_to_utterance_seq=up_to_seq, utterance_seq=seq, played_ms=played_ms, pts_ms=self._pts_at(now_ms)
            )
        )
        self._settle(now_ms)

    def on_pause(self, now_ms: float) -> None:
        """Silence until a resume or a clear; makes a pause of the reflex last."""
        self._reflex.spend()
        if self._pause is None:
            self._be_quiet("command", None, now_ms)
        else:
            self._pause = _Pause(self._pause.seq, None)

    def on_resume(self, now_ms: float, speech_seq: int = 0) -> None:
        """Goes on with the next sample. Speech after `speech_seq` may pause again; 0 = the open stretch is meant."""
        self._reflex.spend(speech_seq)
        if self._pause is not None:
            self._go_on("command", now_ms)
            self._obey_reflex(now_ms)

    def on_speech_started(self, speech: SpeechStarted, now_ms: float) -> None:
        self._reflex.on_speech_started(speech)
        self._obey_reflex(now_ms)

    def on_speech_stopped(self, speech: SpeechStopped) -> None:
        self._reflex.on_speech_stopped(speech)

    # What goes out

    def next_due(self) -> float | None:
        """When to tick next; may lie in the past (at once). None = nothing to do until something comes."""
        if self._pause is not None:
            return self._pause.until_ms
        times: list[float] = []
        utterance = self._current
        if utterance is not None and utterance.is_held:
            return None
        if utterance is not None and (utterance.has_next or (utterance.started and not utterance.starved)):
            times.append(max(self._next_send_ms, self._may_begin_ms(utterance)))
        gives_up_at_ms = self.holes.gives_up_at_ms
        if gives_up_at_ms is not None:
            may_begin_ms = self._may_begin_ms(utterance) if utterance is not None else 0.0
            times.append(max(self._next_send_ms, gives_up_at_ms, may_begin_ms))
        pauses_at = self._reflex_due()
        if pauses_at is not None:
            times.append(self._clock.time_of(pauses_at))
        return min(times, default=None)

    def tick(self, now_ms: float) -> SentFrame | None:
        """The frame that leaves now, if one does."""
        if self._pause is not None and self._pause.until_ms is not None and self._pause.until_ms <= now_ms:
            self._reflex.spend()
            self._go_on("no-decision", now_ms)
        self._obey_reflex(now_ms)
        if self._pause is not None or now_ms < self._next_send_ms:
            return None
        self._pass_over_unsaid(now_ms)
        utterance = self._current
        if utterance is not None and (utterance.is_held or now_ms < self._may_begin_ms(utterance)):
            utterance = None
        pcm = self._take(utterance, now_ms) if utterance is not None else None
        if utterance is None or pcm is None:
            self._idle = True
            return None
        return self._send(utterance, pcm, now_ms)

    def break_off(self) -> None:
        """The transport is gone: reports how much of what sounds was heard. Nothing is ticked afterwards."""
        utterance = self._current
        if utterance is not None and utterance.sent_here % _PROGRESS_FRAMES:
            self._report_progress(utterance)

    @property
    def _current(self) -> Utterance | None:
        return self._utterances.get(self._floor + 1)

    def _pts_at(self, now_ms: float) -> int:
        return max(self._next_pts_ms, int(self._clock.position_at(now_ms)) // FRAME_MS * FRAME_MS)

    def _may_begin_ms(self, utterance: Utterance) -> float:
        """When it may begin: not before its say command allows it, and without one only after a while."""
        say = utterance.say
        if utterance.started:
            return 0.0
        if say is not None:
            return self._clock.time_of(say.not_before_pts_ms) if say.not_before_pts_ms else 0.0
        return utterance.arrived_ms + _UNANNOUNCED_MS if utterance.arrived_ms is not None else 0.0

    def _take(self, utterance: Utterance, now_ms: float) -> bytes | None:
        pcm = utterance.take()
        if pcm is None and utterance.misses_next and self.holes.is_given_up(now_ms):
            utterance.skip()
            self.lost_frames += 1
            pcm = SILENCE_FRAME
        if pcm is None and utterance.started and not utterance.starved:
            utterance.starved = True
            self.underruns += 1
        return pcm

    def _send(self, utterance: Utterance, pcm: bytes, now_ms: float) -> SentFrame:
        if self._idle or now_ms - self._next_send_ms > _CATCH_UP_MS:
            self._next_send_ms = self._sounds_until_ms = now_ms
            self._next_pts_ms = self._pts_at(now_ms)
        self._idle = False
        if utterance.next_index == 1:
            self._report_start(utterance, now_ms)
        frame = SentFrame(self._floor + 1, self._next_pts_ms, SILENCE_FRAME if self.assistant_muted else pcm)
        self.echo.played(frame.pts_ms, frame.pcm)
        self._sounds_until_ms += FRAME_MS
        self._next_send_ms += FRAME_MS - self._next_send_ms % FRAME_MS
        self._next_pts_ms += FRAME_MS
        utterance.sent_here += 1
        if utterance.sent_here % _PROGRESS_FRAMES == 0 and not utterance.is_complete:
            self._report_progress(utterance)
        self._settle(now_ms)
        return frame

    def _report_progress(self, utterance: Utterance) -> None:
        seq, pts_ms = self._floor + 1, self._next_pts_ms
        self._events.append(PlaybackProgressed(utterance_seq=seq, played_ms=utterance.played_ms, pts_ms=pts_ms))

    def _report_start(self, utterance: Utterance, now_ms: float) -> None:
        anchor_pts_ms = utterance.anchor_pts_ms
        arrived_ms = self._clock.arrival_of(anchor_pts_ms) if anchor_pts_ms is not None else None
        since_ms = utterance.waits_since_ms
        waited_ms = now_ms - since_ms if since_ms is not None else 0.0
        self._events.append(
            PlaybackStarted(
                utterance_seq=self._floor + 1,
                pts_ms=self._next_pts_ms,
                anchor_pts_ms=anchor_pts_ms,
                v2v_ms=round(now_ms - arrived_ms, 2) if arrived_ms is not None else None,
                left_pts_ms=round(self._clock.position_at(now_ms), 2),
                waited_ms=round(waited_ms, 2),
                voice_bus_ms=round(utterance.age_ms, 2),
            )
        )

    # Pausing

    def _reflex_due(self) -> int | None:
        """Where on the audio clock what sounds must fall silent."""
        utterance = self._current
        if self._pause is not None or utterance is None or not utterance.started:
            return None
        return self._reflex.pauses_at_pts_ms(utterance.say)

    def _obey_reflex(self, now_ms: float) -> None:
        due_pts_ms = self._reflex_due()
        if due_pts_ms is None or self._clock.time_of(due_pts_ms) > now_ms:
            return
        if self.echo.explains_the_latest():
            self.echoes += self._reflex.wait_until(int(self._clock.position_at(now_ms)) + _ECHO_AGAIN_MS)
            return
        self._reflex.spend()
        self._be_quiet("reflex", now_ms + DECISION_MS, now_ms)

    def _be_quiet(self, reason: str, until_ms: float | None, now_ms: float) -> None:
        utterance = self._current
        seq = self._floor + 1 if utterance is not None and utterance.started else 0
        self._pause = _Pause(seq, until_ms)
        if utterance is not None and seq:
            min_voiced_ms = utterance.say.min_voiced_ms if utterance.say is not None else 0
            self._events.append(
                PlaybackPaused(
                    utterance_seq=seq,
                    played_ms=utterance.played_ms,
                    pts_ms=self._pts_at(now_ms),
                    reason=reason,
                    min_voiced_ms=min_voiced_ms,
                    voiced_to_silent_ms=self._voiced_to_silent_ms(utterance.sent_here, min_voiced_ms, now_ms),
                )
            )
        self._idle = True

    def _voiced_to_silent_ms(self, sent_frames: int, min_voiced_ms: int, now_ms: float) -> float | None:
        """From the arrival of the caller's first voiced sample to the end of the last frame that left.

        None where that says nothing: when what sounds began only after it should have fallen silent already.
        """
        voiced_pts_ms = self._reflex.voiced_since_pts_ms
        arrived_ms = None if voiced_pts_ms is None else self._clock.arrival_of(voiced_pts_ms + FRAME_MS)
        if arrived_ms is None:
            return None
        silent_ms = now_ms if self._idle else max(now_ms, self._sounds_until_ms)
        sounds_since_ms = silent_ms - sent_frames * FRAME_MS
        enough_at_ms = arrived_ms + enough_voice_after_ms(min_voiced_ms)
        return round(silent_ms - arrived_ms, 2) if sounds_since_ms <= enough_at_ms else None

    def _go_on(self, reason: str, now_ms: float) -> None:
        utterance = self._current
        seq = self._pause.seq if self._pause is not None else 0
        self._pause = None
        if utterance is not None and seq == self._floor + 1:
            pts_ms = self._pts_at(now_ms)
            self._events.append(
                PlaybackResumed(utterance_seq=seq, played_ms=utterance.played_ms, pts_ms=pts_ms, reason=reason)
            )

    # Getting to the next utterance

    def _settle(self, now_ms: float) -> None:
        """Leaves behind what is complete or will never come, and notices what is missing."""
        while True:
            utterance = self._current
            if utterance is not None and utterance.is_complete:
                pts_ms = self._pts_at(now_ms)
                self._events.append(
                    PlaybackFinished(utterance_seq=self._floor + 1, played_ms=utterance.played_ms, pts_ms=pts_ms)
                )
            elif self._floor >= self._cancelled or (utterance is not None and utterance.started):
                break
            self._floor += 1
            self._utterances.pop(self._floor, None)
        is_stuck = utterance.misses_next if utterance is not None else self._something_waits
        self.holes.notice(self._floor if is_stuck else None, utterance is None, now_ms)

    @property
    def _something_waits(self) -> bool:
        return any(utterance.has_frames for utterance in self._utterances.values())

    def _pass_over_unsaid(self, now_ms: float) -> None:
        if self._current is None and self.holes.is_given_up(now_ms):
            self.skipped_utterances += min(self._utterances) - 1 - self._floor
            self._floor = min(self._utterances) - 1
            self._settle(now_ms)
