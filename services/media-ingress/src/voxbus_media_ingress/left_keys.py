"""Keys in OWNERS of calls that ended without their media-ingress: a process that was killed removes none."""

import asyncio
from typing import Final

import nats.errors
from nats.js.errors import Error as JetStreamError

from voxbus_contracts.streams import OWNERS
from voxbus_contracts.subjects import parse_owner_key
from voxbus_media_ingress.server import STAGE
from voxbus_runtime.bus import Bus
from voxbus_runtime.errors import RuntimeFault
from voxbus_runtime.stream_reader import read

_KEYS: Final = f"$KV.{OWNERS.name}."
_DELETED: Final = "KV-Operation"
_EVERY_S: Final = 600.0


async def remove_left_keys(bus: Bus) -> int:
    """Removes the keys of ended calls, whoever's they are; how many. A worker that is about to do so finds it done.

    A call without a configuration ended more than a day ago. Raises NotStored and nats' errors.
    """
    removed = 0
    async for entry in read(bus.nc, f"KV_{OWNERS.name}", f"{_KEYS}{STAGE}.>"):
        if _DELETED in entry.headers:
            continue
        key = entry.subject.removeprefix(_KEYS)
        _, ref = parse_owner_key(key)
        if await bus.has_event(ref, "call", "ended") or await bus.read_config(ref) is None:
            removed += await bus.kv_delete(OWNERS.name, key, last_revision=entry.seq)
    return removed


async def remove_left_keys_for_ever(bus: Bus) -> None:
    """At the start, which may be that of a killed process's successor, and every ten minutes."""
    while True:
        try:
            removed = await remove_left_keys(bus)
            if removed:
                bus.log.info("keys of ended calls removed", keys=removed)
        except (nats.errors.Error, JetStreamError, RuntimeFault, TimeoutError, OSError) as problem:
            bus.log.warning("keys of ended calls cannot be removed now", problem=type(problem).__name__)
        await asyncio.sleep(_EVERY_S)
