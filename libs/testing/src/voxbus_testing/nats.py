"""A real nats-server for integration tests, and services' runtimes inside the test process."""

import asyncio
import contextlib
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from voxbus_contracts.config import CallConfig
from voxbus_contracts.streams import CONFIGS, STREAMS
from voxbus_runtime.bootstrap import ensure_bus
from voxbus_runtime.bus import Bus, connect
from voxbus_runtime.service import Component, Runtime, status_of
from voxbus_runtime.settings import ServiceSettings
from voxbus_runtime.tasks import end


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class NatsServer:
    """A nats-server process with JetStream on a free port."""

    port: int
    store: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        binary = Path(sysconfig.get_path("scripts")) / "nats-server"
        command = [str(binary), "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.store)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
                return
            time.sleep(0.01)
        raise RuntimeError(f"nats-server did not open port {self.port} within 10 s")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def _own_server() -> Generator[NatsServer]:
    """Runs; afterwards it is gone with its folder, whatever has become of it."""
    server = NatsServer(free_port(), Path(tempfile.mkdtemp(prefix="voxbus-nats-")))
    server.start()
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.store, ignore_errors=True)


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer]:
    """One server for the whole session."""
    with _own_server() as server:
        yield server


@contextlib.asynccontextmanager
async def mortal_nats() -> AsyncGenerator[NatsServer]:
    """A server of the test's own, with all streams and buckets made: one that it may freeze and kill."""
    with _own_server() as server:
        async with bus_at(server.url) as bus:
            await ensure_bus(bus.nc)
        yield server


@pytest.fixture
async def nats_url(nats_server: NatsServer) -> str:
    """Its address, with all streams and buckets made and empty."""
    bus = await connect(nats_server.url, "fixture", structlog.get_logger())
    await ensure_bus(bus.nc)
    for name in (*(stream.name for stream in STREAMS), "KV_OWNERS", "KV_CONFIGS"):
        await bus.js.purge_stream(name)
    await bus.close()
    return nats_server.url


@contextlib.asynccontextmanager
async def bus_at(url: str, worker: str = "test") -> AsyncGenerator[Bus]:
    """A connection with a running outbox."""
    bus = await connect(url, worker, structlog.get_logger())
    retrying = asyncio.get_running_loop().create_task(bus.outbox.run())
    try:
        yield bus
    finally:
        await end(retrying)
        await bus.close()


@dataclass
class RunningService:
    """A service's component inside the test process."""

    runtime: Runtime[Any]
    component: Component
    heartbeat: asyncio.Task[Any]

    async def vanish(self) -> None:
        """Like kill -9: nothing is said, nothing is given back, the connection is cut."""
        await self.runtime.bus.nc.close()
        await self.runtime.cancel_all()

    async def stop(self) -> None:
        """Like SIGTERM."""
        await self.component.drain()
        await self.component.close()
        await self.runtime.bus.outbox.flush(2)
        await self.runtime.cancel_all()
        await self.runtime.bus.close()


async def start_service(
    name: str,
    settings: ServiceSettings,
    wire: Callable[[Runtime[Any]], Awaitable[Component]],
    worker: str,
) -> RunningService:
    """What `voxbus_runtime.service.run` does, without signals and the gRPC server."""
    bus = await connect(settings.nats_url, worker, structlog.get_logger())
    bus.cluster_key = settings.cluster_key
    runtime: Runtime[Any] = Runtime(name, settings, bus, structlog.get_logger(), worker)
    runtime.spawn(bus.outbox.run(), "outbox")
    component = await wire(runtime)
    await component.start()
    runtime.state = "ready"
    heartbeat = runtime.spawn(runtime.peers.beat(lambda: status_of(runtime, component)), "heartbeat")
    return RunningService(runtime, component, heartbeat)


async def store_config(bus: Bus, config: CallConfig) -> None:
    """What control-api does when a call is asked for."""
    await bus.kv_put(CONFIGS.name, config.ref.config_key, config.payload())


async def eventually(condition: Callable[[], Any], timeout_s: float = 30.0, what: str = "condition") -> Any:
    """Waits until `condition()` is true and returns its value; fails naming `what`."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        await asyncio.sleep(0.01)
    raise AssertionError(f"{what} did not come true within {timeout_s} s")
