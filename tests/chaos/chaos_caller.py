"""One caller of the chaos suite: says its talk at its times over a real WebSocket, comes back when the line breaks."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import websockets
from chaos_judge import Evidence
from chaos_talk import WORD_MS, Talk, assistant_of

from voxbus_runtime.sequencing import LoggedMessage
from voxbus_testing.caller import Caller
from voxbus_testing.speech import saying

_LAST_ANSWER_S: Final = 12.0
_ENDS_WITHIN_S: Final = 30.0
_LOOK_EVERY_S: Final = 0.5


@dataclass
class Trial:
    """A call and what became of it. Times in s on the monotonic clock."""

    number: int
    talk: Talk
    began_s: float = 0.0
    broken: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    """When the line was away."""
    problem: str = ""
    evidence: Evidence | None = None
    logged: list[LoggedMessage] = field(default_factory=list[LoggedMessage])
    """Its events and commands, in the order they were stored."""
    call_id: str = ""
    ended_s: float = 0.0


class Conversation:
    """Runs one trial."""

    def __init__(self, trial: Trial, api: str, key: str, tool_url: str) -> None:
        self._trial = trial
        self._caller = Caller(api, key)
        self._tool_url = tool_url

    async def run(self, starts_s: float) -> Caller:
        """Returns the caller, its line closed, once the last answer was heard or something could not be done."""
        await asyncio.sleep(max(0.0, starts_s - time.monotonic()))
        try:
            await self._caller.place(assistant_of(self._trial.talk, self._tool_url))
            self._trial.call_id = self._caller.call_id
            await self._caller.dial()
            self._trial.began_s = time.monotonic()
            keeping = asyncio.create_task(self._caller.keep_line())
            try:
                await self._talk()
            finally:
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)
                self._trial.broken = self._caller.lost_s
                self._trial.ended_s = time.monotonic()
        except (OSError, httpx.HTTPError, websockets.WebSocketException, AssertionError) as wrong:
            self._trial.problem = f"{type(wrong).__name__}: {wrong}"
        return self._caller

    async def lose_line(self) -> None:
        """The line breaks without a word, and is dialled again."""
        await self._caller.break_line()

    async def _talk(self) -> None:
        trial = self._trial
        for exchange in trial.talk.exchanges:
            await asyncio.sleep(trial.began_s + exchange.at_ms / 1_000 - time.monotonic())
            self._caller.say(saying(exchange.question, WORD_MS).pcm)
        await asyncio.sleep(trial.began_s + trial.talk.ends_ms / 1_000 - time.monotonic())
        with contextlib.suppress(AssertionError):
            await self._caller.until_quiet(1.0, _LAST_ANSWER_S)
        await self._caller.hang_up()
        async with asyncio.timeout(10):
            await self._caller.closed.wait()


async def close(caller: Caller, is_enough: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
    """The call's record once it has ended, and `is_enough` if it is asked, and no connection left; {} without one."""
    record: dict[str, Any] = {}
    until_s = time.monotonic() + _ENDS_WITHIN_S
    while (left_s := until_s - time.monotonic()) > 0:
        try:
            record = await caller.ended_record(left_s)
            while not is_enough(record):
                await asyncio.sleep(_LOOK_EVERY_S)
                record = await caller.record()
            break
        except (AssertionError, httpx.HTTPError):
            # The API may be on its way up again.
            await asyncio.sleep(_LOOK_EVERY_S)
    else:
        with contextlib.suppress(httpx.HTTPError):
            record = await caller.record()
    await caller.close()
    return record
