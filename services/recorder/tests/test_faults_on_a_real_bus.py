"""Stores that fail, disks that fill, objects that rot: a clear fault on the call, and nothing else is lost."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.stdlib import BoundLogger, get_logger

from voxbus_contracts import CallRef
from voxbus_contracts.events import FaultRaised
from voxbus_objects import ObjectStore, StoreUnavailable, keys, open_store
from voxbus_recorder.courier import Courier
from voxbus_recorder.segment import Segment, pack
from voxbus_recorder.spool import Spool
from voxbus_testing.nats import eventually
from voxbus_testing.object_store import S3Server

from .conftest import Call, Place, is_recording, kill, tone

pytestmark = pytest.mark.integration


@pytest.fixture
def s3_place(place: Place, s3_server: S3Server) -> Place:
    """The same, with its objects in S3."""
    place.address = s3_server.address("calls")
    place.store = open_store(place.address)
    return place


async def fault_codes(call: Call) -> list[str]:
    return [fault.code for fault in await call.faults()]


async def eventually_faulted(call: Call, code: str) -> FaultRaised:
    async with asyncio.timeout(20):
        while True:
            for fault in await call.faults():
                if fault.code == code:
                    return fault
            await asyncio.sleep(0.05)


async def test_a_store_that_answers_503_delays_the_recording_and_loses_nothing(
    s3_place: Place, s3_server: S3Server
) -> None:
    recorder = await s3_place.recorder()
    async with s3_place.call() as call:
        await call.begins()
        await is_recording(recorder, call)
        s3_server.door.status = 503
        await call.sounds("caller", 0, tone(440, 12_000))
        await call.sounds("played", 2_000, tone(880, 3_000))
        fault = await eventually_faulted(call, "store-unavailable")
        assert fault.retryable
        await call.ends()
        spool = s3_place.folder / "data" / "recorder" / "spool"
        await eventually(lambda: len(list(spool.iterdir())) >= 3, what="segments wait on this disk")
        assert await call.events("recording.stored") == []
        s3_server.door.status = 0
        assert await call.is_recorded_whole(await call.recording(timeout_s=60))
        assert await fault_codes(call) == ["store-unavailable"], "said once, however often it was tried"
        assert list(spool.iterdir()) == []
        await call.archive()


async def test_what_waits_on_the_disk_survives_a_kill_in_an_outage(s3_place: Place, s3_server: S3Server) -> None:
    first = await s3_place.recorder("recorder-a")
    async with s3_place.call() as call:
        await call.begins()
        await is_recording(first, call)
        s3_server.door.status = 503
        await call.sounds("caller", 0, tone(440, 11_000))
        await eventually_faulted(call, "store-unavailable")
        spool = s3_place.folder / "data" / "recorder" / "spool"
        await eventually(lambda: len(list(spool.iterdir())) >= 2, what="segments wait on this disk")
        await kill(first)
        await call.bus.js.purge_stream("AUDIO")
        s3_server.door.status = 0
        second = await s3_place.recorder("recorder-b")
        await is_recording(second, call)
        await call.sounds("caller", 11_000, tone(550, 1_000))
        await call.ends()
        recording = await call.recording(timeout_s=60)
        assert recording.duration_ms == 12_000
        assert recording.missing_ms <= 1_000, "what the killed worker had only in memory, and the stream had lost"
        samples = await call.stereo(recording)
        assert samples[: 10_000 * 16, 0].tobytes() == call.expected("caller", 10_000)


async def test_segments_left_on_another_machine_complete_the_recording_when_it_is_back(place: Place) -> None:
    """A recording made without them is made again."""
    async with place.call() as call:
        await call.begins()
        pcm = tone(440, 7_000)
        frames = {slot: pcm[slot * 640 : slot * 640 + 640] for slot in range(250)}
        call.caller = {slot * 20: pcm[slot * 640 : slot * 640 + 640] for slot in range(350)}
        spool = Spool(place.folder / "other" / "recorder" / "spool")
        spool.put(keys.segment(call.ref, 0, 5, 1), pack(Segment(0, frames, {})))
        await call.sounds("caller", 5_000, pcm[250 * 640 :])
        await call.ends()
        await place.recorder("recorder-a")
        incomplete = await call.recording()
        assert incomplete.missing_ms == 5_000
        await place.recorder("recorder-b", data_dir=place.folder / "other")
        assert await call.is_recorded_whole(await call.recording(nth=2))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB; where it cannot be mounted, the test is skipped."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk takes root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_delays_the_recording_and_loses_nothing(place: Place, small_disk: Path) -> None:
    """Objects on the full disk, the spool on another one."""
    place.address = str(small_disk / "objects")
    place.store = open_store(place.address)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(900_000))
    recorder = await place.recorder()
    async with place.call() as call:
        await call.begins()
        await is_recording(recorder, call)
        await call.sounds("caller", 0, tone(440, 6_000))
        fault = await eventually_faulted(call, "store-full")
        assert fault.retryable
        subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
        ballast.unlink()
        await call.ends()
        assert await call.is_recorded_whole(await call.recording(timeout_s=60))
        assert await fault_codes(call) == ["store-full"]


async def test_a_broken_segment_is_named_and_everything_else_is_there(place: Place) -> None:
    recorder = await place.recorder()
    async with place.call() as call:
        await call.begins()
        await is_recording(recorder, call)
        await call.sounds("caller", 0, tone(440, 12_000))
        await call.sounds("played", 1_000, tone(880, 9_000))
        segments = await two_segments(place, call)
        content = bytearray(await place.store.get(segments[0]))
        content[5_000] ^= 1
        await place.store.put(segments[0], bytes(content))
        await call.bus.js.purge_stream("AUDIO")
        await call.ends()
        recording = await call.recording()
        assert (recording.duration_ms, recording.missing_ms) == (12_000, 5_000)
        samples = await call.stereo(recording)
        assert not samples[: 5_000 * 16].any()
        assert samples[5_000 * 16 :, 0].tobytes() == call.expected("caller", 12_000)[5_000 * 32 :]
        assert samples[5_000 * 16 :, 1].tobytes() == call.expected("played", 12_000)[5_000 * 32 :]
        broken = await eventually_faulted(call, "segment-broken")
        assert segments[0].rpartition("/")[2] in broken.detail
        assert await fault_codes(call) == ["segment-broken", "recording-incomplete"]


async def test_a_broken_segment_the_stream_still_has_is_mended(place: Place) -> None:
    recorder = await place.recorder()
    async with place.call() as call:
        await call.begins()
        await is_recording(recorder, call)
        await call.sounds("caller", 0, tone(440, 12_000))
        segments = await two_segments(place, call)
        await place.store.put(segments[0], b"rot")
        await call.ends()
        assert await call.is_recorded_whole(await call.recording())
        assert await fault_codes(call) == ["segment-broken"]


async def two_segments(place: Place, call: Call) -> list[str]:
    async with asyncio.timeout(15):
        while len(found := await place.store.list(keys.segments_prefix(call.ref))) < 2:
            await asyncio.sleep(0.05)
    return [each.key for each in found]


# --- the courier alone ---------------------------------------------------------------------------------------------


class FailingStore:
    """Takes what it gets, in order, unless it is told to fail."""

    def __init__(self) -> None:
        self.fails = True
        self.got: list[str] = []

    async def put(self, key: str, content: bytes) -> None:
        del content
        if self.fails:
            raise StoreUnavailable("told to fail")
        self.got.append(key)


class FullSpool(Spool):
    """A disk without room."""

    def put(self, key: str, content: bytes) -> None:
        raise OSError(28, "No space left on device")


REF = CallRef("org1", "11111111-1111-4111-8111-1111111111ab")


def a_courier(store: ObjectStore, spool: Spool, said: list[str], memory_bytes: int = 10_000) -> Courier:
    log: BoundLogger = get_logger()
    return Courier(store, spool, memory_bytes, log, lambda _ref, code, _detail, _retryable: said.append(code))


@contextlib.asynccontextmanager
async def running(courier: Courier):
    task = asyncio.create_task(courier.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("full", [False, True])
async def test_segments_are_delivered_in_their_order_once_the_store_is_back(tmp_path: Path, full: bool) -> None:
    store, said = FailingStore(), list[str]()
    courier = a_courier(store, (FullSpool if full else Spool)(tmp_path), said)
    names = [keys.segment(REF, number * 5_000, 1, number) for number in range(8)]
    async with running(courier):
        for name in names:
            courier.send(REF, name, b"x" * 1_000)
            await asyncio.sleep(0.02)
        assert courier.waiting(REF) == 8
        store.fails = False
        await asyncio.wait_for(courier.until_delivered(REF), 30)
    assert store.got == names
    assert said == ["store-unavailable"]
    assert list(tmp_path.iterdir()) == []


async def test_a_segment_nothing_has_room_for_is_lost_and_that_is_said(tmp_path: Path) -> None:
    store, said = FailingStore(), list[str]()
    courier = a_courier(store, FullSpool(tmp_path), said, memory_bytes=2_500)
    async with running(courier):
        for number in range(3):
            courier.send(REF, keys.segment(REF, number * 5_000, 1, number), b"x" * 1_000)
        store.fails = False
        await asyncio.wait_for(courier.until_delivered(REF), 30)
    assert len(store.got) == 2
    assert "segment-lost" in said


async def test_what_was_only_in_memory_is_put_by_at_the_end_and_adopted_by_the_next(tmp_path: Path) -> None:
    store, said = FailingStore(), list[str]()
    first = a_courier(store, Spool(tmp_path), said)
    first.send(REF, keys.segment(REF, 0, 1, 1), b"x")
    await first.put_by()
    store.fails = False
    second = a_courier(store, Spool(tmp_path), said)
    late: list[CallRef] = []
    second.on_late(late.append)
    assert await second.adopt() == 1
    async with running(second):
        await asyncio.wait_for(second.until_delivered(REF), 10)
    assert store.got == [keys.segment(REF, 0, 1, 1)]
    assert late == [REF]
