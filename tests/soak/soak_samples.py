"""Reads what a running stack holds: its processes, their own instruments, the bus, the data directory."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
import httpx
import psutil
from nats.aio.client import Client
from prometheus_client.parser import text_string_to_metric_families
from soak_rules import CONSUMERS, FOLDER_FILES, FOLDER_MB, REPLACED

from voxbus_cli.bench.instruments import Heartbeats
from voxbus_cli.bench.machine import processes_of
from voxbus_contracts.streams import CONFIGS, OWNERS
from voxbus_runtime.stream_reader import read

_INSTRUMENTS: Final = {"voxbus_tasks": "tasks", "voxbus_subscriptions": "subscriptions"}
_MB: Final = 1e6
_DELETED: Final = "KV-Operation"

Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """`at_s` since the run began; `calls` that had ended by then."""

    at_s: float
    calls: int
    values: Values


@dataclass
class Sampler:
    """`start` before the first `sample`."""

    supervisor_pid: int
    data_dir: Path
    nc: Client
    monitor: str
    heartbeats: Heartbeats = field(default_factory=Heartbeats)
    _seen: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    """Ids of the processes that each service has had."""
    _http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=10, trust_env=False))
    _began_s: float = field(default_factory=time.monotonic)

    async def start(self) -> None:
        await self.heartbeats.follow(self.nc)

    async def close(self) -> None:
        await self._http.aclose()

    async def sample(self, calls: int) -> Sample:
        """Takes some hundred ms, most of it not on this loop. Raises where a service does not answer."""
        values = {
            **await asyncio.to_thread(processes, self.supervisor_pid),
            **self._replaced(),
            **await self._instruments(),
            **await self._bus(),
            **await asyncio.to_thread(folders, self.data_dir),
        }
        return Sample(time.monotonic() - self._began_s, calls, values)

    def _replaced(self) -> dict[str, float]:
        """How often a service's process was replaced: its memory then says nothing, and it should not have ended."""
        for service, group in processes_of(self.supervisor_pid).items():
            self._seen.setdefault(service, set()).update(process.pid for process in group[:1])
        return {f"{service} {REPLACED}": len(pids) - 1.0 for service, pids in self._seen.items() if pids}

    async def _instruments(self) -> dict[str, float]:
        found: dict[str, float] = {}
        with contextlib.suppress(
            grpc.RpcError
        ):  # a worker that has just been replaced: the next sample has the new one
            for stage, text in (await self.heartbeats.read()).items():
                for family in text_string_to_metric_families(text):
                    if family.name in _INSTRUMENTS:
                        found[f"{stage} {_INSTRUMENTS[family.name]}"] = family.samples[0].value
        return found

    async def _bus(self) -> dict[str, float]:
        server = await self._page("varz")
        found = {
            "connections": float(server["connections"]),
            "subscriptions on the server": float(server["subscriptions"]),
        }
        account = (await self._page("jsz?streams=1&consumers=1"))["account_details"][0]
        for stream in account.get("stream_detail") or ():
            found |= _stream(stream)
        entries = [entry async for entry in read(self.nc, f"KV_{OWNERS.name}", f"$KV.{OWNERS.name}.>")]
        found["OWNERS keys"] = float(sum(_DELETED not in entry.headers for entry in entries))
        return found

    async def _page(self, path: str) -> dict[str, Any]:
        answer = await self._http.get(f"{self.monitor}/{path}")
        answer.raise_for_status()
        return dict(answer.json())


def _stream(detail: dict[str, Any]) -> dict[str, float]:
    name, state = str(detail["name"]), detail["state"]
    found = {f"{CONSUMERS}{name}": float(state["consumer_count"])}
    match name:
        case "EVENTS" | "AUDIO":
            found[f"{name} MB"] = state["bytes"] / _MB
        case "CLAIMS" | "DELIVERIES":
            found[f"{name} messages"] = float(state["messages"])
        case _ if name == f"KV_{OWNERS.name}":
            found["OWNERS entries"] = float(state["messages"])
        case _ if name == f"KV_{CONFIGS.name}":
            found["CONFIGS keys"] = float(state["messages"])
        case _:
            pass
    return found


def processes(supervisor_pid: int) -> dict[str, float]:
    """Of each service with its children: memory of their own, threads, open files."""
    found: dict[str, float] = {}
    for service, group in processes_of(supervisor_pid).items():
        alive = [each for each in map(_process, group) if each is not None]
        if alive:
            for what, amounts in zip(("memory", "threads", "files"), zip(*alive, strict=True), strict=True):
                found[f"{service} {what}"] = float(sum(amounts))
    return found


def _process(process: psutil.Process) -> tuple[float, int, int] | None:
    try:
        return _own_mb(process.pid), process.num_threads(), process.num_fds()
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return None


def _own_mb(pid: int) -> float:
    """What the process itself holds, its part of what it shares with its children: no pages of files, whose part grows
    and shrinks with other programs that map them. Pss_Anon and Pss_Shmem of /proc/…/smaps_rollup (Linux 5.4)."""
    amounts = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    kib = sum(int(amounts[name].split()[0]) for name in ("Pss_Anon", "Pss_Shmem"))
    return kib * 1_024 / _MB


def folders(data_dir: Path) -> dict[str, float]:
    """Files and MB under each folder of the data directory; those beside them count as of `.`."""
    found: dict[str, float] = {}
    for path in data_dir.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                inside = path.relative_to(data_dir).parts
                folder = inside[0] if len(inside) > 1 else "."
                size = path.stat().st_size
                found[f"{FOLDER_FILES}{folder}"] = found.get(f"{FOLDER_FILES}{folder}", 0.0) + 1
                found[f"{FOLDER_MB}{folder}"] = found.get(f"{FOLDER_MB}{folder}", 0.0) + size / _MB
    return found
