"""Where a recording begins and ends, what is missing of it, and what its tracks sound like. Pure."""

import numpy as np
import pytest

from voxbus_audio import FRAME_BYTES, FRAME_SAMPLES, sine
from voxbus_contracts.events import CallEnded, CallStarted, MediaAttached, MediaDetached
from voxbus_recorder.mixing import track_samples
from voxbus_recorder.segment import SLOTS, Segment
from voxbus_recorder.span import Span, missing, span_of


def attached(number: int, pts_ms: int) -> MediaAttached:
    return MediaAttached(
        attachment=number, transport="x", encoding="x", sample_rate_hz=16_000, pts_ms=pts_ms, resumed=number > 1
    )


def detached(number: int, pts_ms: int) -> MediaDetached:
    return MediaDetached(attachment=number, pts_ms=pts_ms, clean=True, code=1000)


STARTED = CallStarted(pts_ms=100, setup_ms=1)


def test_a_recording_begins_with_the_answer_and_ends_with_the_last_frame() -> None:
    span = span_of([attached(1, 0), STARTED, CallEnded(pts_ms=990, reason="x"), detached(1, 1_000)], 49)
    assert span == Span(5, 50, ((5, 50),))
    assert (span.start_pts_ms, span.duration_ms) == (100, 900)


def test_a_call_that_was_never_answered_has_none() -> None:
    assert span_of([attached(1, 0), CallEnded(pts_ms=990, reason="x")], 49) is None


def test_nothing_is_missed_while_nobody_was_attached() -> None:
    log = [attached(1, 0), CallStarted(pts_ms=0, setup_ms=1), detached(1, 400), attached(2, 800), detached(2, 1_000)]
    span = span_of(log, 49)
    assert span is not None
    assert span.attached == ((0, 20), (40, 50))
    assert missing(span, [*range(20), *range(40, 49)]) == {49}


def test_a_newer_attachment_ends_the_one_before_it() -> None:
    span = span_of([attached(1, 0), STARTED, attached(2, 400), CallEnded(pts_ms=5_000, reason="x")], 99)
    assert span is not None
    assert span.attached == ((5, 20), (20, 100))


def test_a_lost_tail_is_missed_when_the_log_knows_where_it_ended() -> None:
    span = span_of([attached(1, 0), CallStarted(pts_ms=0, setup_ms=1), detached(1, 1_000)], 9)
    assert span is not None
    assert (span.end, len(missing(span, range(10)))) == (50, 40)


def cell_of(caller: bytes, played: bytes) -> Segment:
    def cut(pcm: bytes) -> dict[int, bytes]:
        return {at // FRAME_BYTES: pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES)}

    return Segment(1, cut(caller), cut(played))


def test_left_is_the_caller_and_right_what_was_played() -> None:
    caller, played = sine(440, 100), sine(880, 100)
    stereo = track_samples(cell_of(caller, played), "stereo", SLOTS, SLOTS + 5).reshape(-1, 2)
    assert stereo[:, 0].tobytes() == caller
    assert stereo[:, 1].tobytes() == played


def test_the_other_tracks_are_both_together_or_one_alone() -> None:
    caller, played = sine(440, 100), sine(880, 100)
    cell = cell_of(caller, played)
    assert track_samples(cell, "customer", SLOTS, SLOTS + 5).tobytes() == caller
    assert track_samples(cell, "assistant", SLOTS, SLOTS + 5).tobytes() == played
    added = np.frombuffer(caller, "<i2") + np.frombuffer(played, "<i2")
    assert track_samples(cell, "mono", SLOTS, SLOTS + 5).tobytes() == added.tobytes()


def test_loud_on_both_sides_is_limited_and_does_not_wrap_around() -> None:
    loud = np.full(FRAME_SAMPLES, 30_000, "<i2").tobytes()
    assert set(track_samples(cell_of(loud, loud), "mono", SLOTS, SLOTS + 1)) == {32_767}


@pytest.mark.parametrize(("start", "end", "slots"), [(SLOTS + 3, SLOTS + 5, 2), (0, SLOTS + 2, 2), (SLOTS, 9_999, 250)])
def test_a_cell_gives_its_part_of_the_call(start: int, end: int, slots: int) -> None:
    cell = cell_of(sine(440, 5_000), b"")
    samples = track_samples(cell, "customer", start, end)
    assert samples.size == slots * FRAME_SAMPLES
    assert not track_samples(cell, "assistant", start, end).any()
