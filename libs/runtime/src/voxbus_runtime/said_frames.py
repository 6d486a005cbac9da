"""Says a call's audio again that the bus lost or a worker could not hear: the stream may have been lost with it."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

from voxbus_contracts.config import WorkerBack
from voxbus_contracts.subjects import AudioDirection
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_runtime.frame_ring import FrameRing
from voxbus_runtime.owned_call import OwnedCall

_TOGETHER_MS: Final = 250.0
"""Workers that hung on the same server come back one soon after the other: they are told together."""
_MARGIN_MS: Final = 500.0
"""Twice the pause between two heartbeats, by which workers know how long they were deaf."""
_AT_MOST_MS: Final = 10_000.0


def _now_ms() -> float:
    return time.monotonic_ns() / 1e6


class SaidFrames:
    """What this worker has put on the bus of one call's audio. `on_again` is told how many messages it says again."""

    def __init__(self, call: OwnedCall, on_again: Callable[[int], None]) -> None:
        self._call = call
        self._on_again = on_again
        self._ring = FrameRing()

    def say(self, direction: AudioDirection, frame: AudioFrame) -> None:
        """Now, without waiting; while the bus is lost, when it is back and what came before has been said again.

        A frame that went ahead of those would close the hole they belong into, for readers who were not cut off
        themselves and know of no loss.
        """
        said = self._call.audio_payload(frame) if self._ring.is_lost else self._call.publish_audio(direction, frame)
        self._ring.keep(_now_ms(), direction, said)

    def forget(self) -> None:
        """Everybody who needs them has heard them. At the end of a call its parts refer to each other and are freed
        late; 2 MB of frames must not wait."""
        self._ring.forget()

    async def on_disconnect(self) -> None:
        self._ring.bus_lost(_now_ms())

    async def on_reconnect(self) -> None:
        """What was missed, in order."""
        self._again(self._ring.bus_back())

    def say_again(self, for_ms: float) -> None:
        """What was said in the last `for_ms`, for somebody who could not hear it."""
        self._again(self._ring.since(_now_ms() - for_ms))

    def _again(self, frames: list[tuple[AudioDirection, bytes]]) -> None:
        self._on_again(len(frames))
        for direction, payload in frames:
            self._call.publish_audio_again(direction, payload)


class SayingAgain:
    """Hears of workers that are back, and has said again what those missed of the calls of this moment."""

    def __init__(self, said: Callable[[], Iterable[SaidFrames]]) -> None:
        self._said = said
        self._missed_ms = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def on_back(self, _subject: str, _headers: dict[str, str] | None, payload: bytes) -> None:
        """A message of `worker_back`'s subjects."""
        deaf_ms = WorkerBack.model_validate_json(payload).deaf_ms
        self._missed_ms = max(self._missed_ms, min(_AT_MOST_MS, deaf_ms + _MARGIN_MS))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_TOGETHER_MS / 1_000, self._say)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _say(self) -> None:
        self._timer = None
        missed_ms, self._missed_ms = self._missed_ms, 0.0
        for said in self._said():
            said.say_again(missed_ms + _TOGETHER_MS)
