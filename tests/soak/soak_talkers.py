"""Callers who call again and again, and do not all end their calls as they should."""

import asyncio
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import httpx
import websockets
from bus_watch import BusWatch
from chaos_booking import BookingServer
from chaos_caller import Conversation, Trial, close
from chaos_judge import Evidence, faults_of
from chaos_talk import WORD_MS, assistant_of, talk_of

from voxbus_testing.caller import Caller
from voxbus_testing.speech import saying


class Way(StrEnum):
    """How a call goes. Every way leaves something else behind that somebody has to clear away."""

    WHOLE = "talks to the end"
    HANGS_UP = "hangs up in the middle of an answer"
    COMES_BACK = "loses the line and comes back"
    GONE = "loses the line for good"
    NEVER_DIALS = "is placed and never connected"


_TEN: Final = (
    *(Way.WHOLE, Way.WHOLE, Way.HANGS_UP, Way.WHOLE, Way.COMES_BACK),
    *(Way.WHOLE, Way.GONE, Way.WHOLE, Way.HANGS_UP, Way.NEVER_DIALS),
)
_LONGEST_TALK: Final = 3
_ANSWER_WITHIN_S: Final = 12.0
_ENDED_WITHIN_S: Final = 45.0
"""Past the resume window (10 s) and the time a call waits for its caller (20 s)."""
_PAUSE_S: Final = 1.0
_LATE_MS: Final = 100.0
"""Half of the silence that ends a turn: a caller who is held up longer makes pauses nobody meant."""


@dataclass
class Made:
    """What has been done so far."""

    ways: Counter[Way] = field(default_factory=Counter[Way])
    wrong: list[str] = field(default_factory=list[str])
    disturbed: int = 0
    """Calls whose caller was itself kept from speaking in time: of them only the end is judged."""

    talking: int = 0

    @property
    def calls(self) -> int:
        return self.ways.total()


@dataclass
class Talkers:
    """Everybody who calls one stack."""

    api: str
    key: str
    watch: BusWatch
    server: BookingServer
    rng: random.Random
    made: Made = field(default_factory=Made)
    _ways: Iterator[Way] = field(default_factory=lambda: itertools.cycle(_TEN))

    async def one_of_each(self) -> None:
        """A call of every way at the same time."""
        await asyncio.gather(*(self._call(way) for way in Way))

    async def keep(self, lines: int, until_s: float) -> None:
        """`lines` callers, each calling again when its call is over, until the monotonic clock says `until_s`."""
        await asyncio.gather(*(self._line(number, until_s) for number in range(lines)))

    async def _line(self, number: int, until_s: float) -> None:
        await asyncio.sleep(number * _PAUSE_S * 0.7)
        while time.monotonic() < until_s:
            await self._call(next(self._ways))
            await asyncio.sleep(_PAUSE_S * self.rng.random())

    async def _call(self, way: Way) -> None:
        self.made.talking += 1
        try:
            wrong = await self._talk(way)
        except (OSError, httpx.HTTPError, websockets.WebSocketException, AssertionError) as problem:
            wrong = [f"{type(problem).__name__}: {problem}"]
        self.made.talking -= 1
        self.made.ways[way] += 1
        self.made.wrong += [f"call {self.made.calls} ({way}): {what}" for what in wrong]

    async def _talk(self, way: Way) -> list[str]:
        """What was wrong with it."""
        match way:
            case Way.WHOLE | Way.COMES_BACK:
                return await self._conversation(loses_line=way is Way.COMES_BACK)
            case Way.NEVER_DIALS:
                return await self._short(dials=False)
            case Way.HANGS_UP:
                return await self._short(hangs_up=True)
            case Way.GONE:
                return await self._short()

    async def _conversation(self, *, loses_line: bool) -> list[str]:
        trial = Trial(self.made.calls, talk_of(self.rng.randint(2 if loses_line else 1, _LONGEST_TALK)))
        conversation = Conversation(trial, self.api, self.key, self.server.url)
        talking = asyncio.create_task(conversation.run(time.monotonic()))
        if loses_line:
            await asyncio.wait({talking}, timeout=4 + 6 * self.rng.random())
            await conversation.lose_line()
        caller = await talking
        record = await close(caller)
        if trial.problem:
            return [trial.problem]
        if max(caller.late_ms, default=0.0) > _LATE_MS:
            self.made.disturbed += 1
            return [] if record.get("status") == "ended" else ["did not end"]
        log = [(message.name, json.loads(message.payload)) for message in await self.watch.log(trial.call_id)]
        away = [((lost - trial.began_s) * 1_000, (back - trial.began_s) * 1_000) for lost, back in trial.broken]
        booked = self.server.booked(trial.call_id)
        return faults_of(trial.talk, Evidence(log, record, caller.heard.audio, booked, away))

    async def _short(self, *, dials: bool = True, hangs_up: bool = False) -> list[str]:
        """One question; the end comes in the middle of its answer, or before anything was said."""
        talk = talk_of(1)
        caller = Caller(self.api, self.key)
        try:
            await caller.place(assistant_of(talk, self.server.url))
            if dials:
                await self._ask(caller, talk.exchanges[0].at_ms, talk.exchanges[0].question)
                await (caller.hang_up() if hangs_up else caller.break_line())
            await caller.ended_record(_ENDED_WITHIN_S) if dials else await self._ended(caller)
        finally:
            await caller.close()
        return []

    async def _ask(self, caller: Caller, at_ms: int, question: str) -> None:
        await caller.dial()
        await asyncio.sleep(at_ms / 1_000)
        caller.say(saying(question, WORD_MS).pcm)
        await caller.until(lambda: caller.heard.audio, _ANSWER_WITHIN_S, "an answer")
        await asyncio.sleep(self.rng.random())

    async def _ended(self, caller: Caller) -> None:
        """A call that never was has no costs to wait for."""
        until_s = time.monotonic() + _ENDED_WITHIN_S
        while (await caller.record())["status"] != "ended":
            assert time.monotonic() < until_s, "a call that nobody connected to did not end"
            await asyncio.sleep(0.5)
