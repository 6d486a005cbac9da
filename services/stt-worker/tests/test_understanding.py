"""One final hearing for each flush, made of transcripts that come before it, behind it, or never."""

from voxbus_stt_worker.understanding import (
    FINAL_SETTLES_MS,
    HURRIED_SETTLES_MS,
    NOTHING_SETTLES_MS,
    PARTIAL_SETTLES_MS,
    Said,
    Understanding,
)


def test_a_final_before_the_end_of_speech_is_kept_and_given_soon_after_it() -> None:
    heard = Understanding()
    assert heard.final("where is it", 0, 0.5) == [Said("where is it", False)]
    heard.flush(1_000)
    assert heard.due(1_000 + FINAL_SETTLES_MS - 1) == []
    assert heard.due(1_000 + FINAL_SETTLES_MS) == [Said("where is it", True, 0.5)]


def test_the_language_told_last_is_that_of_the_whole_stretch_and_not_of_the_next() -> None:
    heard = Understanding()
    heard.final("hello", 0, None, "en")
    heard.final("quiero hablar", 10, None, "es")
    heard.final("por favor", 20)
    heard.flush(1_000)
    assert heard.due(1_000 + FINAL_SETTLES_MS) == [Said("hello quiero hablar por favor", True, None, "es")]
    heard.flush(5_000)
    assert heard.final("gracias", 5_000) == [Said("gracias", True)]


def test_a_final_behind_the_end_of_speech_is_given_at_once() -> None:
    heard = Understanding()
    assert heard.partial("where", 0) == [Said("where", False)]
    heard.flush(1_000)
    assert heard.final("where is it", 0) == [Said("where is it", True)]
    assert heard.wake_at_ms is None


def test_several_finals_of_one_stretch_are_put_together_with_the_partial_behind_them() -> None:
    heard = Understanding()
    heard.final("where is it", 0, 0.9)
    assert heard.partial("and when", 10) == [Said("where is it and when", False)]
    heard.flush(1_000)
    assert heard.due(1_000 + PARTIAL_SETTLES_MS) == [Said("where is it and when", True, 0.9)]


def test_a_partial_that_was_taken_for_final_is_not_said_again_by_its_own_final() -> None:
    heard = Understanding()
    heard.partial("where is it", 0)
    heard.flush(0)
    assert heard.due(PARTIAL_SETTLES_MS) == [Said("where is it", True)]
    assert heard.final("Where is it?", 0) == []
    heard.partial("stop", 3_000)
    heard.flush(3_000)
    assert heard.final("stop", 0) == [Said("stop", True)]


def test_words_that_its_late_final_adds_are_kept_for_the_next_one() -> None:
    heard = Understanding()
    heard.partial("where is", 0)
    heard.flush(0)
    heard.due(PARTIAL_SETTLES_MS)
    assert heard.final("where is it", 0) == [Said("it", False)]


def test_noise_is_an_empty_final_after_a_while_and_a_flush_without_sound_at_once() -> None:
    heard = Understanding()
    heard.flush(0)
    assert heard.due(NOTHING_SETTLES_MS - 1) == []
    assert heard.due(NOTHING_SETTLES_MS) == [Said("", True)]
    heard.flush(5_000, has_sound=False)
    heard.flush(5_000)
    assert heard.due(5_000) == [Said("", True)]
    assert heard.final("where", 0) == [Said("where", True)]


def test_flushes_without_sound_do_not_take_the_words_of_those_behind_them() -> None:
    heard = Understanding()
    for has_sound in (False, False, True):
        heard.flush(0, has_sound=has_sound)
    assert heard.final("where", 0) == [Said("", True), Said("", True), Said("where", True)]


def test_sound_that_was_sent_all_at_once_is_final_when_no_more_comes_of_it() -> None:
    heard = Understanding()
    heard.flush(0, is_hurried=True)
    assert heard.final("where is it", 100) == [Said("where is it", False)]
    assert heard.final("and when", 400) == [Said("where is it and when", False)]
    assert heard.due(400 + HURRIED_SETTLES_MS - 1) == []
    assert heard.due(400 + HURRIED_SETTLES_MS) == [Said("where is it and when", True)]
