"""One process of the stack: started, watched, started again when it dies, ended with everything it started."""

import asyncio
import contextlib
import os
import secrets
import signal
import time
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import Final, Protocol

from voxbus_cli.stack.forking import CannotFork, ForkServer
from voxbus_cli.stack.lifeline import bury, die_with_parent
from voxbus_cli.stack.logs import rotate
from voxbus_cli.stack.plan import ChildSpec, worker_id
from voxbus_cli.stack.restart import Restarts
from voxbus_cli.stack.starting import CONSIDERATE, NICENESS
from voxbus_runtime.turns import SHORT_TURN_US, take_short_turns

_BURIED_WITHIN_S: Final = 1.0


class Running(Protocol):
    """A process that was started: asyncio's own, or one that was forked."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    async def wait(self) -> int: ...

    def terminate(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Death:
    """How one life of a process ended. `status` is as in subprocess: negative = killed by that signal."""

    spec: ChildSpec
    worker: str
    status: int
    log_start: int
    """Size of the log when this life began, bytes."""
    delay_s: float
    """Until it is started again."""
    quick_deaths: int

    def cause(self) -> str:
        """`exit 1` or `SIGKILL`, for a person."""
        if self.status >= 0:
            return f"exit {self.status}"
        with contextlib.suppress(ValueError):
            return signal.Signals(-self.status).name
        return f"signal {-self.status}"


class Child:
    """Keeps one process alive from `run` until `stop`."""

    def __init__(
        self,
        spec: ChildSpec,
        environment: Mapping[str, str],
        log: Path,
        on_death: Callable[[Death], None],
        may_take_its_time: Callable[[ChildSpec], bool] = lambda _: False,
        fork_server: ForkServer | None = None,
    ) -> None:
        self.spec = spec
        self.log = log
        self.worker = ""
        self.deaths = 0
        self._environment = environment
        self._on_death = on_death
        self._may_take_its_time = may_take_its_time
        self._fork_server = fork_server
        self._process: Running | None = None
        self._stopping = False
        self._starting = asyncio.Lock()

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def run(self) -> None:
        """Starts the process, and again after each death, until stopped."""
        restarts = Restarts()
        while not self._stopping:
            rotate(self.log)
            log_start = self.log.stat().st_size if self.log.exists() else 0
            async with self._starting:
                process = await self._start()
                if process is not None and self._stopping:  # told to meanwhile: it holds nothing yet
                    _signal_group(process.pid, signal.SIGKILL)
            if process is None:
                return
            began = time.monotonic()
            status = await process.wait()
            await _clear_away(process.pid)
            if self._stopping:
                return
            self.deaths += 1
            restarts = restarts.after_death(time.monotonic() - began)
            self._on_death(Death(self.spec, self.worker, status, log_start, restarts.delay_s, restarts.quick_deaths))
            await asyncio.sleep(restarts.delay_s)

    async def stop(self, grace_s: float) -> bool:
        """SIGTERM, and SIGKILL to whatever is left after `grace_s`. Gives whether it ended by itself."""
        self._stopping = True
        async with self._starting:
            process = self._process
        if process is None or process.returncode is not None:
            return True
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(grace_s):
                await process.wait()
        except TimeoutError:
            _signal_group(process.pid, signal.SIGKILL)
            await process.wait()
            return False
        finally:
            _signal_group(process.pid, signal.SIGKILL)
        return True

    def kill(self) -> None:
        """Ends it at once."""
        self._stopping = True
        if self._process is not None and self._process.returncode is None:
            _signal_group(self._process.pid, signal.SIGKILL)

    async def _start(self) -> Running | None:
        """None when it was told to stop before there was a process."""
        self.worker = worker_id(self.spec, secrets.token_hex(3))
        niceness = CONSIDERATE if self._may_take_its_time(self.spec) else "0"
        environment = {**self._environment, "VOXBUS_WORKER_ID": self.worker, NICENESS: niceness}
        with self.log.open("ab") as log:
            process = await self._forked(environment, log.fileno())
            if process is None and self._stopping:
                return None
            self._process = process or await self._executed(environment, log)
        return self._process

    async def _forked(self, environment: Mapping[str, str], log: int) -> Running | None:
        """None where it has to be started from nothing."""
        if self._fork_server is None or not self.spec.module:
            return None
        with contextlib.suppress(CannotFork):
            return await self._fork_server.fork(self.spec.module, environment, self.spec.niceness, log)
        return None

    async def _executed(self, environment: Mapping[str, str], log: BufferedWriter) -> Running:
        return await asyncio.create_subprocess_exec(
            *self.spec.command,
            env=environment,
            stdin=DEVNULL,
            stdout=log,
            stderr=STDOUT,
            # A group of its own: Ctrl-C reaches the supervisor alone, which then ends all in order.
            process_group=0,
            preexec_fn=_before_exec(os.getpid(), self.spec, _turn_niceness(self._environment)),
        )


async def _clear_away(group: int) -> None:
    """A process's own children (recognizer processes, voices) share its group: none may outlive it."""
    until_s = time.monotonic() + _BURIED_WITHIN_S
    while True:
        _signal_group(group, signal.SIGKILL)
        if bury(group) or time.monotonic() > until_s:
            return
        await asyncio.sleep(0.01)


def _turn_niceness(environment: Mapping[str, str]) -> int:
    """As the services read it; they say what is wrong with one that is no number."""
    try:
        return int(environment.get("VOXBUS_TURN_NICENESS", "0"))
    except ValueError:
        return 0


def _before_exec(supervisor: int, spec: ChildSpec, turn_niceness: int) -> Callable[[], None]:
    """What a child does before it becomes its program: asks the kernel to kill it when the supervisor dies."""

    def before_exec() -> None:
        die_with_parent(supervisor)
        os.nice(spec.niceness)
        if spec.short_turns:
            take_short_turns(SHORT_TURN_US, niceness=turn_niceness, with_children=True)

    return before_exec


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
