"""What is fed, what is flushed, and that a takeover feeds exactly what the log's finals do not cover."""

from voxbus_contracts.events import SpeechStarted, SpeechStopped, TranscriptFinal
from voxbus_providers.recognizer import HeardFrame
from voxbus_stt_worker.ordering import PATIENCE_MS, Hole
from voxbus_stt_worker.segments import Feed, Flush, Lost, Order, Segments, Utterance


def started(seq: int, pts_ms: int) -> SpeechStarted:
    return SpeechStarted(speech_seq=seq, pts_ms=pts_ms, detected_pts_ms=pts_ms + 80)


def stopped(seq: int, pts_ms: int) -> SpeechStopped:
    return SpeechStopped(speech_seq=seq, pts_ms=pts_ms, detected_pts_ms=pts_ms + 200, voiced_ms=100)


def final(seq: int, speech_seq: int, end_pts_ms: int) -> TranscriptFinal:
    return TranscriptFinal(
        transcript_seq=seq,
        text="x",
        start_pts_ms=0,
        end_pts_ms=end_pts_ms,
        speech_seq=speech_seq,
        provider="position",
        recognition_ms=1,
    )


def push(segments: Segments, from_ms: int, upto_ms: int, now_ms: float | None = None) -> list[Order]:
    return [
        order
        for pts_ms in range(from_ms, upto_ms, 20)
        for order in segments.on_frame(HeardFrame(pts_ms, bytes(640)), pts_ms + 20 if now_ms is None else now_ms)
    ]


def fed(orders: list[Order]) -> list[int]:
    return [order.frame.pts_ms for order in orders if isinstance(order, Feed)]


def flushed(orders: list[Order]) -> list[Utterance]:
    return [order.utterance for order in orders if isinstance(order, Flush)]


def test_a_stretch_is_fed_from_its_pre_roll_to_the_frame_that_decided_its_end() -> None:
    segments = Segments()
    orders = push(segments, 0, 1_080)
    assert orders == []
    orders += segments.on_speech_started(started(1, 1_000), 1_080)
    orders += push(segments, 1_080, 2_200)
    orders += segments.on_speech_stopped(stopped(1, 2_000), 2_205)
    orders += push(segments, 2_200, 3_000)
    assert fed(orders) == list(range(700, 2_200, 20))
    assert flushed(orders) == [Utterance(1, 1, 1_000, 2_200, 1_500, 2_205)]
    assert isinstance(orders[-1], Flush)


def test_frames_go_to_the_recognizer_as_they_come_while_the_caller_speaks() -> None:
    segments = Segments()
    push(segments, 0, 1_080)
    segments.on_speech_started(started(1, 1_000), 1_080)
    assert fed(push(segments, 1_080, 1_100)) == [1_080]


def test_a_stop_that_arrives_before_its_last_frames_waits_for_them() -> None:
    segments = Segments()
    segments.on_speech_started(started(1, 0), 0)
    orders = push(segments, 0, 960)
    orders += segments.on_speech_stopped(stopped(1, 800), 960)
    assert flushed(orders) == []
    orders += push(segments, 960, 1_000)
    assert fed(orders)[-1] == 980
    assert flushed(orders)[0].end_pts_ms == 1_000


def test_a_stop_whose_last_frames_never_come_is_flushed_without_them() -> None:
    segments = Segments()
    segments.on_speech_started(started(1, 0), 0)
    push(segments, 0, 960)
    segments.on_speech_stopped(stopped(1, 800), 1_000)
    assert segments.on_tick(1_060) == [Hole(960, 1_000)]
    segments.on_hole_answered([], 1_070)
    assert segments.wake_at_ms == 1_000 + PATIENCE_MS
    orders = segments.on_tick(1_000 + PATIENCE_MS)
    assert flushed(orders)[0].end_pts_ms == 1_000


def test_a_hole_is_filled_from_the_stream() -> None:
    segments = Segments()
    segments.on_speech_started(started(1, 0), 0)
    orders = push(segments, 0, 200)
    orders += push(segments, 260, 400)
    assert segments.on_tick(280 + 60) == [Hole(200, 260)]
    answer = [HeardFrame(pts_ms, bytes(640)) for pts_ms in range(180, 280, 20)]
    orders += segments.on_hole_answered(answer, 350)
    assert fed(orders) == list(range(0, 400, 20))


def test_close_stretches_share_no_frame() -> None:
    segments = Segments()
    segments.on_speech_started(started(1, 300), 0)
    orders = push(segments, 0, 1_200)
    orders += segments.on_speech_stopped(stopped(1, 1_000), 1_200)
    orders += push(segments, 1_200, 1_300)
    orders += segments.on_speech_started(started(2, 1_240), 1_300)
    orders += push(segments, 1_300, 1_800)
    orders += segments.on_speech_stopped(stopped(2, 1_600), 1_800)
    orders += push(segments, 1_800, 2_000)
    assert fed(orders) == list(range(0, 1_800, 20))
    assert [(u.transcript_seq, u.speech_seq, u.end_pts_ms) for u in flushed(orders)] == [(1, 1, 1_200), (2, 2, 1_800)]


def test_audio_fed_before_a_late_stop_arrived_belongs_to_the_utterance_and_to_no_other() -> None:
    segments = Segments()
    segments.on_speech_started(started(1, 300), 0)
    orders = push(segments, 0, 1_500)
    orders += segments.on_speech_stopped(stopped(1, 1_000), 1_500)
    orders += segments.on_speech_started(started(2, 1_600), 1_700)
    orders += push(segments, 1_500, 2_000)
    assert flushed(orders)[0].end_pts_ms == 1_500
    assert fed(orders) == list(range(0, 2_000, 20))


def test_speech_longer_than_20_s_is_flushed_in_pieces_that_tile_it() -> None:
    segments = Segments()
    segments.on_speech_started(started(1, 300), 0)
    orders = push(segments, 0, 45_200)
    orders += segments.on_speech_stopped(stopped(1, 45_000), 45_200)
    assert fed(orders) == list(range(0, 45_200, 20))
    pieces = flushed(orders)
    assert [(u.transcript_seq, u.speech_seq, u.start_pts_ms, u.end_pts_ms) for u in pieces] == [
        (1, 1, 300, 20_000),
        (2, 1, 20_000, 40_000),
        (3, 1, 40_000, 45_200),
    ]


def test_a_stretch_whose_vad_died_ends_where_the_next_one_begins() -> None:
    segments = Segments()
    segments.on_speech_started(started(1, 300), 0)
    orders = push(segments, 0, 3_000)
    orders += segments.on_speech_started(started(2, 2_900), 3_000)
    orders += push(segments, 3_000, 4_200)
    orders += segments.on_speech_stopped(stopped(2, 4_000), 4_200)
    assert fed(orders) == list(range(0, 4_200, 20))
    assert [(u.speech_seq, u.end_pts_ms) for u in flushed(orders)] == [(1, 3_000), (2, 4_200)]


def test_repeated_speech_events_change_nothing() -> None:
    segments = Segments()
    orders: list[Order] = []
    for _ in range(2):
        orders += segments.on_speech_started(started(1, 300), 0)
    orders += push(segments, 0, 1_200)
    for _ in range(2):
        orders += segments.on_speech_stopped(stopped(1, 1_000), 1_200)
    orders += segments.on_speech_started(started(1, 300), 1_300)
    assert len(flushed(orders)) == 1


def test_the_end_of_the_call_flushes_what_is_open() -> None:
    segments = Segments()
    segments.on_speech_started(started(1, 300), 0)
    orders = push(segments, 0, 1_000)
    orders += segments.on_call_ended(1_000)
    assert [(u.speech_seq, u.end_pts_ms) for u in flushed(orders)] == [(1, 1_000)]


def test_the_end_of_the_call_flushes_across_holes_and_before_any_audio() -> None:
    segments = Segments()
    segments.on_speech_started(started(1, 300), 0)
    orders = push(segments, 0, 400)
    orders += push(segments, 460, 600)
    orders += push(segments, 700, 800)
    orders += segments.on_call_ended(1_000)
    assert fed(orders) == [*range(0, 400, 20), *range(460, 600, 20), *range(700, 800, 20)]
    assert len(flushed(orders)) == 1
    silent = Segments()
    silent.on_speech_started(started(1, 900), 0)
    assert len(flushed(silent.on_call_ended(10))) == 1


def test_nothing_is_flushed_at_the_end_of_a_silent_call() -> None:
    segments = Segments()
    push(segments, 0, 5_000)
    assert segments.on_call_ended(5_000) == []


def test_a_new_session_gets_everything_that_is_not_final() -> None:
    segments = Segments()
    segments.on_speech_started(started(1, 300), 0)
    orders = push(segments, 0, 1_200)
    orders += segments.on_speech_stopped(stopped(1, 1_000), 1_200)
    orders += segments.on_speech_started(started(2, 1_500), 1_600)
    orders += push(segments, 1_200, 2_000)
    assert segments.replay() == orders
    assert segments.confirm() == flushed(orders)[0]
    assert fed(segments.replay()) == list(range(1_200, 2_000, 20))
    assert segments.confirm() is None


def test_utterances_the_recognizer_failed_on_are_given_up_and_the_next_is_tried_again() -> None:
    segments = Segments()
    segments.on_speech_started(started(1, 300), 0)
    push(segments, 0, 1_200)
    segments.on_speech_stopped(stopped(1, 1_000), 1_200)
    segments.on_speech_started(started(2, 1_500), 1_600)
    push(segments, 1_200, 2_000)
    assert [u.speech_seq for u in segments.give_up()] == [1]
    assert not segments.has_work
    assert segments.replay() == []
    assert push(segments, 2_000, 2_200) == [], "the open utterance is given up too"
    orders = segments.on_speech_stopped(stopped(2, 2_000), 2_200)
    assert [(type(order), order.utterance.speech_seq) for order in orders if isinstance(order, Lost)] == [(Lost, 2)]
    segments.on_speech_started(started(3, 2_600), 2_600)
    assert fed(push(segments, 2_200, 2_700)) == list(range(2_300, 2_700, 20))
    assert segments.has_work


def test_partials_are_of_the_utterance_whose_final_comes_next() -> None:
    segments = Segments()
    segments.on_speech_started(started(1, 300), 0)
    push(segments, 0, 1_200)
    assert (segments.transcript_seq, segments.start_pts_ms) == (1, 300)
    segments.on_speech_stopped(stopped(1, 1_000), 1_200)
    assert segments.transcript_seq == 1
    assert segments.awaited is not None
    assert segments.awaited == segments.confirm()
    assert segments.transcript_seq == 2


def test_a_takeover_goes_on_behind_the_last_final() -> None:
    segments = Segments([started(1, 300), stopped(1, 1_000), final(1, 1, 1_200), started(2, 1_300)])
    assert segments.needed_from_ms == 1_200
    segments.start_at(1_200)
    orders = push(segments, 0, 2_600)
    orders += segments.on_speech_stopped(stopped(2, 2_400), 2_600)
    assert fed(orders) == list(range(1_200, 2_600, 20))
    assert [(u.transcript_seq, u.speech_seq) for u in flushed(orders)] == [(2, 2)]


def test_a_takeover_recognizes_stretches_that_ended_without_a_final() -> None:
    segments = Segments([started(1, 300), stopped(1, 1_000), started(2, 1_600), stopped(2, 2_000)], now_ms=5_000)
    segments.start_at(0)
    orders = push(segments, 0, 2_400, now_ms=5_000)
    assert fed(orders) == [*range(0, 1_200, 20), *range(1_300, 2_200, 20)]
    assert [(u.transcript_seq, u.speech_seq, u.asked_ms) for u in flushed(orders)] == [(1, 1, 5_000), (2, 2, 5_000)]


def test_a_takeover_inside_a_long_stretch_goes_on_behind_its_last_piece() -> None:
    segments = Segments([started(1, 300), final(1, 1, 20_000)])
    segments.start_at(20_000)
    orders = push(segments, 20_000, 22_200)
    orders += segments.on_speech_stopped(stopped(1, 22_000), 22_200)
    assert fed(orders) == list(range(20_000, 22_200, 20))
    assert flushed(orders)[0].transcript_seq == 2


def test_a_takeover_in_silence_needs_no_old_audio() -> None:
    assert Segments([started(1, 300), stopped(1, 1_000), final(1, 1, 1_200)]).needed_from_ms is None
    assert Segments([]).needed_from_ms is None
