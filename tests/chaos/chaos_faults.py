"""The faults: what is done to a running stack, at which moments."""

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from chaos_cluster import Cluster
from chaos_storage import Postgres, Volume, database_files, locked
from stack import Stack

from voxbus_cli.stack.door import ask_for_restart

FROZEN_S: Final = 3.0
"""Past the limit of the heartbeats (1 s), so that peers take the calls over."""
_SETTLED_WITHIN_S: Final = 30.0
BUS: Final = "nats-server"
LEADER: Final = "nats-leader"
"""Of the stream with the calls' events, in a cluster of three."""
STORE: Final = "object-store"
"""On a disk of its own, which is full for a while."""
DATABASE: Final = "database"
"""SQLite files, which somebody else keeps locked."""
POSTGRES: Final = "postgres"
"""The database of a stack that has PostgreSQL."""
STORAGE: Final = (STORE, DATABASE, POSTGRES)
PLACES: Final = (LEADER, STORE, POSTGRES)
"""Targets that a stack has only when it is set up for them."""
_AWAY_S: Final = 5.0
_UNSTORED_S: Final = 12.0
"""Past a segment's length (5 s), and twice what SQLite waits for a lock or PostgreSQL for a connection (5 s)."""
CLAIMED: Final = ("vad", "stt-worker", "llm-orchestrator", "tts-worker")
SERVICES: Final = (*CLAIMED, "tool-runner", "media-ingress", "control-api", "billing", "recorder")
STRUCK: Final = ("kill", "freeze", "term", "restart")
"""What is done to services; `term` = SIGTERM without a successor, `restart` = `voxbus restart`."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a fault may be done to."""

    stack: Stack
    cluster: Cluster | None = None
    volume: Volume | None = None
    postgres: Postgres | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """`kind` is done to `target`."""

    kind: str
    target: str

    @property
    def name(self) -> str:
        return f"{self.kind} {self.target}"


def all_faults() -> tuple[Fault, ...]:
    """Every fault the suite knows."""
    return (
        *(Fault(kind, service) for kind in STRUCK for service in SERVICES),
        Fault("kill", BUS),
        Fault("break", DATABASE),
        *(Fault(kind, LEADER) for kind in ("kill", "freeze", "cut")),
        Fault("fill", STORE),
        Fault("kill", POSTGRES),
        Fault("freeze", POSTGRES),
    )


async def inflict(fault: Fault, ground: Ground, rng: random.Random) -> str:
    """Does it once; returns what was done, for the log."""
    if fault.target == LEADER:
        assert ground.cluster is not None
        return await _to_leader(fault.kind, ground.cluster)
    if fault.target in STORAGE:
        return await _to_storage(fault, ground)
    return await _KINDS[fault.kind](fault, ground.stack, rng)


async def _to_leader(kind: str, cluster: Cluster) -> str:
    """Away for some seconds, in one of three ways; then back."""
    node = await cluster.leader("EVENTS")
    assert node.process is not None
    match kind:
        case "kill":
            cluster.kill_node(node)
            await asyncio.sleep(_AWAY_S)
            cluster.start_node(node)
        case "freeze":
            node.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(_AWAY_S)
            node.process.send_signal(signal.SIGCONT)
        case _:
            cluster.cut(node)
            await asyncio.sleep(_AWAY_S)
            cluster.heal(node)
    return f"{kind} {node.name}, leader of EVENTS, for {_AWAY_S:g} s"


async def _to_storage(fault: Fault, ground: Ground) -> str:
    """Nothing can be stored for some seconds."""
    match fault.target:
        case "object-store":
            assert ground.volume is not None
            used = ground.volume.fill()
            try:
                await asyncio.sleep(_UNSTORED_S)
            finally:
                ground.volume.heal()
            return f"the disk of the object store was full for {_UNSTORED_S:g} s, with {used / 1e6:.1f} MB in it"
        case "postgres":
            assert ground.postgres is not None
            await (ground.postgres.kill if fault.kind == "kill" else ground.postgres.freeze)(_UNSTORED_S)
            return f"{fault.kind} PostgreSQL for {_UNSTORED_S:g} s"
        case _:
            files = database_files(ground.stack.data_dir)
            assert files, "no SQLite file to lock"
            async with locked(files):
                await asyncio.sleep(_UNSTORED_S)
            return f"{', '.join(file.name for file in files)} locked for {_UNSTORED_S:g} s"


async def settled(stack: Stack, counts: dict[str, int]) -> None:
    """Waits until as many processes of each service run as `counts` says."""
    until_s = time.monotonic() + _SETTLED_WITHIN_S
    while time.monotonic() < until_s:
        if all(len(stack.pids(service)) == count for service, count in counts.items()):
            return
        await asyncio.sleep(0.2)


def counts_of(stack: Stack) -> dict[str, int]:
    """How many processes each service has now."""
    return {service: len(stack.pids(service)) for service in (*SERVICES, BUS)}


async def _kill(fault: Fault, stack: Stack, rng: random.Random) -> str:
    pid = rng.choice(stack.pids(fault.target))
    os.kill(pid, signal.SIGKILL)
    return f"killed {fault.target} {pid}"


async def _term(fault: Fault, stack: Stack, rng: random.Random) -> str:
    pid = rng.choice(stack.pids(fault.target))
    os.kill(pid, signal.SIGTERM)
    return f"ended {fault.target} {pid} in order"


async def _freeze(fault: Fault, stack: Stack, rng: random.Random) -> str:
    pid = rng.choice(stack.pids(fault.target))
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(FROZEN_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    return f"froze {fault.target} {pid} for {FROZEN_S:g} s"


async def _restart(fault: Fault, stack: Stack, _rng: random.Random) -> str:
    """As an operator does it: each process in turn, the new one ready before the old one leaves."""
    said: list[str] = []
    await ask_for_restart(stack.data_dir, [fault.target], said.append)
    return "; ".join(said)


_KINDS: Final[dict[str, Callable[[Fault, Stack, random.Random], Awaitable[str]]]] = {
    "kill": _kill,
    "term": _term,
    "freeze": _freeze,
    "restart": _restart,
}
