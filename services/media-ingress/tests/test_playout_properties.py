"""Whatever the order in which commands and audio arrive, nothing cleared is heard and nothing is heard twice."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus_contracts.commands import SaySentence
from voxbus_contracts.events import (
    PlaybackCleared,
    PlaybackFinished,
    PlaybackPaused,
    PlaybackProgressed,
    PlaybackResumed,
    PlaybackStarted,
    SpeechStarted,
)
from voxbus_media_ingress.clock import CallerClock
from voxbus_media_ingress.playout import PlaybackEvent, Playout, SentFrame
from voxbus_media_ingress.utterance import AgentFrame

UTTERANCES = 4
LENGTH = 6


@dataclass(frozen=True)
class Step:
    kind: Literal["frame", "say", "clear", "cancel", "pause", "resume", "speech"]
    seq: int
    index: int = 0
    epoch: int = 1
    after_ms: float = 0.0


def pcm(seq: int, index: int) -> bytes:
    return (seq * 1_000 + index).to_bytes(4, "little") * 160


SEQS = st.integers(1, UTTERANCES)
DELAYS = st.sampled_from([0.0, 0.0, 3.0, 20.0, 45.0, 200.0])


def every_frame(epoch: int) -> list[Step]:
    return [Step("frame", seq, index, epoch) for seq in range(1, UTTERANCES + 1) for index in range(LENGTH)]


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    steps = [Step("say", seq) for seq in range(1, UTTERANCES + 1)]
    steps += every_frame(1)
    if draw(st.booleans()):
        steps += every_frame(2)
    for kind in draw(st.lists(st.sampled_from(["clear", "cancel", "pause", "resume", "speech"]), max_size=6)):
        steps.append(Step(kind, draw(SEQS)))
    shuffled = draw(st.permutations(steps))
    return [Step(s.kind, s.seq, s.index, s.epoch, draw(DELAYS)) for s in shuffled]


class Run:
    """Plays a history with a perfect timer, noting the order of everything."""

    def __init__(self, steps: list[Step]) -> None:
        self.playout = Playout(CallerClock(0.0))
        self.log: list[SentFrame | PlaybackEvent | Step] = []
        self.now_ms = 0.0
        for number, step in enumerate(steps):
            self.advance(self.now_ms + step.after_ms)
            self.log.append(step)
            self.apply(step, number)
            self.advance(self.now_ms)
        self.playout.on_resume(self.now_ms)
        self.advance(self.now_ms + 10_000.0)

    def apply(self, step: Step, number: int) -> None:
        playout, now_ms = self.playout, self.now_ms
        match step.kind:
            case "frame":
                frame = AgentFrame(
                    step.seq, step.index, pcm(step.seq, step.index), step.index == LENGTH - 1, step.epoch
                )
                was_flowing, due_ms = playout.is_flowing, playout.next_due()
                playout.on_frame(frame, now_ms)
                if was_flowing:
                    assert playout.next_due() == due_ms, "who paces it is not asked again"
                    assert playout.take_events() == []
            case "say":
                playout.on_say(SaySentence(utterance_seq=step.seq, reply=1, turn=1, text="x"), now_ms)
            case "clear":
                playout.on_clear(step.seq, now_ms)
            case "cancel":
                playout.on_cancel(step.seq, now_ms)
            case "pause":
                playout.on_pause(now_ms)
            case "resume":
                playout.on_resume(now_ms)
            case "speech":
                speech = SpeechStarted(speech_seq=number + 1, pts_ms=int(now_ms), detected_pts_ms=int(now_ms))
                playout.on_speech_started(speech, now_ms)
        self.log += playout.take_events()

    def advance(self, until_ms: float) -> None:
        for _ in range(10_000):
            due_ms = self.playout.next_due()
            if due_ms is None or due_ms > until_ms:
                break
            self.now_ms = max(self.now_ms, due_ms)
            frame = self.playout.tick(self.now_ms)
            events = self.playout.take_events()
            started = [e for e in events if isinstance(e, PlaybackStarted)]
            self.log += [e for e in events if isinstance(e, PlaybackPaused | PlaybackResumed)]
            self.log += started
            if frame is not None:
                self.log.append(frame)
            self.log += [e for e in events if not isinstance(e, PlaybackPaused | PlaybackResumed | PlaybackStarted)]
        else:
            raise AssertionError("playout spins")
        self.now_ms = until_ms


def sound(frame: SentFrame) -> tuple[int, int] | None:
    """(utterance, index) told by the sound itself; None for silence in place of a lost frame."""
    number = int.from_bytes(frame.pcm[:4], "little")
    return (number // 1_000, number % 1_000) if number else None


@settings(max_examples=120, deadline=None)
@given(histories())
def test_no_frame_of_a_cleared_utterance_is_heard(steps: list[Step]) -> None:
    cleared = 0
    for entry in Run(steps).log:
        if isinstance(entry, Step) and entry.kind == "clear":
            cleared = max(cleared, entry.seq)
        if isinstance(entry, SentFrame):
            assert entry.utterance_seq > cleared
            heard = sound(entry)
            assert heard is None or heard[0] == entry.utterance_seq


@settings(max_examples=120, deadline=None)
@given(histories())
def test_every_index_is_heard_at_most_once_and_in_order(steps: list[Step]) -> None:
    heard = [sound(entry) for entry in Run(steps).log if isinstance(entry, SentFrame)]
    known = [h for h in heard if h is not None]
    assert known == sorted(set(known))


@settings(max_examples=120, deadline=None)
@given(histories())
def test_played_ms_is_what_really_left_and_a_resume_goes_on_with_the_next_sample(steps: list[Step]) -> None:
    sent: dict[int, int] = {}
    paused = False
    for entry in Run(steps).log:
        match entry:
            case SentFrame():
                assert not paused
                heard = sound(entry)
                assert heard is None or heard[1] == sent.get(entry.utterance_seq, 0)
                sent[entry.utterance_seq] = sent.get(entry.utterance_seq, 0) + 1
            case PlaybackCleared():
                paused = False
                assert entry.played_ms == 20 * sent.get(entry.utterance_seq, 0)
            case PlaybackPaused() | PlaybackResumed() | PlaybackFinished() | PlaybackProgressed():
                paused = isinstance(entry, PlaybackPaused) or (paused and isinstance(entry, PlaybackProgressed))
                assert entry.played_ms == 20 * sent.get(entry.utterance_seq, 0)
            case _:
                pass


@settings(max_examples=120, deadline=None)
@given(histories())
def test_what_is_neither_cleared_nor_cancelled_is_heard_whole(steps: list[Step]) -> None:
    run = Run(steps)
    if run.playout.skipped_utterances:
        return  # a number that was not said for a second was passed over
    gone = max((s.seq for s in steps if s.kind in ("clear", "cancel")), default=0)
    heard = [h for entry in run.log if isinstance(entry, SentFrame) and (h := sound(entry)) is not None]
    finished = {e.utterance_seq for e in run.log if isinstance(e, PlaybackFinished)}
    for seq in range(gone + 1, UTTERANCES + 1):
        assert seq in finished
        if run.playout.lost_frames == 0:
            assert [index for s, index in heard if s == seq] == list(range(LENGTH))


@settings(max_examples=80, deadline=None)
@given(histories())
def test_pts_grow_by_whole_frames(steps: list[Step]) -> None:
    pts = [entry.pts_ms for entry in Run(steps).log if isinstance(entry, SentFrame)]
    assert all(b > a and (b - a) % 20 == 0 for a, b in pairwise(pts))
