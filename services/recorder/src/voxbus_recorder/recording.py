"""A call being recorded: this worker's part of it, from the claim to the end or to the next worker."""

import asyncio
from typing import Final

from voxbus_objects import ObjectFault, ObjectStore, keys
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_recorder import metrics
from voxbus_recorder.courier import Courier
from voxbus_recorder.cutting import Cutter
from voxbus_recorder.segment import Segment, pack
from voxbus_recorder.shelf import read_shelf
from voxbus_runtime.errors import NotStored
from voxbus_runtime.owned_call import OwnedCall

LOOK_EVERY_S: Final = 1.0
_LAST_FRAMES_S: Final = 0.3
"""Frames that are under way when the call ends."""


class Recording:
    """Frames in, segments to the courier. `run` returns when the worker leaves, or all of an ended call is stored."""

    def __init__(self, call: OwnedCall, store: ObjectStore, courier: Courier) -> None:
        self._call = call
        self._store = store
        self._courier = courier
        self._cutter = Cutter()
        self._segments = 0

    async def run(self) -> None:
        call, cutter = self._call, self._cutter
        cutter.holds = True

        def on_caller(frame: AudioFrame) -> None:
            cutter.caller(frame.pts_ms, frame.pcm)

        def on_played(frame: AudioFrame) -> None:
            cutter.played(frame.pts_ms, frame.pcm)

        await call.subscribe_audio("caller", on_caller)
        await call.subscribe_audio("played", on_played)
        try:
            async with asyncio.TaskGroup() as tasks:
                catching_up = tasks.create_task(self._catch_up())
                cutting = tasks.create_task(self._cut_for_ever())
                if not any(logged.name == "call.ended" for logged in call.history):
                    async for _ in call.messages():
                        pass
                if not call.leaving.is_set():
                    await asyncio.gather(catching_up, asyncio.sleep(_LAST_FRAMES_S))
                catching_up.cancel()
                cutting.cancel()
        finally:
            if not call.fenced.is_set():
                self._send(cutter.rest())
            metrics.BROKEN_FRAMES.inc(cutter.broken)
        if not call.leaving.is_set():
            await self._courier.until_delivered(call.ref)

    async def _cut_for_ever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self._send(self._cutter.due())

    async def _catch_up(self) -> None:
        """What was said before this worker heard the call: the stream keeps it for 120 s."""
        call = self._call
        try:
            from_pts_ms = (await read_shelf(self._store, call.ref)).next_pts_ms
        except ObjectFault as problem:
            call.log.warning("the store cannot say what it has, all that is heard is stored", code=problem.code)
            from_pts_ms = 0
        try:
            for frame in await call.replay_audio("caller", from_pts_ms):
                self._cutter.caller(frame.pts_ms, frame.pcm)
            for frame in await call.replay_audio("played", from_pts_ms):
                self._cutter.played(frame.pts_ms, frame.pcm)
        except NotStored:
            call.log.warning("past audio cannot be read back now; it is tried again when the call is over")
        self._cutter.holds = False

    def _send(self, segments: list[Segment]) -> None:
        call = self._call
        for segment in segments:
            self._segments += 1
            key = keys.segment(call.ref, segment.first_pts_ms, call.epoch, self._segments)
            self._courier.send(call.ref, key, pack(segment))
