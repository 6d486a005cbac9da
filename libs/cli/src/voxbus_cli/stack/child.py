"""One process of the stack: started, watched, started again when it dies, ended with everything it started."""

import asyncio
import contextlib
import ctypes
import os
import secrets
import signal
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voxbus_cli.stack.logs import rotate
from voxbus_cli.stack.plan import ChildSpec, worker_id
from voxbus_cli.stack.restart import Restarts
from voxbus_cli.stack.starting import CONSIDERATE, NICENESS
from voxbus_runtime.turns import SHORT_TURN_US, take_short_turns

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


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
    ) -> None:
        self.spec = spec
        self.log = log
        self.worker = ""
        self.deaths = 0
        self._environment = environment
        self._on_death = on_death
        self._may_take_its_time = may_take_its_time
        self._process: Process | None = None
        self._stopping = False

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def run(self) -> None:
        """Starts the process, and again after each death, until stopped."""
        restarts = Restarts()
        while not self._stopping:
            rotate(self.log)
            log_start = self.log.stat().st_size if self.log.exists() else 0
            began = time.monotonic()
            process = await self._start()
            status = await process.wait()
            # Its own children (recognizer processes, voices) share its group: none may outlive it.
            _signal_group(process.pid, signal.SIGKILL)
            if self._stopping:
                return
            self.deaths += 1
            restarts = restarts.after_death(time.monotonic() - began)
            self._on_death(Death(self.spec, self.worker, status, log_start, restarts.delay_s, restarts.quick_deaths))
            await asyncio.sleep(restarts.delay_s)

    async def stop(self, grace_s: float) -> bool:
        """SIGTERM, and SIGKILL to whatever is left after `grace_s`. Gives whether it ended by itself."""
        self._stopping = True
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

    async def _start(self) -> Process:
        self.worker = worker_id(self.spec, secrets.token_hex(3))
        niceness = CONSIDERATE if self._may_take_its_time(self.spec) else "0"
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.spec.command,
                env={**self._environment, "VOXBUS_WORKER_ID": self.worker, NICENESS: niceness},
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                # A group of its own: Ctrl-C reaches the supervisor alone, which then ends all in order.
                process_group=0,
                preexec_fn=_before_exec(os.getpid(), self.spec, _turn_niceness(self._environment)),
            )
        return self._process


def _turn_niceness(environment: Mapping[str, str]) -> int:
    """As the services read it; they say what is wrong with one that is no number."""
    try:
        return int(environment.get("VOXBUS_TURN_NICENESS", "0"))
    except ValueError:
        return 0


def _before_exec(supervisor: int, spec: ChildSpec, turn_niceness: int) -> Callable[[], None]:
    """What a child does before it becomes its program: asks the kernel to kill it when the supervisor dies."""

    def before_exec() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.nice(spec.niceness)
        if spec.short_turns:
            take_short_turns(SHORT_TURN_US, niceness=turn_niceness, with_children=True)
        if os.getppid() != supervisor:  # died in between
            os._exit(1)

    return before_exec


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
