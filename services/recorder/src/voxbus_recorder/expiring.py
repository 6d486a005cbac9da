"""Deletes recordings and archives whose time is over. Several workers may do so at once: gone is gone."""

import asyncio
from dataclasses import dataclass
from typing import Final

from structlog.stdlib import BoundLogger

from voxbus_objects import ObjectFault, ObjectStore, StoredObject
from voxbus_recorder import metrics
from voxbus_runtime.bus import unix_ms

_DAY_MS: Final = 86_400_000
_EVERY_S: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class Expiry:
    """How long things are kept, days; 0 = for ever."""

    recordings_days: float
    archives_days: float

    def is_over(self, stored: StoredObject, now_ms: int) -> bool:
        """By the part of the call the key lies in."""
        parts = stored.key.split("/")
        days = {"recording": self.recordings_days, "archive": self.archives_days}.get(parts[2], 0.0) if parts[2:] else 0
        return bool(days) and now_ms - stored.modified_at_ms > days * _DAY_MS

    @property
    def is_ever(self) -> bool:
        return bool(self.recordings_days or self.archives_days)


async def expire(store: ObjectStore, expiry: Expiry, now_ms: int) -> int:
    """One round; how many objects went. Raises ObjectFault."""
    over = [each.key for each in await store.list("") if expiry.is_over(each, now_ms)]
    for key in over:
        await store.delete(key)
    metrics.OBJECTS_EXPIRED.inc(len(over))
    return len(over)


async def expire_for_ever(store: ObjectStore, expiry: Expiry, log: BoundLogger) -> None:
    """Every hour; owned by the process."""
    while expiry.is_ever:
        try:
            if count := await expire(store, expiry, unix_ms()):
                log.info("objects deleted, their time was over", objects=count)
        except ObjectFault as problem:
            log.warning("the store fails, expired objects stay for now", code=problem.code)
        await asyncio.sleep(_EVERY_S)
