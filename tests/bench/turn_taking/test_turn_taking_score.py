"""The score's own machinery, on small made-up sound: what it counts, and that it would notice."""

import random
from itertools import pairwise

import numpy as np
from clips import Clip, Word, background, half_of, laid_over, plain_words
from listening import PositionHearer, speech_events, timeline, transcripts
from replay import by_evidence, by_silence, judged_turn, run
from scenes import AFTER_END_MS, Call, Scene, calls_of, composed_numbers, joined, with_pauses
from scoring import Target, by_source, chosen, point_of

from voxbus_audio import FRAME_MS
from voxbus_contracts.events import TranscriptFinal
from voxbus_testing.speech import speechlike


def a_clip(text: str, word_ms: int = 300, name: str = "made-up") -> Clip:
    """Speech-like sound, 200 ms of quiet on both sides."""
    words = plain_words(text)
    length_ms = word_ms * len(words)
    quiet = np.zeros(200 * 16, np.int16)
    sound = np.frombuffer(speechlike(length_ms), np.int16)
    voice = ((200, 200 + length_ms),)
    return Clip(name, "utt", "nobody", np.concatenate([quiet, sound, quiet]), voice, laid_over(words, voice), {})


def a_turn(text: str, pauses_ms: list[int]) -> Scene:
    return with_pauses("turn", a_clip(text), pauses_ms, random.Random(3))


def heard(*scenes: Scene) -> list:
    calls = calls_of(scenes)
    speech = [speech_events(call) for call in calls]
    return [
        (call, timeline(said, transcripts(call, said, PositionHearer(call.words))))
        for call, said in zip(calls, speech, strict=True)
    ]


def test_words_are_laid_over_the_voice_and_skip_its_pauses() -> None:
    words = laid_over(["aa", "bb", "cc", "dd"], [(100, 300), (1_000, 1_200)])
    assert [word.start_ms for word in words] == [100, 200, 1_000, 1_100]
    assert all(word.end_ms <= 300 or word.start_ms >= 1_000 for word in words)


def test_a_pause_put_in_is_silent_as_long_as_asked_and_the_words_move_behind_it() -> None:
    scene = a_turn("where is my order please", [800])
    ((start, stop),) = scene.holds
    assert stop - start == 800
    assert np.abs(scene.samples[start * 16 : stop * 16]).max() < 200
    assert all(word.end_ms <= start + 150 or word.start_ms >= stop - 150 for word in scene.words)
    assert [word.text for word in scene.words] == ["where", "is", "my", "order", "please"]
    assert scene.end_ms == len(scene.samples) // 16


def test_two_sentences_joined_hold_between_them() -> None:
    scene = joined("two", a_clip("where are you"), a_clip("come here"), 500)
    assert scene.holds == ((400 + 900, 400 + 900 + 500),)
    assert len(scene.words) == 5


def test_the_vad_hears_the_hold_and_the_position_recognizer_the_words() -> None:
    ((call, events),) = heard(a_turn("where is my order please", [800]))
    finals = [event.text for _, _, event in events if isinstance(event, TranscriptFinal)]
    assert " ".join(finals) == "where is my order please"
    assert len(finals) == 2
    assert all(a[0] <= b[0] for a, b in pairwise(events))
    assert len(call.samples) % (FRAME_MS * 16) == 0


def test_a_short_wait_cuts_a_long_hold_off_and_a_long_wait_does_not() -> None:
    turn = heard(a_turn("where is my order please", [900]))
    hasty, patient = run(turn, by_silence(400)), run(turn, by_silence(1_400))
    assert [hold.was_cut for hold in hasty.holds] == [True]
    assert [hold.was_cut for hold in patient.holds] == [False]
    assert (patient.ends[0].delay_ms or 0) >= 1_300
    assert 300 <= (hasty.ends[0].delay_ms or 0) <= 500


def test_digits_are_waited_for_where_a_sentence_is_answered() -> None:
    digits = a_turn("four one five five five five", [1_000])
    (outcome,) = [run(heard(digits), by_evidence(0.9))]
    assert not any(hold.was_cut for hold in outcome.holds)
    (yes,) = run(heard(a_turn("yes please", [])), by_evidence(0.9)).ends
    assert (yes.delay_ms or 9_999) < 400


def test_commits_are_held_against_holds_and_ends() -> None:
    scene = Scene("s", "made up", "tune", "c", np.zeros(1, np.int16), (), ((1_000, 1_800),), 3_000)
    assert judged_turn("c", scene, [1_500, 3_400])[0][0].was_cut
    assert not judged_turn("c", scene, [2_500, 3_400])[0][0].was_cut
    assert judged_turn("c", scene, [1_500, 3_400])[1].delay_ms == 400
    assert judged_turn("c", scene, [2_900])[1].delay_ms == 0
    assert judged_turn("c", scene, [1_500])[1].delay_ms is None
    assert judged_turn("c", scene, [3_000 + AFTER_END_MS + 1])[1].delay_ms is None


def test_a_point_has_the_shares_of_its_outcome_inside_its_interval() -> None:
    turns = heard(*(a_turn("where is my order please", [ms]) for ms in (300, 500, 700, 900, 1_100)))
    point = point_of(600, run(turns, by_silence(600)))
    assert (point.holds, point.ends) == (5, 5)
    assert point.cut_low <= point.cut <= point.cut_high
    assert point.delay_low_ms <= point.delay_ms <= point.delay_high_ms
    assert 0 < point.cut < 1
    (row,) = by_source(run(turns, by_silence(600)))
    assert row["cut_off"] == round(point.cut * 5)


def test_the_setting_is_the_quickest_that_cuts_off_few_enough() -> None:
    turns = heard(*(a_turn("where is my order please", [ms]) for ms in (300, 500, 700, 900)))
    points = [point_of(ms, run(turns, by_silence(ms))) for ms in (400, 600, 800, 1_200)]
    assert chosen(points, Target(0.0, 750)).setting == 1_200
    assert chosen(points, Target(0.99, 750)).setting == 400
    assert chosen(points, Target(-1.0, 750)).setting == 1_200


def test_composed_numbers_are_the_same_for_the_same_seed_and_have_ten_digits_or_eleven() -> None:
    digits = [a_clip(word, name=f"{word}-x") for word in ("zero", "one", "two", "five", "nine")]
    made = [composed_numbers(digits, {"nobody": "tune"}, random.Random(5)) for _ in range(2)]
    assert [scene.words for scene in made[0]] == [scene.words for scene in made[1]]
    for scene in made[0]:
        assert len(scene.words) == (11 if scene.words[0].text in {"zero", "one"} else 10)
        assert scene.holds
        assert all(700 <= stop - start <= 1_100 for start, stop in scene.holds)


def test_every_recording_is_in_one_half_whatever_else_there_is() -> None:
    halves = {name: half_of(name) for name in (f"clip-{n}" for n in range(200))}
    assert 70 < sum(half == "tune" for half in halves.values()) < 130
    assert all(half_of(name) == half for name, half in halves.items())


def test_background_is_never_louder_than_a_quiet_line() -> None:
    loud = np.full(16_000, 20_000, np.int16)
    assert np.sqrt((background(loud, 500, np.random.default_rng(1)).astype(float) ** 2).mean()) < 40


def test_calls_hold_turns_of_one_caller_and_one_source() -> None:
    turns = [a_turn("where is my order please", [300]) for _ in range(6)]
    calls: list[Call] = calls_of(turns)
    assert [len(call.turns) for call in calls] == [4, 2]
    assert all(isinstance(word, Word) for call in calls for word in call.words)
