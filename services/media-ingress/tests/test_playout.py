"""Playout with time as a number: pacing, order, lost and late frames."""

from collections.abc import Callable
from typing import Any

from voxbus_contracts.events import PlaybackFinished, PlaybackProgressed, PlaybackStarted
from voxbus_media_ingress.utterance import AgentFrame


def pcm(seq: int, index: int) -> bytes:
    return (seq * 1_000 + index).to_bytes(4, "little") * 160


def test_the_first_frame_leaves_at_once_and_the_rest_at_the_20_ms_that_all_calls_share(line: Any) -> None:
    line.run_until(107.0)
    line.say(1)
    line.frames(1, range(5), last=True)
    assert [at for at, _ in line.sent] == [107.0]
    line.run_until(400.0)
    assert [at for at, _ in line.sent] == [107.0, 120.0, 140.0, 160.0, 180.0]
    assert [frame.pts_ms for _, frame in line.sent] == [120, 140, 160, 180, 200]
    started, finished = line.events
    assert isinstance(started, PlaybackStarted) and (started.pts_ms, started.left_pts_ms) == (120, 127.0)
    assert finished == PlaybackFinished(utterance_seq=1, played_ms=100, pts_ms=220)


def test_a_late_timer_is_caught_up_with_and_a_long_stop_starts_a_new_rhythm(line: Any) -> None:
    line.frames(1, range(50), last=True)
    for late_ms in (20.0, 40.0, 75.0, 80.0, 100.0, 500.0, 520.0):
        line.now_ms = late_ms
        line.clock.poll(late_ms)
        frame = line.playout.tick(late_ms)
        assert frame is not None
    assert line.playout.next_due() == 540.0


def test_v2v_is_counted_from_the_arrival_of_the_last_voiced_sample(line: Any) -> None:
    for n in range(10):
        line.clock.push([b"\1" * 640], 3.0 + 20 * n)
    line.run_until(200.0)
    line.say(1, anchor=143)  # inside the frame 140..160, which arrived at 143
    line.now_ms = 260.0
    line.playout.on_frame(AgentFrame(1, 0, pcm(1, 0), False, 1, age_ms=4.0), 255.0)
    line.run_until(260.0)
    (started,) = line.of(PlaybackStarted)
    assert isinstance(started, PlaybackStarted)
    assert (started.anchor_pts_ms, started.v2v_ms, started.waited_ms, started.voice_bus_ms) == (143, 117.0, 5.0, 4.0)


def test_utterances_play_in_the_order_of_their_numbers_without_a_gap(line: Any) -> None:
    line.say(1)
    line.say(2)
    line.frames(2, range(3), last=True)
    assert line.sent == []
    line.now_ms = 50.0
    line.frames(1, range(2), last=True)
    line.run_until(300.0)
    assert line.heard == [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]
    assert [at for at, _ in line.sent] == [50.0, 60.0, 80.0, 100.0, 120.0]


def test_a_number_that_was_never_said_holds_up_the_rest_for_one_second_only(line: Any) -> None:
    line.says_itself = False
    line.frames(2, range(2), last=True)
    line.run_until(999.0)
    assert line.sent == []
    line.run_until(1_100.0)
    assert line.heard == [(2, 0), (2, 1)]
    assert line.playout.skipped_utterances == 1


def test_sound_that_overtook_its_say_command_waits_for_it_but_not_long(line: Any) -> None:
    line.says_itself = False
    line.frames(1, range(3), last=True)
    line.run_until(8.0)
    assert line.sent == []
    line.say(1, anchor=20)
    assert [at for at, _ in line.sent] == [8.0]
    line.run_until(200.0)
    line.frames(2, range(1), last=True)
    line.run_until(1_000.0)
    assert line.sent[-1][0] == 250.0


def test_progress_is_told_at_most_twice_a_second(line: Any) -> None:
    line.frames(1, range(150), last=True)
    line.run_until(5_000.0)
    progressed = [e for e in line.events if isinstance(e, PlaybackProgressed)]
    assert [(e.played_ms, e.pts_ms) for e in progressed] == [(n * 500, 20 + n * 500) for n in range(1, 6)]


def test_a_slow_voice_is_waited_for_and_counted_once(line: Any) -> None:
    line.frames(1, range(2))
    line.run_until(333.0)
    assert line.playout.underruns == 1
    line.frames(1, range(2, 4), last=True)
    line.run_until(500.0)
    assert [at for at, _ in line.sent] == [0.0, 20.0, 333.0, 340.0]
    assert line.playout.underruns == 1


def test_a_last_frame_without_sound_ends_the_utterance(line: Any) -> None:
    line.frames(1, range(2))
    line.run_until(100.0)
    line.playout.on_frame(AgentFrame(1, 2, b"", True, 1), 100.0)
    line.run_until(100.0)
    assert line.of(PlaybackFinished) == [PlaybackFinished(utterance_seq=1, played_ms=40, pts_ms=120)]
    assert len(line.sent) == 2


def test_an_utterance_without_any_sound_is_finished_at_once(line: Any) -> None:
    line.say(1)
    line.playout.on_frame(AgentFrame(1, 0, b"", True, 1), 0.0)
    line.frames(2, range(1), last=True)
    assert line.events[0] == PlaybackFinished(utterance_seq=1, played_ms=0, pts_ms=20)
    assert line.heard == [(2, 0)]


def test_a_lost_frame_is_named_and_played_as_silence_after_300_ms(line: Any) -> None:
    line.frames(1, range(2))
    line.frames(1, range(3, 5), last=True)
    line.run_until(45.0)
    assert line.playout.lost == (1, 2)
    line.run_until(1_000.0)
    assert line.heard == [(1, 0), (1, 1), (0, 0), (1, 3), (1, 4)]
    assert line.playout.lost_frames == 1
    assert line.of(PlaybackFinished) == [
        PlaybackFinished(utterance_seq=1, played_ms=100, pts_ms=line.sent[-1][1].pts_ms + 20)
    ]


def test_a_lost_frame_that_comes_after_all_is_played(line: Any) -> None:
    line.frames(1, range(2))
    line.frames(1, range(3, 5), last=True)
    line.run_until(130.0)
    line.frames(1, range(2, 3))
    line.run_until(400.0)
    assert line.heard == [(1, n) for n in range(5)]
    assert line.playout.lost_frames == 0


def test_while_the_bus_is_lost_and_when_it_is_just_back_nothing_is_given_up(line: Any) -> None:
    line.frames(1, range(2))
    line.frames(1, range(3, 5), last=True)
    line.run_until(100.0)
    line.playout.holes.bus_lost()
    line.run_until(2_000.0)
    line.playout.holes.bus_back(2_000.0)
    line.run_until(3_000.0)
    assert line.heard == [(1, 0), (1, 1)]
    line.frames(1, range(2, 3))
    line.run_until(3_500.0)
    assert line.heard == [(1, n) for n in range(5)]


def test_what_nobody_says_again_after_a_loss_of_the_bus_is_given_up_in_the_end(line: Any) -> None:
    line.playout.holes.bus_lost()
    line.frames(1, range(2))
    line.frames(1, range(3, 5), last=True)
    line.run_until(2_000.0)
    line.playout.holes.bus_back(2_000.0)
    line.run_until(3_590.0)
    assert line.playout.lost_frames == 0
    line.run_until(4_000.0)
    assert line.heard == [(1, 0), (1, 1), (0, 0), (1, 3), (1, 4)]


def test_a_lost_tail_is_noticed_when_the_voice_reports_its_length(line: Any) -> None:
    line.frames(1, range(2))
    line.run_until(100.0)
    line.playout.on_synthesized(1, 75, 100.0)
    assert line.playout.lost == (1, 2)
    line.run_until(2_000.0)
    assert [e.played_ms for e in line.events if isinstance(e, PlaybackFinished)] == [80]


def test_a_new_voice_worker_continues_at_the_next_index_and_the_old_one_is_ignored(line: Any) -> None:
    line.frames(1, range(10), epoch=1)
    line.run_until(60.0)  # 0..3 were sent
    line.frames(1, range(15), last=True, epoch=2)  # made again from the start
    line.frames(1, range(10, 12), epoch=1)  # the frozen worker woke up
    line.run_until(1_000.0)
    assert line.heard == [(1, n) for n in range(15)]


def test_a_later_attachment_goes_on_where_the_earlier_one_stopped(make_line: Callable[..., Any]) -> None:
    line = make_line(after_seq=2, played_frames=7)
    line.say(3)
    line.frames(2, range(5), last=True)
    line.frames(3, range(10), last=True)
    line.run_until(1_000.0)
    assert line.heard == [(3, 7), (3, 8), (3, 9)]
    assert line.of(PlaybackStarted) == []
    assert [e.played_ms for e in line.events if isinstance(e, PlaybackFinished)] == [200]


def test_an_utterance_waits_until_it_may_begin_and_those_after_it_wait_behind(line: Any) -> None:
    line.say(1, not_before=500)
    line.say(2)
    line.frames(1, range(5), last=True)
    line.frames(2, range(5), last=True)
    line.run_until(479.0)
    assert line.sent == []
    line.run_until(1_000.0)
    assert line.heard == [*((1, n) for n in range(5)), *((2, n) for n in range(5))]
    assert [at for at, _ in line.sent] == [480.0 + 20 * n for n in range(10)]
    assert (line.events[0].pts_ms, line.events[0].waited_ms) == (500, 480.0)
