"""An engine in a child process behind a pipe: for code that holds the GIL, may crash, or has another licence.

The child runs a Python module that speaks `voxbus_providers.pipe`. Many exchanges share it. When it dies, its exchanges
fail with ProviderUnavailable and it is started again, ever more slowly while it keeps dying.
"""

import asyncio
import contextlib
import logging
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final, cast

from voxbus_providers.errors import ProviderError, ProviderUnavailable
from voxbus_providers.pipe import PipeBroken, PipeKind, PipeMessage, PipeParser, fault_of, packed

_INHERITED_ENVIRONMENT: Final = (
    "PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONMALLOC",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SYSTEMROOT",
    "HOME",
    "TMPDIR",
    "LANG",
    "LC_ALL",
)
"""Nothing else reaches a child: the service's secrets are in its environment."""

_MAX_LOG_LINE_BYTES: Final = 2_000


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """How patient the service is with a child."""

    start_s: float = 30.0
    """Loading a model on a busy machine takes seconds."""
    open_s: float = 5.0
    """How long a new exchange waits for a child that is being started again."""
    close_s: float = 2.0
    ping_every_s: float = 2.0
    stall_s: float = 15.0
    """Not a byte for this long although it was asked: it hangs, and is killed."""
    max_unread_bytes: int = 16 * 1024 * 1024
    """Audio the child has not taken, 8 minutes of one call: it hangs, and is killed."""
    first_restart_s: float = 0.1
    last_restart_s: float = 5.0


def restart_delay_s(deaths: int, limits: ChildLimits) -> float:
    """Pause before start number `deaths` + 1; doubles with every death that followed closely on the one before."""
    return min(limits.first_restart_s * 2.0 ** min(max(deaths - 1, 0), 16), limits.last_restart_s)


def _log_line(line: str) -> None:
    logging.getLogger("voxbus.child").warning("%s", line)


class Exchange:
    """One conversation with the engine. `send` never blocks nor fails; a lost child is told by `replies`."""

    def __init__(self, child: "_Running", number: int) -> None:
        self._child = child
        self._number = number
        self._replies: deque[PipeMessage] = deque()
        self._fault: ProviderError | None = None
        self._closed = False
        self._news = asyncio.Event()

    def send(self, kind: int, body: bytes = b"") -> None:
        if not self._closed:
            self._child.write(packed(self._number, kind, body))

    async def replies(self) -> AsyncIterator[PipeMessage]:
        """What the engine answers, until `close`. Raises ProviderError when it fails or is lost."""
        while True:
            while self._replies:
                yield self._replies.popleft()
            if self._fault is not None:
                raise self._fault
            if self._closed:
                return
            self._news.clear()
            await self._news.wait()

    def close(self) -> None:
        """Ends it on both sides; what the engine still says is dropped."""
        if not self._closed:
            self.send(PipeKind.CLOSE)
            self._closed = True
            self._replies.clear()
            self._child.forget(self._number)
            self._news.set()

    def take(self, message: PipeMessage, provider: str) -> None:
        """For the process only: a message arrived."""
        if message.kind == PipeKind.FAULT:
            self.fail(fault_of(provider, message.body))
        else:
            self._replies.append(message)
            self._news.set()

    def fail(self, fault: ProviderError) -> None:
        """For the process only: nothing more will come."""
        self._fault = self._fault or fault
        self._news.set()


class _Running(asyncio.SubprocessProtocol):
    """One life of the child."""

    def __init__(self, provider: str, limits: ChildLimits, log: Callable[[str], None]) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.ended = asyncio.Event()
        """Nothing more is expected of it."""
        self.gone = asyncio.Event()
        """The process is reaped and its pipes are closed."""
        self.reason = "ended"
        self.exchanges: dict[int, Exchange] = {}
        self._provider = provider
        self._limits = limits
        self._log = log
        self._parser = PipeParser()
        self._log_rest = b""
        self._transport: asyncio.SubprocessTransport | None = None
        self._stdin: asyncio.WriteTransport | None = None
        self._heard_at_s = loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self._stdin = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self._take_log(data)
            return
        self._heard_at_s = asyncio.get_running_loop().time()
        try:
            messages = self._parser.feed(data)
        except PipeBroken as broken:
            self.kill(str(broken))
            return
        for message in messages:
            if message.exchange:
                exchange = self.exchanges.get(message.exchange)
                if exchange is not None:
                    exchange.take(message, self._provider)
            else:
                self._take_own(message)

    def process_exited(self) -> None:
        self.end()
        if self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()

    @property
    def pid(self) -> int | None:
        return self._transport.get_pid() if self._transport is not None else None

    def write(self, data: bytes) -> None:
        if self._stdin is None or self.ended.is_set() or self._stdin.is_closing():
            return
        self._stdin.write(data)
        if self._stdin.get_write_buffer_size() > self._limits.max_unread_bytes:
            self.kill("does not read any more")

    def forget(self, exchange: int) -> None:
        self.exchanges.pop(exchange, None)

    def hang_up(self) -> None:
        """The child ends by itself."""
        if self._stdin is not None:
            self._stdin.close()

    def kill(self, reason: str) -> None:
        self.reason = reason
        if self._transport is not None and self._transport.get_returncode() is None:
            with contextlib.suppress(ProcessLookupError):
                self._transport.kill()
        self.end()

    def end(self) -> None:
        """Fails whatever waits for this life."""
        if self.ended.is_set():
            return
        self.ended.set()
        code = self._transport.get_returncode() if self._transport is not None else None
        lost = ProviderUnavailable(self._provider, f"the engine's process {self.reason} (exit code {code})")
        if not self.ready.done():
            self.ready.set_exception(lost)
        for exchange in list(self.exchanges.values()):
            exchange.fail(lost)
        self.exchanges.clear()

    async def watch(self) -> None:
        """Kills the child when it hangs; ends with this life."""
        loop = asyncio.get_running_loop()
        while not self.ended.is_set():
            if self.exchanges:
                asked_at_s = loop.time()
                self.write(packed(0, PipeKind.PING))
                if not await self._is_heard_from(asked_at_s):
                    self.kill(f"did not answer within {self._limits.stall_s:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), self._limits.ping_every_s)

    async def _is_heard_from(self, since_s: float) -> bool:
        loop = asyncio.get_running_loop()
        while loop.time() - max(since_s, self._heard_at_s) < self._limits.stall_s:
            if self._heard_at_s > since_s or self.ended.is_set():
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), min(0.25, self._limits.stall_s / 4))
        return False

    def _take_own(self, message: PipeMessage) -> None:
        if self.ready.done():
            return
        if message.kind == PipeKind.READY:
            self.ready.set_result(None)
        elif message.kind == PipeKind.FAULT:
            self.ready.set_exception(fault_of(self._provider, message.body))

    def _take_log(self, data: bytes) -> None:
        *lines, self._log_rest = (self._log_rest + data).split(b"\n")
        self._log_rest = self._log_rest[-_MAX_LOG_LINE_BYTES:]
        for line in lines:
            if line.strip():
                self._log(f"{self._provider}: {line[:_MAX_LOG_LINE_BYTES].decode(errors='replace')}")


class ChildProcess:
    """Keeps one child of a module running."""

    def __init__(
        self,
        provider: str,
        module: str,
        arguments: Sequence[str] = (),
        *,
        limits: ChildLimits | None = None,
        log: Callable[[str], None] = _log_line,
    ) -> None:
        self._provider = provider
        self._command = (sys.executable, "-m", module, *arguments)
        self._limits = limits or ChildLimits()
        self._log = log
        self._numbers = count(1)
        self._running: _Running | None = None
        self._is_up = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    @property
    def is_up(self) -> bool:
        return self._is_up.is_set() and self._running is not None and not self._running.ended.is_set()

    @property
    def load(self) -> int:
        """Open exchanges."""
        return len(self._running.exchanges) if self._running is not None else 0

    @property
    def pid(self) -> int | None:
        """Of the present life, for tests and operators."""
        return self._running.pid if self._running is not None and self.is_up else None

    async def start(self) -> None:
        """Until the engine is loaded; raises ProviderError when it cannot be."""
        running = await self._live()
        self._keeping = asyncio.create_task(self._keep(running), name=f"{self._provider}-child")

    async def open(self) -> Exchange:
        """A new conversation; waits a little for a child that is being started again. Raises ProviderUnavailable."""
        if not self.is_up:
            self._is_up.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._is_up.wait(), self._limits.open_s)
        running = self._running
        if running is None or running.ended.is_set():
            raise ProviderUnavailable(self._provider, "the engine's process is not running")
        number = next(self._numbers)
        exchange = running.exchanges[number] = Exchange(running, number)
        return exchange

    async def close(self) -> None:
        """Ends the child, if need be by force, and everything that waits for it."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            self._keeping = None
        if self._running is not None:
            await self._end(self._running)
            self._running = None
        self._is_up.clear()

    async def _live(self) -> _Running:
        """Starts a process and waits until it is ready."""
        loop = asyncio.get_running_loop()
        environment = {name: os.environ[name] for name in _INHERITED_ENVIRONMENT if name in os.environ}
        _, running = await loop.subprocess_exec(
            lambda: _Running(self._provider, self._limits, self._log), *self._command, env=environment
        )
        self._running = running
        try:
            await asyncio.wait_for(running.ready, self._limits.start_s)
        except BaseException as problem:
            running.kill("was not ready in time")
            await running.gone.wait()
            self._running = None
            if isinstance(problem, TimeoutError):
                detail = f"the engine was not ready within {self._limits.start_s:g} s"
                raise ProviderUnavailable(self._provider, detail) from None
            raise
        self._is_up.set()
        return running

    async def _keep(self, running: _Running) -> None:
        """Starts the child again whenever it dies."""
        loop = asyncio.get_running_loop()
        deaths = 0
        while True:
            lived_since_s = loop.time()
            await running.watch()
            self._is_up.clear()
            steady = loop.time() - lived_since_s > 2 * self._limits.last_restart_s
            deaths = 1 if steady else deaths + 1
            self._log(f"{self._provider}: the engine's process {running.reason}; starting it again")
            running = await self._restarted(deaths)

    async def _restarted(self, deaths: int) -> _Running:
        while True:
            await asyncio.sleep(restart_delay_s(deaths, self._limits))
            try:
                return await self._live()
            except ProviderError as problem:
                self._log(f"{self._provider}: {problem.detail}")
                deaths += 1

    async def _end(self, running: _Running) -> None:
        running.hang_up()
        try:
            await asyncio.wait_for(running.gone.wait(), self._limits.close_s)
        except TimeoutError:
            running.kill("was closed")
            await running.gone.wait()
