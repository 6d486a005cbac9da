"""The agent's own voice, back through the caller's microphone, does not pause it; a person's voice over it does."""

import gc
import random
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from voxbus_audio import FRAME_BYTES, FRAME_MS, frames, read_audio_16k, rms_dbfs
from voxbus_contracts.commands import SaySentence
from voxbus_contracts.events import PlaybackPaused, SpeechStarted
from voxbus_media_ingress.clock import CallerClock
from voxbus_media_ingress.echo_guard import EchoGuard
from voxbus_media_ingress.playout import Playout
from voxbus_media_ingress.utterance import AgentFrame
from voxbus_testing.speech import recordings

PER_MS = 16
LEARNT_MS = 2_000
AUDIBLE_DBFS = -48.0

Sound = NDArray[np.float64]


def babble(seed: int, length_ms: int, level_dbfs: float = -22.0) -> Sound:
    """Syllables of uneven length and loudness, as speech has them."""
    rng = random.Random(seed)
    noise = np.random.default_rng(seed)
    parts: list[Sound] = []
    while sum(map(len, parts)) < length_ms * PER_MS:
        loud = 10 ** ((level_dbfs + rng.uniform(-12, 4)) / 20) * 32_768
        parts.append(noise.normal(0, loud, rng.randrange(80, 260) * PER_MS))
        parts.append(np.zeros(rng.choice((20, 40, 60, 60, 350)) * PER_MS))
    return np.concatenate(parts)[: length_ms * PER_MS]


def echo_of(agent: Sound, delay_ms: int, gain_db: float, room: Sound | None = None) -> Sound:
    """What a microphone hears of `agent`, in a room that goes on for a while."""
    if room is None:
        times = np.arange(4_000)
        room = np.random.default_rng(5).normal(0, 1, 4_000) * np.exp(-times / 600)
    room = room / np.sqrt(np.square(room).sum())
    heard = np.convolve(agent, room)[: len(agent)] * 10 ** (gain_db / 20)
    return np.concatenate([np.zeros(delay_ms * PER_MS), heard])[: len(agent)]


def quiet(like: Sound, level_dbfs: float = -68.0) -> Sound:
    return np.random.default_rng(9).normal(0, 32_768 * 10 ** (level_dbfs / 20), len(like))


def as_frames(sound: Sound) -> list[bytes]:
    return frames(np.clip(sound, -32_768, 32_767).astype("<i2").tobytes())


def answers(agent: Sound, caller: Sound) -> Iterator[tuple[int, bool]]:
    """Every 40 ms while the caller is audible: the time, and whether all of it is an echo to the guard."""
    guard = EchoGuard()
    recent: list[float] = []
    for slot, (played, heard) in enumerate(zip(as_frames(agent), as_frames(caller), strict=True)):
        guard.played(slot * FRAME_MS, played)
        guard.heard(slot * FRAME_MS, heard)
        recent = [*recent[-9:], rms_dbfs(heard)]
        if slot % 2 and sum(level > AUDIBLE_DBFS for level in recent) >= 3:
            yield slot * FRAME_MS, guard.explains_the_latest()


@pytest.mark.parametrize("delay_ms", [0, 60, 240, 500])
@pytest.mark.parametrize("gain_db", [-6.0, -18.0])
def test_an_echo_is_known_once_a_little_of_the_call_was_heard(delay_ms: int, gain_db: float) -> None:
    agent = babble(1, 9_000)
    said = [is_echo for at, is_echo in answers(agent, echo_of(agent, delay_ms, gain_db) + quiet(agent)) if at > 2_500]
    assert len(said) > 50
    assert sum(said) >= 0.95 * len(said)


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_somebody_who_speaks_while_the_agent_does_is_never_taken_for_an_echo(seed: int) -> None:
    agent = babble(1, 9_000)
    said = [is_echo for _, is_echo in answers(agent, babble(seed, 9_000, -28) + quiet(agent))]
    assert len(said) > 50
    assert not any(said)


@pytest.mark.parametrize("delay_ms", [40, 300])
def test_a_voice_over_an_echo_is_heard_within_a_fifth_of_a_second(delay_ms: int) -> None:
    agent = babble(1, 9_000)
    own = np.zeros(len(agent))
    start_ms = 6_000
    own[start_ms * PER_MS :] = babble(8, 3_000, -20)
    caller = echo_of(agent, delay_ms, -15) + own + quiet(agent)
    first = min(at for at, is_echo in answers(agent, caller) if at >= start_ms and not is_echo)
    assert first <= start_ms + 200


@pytest.mark.parametrize("caller", ["echo", "own voice"])
def test_who_was_not_asked_for_long_answers_as_one_that_always_was(caller: str) -> None:
    agent = babble(1, 40_000)
    heard = echo_of(agent, 120, -12) if caller == "echo" else babble(4, 40_000, -28)
    always, seldom = EchoGuard(), EchoGuard()
    for slot, (played, own) in enumerate(zip(as_frames(agent), as_frames(heard + quiet(agent)), strict=True)):
        for guard in (always, seldom):
            guard.played(slot * FRAME_MS, played)
            guard.heard(slot * FRAME_MS, own)
        always.explains_the_latest()
    assert seldom.explains_the_latest() == always.explains_the_latest() == (caller == "echo")


def test_what_nobody_asked_about_is_not_kept_for_ever() -> None:
    agent = as_frames(babble(1, 2_000))
    guard = EchoGuard()
    before = sys.getrefcount(agent[7])
    for slot in range(30_000):
        guard.played(slot * FRAME_MS, agent[slot % len(agent)])
        guard.heard(slot * FRAME_MS, agent[slot % len(agent)])
    assert sys.getrefcount(agent[7]) - before <= 10, "of some 600 that were given to it"


def test_a_quiet_line_has_nothing_to_explain() -> None:
    guard = EchoGuard()
    for slot in range(500):
        guard.heard(slot * FRAME_MS, as_frames(babble(2, 40))[0])
    assert not guard.explains_the_latest()


@pytest.mark.parametrize(("own_voice", "pauses"), [(False, 0), (True, 1)])
def test_playback_goes_on_through_its_own_echo_and_pauses_for_a_voice_over_it(own_voice: bool, pauses: int) -> None:
    agent = babble(1, 8_000)
    caller = echo_of(agent, 120, -12) + quiet(agent)
    if own_voice:
        caller[6_000 * PER_MS :] += babble(8, 2_000, -18)
    events = _played_with_speech_from(4_000, agent, caller)
    paused = [event for event in events if isinstance(event, PlaybackPaused)]
    assert len(paused) == pauses
    assert all(6_000 <= event.pts_ms <= 6_300 for event in paused)
    assert all(event.voiced_to_silent_ms is None for event in paused), "who began as an echo has no known beginning"


def _played_with_speech_from(start_ms: int, agent: Sound, caller: Sound) -> list[Any]:
    """Plays all of `agent`; the detector reports speech from `start_ms` on."""
    clock = CallerClock(0.0)
    playout = Playout(clock)
    playout.on_say(SaySentence(utterance_seq=1, reply=1, turn=1, text="x"), 0.0)
    for index, pcm in enumerate(as_frames(agent)):
        assert len(pcm) == FRAME_BYTES
        playout.on_frame(AgentFrame(1, index, pcm, index == len(agent) // 320 - 1, 1), 0.0)
    for slot, heard in enumerate(as_frames(caller)):
        now_ms = float(slot * FRAME_MS)
        if now_ms == start_ms + 80:
            started = SpeechStarted(speech_seq=1, pts_ms=start_ms, detected_pts_ms=start_ms + 80)
            playout.on_speech_started(started, now_ms)
        for _ in range(3):
            due_ms = playout.next_due()
            if due_ms is not None and due_ms <= now_ms:
                playout.tick(now_ms)
        playout.echo.heard(slot * FRAME_MS, heard)
    return playout.take_events()


def _recorded(row: dict[str, Any], level_dbfs: float) -> Sound:
    sound = np.frombuffer(read_audio_16k(row["file"]), "<i2").astype(np.float64)
    loud = sound[np.abs(sound) > 200]
    return sound * (32_768 * 10 ** (level_dbfs / 20) / np.sqrt(np.square(loud).mean()))


@pytest.mark.speech
def test_recorded_prompts_through_measured_rooms_are_held_back_and_recorded_callers_are_not() -> None:
    rows = recordings()
    prompts = [row for row in rows if row["kind"] == "prompt" and row["seconds"] > 4]
    callers = [row for row in rows if row["kind"] in ("utt", "utt_slots") and row.get("vad_silero")]
    rooms = [
        np.frombuffer(read_audio_16k(row["file"]), "<i2").astype(np.float64) for row in rows if row["kind"] == "rir"
    ]
    rng = random.Random(7)
    echoes: list[bool] = []
    interruptions: list[bool] = []
    for _ in range(10):
        agent = np.concatenate([_recorded(row, -22) for row in rng.sample(prompts, 2)])
        room = rng.choice(rooms)
        room = room[int(np.abs(room).argmax()) :][:8_000]
        echo = echo_of(agent, rng.choice((0, 60, 150, 300, 500)), rng.choice((-8, -14, -20)), room)
        echoes += [is_echo for at, is_echo in answers(agent, echo + quiet(agent)) if at > LEARNT_MS]
        row = rng.choice(callers)
        own, start_ms = _recorded(row, -24), 3_000
        alone = quiet(agent)
        upto = min(len(own), len(agent) - start_ms * PER_MS)
        alone[start_ms * PER_MS :][:upto] += own[:upto]
        interruptions += [is_echo for _, is_echo in answers(agent, alone)]
    assert len(echoes) > 300 and sum(echoes) / len(echoes) >= 0.85
    assert len(interruptions) > 200 and sum(interruptions) / len(interruptions) <= 0.02


def test_frames_nobody_asked_about_are_nothing_for_garbage_collection_to_look_at() -> None:
    """A collection stops the voices of all calls for as long as it looks at what they keep."""
    guard, frame = EchoGuard(), bytes(FRAME_BYTES)
    gc.collect()
    before = len(gc.get_objects())
    for number in range(500):
        guard.played(number * FRAME_MS, frame)
        guard.heard(number * FRAME_MS, frame)
    assert len(gc.get_objects()) - before < 50
