"""The audio clock reckoned from what others say: never ahead of what has really sounded."""

import pytest

from voxbus_contracts import events as e
from voxbus_contracts.message import Message
from voxbus_llm_orchestrator.audio_clock import AudioClock, stamp_ms


@pytest.mark.parametrize(
    ("said", "at_ms"),
    [
        (e.SpeechStopped(speech_seq=1, pts_ms=800, detected_pts_ms=1_000, voiced_ms=700), 1_000),
        (e.PlaybackStarted(utterance_seq=1, pts_ms=1_000, left_pts_ms=1_006.4), 1_006.4),
        (e.PlaybackProgressed(utterance_seq=1, played_ms=500, pts_ms=1_500), 1_480),
        (e.PlaybackFinished(utterance_seq=1, played_ms=500, pts_ms=1_500), 1_480),
        (e.PlaybackCleared(up_to_utterance_seq=1, utterance_seq=1, played_ms=500, pts_ms=1_500), 1_480),
        (e.CallStarted(pts_ms=40, setup_ms=40), 40),
        (e.CallRinging(), None),
    ],
)
def test_a_report_of_a_frame_that_leaves_tells_where_it_ends(said: Message, at_ms: float | None) -> None:
    assert stamp_ms(said) == at_ms


def test_the_message_that_was_under_way_the_shortest_sets_the_clock() -> None:
    clock = AudioClock()
    assert clock.now_ms(5_000) == 0
    clock.heard(100, 10_130)
    clock.heard(200, 10_203)
    clock.heard(300, 10_390)
    clock.heard(None, 9_000)
    assert clock.now_ms(11_003) == 1_000
    assert clock.unix_ms_at(1_000, 11_003) == 11_003


def test_reports_of_playback_do_not_put_the_clock_ahead_of_what_left() -> None:
    """A frame that leaves at 1,006 ends at 1,026 at the earliest: it is reported with pts_ms of its end."""
    clock = AudioClock()
    clock.heard(stamp_ms(e.PlaybackStarted(utterance_seq=1, pts_ms=1_000, left_pts_ms=1_006.4)), 11_006.4)
    clock.heard(stamp_ms(e.PlaybackProgressed(utterance_seq=1, played_ms=20, pts_ms=1_020)), 11_006.4)
    assert clock.now_ms(11_006.4) == 1_006


def test_a_clock_that_media_ingress_moved_is_followed_without_going_back() -> None:
    clock = AudioClock()
    clock.heard(0, 10_000)
    for second in range(1, 21):
        clock.heard(1_000 * second, 10_013 + 1_000 * second)
    assert clock.now_ms(30_900) == 20_887, "the moved clock's: what was said at 10,000 is more than 20 s ago"
    clock.heard(20_900, 30_890)
    assert clock.now_ms(30_900) == 20_910
    for second in range(31, 61):
        clock.heard(1_000 * second, 10_013 + 1_000 * second)
    assert clock.now_ms(31_000) == 20_987
    assert clock.now_ms(30_900) == 20_987, "it stands still rather than go back"


def test_one_message_that_comes_late_after_a_long_silence_does_not_set_the_clock_back() -> None:
    clock = AudioClock()
    clock.heard(1_000, 11_000)
    assert clock.now_ms(611_000) == 601_000
    clock.heard(601_000, 612_000)
    assert clock.now_ms(612_000) == 602_000
