"""A stack of the benchmark's own: `voxbus up` on free ports in a folder that goes with it."""

import asyncio
import contextlib
import os
import random
import re
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voxbus_cli.bench.machine import pin
from voxbus_cli.environment import HOST
from voxbus_cli.errors import StackFailed

_READY: Final = re.compile(r"voxbus ready api=(\S+) nats=(\S+) key=(\S+)")
_START_WITHIN_S: Final = 120.0
_END_WITHIN_S: Final = 8.0
_USUAL_SLOTS: Final = 100
_SHOWN_LINES: Final = 5
_CALLS_AT_A_TIME: Final = 10_000
"""Of the organisation: what is measured is the stack, not its rule for tenants."""


@dataclass(frozen=True, slots=True)
class RunningStack:
    """Where a stack answers. `pid` of its supervisor and `nats` only when it is ours."""

    api: str
    key: str
    nats: str = ""
    pid: int = 0


def stub_settings(calls: int) -> dict[str, str]:
    """What a stack must be told for a benchmark: stubs in every place, no engine besides, room for all calls."""
    return {
        "VOXBUS_STUB_PROVIDERS": "1",
        "VOXBUS_STT_DEFAULT": "stub",
        "VOXBUS_TTS_DEFAULT": "stub",
        "VOXBUS_SLOTS": str(max(_USUAL_SLOTS, calls + 10)),
        "VOXBUS_MEDIA_SLOTS": str(max(_USUAL_SLOTS, calls + 10)),
        "VOXBUS_CONCURRENCY_LIMIT": str(_CALLS_AT_A_TIME),
        "OMP_NUM_THREADS": "1",
    }


@contextlib.asynccontextmanager
async def own_stack(calls: int, cpu: int | None, inherited: Mapping[str, str]) -> AsyncGenerator[RunningStack, None]:
    """Runs while it lasts, on one CPU if asked. Raises StackFailed."""
    with tempfile.TemporaryDirectory(prefix="voxbus-bench-") as folder:
        port = free_ports(4)
        environment = {
            **inherited,
            **stub_settings(calls),
            "VOXBUS_DATA_DIR": str(Path(folder) / "data"),
            "VOXBUS_PORT": str(port),
            "VOXBUS_NATS_PORT": str(port + 3),
        }
        said = Path(folder) / "said"
        with said.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "voxbus_cli", "up"),
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )
        try:
            if cpu is not None:
                pin(process.pid, cpu)
            yield await _ready(process, said)
        finally:
            await _end(process)


async def _ready(process: asyncio.subprocess.Process, said: Path) -> RunningStack:
    assert process.stdout is not None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_START_WITHIN_S):
            async for line in process.stdout:
                if found := _READY.search(line.decode()):
                    api, nats, key = found.groups()
                    return RunningStack(api, key, nats, process.pid)
    raise StackFailed(f"the stack was not ready within {_START_WITHIN_S:.0f} s; its last words: {_last_words(said)}")


def _last_words(said: Path) -> str:
    return " | ".join(line.strip() for line in said.read_text().splitlines()[-_SHOWN_LINES:])


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_END_WITHIN_S):
            await process.wait()
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def free_ports(count: int) -> int:
    """First of `count` ports in a row on which nobody listens, below those given to outgoing connections."""
    while True:
        first = random.randrange(10_000, 32_000)
        if all(_is_free(first + offset) for offset in range(count)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0
