"""Any way the network shuffles a call, and any moment its worker dies: every frame of speech in exactly one final."""

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus_contracts.events import SpeechStarted, SpeechStopped, TranscriptFinal
from voxbus_providers.recognizer import HeardFrame
from voxbus_stt_worker.ordering import Hole
from voxbus_stt_worker.segments import KEPT_IDLE_MS, PRE_ROLL_MS, Feed, Flush, Order, Segments, Utterance

Input = HeardFrame | SpeechStarted | SpeechStopped
Logged = SpeechStarted | SpeechStopped | TranscriptFinal


@dataclass(frozen=True)
class Call:
    """What happens on the line: speech in ms, multiples of 20, far enough apart for the vad to tell."""

    stretches: tuple[tuple[int, int], ...]
    length_ms: int


@st.composite
def calls(draw: st.DrawFn) -> Call:
    at_ms = 0
    stretches: list[tuple[int, int]] = []
    for _ in range(draw(st.integers(1, 4))):
        start_ms = at_ms + 20 * draw(st.integers(1, 60))
        end_ms = start_ms + 20 * draw(st.integers(5, 80))
        stretches.append((start_ms, end_ms))
        at_ms = end_ms + 200
    return Call(tuple(stretches), at_ms + 400)


def events(call: Call) -> list[tuple[int, Input]]:
    """(when it is known, what) of every frame and speech event."""
    out: list[tuple[int, Input]] = [(pts + 20, HeardFrame(pts, b"")) for pts in range(0, call.length_ms, 20)]
    for seq, (start, end) in enumerate(call.stretches, 1):
        out.append((start + 80, SpeechStarted(speech_seq=seq, pts_ms=start, detected_pts_ms=start + 80)))
        stop = SpeechStopped(speech_seq=seq, pts_ms=end, detected_pts_ms=end + 200, voiced_ms=end - start)
        out.append((end + 200, stop))
    return out


def shuffled(call: Call, delays_ms: list[int], doubles: list[int]) -> list[tuple[int, Input]]:
    """Each input late by up to 150 ms, speech events in their own order; some frames come again."""
    out: list[tuple[int, Input]] = []
    event_at_ms = 0
    for at, (known_ms, what) in enumerate(events(call)):
        arrival_ms = known_ms + delays_ms[at % len(delays_ms)]
        if not isinstance(what, HeardFrame):
            arrival_ms = event_at_ms = max(arrival_ms, event_at_ms)
        out.append((arrival_ms, what))
        if at in doubles and isinstance(what, HeardFrame):
            out.append((arrival_ms + delays_ms[(at + 1) % len(delays_ms)], what))
    return sorted(out, key=lambda each: each[0])


class Worker:
    """The shell around the core, with an honest recognizer: an utterance is the frames it was fed."""

    def __init__(self, segments: Segments) -> None:
        self.segments = segments
        self.heard: list[int] = []
        self.finals: list[tuple[Utterance, list[int]]] = []

    def take(self, now_ms: float, what: Input | None = None) -> None:
        while (wake_ms := self.segments.wake_at_ms) is not None and wake_ms <= now_ms:
            self.carry_out(self.segments.on_tick(wake_ms), wake_ms)
        match what:
            case HeardFrame():
                self.carry_out(self.segments.on_frame(what, now_ms), now_ms)
            case SpeechStarted():
                self.carry_out(self.segments.on_speech_started(what, now_ms), now_ms)
            case SpeechStopped():
                self.carry_out(self.segments.on_speech_stopped(what, now_ms), now_ms)
            case None:
                pass

    def carry_out(self, orders: list[Order], now_ms: float) -> None:
        for order in orders:
            match order:
                case Feed(frame):
                    self.heard.append(frame.pts_ms)
                case Flush():
                    utterance = self.segments.confirm()
                    assert utterance is not None
                    self.finals.append((utterance, self.heard))
                    self.heard = []
                case Hole():
                    self.carry_out(self.segments.on_hole_answered([], now_ms), now_ms)
                case _:
                    raise AssertionError(order)


class Line:
    """A call with a log, a store of its audio, and workers that die and are replaced."""

    def __init__(self) -> None:
        self.log: list[Logged] = []
        self.stored: dict[int, HeardFrame] = {}
        self.finals: list[tuple[Utterance, list[int]]] = []
        self.worker: Worker | None = Worker(Segments())
        self.worker.segments.start_at(0)

    def happens(self, now_ms: float, what: Input) -> None:
        if isinstance(what, HeardFrame):
            self.stored[what.pts_ms] = what
        else:
            self.log.append(what)
        if self.worker is not None:
            self.worker.take(now_ms, what)
            self._collect(self.worker)

    def kill(self) -> None:
        self.worker = None

    def take_over(self, now_ms: float) -> None:
        segments = Segments(self.log, now_ms)
        worker = self.worker = Worker(segments)
        newest_ms = max(self.stored, default=0)
        from_ms = max(segments.recognized_upto_ms, newest_ms - KEPT_IDLE_MS)
        from_ms = from_ms if segments.needed_from_ms is None else segments.needed_from_ms
        segments.start_at(from_ms)
        for pts_ms in sorted(self.stored):
            if pts_ms >= from_ms:
                worker.take(now_ms, self.stored[pts_ms])
        worker.carry_out(segments.on_tick(now_ms), now_ms)
        self._collect(worker)

    def _collect(self, worker: Worker) -> None:
        for utterance, heard in worker.finals:
            self.finals.append((utterance, heard))
            self.log.append(
                TranscriptFinal(
                    transcript_seq=utterance.transcript_seq,
                    text="",
                    start_pts_ms=utterance.start_pts_ms,
                    end_pts_ms=utterance.end_pts_ms,
                    speech_seq=utterance.speech_seq,
                    provider="honest",
                    recognition_ms=0,
                )
            )
        worker.finals = []

    def check(self, call: Call) -> None:
        heard = [pts for _, frames in self.finals for pts in frames]
        assert heard == sorted(set(heard)), "a frame twice, or out of order"
        spoken = {pts for start, end in call.stretches for pts in range(max(0, start - PRE_ROLL_MS), end + 200, 20)}
        assert spoken <= set(heard), "a frame of speech was lost"
        assert {utterance.speech_seq for utterance, _ in self.finals} == set(range(1, len(call.stretches) + 1))
        assert [utterance.transcript_seq for utterance, _ in self.finals] == list(range(1, len(self.finals) + 1))
        assert all(a.end_pts_ms <= b.end_pts_ms for (a, _), (b, _) in pairwise(self.finals))


delays = st.lists(st.integers(0, 150), min_size=1, max_size=12)
doubled = st.lists(st.integers(0, 400), max_size=40)


@given(calls(), delays, doubled)
@settings(deadline=None, max_examples=60)
def test_every_frame_of_speech_is_in_exactly_one_final_in_whatever_order_things_come(
    call: Call, delays_ms: list[int], doubles: list[int]
) -> None:
    line = Line()
    for now_ms, what in shuffled(call, delays_ms, doubles):
        line.happens(now_ms, what)
    line.check(call)


@given(calls(), delays, doubled, st.lists(st.floats(0, 1), min_size=1, max_size=3), st.integers(0, 2_000))
@settings(deadline=None, max_examples=60)
def test_every_frame_of_speech_is_in_exactly_one_final_however_often_the_worker_dies(
    call: Call, delays_ms: list[int], doubles: list[int], deaths: list[float], away_ms: int
) -> None:
    line = Line()
    dies_at_ms = sorted(part * call.length_ms for part in deaths)
    back_at_ms = 0.0
    for now_ms, what in shuffled(call, delays_ms, doubles):
        if line.worker is not None and dies_at_ms and now_ms >= dies_at_ms[0]:
            line.kill()
            back_at_ms = dies_at_ms.pop(0) + away_ms
        if line.worker is None and now_ms >= back_at_ms:
            line.take_over(now_ms)
        line.happens(now_ms, what)
    if line.worker is None:
        line.take_over(back_at_ms)
    line.check(call)
