"""Playout with time as a number: pause, resume, clear, cancel, mute and the reflex of barge-in."""

from typing import Any

import pytest

from voxbus_audio import SILENCE_FRAME
from voxbus_contracts.events import (
    PlaybackCleared,
    PlaybackFinished,
    PlaybackPaused,
    PlaybackProgressed,
    PlaybackResumed,
)


def test_clearing_silences_at_once_and_later_frames_of_cleared_utterances_are_dropped(line: Any) -> None:
    line.say(1)
    line.frames(1, range(50))
    line.say(2)
    line.frames(2, range(5), last=True)
    line.run_until(100.0)
    line.playout.on_clear(2, 105.0)
    line.now_ms = 105.0
    line.frames(1, range(50, 60), last=True)
    line.frames(2, range(5, 9))
    line.run_until(1_000.0)
    assert line.heard == [(1, n) for n in range(6)]
    assert line.of(PlaybackCleared) == [
        PlaybackCleared(up_to_utterance_seq=2, utterance_seq=1, played_ms=120, pts_ms=140)
    ]
    line.frames(3, range(1), last=True)
    assert line.heard[-1] == (3, 0)


def test_clearing_what_has_finished_is_answered_with_nothing_sounding(line: Any) -> None:
    line.frames(1, range(1), last=True)
    line.run_until(100.0)
    line.playout.on_clear(1, 100.0)
    line.playout.on_clear(1, 110.0)
    line.run_until(120.0)
    assert line.of(PlaybackCleared) == [
        PlaybackCleared(up_to_utterance_seq=1, utterance_seq=0, played_ms=0, pts_ms=120)
    ]


def test_a_clear_that_overtakes_its_utterance_leaves_nothing_of_it(line: Any) -> None:
    line.playout.on_clear(2, 0.0)
    line.say(1)
    line.say(2)
    line.frames(2, range(3), last=True)
    line.frames(1, range(3), last=True)
    line.run_until(2_000.0)
    assert line.sent == []


def test_cancelling_ends_what_sounds_with_its_waiting_frames_and_drops_what_has_not_begun(line: Any) -> None:
    line.frames(1, range(5))
    line.frames(2, range(5), last=True)
    line.run_until(30.0)
    line.playout.on_cancel(2, 30.0)
    line.frames(3, range(1), last=True)
    line.run_until(1_000.0)
    assert line.heard == [*((1, n) for n in range(5)), (3, 0)]


def test_speech_long_enough_pauses_within_one_frame_and_the_resume_goes_on_with_the_next_sample(line: Any) -> None:
    line.say(1, min_voiced_ms=200)
    line.frames(1, range(50), last=True)
    line.run_until(205.0)
    line.speech_started(1, 120)
    line.run_until(995.0)
    (paused,) = line.of(PlaybackPaused)
    assert isinstance(paused, PlaybackPaused)
    assert paused.reason == "reflex"
    assert line.sent[-1][0] == 280.0  # 120 + 200 = 320 arrives at 300: the frame due then no longer leaves
    assert (paused.played_ms, paused.pts_ms) == (300, 320)
    line.playout.on_resume(995.0)
    line.run_until(3_000.0)
    (resumed,) = line.of(PlaybackResumed)
    assert isinstance(resumed, PlaybackResumed)
    assert (resumed.reason, resumed.played_ms, resumed.pts_ms) == ("command", 300, 1_000)
    assert line.heard == [(1, n) for n in range(50)]


def test_speech_that_lasted_long_enough_when_it_is_reported_pauses_at_once(line: Any) -> None:
    line.say(1, min_voiced_ms=0)
    line.frames(1, range(50))
    line.run_until(205.0)
    line.speech_started(1, 140)
    assert line.of(PlaybackPaused) == [
        PlaybackPaused(utterance_seq=1, played_ms=220, pts_ms=240, reason="reflex", voiced_to_silent_ms=40.0)
    ]
    assert line.sent[-1][0] == 200.0


def test_the_line_is_silent_once_enough_voice_has_arrived_and_a_later_sentence_tells_nothing_of_that(line: Any) -> None:
    for n in range(40):
        line.clock.push([b"\1" * 640], 20.0 * n)
    line.frames(1, range(50))
    line.run_until(205.0)
    line.speech_started(1, 120)  # in the frame 120..140, which arrived at 120; 200 ms of voice are there at 300
    line.run_until(305.0)
    (paused,) = line.of(PlaybackPaused)
    assert isinstance(paused, PlaybackPaused) and paused.voiced_to_silent_ms == 180.0
    line.playout.on_clear(1, 305.0)
    line.speech_started(2, 120)
    line.frames(2, range(50))
    (_, too_late) = line.of(PlaybackPaused)
    assert isinstance(too_late, PlaybackPaused) and (too_late.played_ms, too_late.voiced_to_silent_ms) == (20, None)


def test_speech_that_stops_before_it_is_long_enough_changes_nothing(line: Any) -> None:
    line.say(1, min_voiced_ms=500)
    line.frames(1, range(50), last=True)
    line.run_until(205.0)
    line.speech_started(1, 140)
    line.run_until(400.0)
    line.speech_stopped(1, 200)
    line.run_until(2_000.0)
    assert line.of(PlaybackPaused) == []
    assert len(line.sent) == 50


def test_without_a_decision_playback_resumes_after_700_ms_and_the_same_speech_does_not_pause_again(line: Any) -> None:
    line.say(1, min_voiced_ms=0)
    line.frames(1, range(50), last=True)
    line.run_until(205.0)
    line.speech_started(1, 140)
    line.run_until(3_000.0)
    (resumed,) = line.of(PlaybackResumed)
    assert isinstance(resumed, PlaybackResumed)
    assert resumed.reason == "no-decision"
    assert line.sent[11][0] == pytest.approx(905.0)
    assert len(line.of(PlaybackPaused)) == 1
    assert line.heard == [(1, n) for n in range(50)]


def test_a_pause_command_makes_the_reflex_last(line: Any) -> None:
    line.say(1, min_voiced_ms=0)
    line.frames(1, range(50))
    line.run_until(205.0)
    line.speech_started(1, 140)
    line.playout.on_pause(300.0)
    line.run_until(5_000.0)
    assert line.of(PlaybackResumed) == []
    line.playout.on_resume(5_000.0)
    line.run_until(5_000.0)
    assert line.sent[-1][0] == 5_000.0


def test_a_sentence_that_must_not_be_interrupted_is_not_paused(line: Any) -> None:
    line.say(1, reflex="none")
    line.frames(1, range(50), last=True)
    line.run_until(205.0)
    line.speech_started(1, 0)
    line.run_until(3_000.0)
    assert line.of(PlaybackPaused) == []


def test_clearing_a_paused_utterance_ends_the_pause(line: Any) -> None:
    line.say(1, min_voiced_ms=0)
    line.frames(1, range(50))
    line.run_until(205.0)
    line.speech_started(1, 140)
    line.playout.on_clear(1, 300.0)
    line.now_ms = 300.0
    line.frames(2, range(2), last=True)
    line.run_until(1_500.0)
    assert line.heard[-2:] == [(2, 0), (2, 1)]
    assert line.of(PlaybackCleared) == [
        PlaybackCleared(up_to_utterance_seq=1, utterance_seq=1, played_ms=220, pts_ms=320)
    ]
    assert line.of(PlaybackResumed) == []


def test_a_muted_assistant_plays_on_as_silence(line: Any) -> None:
    line.playout.assistant_muted = True
    line.frames(1, range(3), last=True)
    line.run_until(100.0)
    assert [frame.pcm for _, frame in line.sent] == [SILENCE_FRAME] * 3
    assert line.of(PlaybackFinished) == [PlaybackFinished(utterance_seq=1, played_ms=60, pts_ms=80)]


def test_breaking_off_tells_how_much_was_heard(line: Any) -> None:
    line.frames(1, range(50))
    line.run_until(130.0)
    line.playout.break_off()
    assert line.playout.take_events() == [PlaybackProgressed(utterance_seq=1, played_ms=140, pts_ms=160)]


def test_speech_that_began_after_the_forgiven_one_pauses_again(line: Any) -> None:
    line.say(1, min_voiced_ms=100)
    line.frames(1, range(100))
    line.run_until(205.0)
    line.speech_started(1, 100)
    line.speech_stopped(1, 220)
    line.run_until(400.0)
    line.speech_started(2, 390)
    line.run_until(420.0)
    line.playout.on_resume(420.0, speech_seq=1)
    line.run_until(1_000.0)
    assert [e.played_ms for e in line.of(PlaybackPaused)] == [220, 280]  # 390 + 100 = 490 arrives at 470
    assert [(e.reason, e.pts_ms) for e in line.of(PlaybackResumed)] == [("command", 440)]
