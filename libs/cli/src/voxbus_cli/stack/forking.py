"""The supervisor's side of the fork server: keeps it alive, has it start services, and waits for their ends."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from voxbus_cli.stack.fork_server import GO, READY, Order
from voxbus_cli.stack.lifeline import die_with_parent
from voxbus_cli.stack.logs import rotate
from voxbus_cli.stack.restart import Restarts

_READY_WITHIN_S: Final = 60.0
"""A first start on a slow machine compiles every module."""
_FORKED_WITHIN_S: Final = 10.0
_UNKNOWN_STATUS: Final = 255


class CannotFork(Exception):
    """The fork server is not there, or did not answer."""


class Forked:
    """A process that was forked for us; used as asyncio's own `Process`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = asyncio.Event()
        self._handle = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(self._handle, self._on_end)

    async def wait(self) -> int:
        """Its exit status; negative = killed by that signal."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        """SIGTERM. Raises ProcessLookupError when it has ended."""
        if self.returncode is not None:
            raise ProcessLookupError(self.pid)
        signal.pidfd_send_signal(self._handle, signal.SIGTERM)

    def _on_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)
        try:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except ChildProcessError:  # somebody else has reaped it
            self.returncode = _UNKNOWN_STATUS
        self._ended.set()


class ForkServer:
    """`run` keeps it alive until `stop`; `fork` may be called at any time."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log
        self._line: socket.socket | None = None
        self._process: Process | None = None
        self._is_hopeless = False
        """It ended, or was ended, before it was ready: nobody waits for the next try."""
        self._news = asyncio.Event()
        self._stopping = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def run(self) -> None:
        """Starts it, and again after each death."""
        restarts = Restarts()
        while not self._stopping:
            began_s = time.monotonic()
            try:
                await self._live()
            except OSError:
                self._learn(None, is_hopeless=True)
            restarts = restarts.after_death(time.monotonic() - began_s)
            await asyncio.sleep(restarts.delay_s)

    async def fork(self, service: str, environment: Mapping[str, str], niceness: int, log: int) -> Forked:
        """A process that runs `service`; its output goes to the descriptor `log`. Raises CannotFork."""
        line = await self._ready()
        order = Order(service, dict(environment), niceness, os.getpid())
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        with ours:
            try:
                with theirs:
                    socket.send_fds(line, [order.to_json()], [log, theirs.fileno()])
                async with asyncio.timeout(_FORKED_WITHIN_S):
                    pid = int(await loop.sock_recv(ours, 64))
                forked = Forked(pid)
                ours.send(GO)
            except (OSError, ValueError, TimeoutError) as wrong:
                if line is self._line:
                    self._learn(None)
                    self._kill()
                raise CannotFork(f"{type(wrong).__name__}: {wrong}") from wrong
        return forked

    async def stop(self) -> None:
        """Ends it at once: it holds nothing."""
        self._stopping = True
        self._learn(None, is_hopeless=True)
        self._kill()
        if self._process is not None:
            await self._process.wait()

    async def _ready(self) -> socket.socket:
        """The line to it, once it is ready. Raises CannotFork."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READY_WITHIN_S):
                while self._line is None and not self._is_hopeless:
                    self._news.clear()
                    await self._news.wait()
        if self._line is None:
            self._is_hopeless = True
            raise CannotFork(f"it is not ready; its log: {self._log}")
        return self._line

    def _learn(self, line: socket.socket | None, *, is_hopeless: bool = False) -> None:
        self._line, self._is_hopeless = line, is_hopeless
        self._news.set()

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _live(self) -> None:
        """One life, until its death. Raises OSError where it cannot be started."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with ours:
            with theirs:
                process = self._process = await self._start(theirs)
            if self._stopping:
                self._kill()
            try:
                if await asyncio.get_running_loop().sock_recv(ours, len(READY)) == READY and not self._stopping:
                    self._learn(ours)
            except ConnectionError:
                pass  # it ended
            was_ready = self._line is ours
            await process.wait()
            if self._line is ours or not was_ready:
                self._learn(None, is_hopeless=not was_ready)

    async def _start(self, line: socket.socket) -> Process:
        supervisor = os.getpid()
        rotate(self._log)
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "voxbus_cli.stack.fork_server",
                str(line.fileno()),
                # numpy's library would start a thread a core, which no forked process would have.
                env={**self._environment, "OPENBLAS_NUM_THREADS": "1"},
                pass_fds=(line.fileno(),),
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                process_group=0,
                preexec_fn=lambda: die_with_parent(supervisor),
            )
