"""Playout with time as a number."""

import pytest

from voxbus_audio import SILENCE_FRAME
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
from voxbus_media_ingress.playout import PlaybackEvent, Playout, SentFrame
from voxbus_media_ingress.utterance import AgentFrame


def pcm(seq: int, index: int) -> bytes:
    return (seq * 1_000 + index).to_bytes(4, "little") * 160


class Line:
    """A playout with a perfect timer and everything that came out of it."""

    def __init__(self, after_seq: int = 0, played_frames: int = 0) -> None:
        self.clock = CallerClock(0.0)
        self.playout = Playout(self.clock, after_seq, played_frames)
        self.sent: list[tuple[float, SentFrame]] = []
        self.events: list[PlaybackEvent] = []
        self.now_ms = 0.0
        self.said: set[int] = set()
        self.says_itself = True

    def run_until(self, until_ms: float) -> None:
        for _ in range(100_000):
            due_ms = self.playout.next_due()
            if due_ms is None or due_ms > until_ms:
                break
            self.now_ms = max(self.now_ms, due_ms)
            self._tick()
        else:
            raise AssertionError("playout never comes to rest")
        self.now_ms = until_ms
        self.events += self.playout.take_events()

    def _tick(self) -> None:
        self.clock.poll(self.now_ms)
        frame = self.playout.tick(self.now_ms)
        if frame is not None:
            self.sent.append((self.now_ms, frame))
        self.events += self.playout.take_events()

    def say(self, seq: int, reflex: str = "pause", min_voiced_ms: int = 200, anchor: int | None = None) -> None:
        command = SaySentence.model_validate(
            {
                "utterance_seq": seq,
                "reply": 1,
                "turn": 1,
                "text": "x",
                "reflex": reflex,
                "min_voiced_ms": min_voiced_ms,
                "anchor_pts_ms": anchor,
            }
        )
        self.said.add(seq)
        self.playout.on_say(command, self.now_ms)
        self.run_until(self.now_ms)

    def frames(self, seq: int, indexes: range, last: bool = False, epoch: int = 1) -> None:
        if seq not in self.said and self.says_itself:
            self.say(seq)
        for index in indexes:
            is_last = last and index == indexes[-1]
            self.playout.on_frame(AgentFrame(seq, index, pcm(seq, index), is_last, epoch), self.now_ms)
        self.run_until(self.now_ms)

    def speech_started(self, seq: int, pts_ms: int) -> None:
        self.playout.on_speech_started(
            SpeechStarted(speech_seq=seq, pts_ms=pts_ms, detected_pts_ms=pts_ms + 60), self.now_ms
        )
        self.run_until(self.now_ms)

    def speech_stopped(self, seq: int, pts_ms: int) -> None:
        self.playout.on_speech_stopped(
            SpeechStopped(speech_seq=seq, pts_ms=pts_ms, detected_pts_ms=pts_ms + 200, voiced_ms=100)
        )

    @property
    def heard(self) -> list[tuple[int, int]]:
        """(utterance, index) of every frame that left, read from the sound itself."""
        numbers = [int.from_bytes(frame.pcm[:4], "little") for _, frame in self.sent]
        return [(number // 1_000, number % 1_000) for number in numbers]

    def of(self, kind: type[PlaybackEvent]) -> list[PlaybackEvent]:
        return [event for event in self.events if isinstance(event, kind)]


def test_the_first_frame_leaves_at_once_and_the_rest_every_20_ms() -> None:
    line = Line()
    line.run_until(107.0)
    line.say(1)
    line.frames(1, range(5), last=True)
    assert [at for at, _ in line.sent] == [107.0]
    line.run_until(400.0)
    assert [at for at, _ in line.sent] == [107.0, 127.0, 147.0, 167.0, 187.0]
    assert [frame.pts_ms for _, frame in line.sent] == [100, 120, 140, 160, 180]
    started, finished = line.events
    assert isinstance(started, PlaybackStarted) and started.pts_ms == 100
    assert finished == PlaybackFinished(utterance_seq=1, played_ms=100, pts_ms=200)


def test_a_late_timer_is_caught_up_with_and_a_long_stop_starts_a_new_rhythm() -> None:
    line = Line()
    line.frames(1, range(50), last=True)
    for late_ms in (20.0, 40.0, 75.0, 80.0, 100.0, 500.0, 520.0):
        line.now_ms = late_ms
        line.clock.poll(late_ms)
        frame = line.playout.tick(late_ms)
        assert frame is not None
    assert line.playout.next_due() == 540.0


def test_v2v_is_counted_from_the_arrival_of_the_last_voiced_sample() -> None:
    line = Line()
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


def test_utterances_play_in_the_order_of_their_numbers_without_a_gap() -> None:
    line = Line()
    line.say(1)
    line.say(2)
    line.frames(2, range(3), last=True)
    assert line.sent == []
    line.now_ms = 50.0
    line.frames(1, range(2), last=True)
    line.run_until(300.0)
    assert line.heard == [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]
    assert [at for at, _ in line.sent] == [50.0, 70.0, 90.0, 110.0, 130.0]


def test_a_number_that_was_never_said_holds_up_the_rest_for_one_second_only() -> None:
    line = Line()
    line.says_itself = False
    line.frames(2, range(2), last=True)
    line.run_until(999.0)
    assert line.sent == []
    line.run_until(1_100.0)
    assert line.heard == [(2, 0), (2, 1)]
    assert line.playout.skipped_utterances == 1


def test_sound_that_overtook_its_say_command_waits_for_it_but_not_long() -> None:
    line = Line()
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


def test_progress_is_told_at_most_twice_a_second() -> None:
    line = Line()
    line.frames(1, range(150), last=True)
    line.run_until(5_000.0)
    progressed = [e for e in line.events if isinstance(e, PlaybackProgressed)]
    assert [(e.played_ms, e.pts_ms) for e in progressed] == [(n * 500, n * 500) for n in range(1, 6)]


def test_a_slow_voice_is_waited_for_and_counted_once() -> None:
    line = Line()
    line.frames(1, range(2))
    line.run_until(333.0)
    assert line.playout.underruns == 1
    line.frames(1, range(2, 4), last=True)
    line.run_until(500.0)
    assert [at for at, _ in line.sent] == [0.0, 20.0, 333.0, 353.0]
    assert line.playout.underruns == 1


def test_a_last_frame_without_sound_ends_the_utterance() -> None:
    line = Line()
    line.frames(1, range(2))
    line.run_until(100.0)
    line.playout.on_frame(AgentFrame(1, 2, b"", True, 1), 100.0)
    line.run_until(100.0)
    assert line.of(PlaybackFinished) == [PlaybackFinished(utterance_seq=1, played_ms=40, pts_ms=100)]
    assert len(line.sent) == 2


def test_an_utterance_without_any_sound_is_finished_at_once() -> None:
    line = Line()
    line.say(1)
    line.playout.on_frame(AgentFrame(1, 0, b"", True, 1), 0.0)
    line.frames(2, range(1), last=True)
    assert line.events[0] == PlaybackFinished(utterance_seq=1, played_ms=0, pts_ms=0)
    assert line.heard == [(2, 0)]


def test_a_lost_frame_is_named_and_played_as_silence_after_300_ms() -> None:
    line = Line()
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


def test_a_lost_frame_that_comes_after_all_is_played() -> None:
    line = Line()
    line.frames(1, range(2))
    line.frames(1, range(3, 5), last=True)
    line.run_until(130.0)
    line.frames(1, range(2, 3))
    line.run_until(400.0)
    assert line.heard == [(1, n) for n in range(5)]
    assert line.playout.lost_frames == 0


def test_a_lost_tail_is_noticed_when_the_voice_reports_its_length() -> None:
    line = Line()
    line.frames(1, range(2))
    line.run_until(100.0)
    line.playout.on_synthesized(1, 75, 100.0)
    assert line.playout.lost == (1, 2)
    line.run_until(2_000.0)
    assert [e.played_ms for e in line.events if isinstance(e, PlaybackFinished)] == [80]


def test_a_new_voice_worker_continues_at_the_next_index_and_the_old_one_is_ignored() -> None:
    line = Line()
    line.frames(1, range(10), epoch=1)
    line.run_until(60.0)  # 0..3 were sent
    line.frames(1, range(15), last=True, epoch=2)  # made again from the start
    line.frames(1, range(10, 12), epoch=1)  # the frozen worker woke up
    line.run_until(1_000.0)
    assert line.heard == [(1, n) for n in range(15)]


def test_clearing_silences_at_once_and_later_frames_of_cleared_utterances_are_dropped() -> None:
    line = Line()
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
        PlaybackCleared(up_to_utterance_seq=2, utterance_seq=1, played_ms=120, pts_ms=120)
    ]
    line.frames(3, range(1), last=True)
    assert line.heard[-1] == (3, 0)


def test_clearing_what_has_finished_is_answered_with_nothing_sounding() -> None:
    line = Line()
    line.frames(1, range(1), last=True)
    line.run_until(100.0)
    line.playout.on_clear(1, 100.0)
    line.playout.on_clear(1, 110.0)
    line.run_until(120.0)
    assert line.of(PlaybackCleared) == [
        PlaybackCleared(up_to_utterance_seq=1, utterance_seq=0, played_ms=0, pts_ms=100)
    ]


def test_a_clear_that_overtakes_its_utterance_leaves_nothing_of_it() -> None:
    line = Line()
    line.playout.on_clear(2, 0.0)
    line.say(1)
    line.say(2)
    line.frames(2, range(3), last=True)
    line.frames(1, range(3), last=True)
    line.run_until(2_000.0)
    assert line.sent == []


def test_cancelling_ends_what_sounds_with_its_waiting_frames_and_drops_what_has_not_begun() -> None:
    line = Line()
    line.frames(1, range(5))
    line.frames(2, range(5), last=True)
    line.run_until(30.0)
    line.playout.on_cancel(2, 30.0)
    line.frames(3, range(1), last=True)
    line.run_until(1_000.0)
    assert line.heard == [*((1, n) for n in range(5)), (3, 0)]


def test_speech_long_enough_pauses_within_one_frame_and_the_resume_goes_on_with_the_next_sample() -> None:
    line = Line()
    line.say(1, min_voiced_ms=200)
    line.frames(1, range(50), last=True)
    line.run_until(205.0)
    line.speech_started(1, 120)
    line.run_until(1_015.0)
    (paused,) = line.of(PlaybackPaused)
    assert isinstance(paused, PlaybackPaused)
    assert paused.reason == "reflex"
    assert line.sent[-1][0] == 300.0  # 120 + 200 = 320: the frame due then no longer leaves
    assert paused.played_ms == 320
    line.playout.on_resume(1_015.0)
    line.run_until(3_000.0)
    (resumed,) = line.of(PlaybackResumed)
    assert isinstance(resumed, PlaybackResumed)
    assert (resumed.reason, resumed.played_ms, resumed.pts_ms) == ("command", 320, 1_000)
    assert line.heard == [(1, n) for n in range(50)]


def test_speech_that_lasted_long_enough_when_it_is_reported_pauses_at_once() -> None:
    line = Line()
    line.say(1, min_voiced_ms=0)
    line.frames(1, range(50))
    line.run_until(205.0)
    line.speech_started(1, 140)
    assert line.of(PlaybackPaused) == [PlaybackPaused(utterance_seq=1, played_ms=220, pts_ms=220, reason="reflex")]
    assert line.sent[-1][0] == 200.0


def test_speech_that_stops_before_it_is_long_enough_changes_nothing() -> None:
    line = Line()
    line.say(1, min_voiced_ms=500)
    line.frames(1, range(50), last=True)
    line.run_until(205.0)
    line.speech_started(1, 140)
    line.run_until(400.0)
    line.speech_stopped(1, 200)
    line.run_until(2_000.0)
    assert line.of(PlaybackPaused) == []
    assert len(line.sent) == 50


def test_without_a_decision_playback_resumes_by_itself_after_700_ms_and_is_not_paused_by_the_same_speech_again() -> (
    None
):
    line = Line()
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


def test_a_pause_command_makes_the_reflex_last() -> None:
    line = Line()
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


def test_a_sentence_that_must_not_be_interrupted_is_not_paused() -> None:
    line = Line()
    line.say(1, reflex="none")
    line.frames(1, range(50), last=True)
    line.run_until(205.0)
    line.speech_started(1, 0)
    line.run_until(3_000.0)
    assert line.of(PlaybackPaused) == []


def test_clearing_a_paused_utterance_ends_the_pause() -> None:
    line = Line()
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
        PlaybackCleared(up_to_utterance_seq=1, utterance_seq=1, played_ms=220, pts_ms=300)
    ]
    assert line.of(PlaybackResumed) == []


def test_a_muted_assistant_plays_on_as_silence() -> None:
    line = Line()
    line.playout.assistant_muted = True
    line.frames(1, range(3), last=True)
    line.run_until(100.0)
    assert [frame.pcm for _, frame in line.sent] == [SILENCE_FRAME] * 3
    assert line.of(PlaybackFinished) == [PlaybackFinished(utterance_seq=1, played_ms=60, pts_ms=60)]


def test_a_later_attachment_goes_on_where_the_earlier_one_stopped() -> None:
    line = Line(after_seq=2, played_frames=7)
    line.say(3)
    line.frames(2, range(5), last=True)
    line.frames(3, range(10), last=True)
    line.run_until(1_000.0)
    assert line.heard == [(3, 7), (3, 8), (3, 9)]
    assert line.of(PlaybackStarted) == []
    assert [e.played_ms for e in line.events if isinstance(e, PlaybackFinished)] == [200]


def test_breaking_off_tells_how_much_was_heard() -> None:
    line = Line()
    line.frames(1, range(50))
    line.run_until(130.0)
    line.playout.break_off()
    assert line.playout.take_events() == [PlaybackProgressed(utterance_seq=1, played_ms=140, pts_ms=140)]
