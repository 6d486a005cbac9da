"""Moves transports that can come back to the worker that follows this one."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Final, Protocol

from voxbus_media_ingress.ending import MOVED, Ending

_BACK_WITHIN_S: Final = 0.2
"""One caller who does not come back holds up no other for longer: 200 transports are moved in 44 s at the worst,
and only if no two of them in a row stay away."""
_EVERY_S: Final = 0.02
_STAY_AWAY: Final = 2
"""So many callers in a row of whom nobody has taken the call: nobody follows this worker, so nobody is waited for."""


class Owned(Protocol):
    """Of an owned call what tells that another owner has it."""

    fenced: asyncio.Event


class Movable(Protocol):
    """What `Attachment` is here."""

    @property
    def call(self) -> Owned: ...

    @property
    def can_come_back(self) -> bool: ...

    def end(self, ending: Ending) -> None: ...


async def move(attachments: Iterable[Movable]) -> None:
    """Closes with 1012 those that can come back: the caller connects again to the same URL, where another listens.

    One after the other, the next when the one before is elsewhere: callers come back at once, and to attach costs a
    worker that has just started some tens of ms of its processor, in which all who wait for it hear nothing. Where
    nobody listens yet, the sooner this worker has ended the sooner they are back.
    """
    stayed_away = 0
    for attachment in attachments:
        if attachment.can_come_back:
            attachment.end(MOVED)
            if stayed_away < _STAY_AWAY:
                stayed_away = 0 if await _is_taken(attachment.call) else stayed_away + 1
            await asyncio.sleep(_EVERY_S)


async def _is_taken(call: Owned) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(call.fenced.wait(), _BACK_WITHIN_S)
    return call.fenced.is_set()
