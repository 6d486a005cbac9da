"""The stack's life: nats-server, the bus, every service; until a signal ends it in order."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from pydantic import ValidationError

from voxbus_cli.environment import HOST, StackSettings
from voxbus_cli.errors import NotReachable, StackFailed
from voxbus_cli.interpreter import described, is_optimized
from voxbus_cli.stack.broker import BROKER, broker_environment, connect
from voxbus_cli.stack.child import Child, Death
from voxbus_cli.stack.door import Say, open_door
from voxbus_cli.stack.forking import ForkServer
from voxbus_cli.stack.lifeline import take_in_orphans
from voxbus_cli.stack.logs import last_lines
from voxbus_cli.stack.plan import FORK_SERVER, ChildSpec, log_file, ready_line
from voxbus_cli.stack.progress import Progress
from voxbus_cli.stack.readiness import Readiness
from voxbus_cli.stack.replacing import replace, services_to_restart
from voxbus_contracts.config import WorkerStatus
from voxbus_contracts.subjects import ALL_WORKERS, worker_status
from voxbus_runtime.bootstrap import ensure_bus
from voxbus_runtime.bus import without_login

_SHOWN_LINES: Final = 15
_LOOK_EVERY_S: Final = 0.1
_SAME_SIGNAL_S: Final = 0.5
"""`make` and `timeout` pass a signal on that the whole group has got already: that is one wish, not two."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the supervisor waits, s."""

    broker: float = 15.0
    services: float = 240.0
    """A first start on a slow or busy machine compiles every module."""
    grace: float = 5.0
    """From SIGTERM to SIGKILL: services put their calls back meanwhile."""
    drain: float = 60.0
    """The same in a rolling restart, where calls that cannot be moved are waited for."""


class Supervisor:
    """Runs one stack. `run` gives the exit status."""

    def __init__(
        self,
        settings: StackSettings,
        broker: ChildSpec | None,
        services: Iterable[ChildSpec],
        environment: Mapping[str, str],
        progress: Progress,
        patience: Patience | None = None,
    ) -> None:
        self._settings = settings
        self._progress = progress
        self._patience = patience or Patience()
        self._broker = self._broker_of(broker, environment) if broker else None
        self._environment = environment
        self._fork_server = ForkServer(environment, log_file(settings, FORK_SERVER))
        self._services = [self._child_of(spec) for spec in services]
        self._readiness = Readiness(child.spec.name for child in self._services)
        self._broker_readiness = Readiness((BROKER,))
        self._ready_workers: set[str] = set()
        self._newcomers: set[Child] = set()
        self._nc: Client | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._errands: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._told_to_stop_s = 0.0
        self._hopeless = ""

    def _broker_of(self, spec: ChildSpec, environment: Mapping[str, str]) -> Child:
        for_broker = broker_environment(environment, os.cpu_count() or 1)
        return Child(spec, for_broker, log_file(self._settings, spec.name), self._on_death)

    def _child_of(self, spec: ChildSpec) -> Child:
        log = log_file(self._settings, spec.name)
        return Child(spec, self._environment, log, self._on_death, self._is_served_meanwhile, self._fork_server)

    def _is_served_meanwhile(self, spec: ChildSpec) -> bool:
        """Whether another process does the same work: calls go on with it, however long this one takes to start."""
        colleagues = (child for child in self._services if spec.stage and child.spec.stage == spec.stage)
        return any(child.is_alive and child.worker in self._ready_workers for child in colleagues)

    async def run(self) -> int:
        """Starts everything, says that it is ready, and ends everything at a signal. Raises StackFailed."""
        self._listen_for_signals()
        try:
            if take_in_orphans() and any(child.spec.module for child in self._services):
                self._tasks.append(asyncio.create_task(self._fork_server.run(), name=FORK_SERVER))
            await self._start_bus()
            if not self._stop.is_set():
                await self._start_services()
            if not self._stop.is_set():
                async with open_door(self._settings.data_dir, self._restart):
                    await self._announce()
                    await self._stop.wait()
        finally:
            await self._end()
        return 0

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if not self._stop.is_set():
            self._stop.set()
            self._told_to_stop_s = now_s
        elif now_s - self._told_to_stop_s > _SAME_SIGNAL_S:
            self._progress.note("ending at once")
            for child in (*self._services, *([self._broker] if self._broker else [])):
                child.kill()

    async def _start_bus(self) -> None:
        if self._broker is not None:
            self._progress.step("starting nats-server")
            self._tasks.append(asyncio.create_task(self._broker.run(), name=BROKER))
        else:
            self._progress.step(f"looking for NATS at {without_login(self._settings.nats_url)}")
        connecting = asyncio.create_task(
            connect(self._settings.nats_url, self._patience.broker, on_return=self._bus_is_back)
        )
        try:
            while not connecting.done() and not self._stop.is_set() and not self._hopeless:
                await asyncio.wait({connecting}, timeout=_LOOK_EVERY_S)
            if self._stop.is_set():
                return
            if self._hopeless:
                raise StackFailed(self._hopeless)
            self._nc = connecting.result()
            self._broker_readiness.is_ready(BROKER)
        except NotReachable as wrong:
            raise StackFailed(f"{wrong}; {self._where_to_look()}") from wrong
        finally:
            connecting.cancel()
        await self._nc.subscribe(ALL_WORKERS, cb=self._on_status)
        self._progress.step("making streams")
        await self._make_bus()

    async def _make_bus(self) -> None:
        """JetStream answers a moment after the server does, later still when it has a big store to read."""
        assert self._nc is not None
        problem: Exception | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience.broker):
                while True:
                    try:
                        await ensure_bus(self._nc, self._settings.nats_replicas)
                        return
                    except NatsError as wrong:
                        problem = wrong
                        await asyncio.sleep(_LOOK_EVERY_S)
        raise StackFailed(f"NATS runs, but its streams could not be made ({problem}); {self._where_to_look()}")

    def _where_to_look(self) -> str:
        return f"its log: {self._broker.log}" if self._broker else "VOXBUS_NATS_URL names it"

    async def _bus_is_back(self) -> None:
        """Streams in memory went with the server's last life."""
        try:
            await self._make_bus()
        except StackFailed as wrong:
            self._progress.note(str(wrong))
        else:
            self._progress.note("nats-server is back")

    async def _start_services(self) -> None:
        for child in self._services:
            self._tasks.append(asyncio.create_task(child.run(), name=child.spec.name))
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience.services
        while self._readiness.waiting and not self._stop.is_set():
            self._progress.step(self._readiness.step())
            await self._look_at_ports()
            if self._hopeless:
                raise StackFailed(self._hopeless)
            if loop.time() > until:
                raise StackFailed(
                    f"not healthy after {self._patience.services:.0f} s: {', '.join(self._readiness.waiting)}; "
                    f"logs are in {self._settings.log_dir}"
                )
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _look_at_ports(self) -> None:
        """Processes without a heartbeat are healthy when they listen."""
        for child in self._services:
            if child.spec.stage or child.spec.name not in self._readiness.waiting or not child.is_alive:
                continue
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, child.spec.port)
                writer.close()
                self._readiness.is_ready(child.spec.name)

    async def _announce(self) -> None:
        key = self._settings.api_key or self._written_key()
        self._progress.close()
        print(ready_line(self._settings, key), flush=True)
        self._progress.note(f"logs: {self._settings.log_dir}; Ctrl-C ends everything")
        if not is_optimized():
            self._progress.note(f"{described()}: the distribution's own needs a fifth less of the processor")

    def _written_key(self) -> str:
        try:
            return self._settings.api_key_file.read_text().strip()
        except OSError as wrong:
            raise StackFailed(f"control-api has not written {self._settings.api_key_file}: {wrong.strerror}") from wrong

    async def _on_status(self, msg: Msg) -> None:
        try:
            status = WorkerStatus.model_validate_json(msg.data)
        except ValidationError:
            return  # another version's heartbeat; ours are understood
        if status.state == "gone":
            self._ready_workers.discard(status.worker)
        if status.state == "ready":
            self._ready_workers.add(status.worker)
            for child in self._services:
                if child.worker == status.worker:
                    self._readiness.is_ready(child.spec.name)

    def _on_death(self, death: Death) -> None:
        name = death.spec.name
        log = log_file(self._settings, name)
        when = f" in {death.delay_s:.1f} s" if death.delay_s else ""
        self._progress.note(
            f"{name} ended ({death.cause()}); starting it again{when}. Its log: {log}",
            last_lines(log, _SHOWN_LINES, death.log_start) if death.quick_deaths == 1 else (),
        )
        readiness = self._broker_readiness if name == BROKER else self._readiness
        if readiness.died(name):
            self._hopeless = f"{name} ends each time it is started ({death.cause()}); its log: {log}"
        if death.spec.stage:
            errand = asyncio.create_task(self._say_gone(death.spec.stage, death.worker))
            self._errands.add(errand)
            errand.add_done_callback(self._errands.discard)

    async def _restart(self, names: list[str], say: Say) -> None:
        """Every process of the services named, one after the other. Raises BadInput, StackFailed."""
        for service in services_to_restart(names):
            for place, old in enumerate(self._services):
                if old.spec.stage == service and not self._stop.is_set():
                    await self._replace(place, old, say)

    async def _replace(self, place: int, old: Child, say: Say) -> None:
        fresh = self._child_of(old.spec)
        running = asyncio.create_task(fresh.run(), name=fresh.spec.name)
        self._tasks.append(running)
        self._newcomers.add(fresh)
        began_s = asyncio.get_running_loop().time()
        try:
            left = await replace(
                old, fresh, lambda: self._take_place(place, fresh), self._patience.services, self._patience.drain
            )
        finally:
            self._newcomers.discard(fresh)
        took_s = asyncio.get_running_loop().time() - began_s
        how = "" if left else f", which was ended after {self._patience.drain:.0f} s"
        text = f"{fresh.spec.name}: {fresh.worker} in the place of {old.worker}{how} ({took_s:.1f} s)"
        self._progress.note(text)
        say(text)

    def _take_place(self, place: int, fresh: Child) -> bool:
        """From its readiness on it is the stack's, whatever becomes of the old one."""
        is_ready = fresh.worker in self._ready_workers
        if is_ready:
            self._services[place] = fresh
        return is_ready

    async def _say_gone(self, stage: str, worker: str) -> None:
        """Peers take its calls over at once instead of after the heartbeat limit."""
        if self._nc is not None and self._nc.is_connected:
            with contextlib.suppress(NatsError):
                await self._nc.publish(
                    worker_status(stage, worker), WorkerStatus(stage=stage, worker=worker, state="gone").payload()
                )
                await self._nc.flush()

    async def _end(self) -> None:
        self._progress.step("ending the services")
        for newcomer in self._newcomers:
            newcomer.kill()
        await self._fork_server.stop()
        await asyncio.gather(*(child.stop(self._patience.grace) for child in self._services))
        if self._nc is not None:
            await self._nc.close()
        if self._broker is not None:
            await self._broker.stop(self._patience.grace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._progress.close()
