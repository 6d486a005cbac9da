"""One measurement: callers and stub model beside a stack, and what is read of both."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass
from typing import Any, Final

import httpx

from voxbus_cli.bench.behaviour import Variant, assistant
from voxbus_cli.bench.callers import Job
from voxbus_cli.bench.conversation import Turn
from voxbus_cli.bench.figures import Heard, Machine, callers_figures, machine_figures
from voxbus_cli.bench.instruments import Heartbeats, Readings
from voxbus_cli.bench.machine import cpu_seconds, memory_mb, pin, processes_of
from voxbus_cli.bench.own_stack import RunningStack, free_ports
from voxbus_cli.environment import HOST
from voxbus_cli.errors import CommandFailed, NotReachable
from voxbus_cli.interpreter import described
from voxbus_cli.stack.broker import connect
from voxbus_cli.stack.progress import Progress

WARM_S: Final = 4.0
_RAMP_PER_CALL_S: Final = 0.25
_LONGEST_RAMP_S: Final = 15.0
_PATIENCE_S: Final = 60.0
"""Beyond the measurement itself: the last answers, and the records of all calls."""
_MODEL_WITHIN_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """What is asked for. `cpu` = where callers and model stay, None = anywhere."""

    calls: int
    seconds: float
    variant: Variant
    barge_in: bool = False
    cpu: int | None = None

    @property
    def ramp_s(self) -> float:
        return max(1.0, min(_RAMP_PER_CALL_S * self.calls, _LONGEST_RAMP_S))


async def measure(stack: RunningStack, wanted: Measurement, progress: Progress) -> dict[str, Any]:
    """The figures of one measurement. Raises CommandFailed."""
    async with _model(wanted.cpu) as model_url:
        watch = await _Watch.of(stack)
        try:
            heard, machine = await _call(stack, wanted, model_url, watch, progress)
        finally:
            await watch.close()
        async with httpx.AsyncClient(trust_env=False) as http:
            counts = (await http.get(model_url.replace("/v1", "/counts"))).json()
    return {
        "calls": wanted.calls,
        "seconds": wanted.seconds,
        "wait_ms": wanted.variant.wait_ms,
        "speculation": wanted.variant.speculates,
        "pinned": wanted.cpu is not None,
        "python": described(),
        **callers_figures(heard),
        "model": {**counts, "starts_per_turn": round(counts["started"] / max(1, heard.all_turns), 2)},
        **(machine_figures(machine, wanted.calls) if machine is not None else {}),
    }


async def _call(
    stack: RunningStack, wanted: Measurement, model_url: str, watch: "_Watch", progress: Progress
) -> tuple[Heard, Machine | None]:
    job = Job(
        api=stack.api,
        key=stack.key,
        assistant=assistant(model_url, wanted.variant),
        calls=wanted.calls,
        ramp_s=wanted.ramp_s,
        warm_s=WARM_S,
        measure_s=wanted.seconds,
        interrupts=wanted.barge_in,
    )
    limit_s = wanted.ramp_s + WARM_S + wanted.seconds + _PATIENCE_S
    try:
        async with asyncio.timeout(limit_s), _child("callers", wanted.cpu) as callers:
            return await _Callers(callers, wanted, watch, progress).run(job)
    except TimeoutError:
        raise CommandFailed(f"the callers were not done after {limit_s:.0f} s") from None


class _Callers:
    """Listens to the callers' process and reads the machine at the moments it names."""

    def __init__(
        self, process: asyncio.subprocess.Process, wanted: Measurement, watch: "_Watch", progress: Progress
    ) -> None:
        self._process = process
        self._wanted = wanted
        self._watch = watch
        self._progress = progress
        self._answered = 0
        self._until_s = 0.0

    async def run(self, job: Job) -> tuple[Heard, Machine | None]:
        self._tell(asdict(job))
        reading: asyncio.Task[None] | None = None
        machine: Machine | None = None
        try:
            while True:
                said = await self._hear()
                if "window" in said:
                    from_s, self._until_s = said["window"]
                    reading = asyncio.create_task(self._watch.window(from_s, self._until_s))
                elif "finished" in said and reading is not None:
                    await reading
                    machine = await self._watch.loaded()
                    self._tell("over")
                elif "result" in said:
                    return _heard(said["result"]), machine
                self._answered = said.get("turns", self._answered)
                self._show()
        finally:
            if reading is not None:
                reading.cancel()

    def _tell(self, message: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write((json.dumps(message) + "\n").encode())

    async def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise CommandFailed(f"the callers' process ended with {await self._process.wait()}")
        return json.loads(line)

    def _show(self) -> None:
        left_s = self._until_s - time.monotonic()
        when = f"{left_s:.0f} s to go" if left_s > 0 else "hanging up"
        self._progress.step(f"{self._wanted.calls} calls, {self._answered} turns answered, {when}")


class _Watch:
    """A stack of our own is watched from inside; of another one nothing is known but its API."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self._beats = Heartbeats()
        self._bus: Any = None
        self._processes = processes_of(stack.pid) if stack.pid else {}
        self._idle_mb = memory_mb(self._processes)
        self._before: Readings = {}
        self._cpu_s: dict[str, float] = {}
        self._took_s = 0.0

    @classmethod
    async def of(cls, stack: RunningStack) -> "_Watch":
        watch = cls(stack)
        if stack.nats:
            watch._bus = await connect(stack.nats, 10)
            await watch._beats.follow(watch._bus)
        return watch

    async def window(self, from_s: float, until_s: float) -> None:
        """Reads the machine at both ends of the window, on the monotonic clock."""
        if not self._processes:
            return
        await asyncio.sleep(from_s - time.monotonic() - 1.0)
        self._before = await self._beats.read()
        await asyncio.sleep(from_s - time.monotonic())
        self._beats.reset()
        before, began_s = cpu_seconds(self._processes), time.monotonic()
        await asyncio.sleep(until_s - time.monotonic())
        after, self._took_s = cpu_seconds(self._processes), time.monotonic() - began_s
        self._cpu_s = {name: after[name] - before[name] for name in after}

    async def loaded(self) -> Machine | None:
        """The rest, while the calls are still up but nobody waits for an answer."""
        if not self._processes:
            return None
        lag_ms = dict(self._beats.lag_ms)
        after = await self._beats.read()
        memory = memory_mb(self._processes)
        return Machine(self._took_s, self._cpu_s, self._idle_mb, memory, lag_ms, self._before, after)

    async def close(self) -> None:
        if self._bus is not None:
            await self._bus.close()


@contextlib.asynccontextmanager
async def _model(cpu: int | None) -> AsyncGenerator[str, None]:
    """The stub model, listening; its base URL."""
    port = free_ports(1)
    async with _child("model_server", cpu, str(port)) as process:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(_MODEL_WITHIN_S):
                await process.stdout.readline()
        except TimeoutError:
            raise NotReachable("the stub model does not start") from None
        yield f"http://{HOST}:{port}/v1"


@contextlib.asynccontextmanager
async def _child(module: str, cpu: int | None, *arguments: str) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    """A process of the benchmark, ended with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", f"voxbus_cli.bench.{module}", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**26,
    )
    try:
        if cpu is not None:
            pin(process.pid, cpu)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _heard(result: dict[str, Any]) -> Heard:
    return Heard(
        turns=tuple(Turn(**turn) for turn in result["turns"]),
        all_turns=result["all_turns"],
        late_ms=tuple(result["late_ms"]),
        errors=tuple(result["errors"]),
    )
