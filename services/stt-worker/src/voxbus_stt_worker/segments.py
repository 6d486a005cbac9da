"""Which of the caller's audio is recognized as what: frames and speech events in, orders to a recognizer out. Pure.

A stretch of speech is fed from shortly before its start to the frame that decided its end, as it comes, and then
flushed; a long one in pieces. Each flush becomes one utterance of the transcript. Frames are kept until their
utterance is final, so that a new recognizer session can be given all of it again. Numbering and position go on from
the call's log: a new owner feeds exactly what the log's finals do not cover.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from voxbus_audio import FRAME_MS
from voxbus_contracts.events import SpeechStarted, SpeechStopped, TranscriptFinal
from voxbus_contracts.message import Message
from voxbus_providers.recognizer import HeardFrame
from voxbus_stt_worker.ordering import FrameOrder, Hole

PRE_ROLL_MS: Final = 300
"""Recognizers want the breath before the first word; the vad's first voiced frame may be late."""
KEPT_IDLE_MS: Final = 8_000
"""Audio kept while nobody speaks: how late a speech.started may come, a takeover of the vad included; 270 kB."""
PIECE_MS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Utterance:
    """One flush: what a transcript.final is made of besides the words."""

    transcript_seq: int
    speech_seq: int
    start_pts_ms: int
    end_pts_ms: int
    audio_ms: int
    asked_ms: float
    """When the flush was asked for, on the clock of `now_ms`."""


@dataclass(frozen=True, slots=True)
class Feed:
    """Push this frame."""

    frame: HeardFrame


@dataclass(frozen=True, slots=True)
class Flush:
    """The recognizer's next final hearing is this utterance."""

    utterance: Utterance


@dataclass(frozen=True, slots=True)
class Lost:
    """The recognizer failed too often on this utterance: its final is empty."""

    utterance: Utterance


@dataclass(frozen=True, slots=True)
class Listen:
    """The caller's next frame, whether anybody speaks or not."""

    frame: HeardFrame


Order = Feed | Flush | Lost | Hole | Listen


@dataclass(slots=True)
class _Stretch:
    speech_seq: int
    start_pts_ms: int
    from_pts_ms: int
    upto_pts_ms: int | None = None
    asked_ms: float = 0.0


@dataclass(slots=True)
class _Piece:
    """Audio of one utterance that is not final yet; `utterance` once flushed."""

    from_pts_ms: int
    start_pts_ms: int
    frames: list[HeardFrame] = field(default_factory=list)
    utterance: Utterance | None = None
    given_up: bool = False


class Segments:
    """One call. Mutable, for it is called for every 20 ms frame of every call."""

    __slots__ = (
        "_done_upto_ms",
        "_fed_upto_ms",
        "_idle",
        "_last_speech_seq",
        "_next_transcript_seq",
        "_order",
        "_pieces",
        "_stretches",
        "tells_all",
    )

    def __init__(self, history: Iterable[Message | None] = (), now_ms: float = 0.0) -> None:
        """`history`: the call's transcript.final, speech.started and speech.stopped so far; others are left out."""
        messages = tuple(history)
        finals = [message for message in messages if isinstance(message, TranscriptFinal)]
        self.tells_all = False
        """Every frame is ordered to be listened to as it comes, beside what is fed."""
        self._next_transcript_seq = max((final.transcript_seq for final in finals), default=0) + 1
        self._done_upto_ms = max((final.end_pts_ms for final in finals), default=0)
        self._fed_upto_ms = self._done_upto_ms
        self._last_speech_seq = 0
        self._order = FrameOrder()
        self._idle: deque[HeardFrame] = deque()
        self._stretches: deque[_Stretch] = deque()
        self._pieces: deque[_Piece] = deque()
        for message in messages:
            if isinstance(message, SpeechStarted):
                self._open_stretch(message)
            elif isinstance(message, SpeechStopped):
                self._close_stretch(message, now_ms)
        while self._stretches and _is_over(self._stretches[0], self._done_upto_ms):
            self._stretches.popleft()

    # --- what the shell asks -----------------------------------------------------------------------------------

    @property
    def needed_from_ms(self) -> int | None:
        """Audio from here on is still to be recognized; None = nobody speaks, only the latest audio matters."""
        return self._stretches[0].from_pts_ms if self._stretches else None

    @property
    def recognized_upto_ms(self) -> int:
        return self._done_upto_ms

    @property
    def transcript_seq(self) -> int:
        """Number of the utterance the recognizer speaks of until its next final hearing."""
        return self.awaited.transcript_seq if self.awaited is not None else self._next_transcript_seq

    @property
    def start_pts_ms(self) -> int:
        """Start of that utterance."""
        return self._pieces[0].start_pts_ms if self._pieces else self._done_upto_ms

    @property
    def awaited(self) -> Utterance | None:
        """The oldest utterance that was flushed and is not final."""
        return self._pieces[0].utterance if self._pieces else None

    @property
    def has_work(self) -> bool:
        """A recognizer has something to do."""
        return any(not piece.given_up for piece in self._pieces)

    @property
    def wake_at_ms(self) -> float | None:
        return self._order.wake_at_ms

    # --- inputs ------------------------------------------------------------------------------------------------

    def start_at(self, pts_ms: int) -> None:
        """Before the first frame: the oldest that is known to exist; older ones are not waited for."""
        self._order.next_pts_ms = pts_ms

    def on_frame(self, frame: HeardFrame, now_ms: float) -> list[Order]:
        """A frame of any source, in any order, any number of times."""
        ready = self._order.push(frame, now_ms)
        return self._take(ready, now_ms) if ready else []

    def on_speech_started(self, event: SpeechStarted, now_ms: float) -> list[Order]:
        self._open_stretch(event)
        return self._advance(now_ms)

    def on_speech_stopped(self, event: SpeechStopped, now_ms: float) -> list[Order]:
        self._close_stretch(event, now_ms)
        return self._advance(now_ms)

    def on_tick(self, now_ms: float) -> list[Order]:
        """At `wake_at_ms`; harmless at any other time."""
        ready, hole = self._order.tick(now_ms)
        orders = self._take(ready, now_ms)
        return [*orders, hole] if hole is not None else orders

    def be_patient(self, until_ms: float) -> None:
        """Frames that are missing until then may be said again."""
        self._order.patient_until_ms = until_ms

    def on_hole_answered(self, frames: Iterable[HeardFrame], now_ms: float) -> list[Order]:
        """The stream's frames for a Hole."""
        orders = [order for frame in frames for order in self.on_frame(frame, now_ms)]
        self._order.answered()
        return orders

    def on_call_ended(self, now_ms: float) -> list[Order]:
        """Nothing more will come: flushes what is open with the audio there is."""
        orders: list[Order] = []
        while ready := self._order.give_up(now_ms):
            orders += self._take(ready, now_ms)
        upto_ms = self._order.next_pts_ms or 0
        for stretch in self._stretches:
            if stretch.upto_pts_ms is None:
                stretch.upto_pts_ms, stretch.asked_ms = max(upto_ms, stretch.from_pts_ms), now_ms
            upto_ms = max(upto_ms, stretch.upto_pts_ms)
        self._order.next_pts_ms = upto_ms
        return orders + self._advance(now_ms)

    # --- the recognizer's side ---------------------------------------------------------------------------------

    def confirm(self) -> Utterance | None:
        """A final hearing came: the utterance it belongs to; None if nothing was asked."""
        return self._pieces.popleft().utterance if self.awaited is not None else None

    def replay(self) -> list[Order]:
        """Everything that is not final, for a new session."""
        orders: list[Order] = []
        for piece in self._pieces:
            if piece.given_up:
                continue
            orders += [Feed(frame) for frame in piece.frames]
            if piece.utterance is not None:
                orders.append(Flush(piece.utterance))
        return orders + [Listen(frame) for frame in self._idle] if self.tells_all else orders

    def give_up(self) -> list[Utterance]:
        """The recognizer failed too often: utterances that get an empty final now; an open one gets its later."""
        flushed = [piece.utterance for piece in self._pieces if piece.utterance is not None]
        self._pieces = deque(piece for piece in self._pieces if piece.utterance is None)
        for piece in self._pieces:
            piece.given_up = True
            piece.frames.clear()
        return flushed

    # --- inside ------------------------------------------------------------------------------------------------

    def _open_stretch(self, event: SpeechStarted) -> None:
        if event.speech_seq <= self._last_speech_seq:
            return
        self._last_speech_seq = event.speech_seq
        from_pts_ms = max(event.pts_ms - PRE_ROLL_MS, self._done_upto_ms)
        if self._stretches:
            last = self._stretches[-1]
            if last.upto_pts_ms is None:  # its vad died before the end of it
                last.upto_pts_ms = max(from_pts_ms, self._fed_upto_ms)
        start_pts_ms = max(event.pts_ms, self._done_upto_ms)
        self._stretches.append(_Stretch(event.speech_seq, start_pts_ms, from_pts_ms))

    def _close_stretch(self, event: SpeechStopped, now_ms: float) -> None:
        for stretch in self._stretches:
            if stretch.speech_seq == event.speech_seq and stretch.upto_pts_ms is None:
                stretch.upto_pts_ms = max(event.detected_pts_ms, stretch.from_pts_ms)
                if stretch is self._stretches[0]:  # what was fed meanwhile is its own
                    stretch.upto_pts_ms = max(stretch.upto_pts_ms, self._fed_upto_ms)
                stretch.asked_ms = now_ms

    def _take(self, frames: list[HeardFrame], now_ms: float) -> list[Order]:
        if not frames:
            return self._advance(now_ms)
        idle = self._idle
        idle.extend(frames)
        heard: list[Order] = [Listen(frame) for frame in frames] if self.tells_all else []
        if self._stretches:
            return heard + self._advance(now_ms)
        oldest_ms = frames[-1].pts_ms - KEPT_IDLE_MS
        while idle[0].pts_ms <= oldest_ms:
            idle.popleft()
        return heard

    def _advance(self, now_ms: float) -> list[Order]:
        """Feeds what belongs to the oldest stretch, flushes it when all of it came, goes on with the next."""
        orders: list[Order] = []
        while self._stretches:
            stretch = self._stretches[0]
            self._feed(stretch, orders, now_ms)
            upto_ms = stretch.upto_pts_ms
            if upto_ms is None:
                break
            self._order.expect(stretch.from_pts_ms, upto_ms, now_ms)
            if self._order.next_pts_ms is None or self._order.next_pts_ms < upto_ms:
                break
            self._flush(stretch, upto_ms, stretch.asked_ms or now_ms, orders)
            self._stretches.popleft()
        return orders

    def _feed(self, stretch: _Stretch, orders: list[Order], now_ms: float) -> None:
        idle = self._idle
        while idle:
            frame = idle[0]
            if stretch.upto_pts_ms is not None and frame.pts_ms >= stretch.upto_pts_ms:
                return
            idle.popleft()
            if frame.pts_ms < stretch.from_pts_ms:
                continue
            piece = self._open_piece(stretch)
            self._fed_upto_ms = frame.pts_ms + FRAME_MS
            if not piece.given_up:
                piece.frames.append(frame)
                orders.append(Feed(frame))
            if frame.pts_ms + FRAME_MS - piece.from_pts_ms >= PIECE_MS:
                self._flush(stretch, frame.pts_ms + FRAME_MS, now_ms, orders)

    def _open_piece(self, stretch: _Stretch) -> _Piece:
        if self._pieces and self._pieces[-1].utterance is None:
            return self._pieces[-1]
        from_pts_ms = max(stretch.from_pts_ms, self._done_upto_ms)
        self._pieces.append(_Piece(from_pts_ms, max(stretch.start_pts_ms, self._done_upto_ms)))
        return self._pieces[-1]

    def _flush(self, stretch: _Stretch, upto_ms: int, asked_ms: float, orders: list[Order]) -> None:
        piece = self._open_piece(stretch)
        piece.utterance = Utterance(
            transcript_seq=self._next_transcript_seq,
            speech_seq=stretch.speech_seq,
            start_pts_ms=min(piece.start_pts_ms, upto_ms),
            end_pts_ms=upto_ms,
            audio_ms=len(piece.frames) * FRAME_MS,
            asked_ms=asked_ms,
        )
        self._next_transcript_seq += 1
        self._done_upto_ms = max(self._done_upto_ms, upto_ms)
        if piece.given_up:
            self._pieces.remove(piece)
            orders.append(Lost(piece.utterance))
        else:
            orders.append(Flush(piece.utterance))


def _is_over(stretch: _Stretch, done_upto_ms: int) -> bool:
    return stretch.upto_pts_ms is not None and stretch.upto_pts_ms <= done_upto_ms
