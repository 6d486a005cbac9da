"""The life of a service process: start, serve, drain, end."""

import asyncio
import gc
import secrets
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Generic, Protocol, TypeVar

import grpc.aio
import prometheus_client
import uvloop
from pydantic import ValidationError
from structlog.stdlib import BoundLogger

from voxbus_contracts.config import WorkerStatus
from voxbus_runtime.bus import Bus, connect
from voxbus_runtime.control import add_control
from voxbus_runtime.heap import give_large_pieces_back
from voxbus_runtime.logs import set_up_logs
from voxbus_runtime.metrics import CALLS, LOOP_LAG, SLOTS, SUBSCRIPTIONS, TASKS
from voxbus_runtime.peers import Peers
from voxbus_runtime.room import is_overloaded, percentile_95
from voxbus_runtime.settings import ServiceSettings
from voxbus_runtime.tasks import end
from voxbus_runtime.telemetry import set_up_telemetry, shut_down_telemetry
from voxbus_runtime.turns import take_short_turns

S = TypeVar("S", bound=ServiceSettings)
S_co = TypeVar("S_co", bound=ServiceSettings, covariant=True)

_LITTLE_BUT_OFTEN: Final = ("media-ingress", "vad", "stt-worker", "tool-runner")
_LAG_EVERY_S: Final = 0.1
_LAG_KEPT: Final = 100
_TIDY_EVERY_S: Final = 2.0
_ENDED_AT_LEAST: Final = 20


class Component(Protocol):
    """What a service's wiring gives to the runtime."""

    slots: int

    async def start(self) -> None: ...

    async def drain(self) -> int:
        """Gives all calls back; returns how many."""
        ...

    async def close(self) -> None: ...

    def calls(self) -> list[str]: ...


class Runtime(Generic[S_co]):
    """What every part of a service may use."""

    def __init__(self, name: str, settings: S_co, bus: Bus, log: BoundLogger, worker: str) -> None:
        self.name = name
        self.settings = settings
        self.bus = bus
        self.log = log
        self.worker = worker
        self.peers = Peers(bus)
        self.grpc_server: grpc.aio.Server = grpc.aio.server()
        self.grpc_address = ""
        self.state = "starting"
        self.stopping = asyncio.Event()
        self.failed = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._lags_ms: list[float] = [0.0]

    @property
    def lag_ms(self) -> float:
        """95th percentile of the event loop's lateness over the last 10 s, ms."""
        return percentile_95(self._lags_ms)

    @property
    def is_overloaded(self) -> bool:
        """The loop is so late that another call would harm those that are here."""
        return is_overloaded(self._lags_ms, self.settings.overload_lag_ms)

    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """A task of the process's own: if it fails, that is logged and the process ends (and is started again)."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            self.log.error("a task failed, the process ends", task=task.get_name(), exc_info=problem)
            self.failed = True
            self.stopping.set()

    async def watch_lag(self) -> None:
        while True:
            before_s = time.monotonic()
            await asyncio.sleep(_LAG_EVERY_S)
            late_ms = max(0.0, (time.monotonic() - before_s - _LAG_EVERY_S) * 1000)
            self._lags_ms = [*self._lags_ms[-_LAG_KEPT + 1 :], late_ms]

    async def cancel_all(self) -> None:
        await end(*(task for task in self._tasks if task is not asyncio.current_task()))


Wire = Callable[[Runtime[S]], Awaitable[Component]]


def main(name: str, settings_type: type[S], wire: Wire[S]) -> None:
    """Runs a service until SIGTERM or SIGINT; drains, then exits 0. A failed task ends it with 1."""
    try:
        settings = settings_type()
    except ValidationError as wrong:
        for error in wrong.errors(include_input=False):
            variable = "VOXBUS_" + "_".join(str(part) for part in error["loc"]).upper()
            sys.stderr.write(f"{name}: {variable}: {error['msg']}\n")
        sys.exit(2)
    give_large_pieces_back()
    if name in _LITTLE_BUT_OFTEN:
        take_short_turns(settings.turn_slice_us, niceness=settings.turn_niceness)
    sys.exit(uvloop.run(run(name, settings, wire)))


async def run(name: str, settings: S, wire: Wire[S]) -> int:
    """One process life; returns the exit code."""
    worker = settings.worker_id or f"{name}-{secrets.token_hex(3)}"
    log = set_up_logs(name, worker, settings.log_level, settings.log_format)
    set_up_telemetry(name, worker, settings.otlp_endpoint)
    bus = await _connected(settings, worker, log)
    if bus is None:
        return 0
    bus.cluster_key = settings.cluster_key
    runtime = Runtime(name, settings, bus, log, worker)
    count_holdings(bus)
    _stop_on_signals(runtime)
    runtime.spawn(bus.outbox.run(), "outbox")
    runtime.spawn(runtime.watch_lag(), "loop-lag")
    try:
        component = await _started(runtime, wire)
    except Exception as problem:
        log.error("cannot start", problem=f"{type(problem).__name__}: {problem}")  # noqa: TRY400
        log.debug("why", exc_info=problem)
        await runtime.cancel_all()
        await bus.close()
        return 1
    _tame_garbage_collection()
    log.info("ready", grpc=runtime.grpc_address)
    await runtime.stopping.wait()
    await _wind_up(runtime, component)
    shut_down_telemetry()
    return 1 if runtime.failed else 0


async def _started(runtime: Runtime[S], wire: Wire[S]) -> Component:
    """Everything up, and said so by gRPC health and heartbeats."""
    settings = runtime.settings
    component = await wire(runtime)
    health = add_control(runtime, component)
    show_load(runtime, component)
    port = runtime.grpc_server.add_insecure_port(f"{settings.grpc_host}:{settings.grpc_port}")
    runtime.grpc_address = f"{settings.grpc_host}:{port}"
    await runtime.grpc_server.start()
    if settings.metrics_port:
        prometheus_client.start_http_server(settings.metrics_port)
    await component.start()
    runtime.state = "ready"
    await health.serving()
    runtime.spawn(tidy(component), "tidy")
    runtime.spawn(runtime.peers.beat(lambda: status_of(runtime, component)), "heartbeat")
    return component


def status_of(runtime: Runtime[Any], component: Component) -> WorkerStatus:
    return WorkerStatus(
        stage=runtime.name,
        worker=runtime.worker,
        state="draining" if runtime.stopping.is_set() or runtime.state == "draining" else "ready",
        slots=component.slots,
        calls=len(component.calls()),
        loop_lag_ms=round(runtime.lag_ms, 2),
        is_overloaded=runtime.is_overloaded,
        address=runtime.grpc_address,
    )


async def _connected(settings: ServiceSettings, worker: str, log: BoundLogger) -> Bus | None:
    """The bus, or None when told to stop while waiting for it."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    connecting = asyncio.ensure_future(
        connect(settings.nats_url, worker, log, settings.audio_gather_ms, settings.audio_listen_every_ms)
    )
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({connecting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if connecting.done():
        return connecting.result()
    connecting.cancel()
    return None


def _tame_garbage_collection() -> None:
    """A full collection walks everything that was imported and stops the loop for tens of ms: leave that out of it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def count_holdings(bus: Bus) -> None:
    """What a leak would show in; costs nothing until somebody asks."""
    loop = asyncio.get_running_loop()
    TASKS.set_function(lambda: len(asyncio.all_tasks(loop)))
    SUBSCRIPTIONS.set_function(lambda: bus.nc.subscription_count)


def show_load(runtime: Runtime[Any], component: Component) -> None:
    """What capacity is planned by; asked for when somebody scrapes."""
    SLOTS.set_function(lambda: component.slots)
    CALLS.set_function(lambda: len(component.calls()))
    LOOP_LAG.set_function(lambda: runtime.lag_ms)


async def tidy(component: Component, every_s: float = _TIDY_EVERY_S) -> None:
    """What calls leave behind refers to itself, some 300 kB each: it is collected once they have all ended and nobody
    can be held up, or as many have ended as go on.

    All that is alive is looked at: frames that calls keep must be no objects of their own for it. With 60 calls that
    takes media-ingress 20 to 25 ms of a full core; with a tuple per frame it took 70, and all voices stopped for 100.
    """
    calls: set[str] = set()
    ended = 0
    while True:
        await asyncio.sleep(every_s)
        before, calls = calls, set(component.calls())
        ended += len(before - calls)
        if ended and (not calls or ended >= max(_ENDED_AT_LEAST, len(calls))):
            gc.collect()
            ended = 0


def _stop_on_signals(runtime: Runtime[Any]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, runtime.stopping.set)


async def _wind_up(runtime: Runtime[Any], component: Component) -> None:
    runtime.state = "draining"
    released = await component.drain()
    runtime.log.info("drained", released=released)
    await component.close()
    left = await runtime.bus.outbox.flush(timeout_s=2)
    if left:
        runtime.log.error("events could not be stored before the end", events=left)
    status = status_of(runtime, component).model_copy(update={"state": "gone"})
    await runtime.peers.say(status)
    await runtime.grpc_server.stop(grace=0.2)
    await runtime.cancel_all()
    await runtime.bus.close()
