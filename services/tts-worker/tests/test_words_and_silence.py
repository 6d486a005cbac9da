"""When words sound, and that silence before the first one is cut."""

import struct
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from voxbus_audio import silence, sine
from voxbus_tts_worker.leading_silence import LeadingSilence
from voxbus_tts_worker.word_times import word_times


def test_marks_become_the_starts_of_words_and_a_word_without_one_shares_the_time_before_it() -> None:
    times = word_times("Hello, world - your order", [(0, 0.0), (7, 590.2), (13, 1_030.0), (20, 1_230.0)], 1_500)
    assert [(word.text, word.start_ms, word.end_ms) for word in times] == [
        ("Hello,", 0, 590),
        ("world", 590, 1_030),
        ("-", 1_030, 1_130),
        ("your", 1_130, 1_230),
        ("order", 1_230, 1_500),
    ]


def test_sound_too_short_for_its_words_has_no_word_times() -> None:
    assert word_times("a b c", [], 2) == ()
    assert word_times("", [], 1_000) == ()


@given(
    st.text(st.sampled_from("ab .\n-é😀"), max_size=60),
    st.lists(st.tuples(st.integers(-5, 80), st.floats(-50, 5_000)), max_size=20),
    st.integers(0, 4_000),
)
def test_word_times_fit_the_text_and_the_sound_whatever_the_marks_are(
    text: str, marks: list[tuple[int, float]], duration_ms: int
) -> None:
    times = word_times(text, marks, duration_ms)
    assert [word.text for word in times] == (text.split() if duration_ms >= len(text.split()) else [])
    assert all(0 <= word.start_ms < word.end_ms <= duration_ms for word in times)
    assert all(word.end_ms <= after.start_ms for word, after in pairwise(times))


@given(st.integers(0, 2_000), st.integers(1, 400))
def test_at_most_10_ms_of_silence_are_left_however_the_sound_is_cut(quiet_samples: int, step: int) -> None:
    tone = struct.pack("<400h", *([9_000, -9_000] * 200))
    pcm = bytes(2 * quiet_samples) + tone
    cutter = LeadingSilence()
    heard = b"".join(cutter.push(pcm[at : at + 2 * step]) for at in range(0, len(pcm), 2 * step))
    kept = min(quiet_samples, 160)
    assert heard == bytes(2 * kept) + tone
    assert cutter.cut_bytes == 2 * (quiet_samples - kept)


def test_silence_inside_speech_stays() -> None:
    cutter = LeadingSilence()
    speech = sine(300, 50) + silence(400) + sine(300, 50)
    heard = cutter.push(speech)
    assert heard[-len(speech) + 320 :] == speech[320:]


def test_nothing_but_silence_is_nothing_to_hear() -> None:
    assert LeadingSilence().push(silence(500)) == b""
