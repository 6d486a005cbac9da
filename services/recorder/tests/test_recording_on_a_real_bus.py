"""What is heard is recorded: aligned, whole over a kill, and never in the call's way."""

import asyncio
import io
import wave
from typing import Any

import numpy as np
import pytest

from voxbus_archive import parse_archive
from voxbus_contracts.artifact import ArtifactPlan, CompliancePlan
from voxbus_contracts.events import CallDeleted, UsageRecorded
from voxbus_objects import keys
from voxbus_testing.nats import eventually

from .conftest import Call, Place, is_recording, kill, tone

pytestmark = pytest.mark.integration


async def test_both_directions_are_recorded_by_their_place_on_the_audio_clock(place: Place) -> None:
    recorder = await place.recorder()
    async with place.call() as call:
        await call.begins()
        await is_recording(recorder, call)
        await call.sounds("caller", 0, tone(440, 7_000))
        await call.sounds("played", 1_000, tone(880, 2_000))
        await call.sounds("played", 4_500, tone(660, 1_000))
        await call.ends()
        recording = await call.recording()
        assert (recording.start_pts_ms, recording.duration_ms) == (0, 7_000)
        assert await call.is_recorded_whole(recording)
        await segments_are_gone(place, call)


async def test_a_recorder_that_is_late_takes_new_calls_all_the_same(place: Place) -> None:
    recorder = await place.recorder()
    recorder.runtime._lags_ms = [900.0] * 100
    async with place.call() as call:
        await call.begins()
        await is_recording(recorder, call)


async def segments_are_gone(place: Place, call: Call) -> None:
    async with asyncio.timeout(5):
        while await place.store.list(keys.segments_prefix(call.ref)):
            await asyncio.sleep(0.05)


async def test_every_track_is_there_in_the_format_that_is_asked_for(place: Place) -> None:
    await place.recorder()
    for plan, ending in ((ArtifactPlan(), "wav"), (ArtifactPlan(recording_format="mp3"), "mp3")):
        async with place.call(plan) as call:
            await call.begins()
            await call.sounds("caller", 0, tone(440, 2_000))
            await call.sounds("played", 0, tone(880, 2_000))
            await call.ends()
            recording = await call.recording()
            assert [file.track for file in recording.files] == ["stereo", "mono", "customer", "assistant"]
            for file in recording.files:
                assert file.key == keys.recording(call.ref, file.track, ending)
                assert file.format == ending
                assert (await place.store.head(file.key)).size_bytes == file.size_bytes
    customer = await place.store.get(keys.recording(call.ref, "customer", "mp3"))
    assert customer[:3] == b"ID3" or customer[0] == 0xFF


async def test_a_kill_loses_nothing_of_the_recording(place: Place) -> None:
    """The next worker reads back what the killed one had only in memory."""
    first = await place.recorder("recorder-a")
    async with place.call() as call:
        await call.begins()
        await is_recording(first, call)
        await call.sounds("caller", 0, tone(440, 8_000))
        await call.sounds("played", 6_200, tone(880, 1_500))
        await eventually_stored(place, call)
        await kill(first)
        await call.sounds("caller", 8_000, tone(550, 1_000))
        second = await place.recorder("recorder-b")
        await call.sounds("caller", 9_000, tone(440, 1_000))
        await is_recording(second, call)
        await call.sounds("caller", 10_000, tone(660, 3_000))
        await call.sounds("played", 10_500, tone(770, 500))
        await call.ends()
        recording = await call.recording()
        assert recording.duration_ms == 13_000
        assert await call.is_recorded_whole(recording)
        assert await call.faults() == []


async def eventually_stored(place: Place, call: Call) -> None:
    async with asyncio.timeout(10):
        while not await place.store.list(keys.segments_prefix(call.ref)):
            await asyncio.sleep(0.05)


async def test_a_call_that_nobody_recorded_is_made_from_what_the_stream_keeps(place: Place) -> None:
    async with place.call() as call:
        await call.begins()
        await call.sounds("caller", 0, tone(440, 3_000))
        await call.sounds("played", 1_000, tone(880, 1_000))
        await call.ends()
        await place.recorder()
        assert await call.is_recorded_whole(await call.recording())


async def test_a_worker_that_leaves_hands_its_part_over(place: Place) -> None:
    first = await place.recorder("recorder-a")
    async with place.call() as call:
        await call.begins()
        await is_recording(first, call)
        await call.sounds("caller", 0, tone(440, 2_000))
        second = await place.recorder("recorder-b")
        await first.stop()
        await is_recording(second, call)
        await call.sounds("caller", 2_000, tone(550, 2_000))
        await call.ends()
        assert await call.is_recorded_whole(await call.recording())


async def test_frames_the_stream_lost_and_got_later_are_put_in_their_place(place: Place) -> None:
    """After a loss of the bus media-ingress says again what was missed: late, and some of it twice."""
    recorder = await place.recorder()
    async with place.call() as call:
        await call.begins()
        await is_recording(recorder, call)
        await call.sounds("caller", 0, tone(440, 2_000))
        await call.sounds("caller", 4_000, tone(440, 3_000))
        await eventually_stored(place, call)
        await call.sounds("caller", 1_500, tone(550, 2_500))
        await call.sounds("played", 3_000, tone(660, 500))
        await call.ends()
        assert await call.is_recorded_whole(await call.recording())


async def test_what_is_lost_for_good_is_silence_and_said(place: Place) -> None:
    await place.recorder()
    async with place.call() as call:
        await call.begins()
        await call.sounds("caller", 0, tone(440, 1_000))
        await call.sounds("caller", 1_500, tone(440, 500))
        await call.ends()
        recording = await call.recording()
        assert (recording.duration_ms, recording.missing_ms) == (2_000, 500)
        samples = await call.stereo(recording)
        assert not samples[16_000:24_000].any()
        (fault,) = await call.faults()
        assert fault.code == "recording-incomplete"
        assert "500 ms" in fault.detail


async def test_channels_are_aligned_over_a_kill_a_pause_and_a_clear(place: Place) -> None:
    """Tones that begin together on the line begin together in the file, to the sample."""
    first = await place.recorder("recorder-a")
    async with place.call() as call:
        await call.begins()
        await is_recording(first, call)
        for at_ms in range(0, 12_000, 2_000):
            await call.sounds("caller", at_ms, bytes(32_000) + tone(440, 400) + bytes(16_000 * 2 * 6 // 10))
            # what left: a reply that was paused after 200 ms and cleared, so nothing more of it
            await call.sounds("played", at_ms + 1_000, tone(880, 200 if at_ms % 4_000 else 400))
            if at_ms == 6_000:
                await kill(first)
                second = await place.recorder("recorder-b")
                await is_recording(second, call)
        await call.ends()
        recording = await call.recording()
        samples = await call.stereo(recording)
        onsets = [rising(samples[:, channel]) for channel in (0, 1)]
        assert len(onsets[0]) == len(onsets[1]) == 6
        assert all(abs(left - right) <= 0.020 * 16_000 for left, right in zip(*onsets, strict=True))
        assert await call.is_recorded_whole(recording)


def rising(samples: np.ndarray[Any, Any]) -> list[int]:
    """Where sound begins after at least 300 ms of silence, in samples."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > 300)
    gaps = np.diff(loud, prepend=-100_000)
    return [int(at) for at in loud[gaps > 4_800]]


@pytest.mark.parametrize(
    "assistant",
    [
        {"plan": ArtifactPlan(recording_enabled=False)},
        {"recording_enabled": False, "plan": ArtifactPlan()},
        {"compliance_plan": CompliancePlan(hipaa_enabled=True)},
        {"hipaa_enabled": True},
    ],
)
async def test_off_means_that_no_sound_is_stored(place: Place, assistant: dict[str, Any]) -> None:
    recorder = await place.recorder()
    async with place.call(**assistant) as call:
        await call.begins()
        await call.sounds("caller", 0, tone(440, 6_000))
        await call.ends()
        await call.archive()
        assert recorder.component.calls() == []
        assert await call.events("recording.stored") == []
        assert [each.key for each in await place.store.list(keys.call_prefix(call.ref))] == [keys.archive(call.ref)]


async def test_the_log_is_archived_whole_and_what_comes_late_is_added(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxbus_recorder.archiving._SECOND_LOOK_S", 0.5)
    await place.recorder()
    async with place.call(ArtifactPlan(recording_enabled=False)) as call:
        await call.begins()
        await call.ends()
        stored = await call.archive()
        archive = parse_archive(await place.store.get(stored.key))
        said = [message.name for message in archive.messages]
        assert said == ["media.attached", "call.started", "call.ended", "media.detached"]
        assert (stored.messages, archive.ref) == (4, call.ref)
        assert archive.config is not None
        assert archive.config["call"] == call.ref.call
        late = UsageRecorded(item="voice", provider="vapi", unit="characters", quantity=27)
        await call.say(late, "tts-worker")
        again = await call.nth_event("archive.stored", 2)
        archive = parse_archive(await place.store.get(again.key))
        assert [message.name for message in archive.messages][-1] == "usage.recorded"
        assert archive.messages[-1].payload == late.payload()
        await asyncio.sleep(1.2)
        assert len(await call.events("archive.stored")) == 2, "nothing new, so nothing is said again"


async def test_archives_and_recordings_of_calls_that_ended_while_no_recorder_ran_are_made(place: Place) -> None:
    calls: list[Any] = []
    async with place.call() as one, place.call() as two:
        for call in (one, two):
            await call.begins()
            await call.sounds("caller", 0, tone(440, 1_000))
            await call.ends()
            calls.append(call)
        await place.recorder()
        for call in calls:
            assert await call.is_recorded_whole(await call.recording())
            parse_archive(await place.store.get((await call.archive()).key))


async def test_a_deleted_call_leaves_nothing_and_nothing_comes_back(place: Place) -> None:
    recorder = await place.recorder()
    async with place.call() as call:
        await call.begins()
        await is_recording(recorder, call)
        await call.sounds("caller", 0, tone(440, 1_000))
        await call.ends()
        await call.recording()
        await call.archive()
        await call.say(CallDeleted(), "control-api")
        await eventually_gone(place, call)
        await recorder.stop()
        await place.recorder("recorder-b")
        await asyncio.sleep(1)
        assert await place.store.list(keys.call_prefix(call.ref)) == []


async def eventually_gone(place: Place, call: Call) -> None:
    async with asyncio.timeout(10):
        while await place.store.list(keys.call_prefix(call.ref)):
            await asyncio.sleep(0.05)


async def test_an_expired_recording_is_deleted_and_the_archive_stays(place: Place) -> None:
    from voxbus_recorder.expiring import Expiry, expire
    from voxbus_runtime.bus import unix_ms

    async with place.call() as call:
        recorded, archived = keys.recording(call.ref, "mono", "wav"), keys.archive(call.ref)
        for key in (recorded, archived, keys.customer_file(call.ref.org, "file-1")):
            await place.store.put(key, b"content")
        day_ms = 86_400_000
        assert await expire(place.store, Expiry(7, 0), unix_ms() + 6 * day_ms) == 0
        assert await expire(place.store, Expiry(7, 0), unix_ms() + 8 * day_ms) == 1
        assert recorded not in [each.key for each in await place.store.list("")]
        assert await expire(place.store, Expiry(7, 30), unix_ms() + 31 * day_ms) == 1
        assert len(await place.store.list("")) == 1


async def test_a_wav_file_is_one_that_others_read(place: Place) -> None:
    await place.recorder()
    async with place.call() as call:
        await call.begins()
        await call.sounds("caller", 0, tone(440, 1_000))
        await call.ends()
        recording = await call.recording()
        for file in recording.files:
            with wave.open(io.BytesIO(await place.store.get(file.key))) as wav:
                assert wav.getnframes() == 16_000
                assert wav.getsampwidth() == 2


async def test_a_call_never_waits_for_its_recorder(place: Place) -> None:
    """It is claimed beside the stages a call waits for, and is none of them."""
    async with place.call() as call:
        assert "recorder" in call.config.claimed_by
        assert "recorder" not in call.config.stages
        await eventually(lambda: True)
