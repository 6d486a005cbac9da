"""Sentences of an answer that is only being prepared: silent until they are released, gone when they are not wanted."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus_contracts.commands import ClearPlayback, SaySentence
from voxbus_contracts.events import PlaybackCleared, PlaybackStarted, ReplyStarted
from voxbus_media_ingress.clock import CallerClock
from voxbus_media_ingress.past import fold
from voxbus_media_ingress.playout import Playout
from voxbus_media_ingress.utterance import AgentFrame

LENGTH = 4


def held(seq: int, reply: int = 1) -> SaySentence:
    return SaySentence(utterance_seq=seq, reply=reply, turn=1, text="x", hold=True)


def pcm(seq: int, index: int) -> bytes:
    return (seq * 1_000 + index).to_bytes(4, "little") * 160


def sound(playout: Playout, seq: int, now_ms: float, *, says_so: bool = True) -> None:
    for index in range(LENGTH):
        frame = AgentFrame(seq, index, pcm(seq, index), index == LENGTH - 1, 1, held=says_so)
        playout.on_frame(frame, now_ms)


def hold(line: Any, seq: int) -> None:
    line.said.add(seq)
    line.playout.on_say(held(seq), line.now_ms)
    sound(line.playout, seq, line.now_ms)


def test_a_held_sentence_is_silent_and_asks_for_no_timer(line: Any) -> None:
    hold(line, 1)
    line.run_until(60_000.0)
    assert line.sent == []
    assert line.playout.next_due() is None


def test_the_first_sample_leaves_the_moment_it_is_released_and_the_wait_before_is_not_the_lines(line: Any) -> None:
    for n in range(30):
        line.clock.push([b"\1" * 640], 20.0 * n)
    hold(line, 1)
    line.run_until(555.0)
    line.playout.on_release((1,), 140, line.now_ms)
    line.run_until(line.now_ms)
    assert [at for at, _ in line.sent] == [555.0]
    (started,) = line.of(PlaybackStarted)
    assert isinstance(started, PlaybackStarted)
    assert (started.anchor_pts_ms, started.v2v_ms, started.waited_ms) == (140, 435.0, 0.0)
    line.run_until(700.0)
    assert line.heard == [(1, index) for index in range(LENGTH)]


def test_a_sentence_released_before_its_sound_came_is_heard_when_it_comes(line: Any) -> None:
    line.says_itself = False
    line.playout.on_say(held(1), 0.0)
    line.playout.on_release((1,), None, 10.0)
    line.run_until(100.0)
    sound(line.playout, 1, 100.0)
    line.run_until(300.0)
    assert line.heard == [(1, index) for index in range(LENGTH)]


def test_held_sound_whose_command_is_late_does_not_escape(line: Any) -> None:
    line.says_itself = False
    sound(line.playout, 1, 0.0)
    line.run_until(5_000.0)
    assert line.sent == []


def test_a_dropped_sentence_makes_way_for_the_next_at_once(line: Any) -> None:
    hold(line, 1)
    line.frames(2, range(LENGTH), last=True)
    line.run_until(500.0)
    assert line.sent == []
    line.playout.on_clear(1, 500.0)
    line.run_until(500.0)
    assert [at for at, _ in line.sent] == [500.0]
    (cleared,) = line.of(PlaybackCleared)
    assert isinstance(cleared, PlaybackCleared)
    assert (cleared.up_to_utterance_seq, cleared.utterance_seq, cleared.played_ms) == (1, 0, 0)


def test_a_hole_in_held_sound_is_asked_for_but_nothing_spins(line: Any) -> None:
    line.playout.on_say(held(1), 0.0)
    for index in (0, 2, 3):
        line.playout.on_frame(AgentFrame(1, index, pcm(1, index), index == 3, 1, held=True), 0.0)
    line.playout.on_release((1,), None, 1_000.0)
    line.now_ms = 1_000.0
    line.run_until(1_010.0)
    assert line.playout.lost == (1, 1)
    line.run_until(3_000.0)
    assert line.heard == [(1, 0), (0, 0), (1, 2), (1, 3)]


def test_what_was_released_to_an_earlier_attachment_is_known_to_the_next() -> None:
    started = ReplyStarted(reply=1, turn=1, source="model", utterances=(1, 2), anchor_pts_ms=140)
    past = fold([held(1), held(2), started, held(3, reply=2)])
    assert past.released == {1: 140, 2: None}
    past.apply(ClearPlayback(up_to_utterance_seq=1))
    past.apply(PlaybackCleared(up_to_utterance_seq=1, utterance_seq=0, played_ms=0, pts_ms=0))
    assert past.released == {2: None}


Step = tuple[str, int, float]
steps = st.lists(
    st.tuples(
        st.sampled_from(["say", "frames", "plain-frames", "release", "clear", "cancel"]),
        st.integers(1, 4),
        st.sampled_from([0.0, 5.0, 60.0, 400.0, 1_200.0]),
    ),
    max_size=24,
)


def obey(playout: Playout, kind: str, seq: int, now_ms: float) -> None:
    match kind:
        case "say":
            playout.on_say(held(seq), now_ms)
        case "frames" | "plain-frames":
            sound(playout, seq, now_ms, says_so=kind == "frames")
        case "release":
            playout.on_release((seq,), None, now_ms)
        case "clear":
            playout.on_clear(seq, now_ms)
        case _:
            playout.on_cancel(seq, now_ms)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_nothing_held_is_ever_heard_before_its_release_nor_after_a_clear(history: list[Step]) -> None:
    """In any order; a sentence is held from the moment its command or its sound says so."""
    playout, now_ms = Playout(CallerClock(0.0)), 0.0
    known_held, released, cleared = set[int](), set[int](), 0
    for kind, seq, after_ms in [*history, ("clear", 4, 5_000.0)]:
        until_ms = now_ms + after_ms
        for _ in range(2_000):
            due_ms = playout.next_due()
            if due_ms is None or due_ms > until_ms:
                break
            now_ms = max(now_ms, due_ms)
            frame = playout.tick(now_ms)
            if frame is not None:
                assert frame.utterance_seq > cleared
                assert frame.utterance_seq not in known_held or frame.utterance_seq in released
        else:
            raise AssertionError("playout spins")
        now_ms = until_ms
        obey(playout, kind, seq, now_ms)
        known_held |= {seq} if kind in ("say", "frames") else set()
        released |= {seq} if kind == "release" else set()
        cleared = max(cleared, seq) if kind == "clear" else cleared
