"""A rolling restart: each process of a service is replaced by a new one that is ready before the old one leaves."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from voxbus_cli.errors import BadInput, StackFailed
from voxbus_cli.stack.child import Child
from voxbus_contracts.identity import SERVICES

_LOOK_EVERY_S: Final = 0.05


def services_to_restart(wanted: Iterable[str]) -> list[str]:
    """The services named, all of them without names, in the order of a frame's way. Raises BadInput naming one."""
    named = list(wanted)
    unknown = [name for name in named if name not in SERVICES]
    if unknown:
        raise BadInput(f"no service is called {unknown[0]!r}; there are {', '.join(SERVICES)}")
    return [service for service in SERVICES if service in named or not named]


async def replace(old: Child, fresh: Child, is_ready: Callable[[], bool], within_s: float, grace_s: float) -> bool:
    """`fresh` runs already; once it is ready `old` drains. Gives whether it left by itself within `grace_s`.

    Raises StackFailed when the new one dies or does not become ready: then it is ended and the old one stays.
    """
    loop = asyncio.get_running_loop()
    until_s = loop.time() + within_s
    while not is_ready():
        if fresh.deaths or loop.time() > until_s:
            fresh.kill()
            why = "ended" if fresh.deaths else f"was not ready after {within_s:.0f} s"
            raise StackFailed(f"the new {fresh.spec.name} {why}, so the old one goes on; its log: {fresh.log}")
        await asyncio.sleep(_LOOK_EVERY_S)
    return await old.stop(grace_s)
