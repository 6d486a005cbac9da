"""Load at a fixed rate, whatever the answers take: an action that is started late has its lateness counted.

Latency runs from the moment an action was due, not from when it was sent, so that a server that stands still for a
second is seen by everybody who would have come in that second.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

_UNFINISHED: Final = "still going on at the end"

Act = Callable[[int], Awaitable[None]]
"""Does the action of this number; raises to count as an error."""


class Failed(Exception):
    """An action that did not come to what it should; said once per kind in the report."""


@dataclass(slots=True)
class Outcome:
    """What came of `due` actions. `took_ms` of those that went well, from when each was due; `sent_late_ms` of all."""

    due: int
    rate_per_s: float
    took_ms: list[float] = field(default_factory=list[float])
    sent_late_ms: list[float] = field(default_factory=list[float])
    errors: Counter[str] = field(default_factory=Counter[str])


async def open_loop(act: Act, rate_per_s: float, seconds: float, patience_s: float = 15.0) -> Outcome:
    """Starts `act` at the rate for so long, then waits for what is still going on, at most `patience_s`."""
    outcome = Outcome(round(rate_per_s * seconds), rate_per_s)
    began_s = time.perf_counter()
    going: set[asyncio.Task[None]] = set()
    for number in range(outcome.due):
        due_s = began_s + number / rate_per_s
        if (early_s := due_s - time.perf_counter()) > 0:
            await asyncio.sleep(early_s)
        task = asyncio.create_task(_timed(act, number, due_s, outcome))
        going.add(task)
        task.add_done_callback(going.discard)
    if going:
        _done, late = await asyncio.wait(going, timeout=patience_s)
        for task in late:
            task.cancel()
            outcome.errors[_UNFINISHED] += 1
        await asyncio.gather(*late, return_exceptions=True)
    return outcome


async def _timed(act: Act, number: int, due_s: float, outcome: Outcome) -> None:
    outcome.sent_late_ms.append((time.perf_counter() - due_s) * 1_000)
    try:
        await act(number)
    except Exception as wrong:  # noqa: BLE001 - every kind of failure is counted by what it says
        outcome.errors[f"{type(wrong).__name__}: {wrong}"[:200]] += 1
    else:
        outcome.took_ms.append((time.perf_counter() - due_s) * 1_000)
