"""Heartbeats: ours out, everybody's in."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Final

from voxbus_contracts.config import WorkerBack, WorkerStatus
from voxbus_contracts.subjects import WORKERS_BACK, worker_back, worker_status, workers_of
from voxbus_runtime.bus import Bus
from voxbus_runtime.liveness import HEARTBEAT_S, SUSPECT_AFTER_S, Liveness, Vital

_RESEND_AFTER_S: Final = 0.25
"""Workers that hung on the same server come back one soon after the other."""


class Peers:
    """Which workers live, as this process hears it."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._liveness = Liveness(listening_since_s=time.monotonic(), me=bus.worker)
        self._thawed: list[Callable[[], Awaitable[None]]] = []
        self._lost: list[Callable[[str], None]] = []
        self._stages: set[str] = set()
        self._resending: asyncio.TimerHandle | None = None
        self._stage = ""
        """Ours."""

    async def listen(self, stage: str) -> None:
        """From now on hears the workers of `stage`; nothing is known of any other stage's."""
        if not self._stages:
            self._bus.on_reconnect(self._on_reconnect)
            await self._bus.nc.subscribe_live(WORKERS_BACK, self._on_back)
        self._stages.add(stage)
        await self._bus.nc.subscribe_live(workers_of(stage), self._on_status)
        self._liveness.reset(time.monotonic())

    def vital(self, worker: str) -> Vital:
        """While the bus is lost nobody is suspected: we are the deaf ones.

        This process itself lives: on a busy machine it may hear its own heartbeat late, and take its calls from itself.
        """
        if worker == self._bus.worker:
            return Vital.ALIVE
        vital = self._liveness.vital(worker, time.monotonic())
        return vital if self._bus.connected or vital is not Vital.SUSPECT else Vital.UNKNOWN

    @property
    def is_deaf(self) -> bool:
        """Others may be speaking, but not to us: the bus is lost, or the server we hang on is."""
        return not self._bus.connected or self._liveness.is_deaf(time.monotonic())

    def on_thaw(self, callback: Callable[[], Awaitable[None]]) -> None:
        """`callback` after this process was frozen longer than peers tolerate: it may have been replaced."""
        self._thawed.append(callback)

    def on_gone(self, callback: Callable[[str], None]) -> None:
        """`callback(worker)` as soon as somebody says that a worker's process has ended."""
        self._lost.append(callback)

    async def beat(self, status: Callable[[], WorkerStatus]) -> None:
        """Publishes `status` every 250 ms for ever, and notices when it was kept from doing so."""
        last_s = time.monotonic()
        while True:
            await self.say(status())
            await asyncio.sleep(HEARTBEAT_S)
            now_s = time.monotonic()
            if now_s - last_s > SUSPECT_AFTER_S:
                self._liveness.reset(now_s)
                for callback in self._thawed:
                    await callback()
            last_s = now_s

    async def say(self, status: WorkerStatus) -> None:
        self._stage = status.stage
        if self._bus.connected:
            await self._bus.nc.publish(worker_status(status.stage, status.worker), status.payload())

    async def _on_reconnect(self) -> None:
        """Nobody is suspected for what could not be heard, and whoever can say it again is asked to."""
        now_s = time.monotonic()
        back = WorkerBack(deaf_ms=round(self._liveness.silence_s(now_s) * 1_000))
        self._liveness.reset(now_s)
        if self._stage:
            await self._bus.nc.publish(worker_back(self._stage, self._bus.worker), back.payload())

    def _on_back(self, _subject: str, _headers: dict[str, str] | None, _payload: bytes) -> None:
        """A worker missed what was said live. What is not stored yet it could not read either: it is said again."""
        if self._resending is None:
            self._resending = asyncio.get_running_loop().call_later(_RESEND_AFTER_S, self._resend)

    def _resend(self) -> None:
        self._resending = None
        self._bus.outbox.resend_all()

    def _on_status(self, subject: str, _headers: dict[str, str] | None, payload: bytes) -> None:
        worker = subject.split(".")[3]
        if b"gone" in payload and json.loads(payload).get("state") == "gone":
            self._liveness.gone(worker)
            for callback in self._lost:
                callback(worker)
        else:
            self._liveness.heard(worker, time.monotonic())
