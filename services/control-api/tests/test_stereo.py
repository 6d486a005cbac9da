"""What a listener is sent: both directions side by side, each moment once."""

from array import array
from itertools import chain

from voxbus_control_api.live.stereo import DELAY_MS, Stereo, interleaved

FRAME = 320


def tone(value: int) -> bytes:
    return array("h", [value] * FRAME).tobytes()


def heard(stereo: Stereo, *frames: tuple[int, int], epoch: int = 1) -> list[tuple[int, int]]:
    """Of each frame sent: the samples left and right."""
    sent = chain.from_iterable(stereo.caller(pts, epoch, tone(value)) for pts, value in frames)
    samples = [array("h", frame) for frame in sent]
    assert all(len(each) == 2 * FRAME and len(set(each[0::2])) == len(set(each[1::2])) == 1 for each in samples)
    return [(each[0], each[1]) for each in samples]


def clock(start_ms: int, upto_ms: int) -> list[tuple[int, int]]:
    return [(pts, pts // 20 + 1) for pts in range(start_ms, upto_ms, 20)]


def test_left_is_the_caller_and_right_what_was_played_at_that_moment_whichever_comes_first() -> None:
    stereo = Stereo()
    stereo.played(40, 1, tone(900))
    first = heard(stereo, *clock(0, 100))
    stereo.played(60, 1, tone(901))
    told = first + heard(stereo, *clock(100, 400))
    assert told[:5] == [(1, 0), (2, 0), (3, 900), (4, 901), (5, 0)]
    assert [left for left, _ in told] == list(range(1, len(told) + 1))
    assert len(told) == (400 - DELAY_MS) // 20


def test_a_frame_that_was_lost_is_silence_and_one_that_comes_twice_or_late_is_nothing() -> None:
    frames = [each for each in clock(0, 600) if each[0] != 100]
    told = heard(Stereo(), *frames, (20, 7), (580, 30), (40, 9))
    assert [left for left, _ in told][:7] == [1, 2, 3, 4, 5, 0, 7]
    assert len(told) == 19 + 1


def test_a_caller_who_was_away_is_heard_again_at_once() -> None:
    stereo = Stereo()
    heard(stereo, *clock(0, 500))
    told = heard(stereo, *clock(9_000, 9_400))
    assert told[0] == (451, 0)
    assert len(told) == (400 - DELAY_MS) // 20


def test_what_a_media_ingress_sends_that_has_the_call_no_more_is_not_heard() -> None:
    stereo = Stereo()
    heard(stereo, *clock(0, 300), epoch=2)
    stereo.played(200, 1, tone(900))
    assert heard(stereo, *clock(300, 700), epoch=1) == []
    assert all(right == 0 for _, right in heard(stereo, *clock(300, 700), epoch=2))


def test_a_short_frame_is_filled_up() -> None:
    assert interleaved(b"\1\0", b"") == b"\1\0" + bytes(1278)


def test_what_is_not_given_when_the_call_is_over_is_given_then_once() -> None:
    stereo = Stereo()
    told = heard(stereo, *clock(0, 300))
    stereo.played(300, 1, tone(900))
    rest = [array("h", frame) for frame in stereo.rest()]
    assert [each[0] for each in rest] == [*range(len(told) + 1, 16), 0]
    assert [each[1] for each in rest][-1] == 900
    assert list(stereo.rest()) == list(Stereo().rest()) == []
