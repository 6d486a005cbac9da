"""What the services take of the machine, per service: CPU and memory of its processes."""

import contextlib
import os
from pathlib import Path
from typing import Final

import psutil

from voxbus_cli.errors import BadInput
from voxbus_cli.stack.broker import BROKER
from voxbus_contracts.identity import SERVICES

SUPERVISOR: Final = "(voxbus up)"
Processes = dict[str, list[psutil.Process]]


def check_pinning() -> None:
    """Raises BadInput where the stack cannot be kept on one core and the callers on another."""
    if not hasattr(os, "sched_setaffinity"):
        raise BadInput("--pin: this system does not let a process choose its cores; leave it away")
    if not {0, 1} <= os.sched_getaffinity(0):
        raise BadInput("--pin: cores 0 and 1 must be there: the stack takes the first, the callers the second")


def pin(pid: int, cpu: int) -> None:
    """A process and all that it will start stay on one core, and go first if that is allowed."""
    os.sched_setaffinity(pid, {cpu})
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, pid, -10)


def processes_of(supervisor_pid: int) -> Processes:
    """Every process of a stack by service; a service's children count as its own."""
    supervisor = psutil.Process(supervisor_pid)
    found: Processes = {name: [] for name in (BROKER, *SERVICES)}
    for child in supervisor.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            name = _service(words_of(child))
            found.setdefault(name, []).extend((child, *child.children(recursive=True)))
    found[SUPERVISOR] = [supervisor]
    return found


def cpu_seconds(found: Processes) -> dict[str, float]:
    """User and system time so far."""
    return {name: sum(_cpu_s(process) for process in group) for name, group in found.items()}


def memory_mb(found: Processes) -> dict[str, float]:
    """Memory of their own, and their part of what several share. Reading it holds a process up for tens of ms: never
    while latency is measured."""
    return {name: sum(_bytes(process) for process in group) / 1e6 for name, group in found.items()}


def words_of(process: psutil.Process) -> list[str]:
    """Its command line; a title that a process gave itself is one piece there, with nothing behind it."""
    words = process.cmdline()
    return words[0].split() if not any(words[1:]) and words else words


def _service(words: list[str]) -> str:
    if words and Path(words[0]).name == BROKER:
        return BROKER
    for service in SERVICES:
        if "voxbus_" + service.replace("-", "_") in words:
            return service
    return "(the rest)"


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0
