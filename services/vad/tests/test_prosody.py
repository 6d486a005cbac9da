"""How the end of speech sounds, and what is made of it."""

import asyncio

import numpy as np
import pytest

from voxbus_audio import FRAME_MS, frames
from voxbus_contracts.events import SpeechPaused, SpeechStopped
from voxbus_vad.ending import REMEMBERED_MS, Ending, ending, judged, judging, with_judgement
from voxbus_vad.handlers import Judgements, between_frames
from voxbus_vad.last_seconds import LastSeconds
from voxbus_vad.prosody import AFTER_MS, BEFORE_MS, FEATURES, SOUND_SAMPLES, prosody

VOICE_SAMPLES = BEFORE_MS * 16
STOPPED = SpeechStopped(speech_seq=1, pts_ms=2_000, detected_pts_ms=2_200, voiced_ms=1_500)


def voice(hz: np.ndarray | float, level: np.ndarray | float) -> np.ndarray:
    """Harmonics of a pitch up to the last voiced sample, then silence; `hz` and `level` may change in time."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(np.asarray(hz, float), VOICE_SAMPLES)) / 16_000
    wave = sum(np.sin(phase * n) / n for n in range(1, 8))
    noise = np.random.default_rng(1).normal(0, 3, SOUND_SAMPLES)
    sound = np.pad(np.asarray(level) * wave, (0, AFTER_MS * 16))
    return np.round(sound + noise).astype(np.int16)


def named(sound: np.ndarray) -> dict[str, float]:
    return dict(zip(FEATURES, prosody(sound), strict=True))


def ramp(start: float, end: float, over_ms: int) -> np.ndarray:
    return np.concatenate([np.full(VOICE_SAMPLES - over_ms * 16, start), np.linspace(start, end, over_ms * 16)])


@pytest.mark.parametrize("hz", [90, 150, 240, 330])
def test_a_level_pitch_is_level_whatever_its_height(hz: int) -> None:
    numbers = named(voice(hz, 4_000))
    assert abs(numbers["pitch_end"]) < 0.03
    assert abs(numbers["pitch_slope"]) < 0.03
    assert numbers["periodicity_end"] > 0.9
    assert numbers["voiced_length"] > 60


def test_a_falling_pitch_ends_low_and_a_rising_one_high() -> None:
    falling, rising = (named(voice(ramp(180, end, 400), 4_000)) for end in (110, 280))
    assert falling["pitch_end"] < -0.4 < 0.4 < rising["pitch_end"]
    assert falling["pitch_slope"] < 0 < rising["pitch_slope"]


def test_a_voice_that_fades_has_a_lower_end_than_one_that_is_cut_off() -> None:
    fading, cut = named(voice(150, ramp(6_000, 600, 300))), named(voice(150, 6_000))
    assert fading["level_30"] < cut["level_30"] - 8
    assert fading["slope_200"] < cut["slope_200"] - 0.5
    assert fading["since_10_db"] > cut["since_10_db"] + 3


def test_loudness_of_the_line_changes_next_to_nothing() -> None:
    quiet = voice(ramp(180, 120, 400), 1_000)
    assert np.abs(prosody(quiet) - prosody(quiet * 8)).max() < 0.1


def test_noise_at_the_end_hisses_and_has_no_pitch() -> None:
    sound = voice(150, 4_000)
    burst = np.random.default_rng(2).normal(0, 1_500, 150 * 16)
    sound[VOICE_SAMPLES - len(burst) : VOICE_SAMPLES] = np.round(burst - np.roll(burst, 1)).astype(np.int16)
    numbers = named(sound)
    assert numbers["hiss_rise"] > 10
    assert numbers["since_voiced"] >= 10


@pytest.mark.parametrize("sound", [np.zeros(SOUND_SAMPLES, np.int16), np.full(SOUND_SAMPLES, -32_768, np.int16)])
def test_silence_and_a_stuck_line_have_numbers_too(sound: np.ndarray) -> None:
    assert np.isfinite(prosody(sound)).all()
    assert np.isfinite(ending().log_odds(prosody(sound)))


def test_a_tree_adds_what_its_two_answers_lead_to() -> None:
    tree = [0, 1, 2, 0.0, 5.0, 7.0, 0.1, 0.2, 0.3, 0.4]
    trees = Ending.of({"features": list(FEATURES), "trees": [tree, tree], "start": 1.0})
    odds = []
    for first, second, third in ((-1, 4, 9), (-1, 6, 9), (1, 6, 6), (1, 6, 9)):
        numbers = np.zeros(len(FEATURES))
        numbers[:3] = first, second, third
        odds.append(trees.log_odds(numbers))
    assert odds == pytest.approx([1.2, 1.4, 1.6, 1.8])


def test_trees_made_for_other_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="train it again"):
        Ending.of({"features": ["other"], "trees": [], "start": 0.0})


def remembered(sound: np.ndarray, ends_ms: int = 2_000 + AFTER_MS) -> LastSeconds:
    memory = LastSeconds(REMEMBERED_MS)
    for n, pcm in enumerate(frames(sound.tobytes())):
        memory.remember(ends_ms - len(sound) // 16 + n * FRAME_MS, pcm)
    return memory


def sounds_finished(memory: LastSeconds) -> float | None:
    stopped = judged(STOPPED, memory)
    assert isinstance(stopped, SpeechStopped)
    return stopped.finished


def test_a_voice_that_falls_and_fades_sounds_more_finished_than_one_cut_off_in_full_voice() -> None:
    falls = remembered(voice(ramp(190, 110, 500), ramp(6_000, 500, 350)))
    stops = remembered(voice(ramp(150, 165, 300), 6_000))
    assert (sounds_finished(falls) or 0.0) > (sounds_finished(stops) or 1.0) + 0.2


def test_a_stop_says_what_it_sounds_like_and_other_events_stay_as_they_are() -> None:
    memory = remembered(voice(150, 4_000))
    stopped = judged(STOPPED, memory)
    assert isinstance(stopped, SpeechStopped)
    assert stopped.finished is not None
    assert stopped.model_copy(update={"finished": None}) == STOPPED
    paused = SpeechPaused(speech_seq=1, pts_ms=2_000, detected_pts_ms=2_040)
    assert judged(paused, memory) is paused


def test_who_heard_too_little_of_the_voice_says_nothing() -> None:
    assert sounds_finished(LastSeconds(REMEMBERED_MS)) is None
    assert sounds_finished(remembered(voice(150, 4_000)[-300 * 16 :])) is None


async def test_a_call_is_judged_by_prosody_unless_it_is_turned_off() -> None:
    events: asyncio.Queue = asyncio.Queue()
    sound = voice(150, 4_000)
    for by_prosody in (True, False):
        judgements = Judgements(None, events, by_prosody=by_prosody)
        assert judgements.listens == by_prosody
        for n, pcm in enumerate(frames(sound.tobytes())):
            judgements.memory.remember(2_000 - BEFORE_MS + n * FRAME_MS, pcm)
        judgements.say(STOPPED)
        said = events.get_nowait()
        assert (said == STOPPED) != by_prosody
        if by_prosody:
            assert with_judgement(said.stopped, await said.finished) == judged(STOPPED, judgements.memory)


async def test_a_stop_that_was_expected_is_judged_already_and_one_at_another_place_is_judged_anew() -> None:
    for expected_pts_ms in (2_000, 1_800):
        events: asyncio.Queue = asyncio.Queue()
        judgements = Judgements(None, events, by_prosody=True)
        judgements.memory = remembered(voice(150, 4_000))
        judgements.expect(1_500)
        judgements.expect(expected_pts_ms)
        await asyncio.sleep(0.05)
        judgements.say(STOPPED)
        said = events.get_nowait()
        assert said.finished.done() == (expected_pts_ms == STOPPED.pts_ms)
        assert with_judgement(said.stopped, await said.finished) == judged(STOPPED, judgements.memory)


async def test_other_callers_are_heard_while_a_stop_is_judged() -> None:
    memory = remembered(voice(150, 4_000))
    turns = 0

    async def hear_others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(hear_others())
    finished = await between_frames(judging(STOPPED.pts_ms, memory))
    others.cancel()
    assert with_judgement(STOPPED, finished) == judged(STOPPED, memory)
    assert turns >= 6


async def test_a_stop_is_judged_by_the_sound_of_its_own_time() -> None:
    memory = remembered(voice(150, 4_000))
    expected, steps = judged(STOPPED, memory), judging(STOPPED.pts_ms, memory)
    for n in range(100):
        memory.remember(2_000 + AFTER_MS + n * FRAME_MS, b"\0" * 640)
    assert with_judgement(STOPPED, await between_frames(steps)) == expected
