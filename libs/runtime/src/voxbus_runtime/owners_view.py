"""The OWNERS bucket as one stage sees it, kept current by watching."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import nats.errors
from nats.js.errors import Error as JetStreamError
from nats.js.kv import StopIterSentinel

from voxbus_contracts.config import Owner
from voxbus_contracts.streams import OWNERS
from voxbus_runtime.bus import Bus
from voxbus_runtime.ownership import Held

_AGAIN_S: Final = 0.3
_LEFT_FOR_S: Final = 30.0
"""A consumer of a connection that is gone is removed by the server so long afterwards, not after the client's 5 min:
where connections break often, hundreds would be left."""
_GONE: Final = ("DEL", "PURGE")


class OwnersView:
    """Entries of one stage: `<stage>.<org>.<call>` → who holds it."""

    def __init__(self, bus: Bus, stage: str) -> None:
        self._bus = bus
        self._stage = stage
        self._entries: dict[str, Held] = {}
        self._changed: list[Callable[[str, Held | None], None]] = []
        self.is_known = False
        """All entries were read once; before, nothing follows from one that is not here."""
        self._watch_again = asyncio.Event()
        self._stop = bus.on_reconnect(self._on_reconnect)

    def on_change(self, callback: Callable[[str, Held | None], None]) -> None:
        """`callback(key, held)`; None = the key is gone."""
        self._changed.append(callback)

    def entries(self) -> Iterable[tuple[str, Held]]:
        return list(self._entries.items())

    def has_passed(self, key: str, epoch: int) -> bool:
        """Whether somebody owns it in a later epoch, or nobody needs to: the key is gone."""
        held = self._entries.get(key)
        return held is None or (held.revision > epoch and bool(held.owner.worker))

    def stop(self) -> None:
        self._stop()

    async def run(self) -> None:
        """Watches for ever; begins anew after each reconnect, because a watch does not outlive its server."""
        while not self._bus.nc.is_closed:
            self._watch_again.clear()
            try:
                await self._watch()
            except (nats.errors.Error, JetStreamError, TimeoutError) as problem:
                self._bus.log.debug("cannot watch owners now", problem=type(problem).__name__)
            await asyncio.sleep(_AGAIN_S)

    async def _watch(self) -> None:
        bucket = await self._bus.bucket(OWNERS.name)
        watcher = await bucket.watch(f"{self._stage}.>", include_history=False, inactive_threshold=_LEFT_FOR_S)
        fresh: set[str] = set()
        initial = True
        try:
            while not self._watch_again.is_set():
                try:
                    entry = await watcher.updates(timeout=1.0)
                except (TimeoutError, nats.errors.TimeoutError):
                    continue
                if isinstance(entry, StopIterSentinel):
                    return
                if entry is None:
                    if initial:
                        self._forget_all_but(fresh)
                    initial = False
                    self.is_known = True
                    continue
                fresh.add(entry.key)
                held = None
                if entry.operation not in _GONE and entry.value:
                    held = Held(Owner.model_validate_json(entry.value), entry.revision or 0)
                self._take_note(entry.key, held)
        finally:
            if self._bus.connected:
                await watcher.stop()

    def _forget_all_but(self, fresh: set[str]) -> None:
        for key in [key for key in self._entries if key not in fresh]:
            self._take_note(key, None)

    def _take_note(self, key: str, held: Held | None) -> None:
        if held is None:
            self._entries.pop(key, None)
        else:
            self._entries[key] = held
        for callback in self._changed:
            callback(key, held)

    async def _on_reconnect(self) -> None:
        self._watch_again.set()
