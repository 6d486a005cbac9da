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

from voxbus_cli.stack.fork_server import READY, Order
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
        self._in_turn = asyncio.Lock()
        self._line: asyncio.Future[socket.socket] | None = None
        self._process: Process | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def run(self) -> None:
        """Starts it, and again after each death."""
        restarts = Restarts()
        while not self._stopping:
            began_s = time.monotonic()
            line = self._line = self._line or asyncio.get_running_loop().create_future()
            # Whoever waits for it hears why it failed; nobody else has to.
            line.add_done_callback(lambda line: line.cancelled() or line.exception())
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.setblocking(False)
            with ours:
                with theirs:
                    self._process = await self._start(theirs)
                await self._serve(self._process, ours, line)
            if self._line is line:
                self._line = asyncio.get_running_loop().create_future()
            restarts = restarts.after_death(time.monotonic() - began_s)
            await asyncio.sleep(restarts.delay_s)

    async def fork(self, service: str, environment: Mapping[str, str], niceness: int, log: int) -> Forked:
        """A process that runs `service`; its output goes to the descriptor `log`. Raises CannotFork."""
        order = Order(service, dict(environment), niceness, os.getpid())
        loop = asyncio.get_running_loop()
        async with self._in_turn:
            if self._line is None:
                raise CannotFork("it does not run")
            try:
                async with asyncio.timeout(_READY_WITHIN_S):
                    line = await asyncio.shield(self._line)
                async with asyncio.timeout(_FORKED_WITHIN_S):
                    socket.send_fds(line, [order.to_json()], [log])
                    answer = await loop.sock_recv(line, 64)
                return Forked(int(answer))
            except (OSError, ValueError, TimeoutError) as wrong:
                # An answer that comes late would be taken for that to the next order: those wait for the next server.
                self._kill()
                self._line = loop.create_future()
                raise CannotFork(f"{type(wrong).__name__}: {wrong}") from wrong

    async def stop(self) -> None:
        """Ends it at once: it holds nothing."""
        self._stopping = True
        self._kill()
        if self._process is not None:
            await self._process.wait()

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

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

    async def _serve(self, process: Process, ours: socket.socket, line: asyncio.Future[socket.socket]) -> None:
        """Until it dies."""
        loop = asyncio.get_running_loop()
        ending = asyncio.ensure_future(process.wait())
        greeting = asyncio.ensure_future(loop.sock_recv(ours, len(READY)))
        await asyncio.wait({ending, greeting}, return_when=asyncio.FIRST_COMPLETED)
        if greeting.done() and not greeting.exception() and greeting.result() == READY:
            line.set_result(ours)
        else:
            greeting.cancel()
            line.set_exception(ConnectionError(f"it ended before it was ready; its log: {self._log}"))
        await ending
