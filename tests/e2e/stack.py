"""The whole stack as a user starts it, on free ports, with its own data directory."""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from voxbus_cli.bench.machine import words_of

READY = re.compile(r"voxbus ready api=(\S+) nats=(\S+) key=(\S+)")
START_WITHIN_S = 260
"""Past the time after which `voxbus up` itself gives up and says why."""


def free_ports(count: int) -> int:
    """First of `count` free ports in a row, below those the system gives to outgoing connections."""
    while True:
        first = random.randrange(10_000, 32_000)
        if all(_is_free(first + offset) for offset in range(count)):
            return first


def _is_free(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@dataclass
class Stack:
    """`voxbus up` and everything it started."""

    data_dir: Path
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    api: str = ""
    nats: str = ""
    key: str = ""
    port: int = 0
    nats_port: int = 0
    process: subprocess.Popen[str] | None = None
    output: list[str] = field(default_factory=list)
    _reader: threading.Thread = field(default_factory=threading.Thread)

    def start(self) -> "Stack":
        self.port = self.port or free_ports(4)
        self.nats_port = self.nats_port or free_ports(1)
        env = {
            **os.environ,
            "VOXBUS_DATA_DIR": str(self.data_dir),
            "VOXBUS_PORT": str(self.port),
            "VOXBUS_NATS_PORT": str(self.nats_port),
            **self.environment,
        }
        command = [sys.executable, "-m", "voxbus_cli", "up", *self.arguments]
        self.process = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        deadline = time.monotonic() + START_WITHIN_S
        while time.monotonic() < deadline:
            for line in list(self.output):
                if found := READY.search(line):
                    self.api, self.nats, self.key = found.groups()
                    return self
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        self.stop()
        raise AssertionError("the stack did not become ready:\n" + "".join(self.output[-40:]))

    def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.output.append(line)

    def pids(self, service: str) -> list[int]:
        """Processes of one service, `nats-server` included."""
        assert self.process is not None
        module = "voxbus_" + service.replace("-", "_")
        found: list[int] = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                words = words_of(child)
                if module in words or (words and Path(words[0]).name == service):
                    found.append(child.pid)
        return found

    def pid_of_worker(self, worker: str) -> int:
        assert self.process is not None
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if worker in words_of(child):
                    return child.pid
        raise AssertionError(f"no process of worker {worker}")

    def signal(self, service: str, number: signal.Signals) -> list[int]:
        pids = self.pids(service)
        assert pids, f"{service} is not running"
        for pid in pids:
            os.kill(pid, number)
        return pids

    def stop(self) -> int:
        """Ctrl-C; returns the exit code. Fails when a process stays."""
        assert self.process is not None
        family = psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join(5)
        _gone, alive = psutil.wait_procs(family, timeout=3)
        assert not alive, f"still running: {[process.cmdline() for process in alive]}"
        return code

    def logs(self) -> str:
        """Everything the services and the supervisor have written."""
        files = sorted((self.data_dir / "logs").glob("*.log"))
        return "".join(self.output) + "".join(file.read_text(errors="replace") for file in files)


@contextlib.contextmanager
def running(data_dir: Path, *arguments: str, **environment: str) -> Iterator[Stack]:
    stack = Stack(data_dir, arguments, environment).start()
    try:
        yield stack
    finally:
        if stack.process is not None and stack.process.poll() is None:
            stack.stop()
