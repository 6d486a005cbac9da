"""The hysteresis over frames: what starts and what ends a stretch of speech."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus_contracts.events import SpeechPaused, SpeechStarted, SpeechStopped, StageClaimed
from voxbus_vad.detector import DetectorState, Hysteresis, Quiet, Speaking, SpeechEvent, hear, resumed

RULES = Hysteresis(start_voiced_ms=60, start_window_ms=100, silence_ms=200)

Frames = list[tuple[int, bool]]


def run(frames: Frames, state: DetectorState | None = None, rules: Hysteresis = RULES) -> list[SpeechEvent]:
    state = state or Quiet()
    said: list[SpeechEvent] = []
    for pts_ms, voiced in frames:
        state, events = hear(state, rules, pts_ms, voiced)
        said += events
    return said


def pattern(marks: str, from_ms: int = 0) -> Frames:
    """`x` voiced, `.` silent, `_` a frame that never came."""
    return [(from_ms + n * 20, mark == "x") for n, mark in enumerate(marks) if mark != "_"]


def test_three_voiced_frames_of_five_start_speech_at_the_first_of_them() -> None:
    assert run(pattern("..x.x.")) == []
    assert run(pattern("..x..x.x.")) == []
    assert run(pattern("..x.xx")) == [SpeechStarted(speech_seq=1, pts_ms=40, detected_pts_ms=120)]
    assert run(pattern("x...x.x.x")) == [SpeechStarted(speech_seq=1, pts_ms=80, detected_pts_ms=180)]


def test_two_voiced_frames_and_then_silence_are_no_speech() -> None:
    assert run(pattern("xx" + "." * 20 + "xx" + "." * 20)) == []


def test_speech_stops_after_the_silence_at_the_end_of_the_last_voiced_frame() -> None:
    said = run(pattern("xxxxx" + "." * 10))
    assert said[1:] == [SpeechStopped(speech_seq=1, pts_ms=100, detected_pts_ms=300, voiced_ms=100)]
    assert len(run(pattern("xxxxx" + "." * 9))) == 1


def test_a_pause_shorter_than_the_limit_stays_inside_the_stretch() -> None:
    said = run(pattern("xxx" + "." * 9 + "x" + "." * 10))
    assert said[1:] == [SpeechStopped(speech_seq=1, pts_ms=260, detected_pts_ms=460, voiced_ms=80)]


def test_missing_frames_count_as_silence() -> None:
    said = run(pattern("xxx" + "_" * 30 + "."))
    assert said[1:] == [SpeechStopped(speech_seq=1, pts_ms=60, detected_pts_ms=660, voiced_ms=60)]


def test_voice_behind_a_long_gap_belongs_to_a_new_stretch() -> None:
    said = run(pattern("xxx" + "_" * 30 + "xxx"))
    assert said[1:] == [
        SpeechStopped(speech_seq=1, pts_ms=60, detected_pts_ms=660, voiced_ms=60),
        SpeechStarted(speech_seq=2, pts_ms=660, detected_pts_ms=720),
    ]


def test_voice_on_both_sides_of_a_short_gap_is_one_stretch() -> None:
    assert run(pattern("xxx" + "_" * 9 + "x"))[1:] == []


def test_voice_before_a_gap_does_not_help_to_start_speech_behind_it() -> None:
    assert run(pattern("xx" + "_" * 5 + "x")) == []


def test_one_frame_can_end_a_stretch_and_start_the_next() -> None:
    rules = Hysteresis(start_voiced_ms=20, start_window_ms=20, silence_ms=100)
    said = run(pattern("x" + "_" * 10 + "x"), rules=rules)
    assert [type(event) for event in said] == [SpeechStarted, SpeechStopped, SpeechStarted]


def test_late_and_repeated_frames_change_nothing() -> None:
    orderly = pattern("..xxxxx..........")
    disorderly = [again for n, frame in enumerate(orderly) for again in (frame, frame, orderly[max(0, n - 3)])]
    assert run(disorderly) == run(orderly)


def test_numbering_goes_on_over_stretches() -> None:
    said = run(pattern(("xxx" + "." * 12) * 3))
    assert [event.speech_seq for event in said] == [1, 1, 2, 2, 3, 3]


def test_a_call_without_a_past_begins_quiet_at_number_one() -> None:
    claimed = StageClaimed(stage="vad", epoch=3, worker="vad-a", address="")
    assert resumed([claimed], RULES) == Quiet()


def test_a_closed_past_goes_on_with_the_next_number() -> None:
    past = run(pattern("xxx" + "." * 12))
    state = resumed(past, RULES)
    assert state == Quiet(speech_seq=1, upto_ms=260)
    assert run(pattern("xxx", from_ms=1_000), state) == [
        SpeechStarted(speech_seq=2, pts_ms=1_000, detected_pts_ms=1_060)
    ]


def test_an_open_stretch_taken_over_ends_when_silence_has_lasted_in_live_audio() -> None:
    state = resumed([SpeechStarted(speech_seq=4, pts_ms=1_000, detected_pts_ms=1_080)], RULES)
    assert state == Speaking(4, upto_ms=1_080, started_ms=1_000, voiced_upto_ms=None, voiced_ms=60)
    assert run(pattern("." * 9, from_ms=3_000), state) == []
    assert run(pattern("." * 10, from_ms=3_000), state) == [
        SpeechStopped(speech_seq=4, pts_ms=3_000, detected_pts_ms=3_200, voiced_ms=60)
    ]


def test_an_open_stretch_taken_over_goes_on_while_the_caller_speaks() -> None:
    state = resumed([SpeechStarted(speech_seq=4, pts_ms=1_000, detected_pts_ms=1_080)], RULES)
    assert run(pattern("xx" + "." * 10, from_ms=3_000), state) == [
        SpeechStopped(speech_seq=4, pts_ms=3_040, detected_pts_ms=3_240, voiced_ms=100)
    ]


def test_frames_the_predecessor_already_judged_are_left_out() -> None:
    state = resumed([SpeechStarted(speech_seq=1, pts_ms=1_000, detected_pts_ms=1_080)], RULES)
    assert run(pattern("." * 4, from_ms=1_000), state) == []


@st.composite
def frame_sequences(draw: st.DrawFn) -> Frames:
    """Runs of voiced or silent frames with jumps, repetitions and late frames between them."""
    frames: Frames = []
    pts_ms = draw(st.integers(0, 10_000))
    for _ in range(draw(st.integers(1, 25))):
        voiced, length = draw(st.booleans()), draw(st.integers(1, 14))
        for _ in range(length):
            frames.append((pts_ms, voiced))
            pts_ms += 20
        pts_ms += draw(st.sampled_from((0, 0, 0, 20, 100, 220, 1_000, -20, -200)))
        pts_ms = max(0, pts_ms)
    return frames


@st.composite
def rule_sets(draw: st.DrawFn) -> Hysteresis:
    voiced_ms = draw(st.integers(1, 6)) * 20
    return Hysteresis(voiced_ms, voiced_ms + draw(st.integers(0, 4)) * 20, draw(st.integers(1, 15)) * 20)


def check_grammar(said: list[SpeechEvent], first_seq: int = 1) -> None:
    for n, event in enumerate(said):
        assert isinstance(event, SpeechStarted if n % 2 == 0 else SpeechStopped)
        assert event.speech_seq == first_seq + n // 2
        assert event.detected_pts_ms >= event.pts_ms
    for before, after in pairwise(said):
        assert after.pts_ms >= before.pts_ms
        assert after.detected_pts_ms >= before.detected_pts_ms
    for started, stopped in zip(said[::2], said[1::2], strict=False):
        assert isinstance(stopped, SpeechStopped)
        assert 0 < stopped.voiced_ms <= stopped.pts_ms - started.pts_ms


@settings(deadline=None)
@given(frame_sequences(), rule_sets())
def test_starts_and_stops_alternate_and_their_times_never_go_back(frames: Frames, rules: Hysteresis) -> None:
    check_grammar(run(frames, rules=rules))


@settings(deadline=None)
@given(frame_sequences(), rule_sets(), st.data())
def test_a_takeover_at_any_frame_keeps_the_grammar(frames: Frames, rules: Hysteresis, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(frames)))
    skipped = data.draw(st.integers(0, 40))
    before = run(frames[:cut], rules=rules)
    after = run(frames[cut + skipped :], resumed(before, rules), rules)
    check_grammar(before + after)


@settings(deadline=None)
@given(frame_sequences(), rule_sets(), st.data())
def test_a_takeover_that_hears_everything_since_the_last_event_decides_the_same(
    frames: Frames, rules: Hysteresis, data: st.DataObject
) -> None:
    ordered = sorted(dict(frames).items())
    cut = data.draw(st.integers(0, len(ordered)))
    whole = run(ordered, rules=rules)
    before = run(ordered[:cut], rules=rules)
    after = run(ordered, resumed(before, rules), rules)
    if before and isinstance(before[-1], SpeechStarted):
        # How much of the open stretch was voiced is not in the log; nor is where a gap right behind the log began.
        gap_behind_log = all(pts != before[-1].detected_pts_ms for pts, _ in ordered)
        if not gap_behind_log:
            assert [_without_voiced_ms(event) for event in before + after] == [_without_voiced_ms(e) for e in whole]
    else:
        assert before + after == whole


def _without_voiced_ms(event: SpeechEvent) -> SpeechEvent:
    return event.model_copy(update={"voiced_ms": 0}) if isinstance(event, SpeechStopped) else event


@settings(deadline=None)
@given(frame_sequences(), rule_sets())
def test_enough_silence_always_ends_the_speech(frames: Frames, rules: Hysteresis) -> None:
    last_ms = max(pts for pts, _ in frames) + 20
    silence = [(last_ms + n * 20, False) for n in range(rules.silence_ms // 20 + rules.start_window_ms // 20)]
    said = run(frames + silence, rules=rules)
    assert len(said) % 2 == 0


PAUSES = Hysteresis(start_voiced_ms=60, start_window_ms=100, silence_ms=200, pause_ms=40)


def test_a_pause_is_told_once_per_silence_with_the_end_of_the_last_voiced_sample() -> None:
    said = run(pattern("xxxxx....xx..." + "." * 10), rules=PAUSES)
    assert said[1:] == [
        SpeechPaused(speech_seq=1, pts_ms=100, detected_pts_ms=140),
        SpeechPaused(speech_seq=1, pts_ms=220, detected_pts_ms=260),
        SpeechStopped(speech_seq=1, pts_ms=220, detected_pts_ms=420, voiced_ms=140),
    ]


def test_one_silent_frame_is_no_pause_and_where_nobody_speaks_there_is_none() -> None:
    assert [type(event) for event in run(pattern("xxx.xx.xx.x"), rules=PAUSES)] == [SpeechStarted]
    assert run(pattern("." * 50), rules=PAUSES) == []


def test_a_jump_that_ends_the_stretch_is_its_end_and_no_pause() -> None:
    assert [type(event) for event in run(pattern("xxx" + "_" * 30 + "."), rules=PAUSES)] == [
        SpeechStarted,
        SpeechStopped,
    ]


@given(st.lists(st.booleans(), max_size=120))
def test_telling_pauses_changes_nothing_else(marks: list[bool]) -> None:
    frames = [(n * 20, voiced) for n, voiced in enumerate(marks)]
    told = run(frames, rules=PAUSES)
    assert [event for event in told if not isinstance(event, SpeechPaused)] == run(frames)
