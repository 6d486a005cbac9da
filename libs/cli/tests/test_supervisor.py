"""The supervisor with a real nats-server and real processes in place of the services."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nats
import psutil
import pytest

from voxbus_cli.environment import StackSettings
from voxbus_cli.errors import NotReachable, StackFailed
from voxbus_cli.stack.door import ask_for_restart
from voxbus_contracts.config import WorkerStatus
from voxbus_contracts.streams import AUDIO
from voxbus_contracts.subjects import ALL_WORKERS

pytestmark = pytest.mark.integration

FAKE = Path(__file__).with_name("fake_service.py")
STACK = """
import asyncio, os, sys
from pathlib import Path
from voxbus_cli.environment import StackSettings
from voxbus_cli.errors import CommandFailed
from voxbus_cli.stack.broker import broker_child, find_broker
from voxbus_cli.stack.folder import held_folder
from voxbus_cli.stack.plan import ChildSpec, child_environment
from voxbus_cli.stack.progress import Progress
from voxbus_cli.stack.supervisor import Patience, Supervisor

folder, port, fake, *services = sys.argv[1:]
settings = StackSettings(Path(folder), nats_port=int(port), api_key="k")
specs = [
    ChildSpec(name, (sys.executable, fake, stage, manner, folder), stage=stage)
    for name, manner in (service.split("=") for service in services)
    for stage in (name.removesuffix("-2"),)
]
patience = Patience(broker=10, services=float(os.environ.get("PATIENCE", "30")), grace=1)
try:
    with held_folder(settings):
        broker = broker_child(settings, find_broker())
        environment = child_environment(settings, os.environ, "c")
        supervisor = Supervisor(settings, broker, specs, environment, Progress(), patience)
        sys.exit(asyncio.run(supervisor.run()))
except CommandFailed as wrong:
    print("FAILED", wrong, file=sys.stderr)
    sys.exit(wrong.exit_status)
"""


@dataclass
class Stack:
    """A supervisor in a process of its own, and what it says."""

    folder: Path
    port: int
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        return StackSettings(self.folder, nats_port=self.port).nats_url

    def ready(self) -> str:
        """Waits for the line on standard output."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def errors(self) -> str:
        return (self.folder / "stderr").read_text()

    def lives(self, stage: str) -> list[tuple[int, str]]:
        """(process, worker) of every start of a service so far."""
        path = self.folder / f"{stage}.pids"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(line.split()[0]), line.split()[1]) for line in lines]

    def niceness_of_starts(self, stage: str) -> list[int]:
        """With which each start of a service, in order, was to load its modules."""
        return [int(line.split()[2]) for line in (self.folder / f"{stage}.pids").read_text().splitlines()]

    def end(self, number: signal.Signals, within_s: float = 15.0) -> int:
        self.process.send_signal(number)
        return self.process.wait(within_s)

    def running(self) -> list[psutil.Process]:
        """nats-server and the services: each has the stack's folder on its command line."""
        found = psutil.process_iter(["pid", "cmdline"])
        return [
            process
            for process in found
            if process.pid != self.process.pid
            and any(str(self.folder) in word for word in process.info["cmdline"] or ())
        ]

    def survivors(self) -> list[psutil.Process]:
        """Processes of the stack that still run, after giving the kernel a moment."""
        return psutil.wait_procs(self.running(), timeout=5)[1]


def wait_until(condition: Callable[[], object], what: str, within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {within_s} s"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Starts a stack of fake services, `vad="ready"`; whatever happens, nothing of it outlives the test."""
    stacks: list[Stack] = []

    def start_stack(patience_s: float = 30.0, **services: str) -> Stack:
        folder = tmp_path / f"stack-{len(stacks)}"
        folder.mkdir()
        port = free_port()
        command = [sys.executable, "-c", STACK, str(folder), str(port), str(FAKE)]
        command += [f"{name.replace('_', '-')}={manner}" for name, manner in services.items()]
        environment = {**os.environ, "PATIENCE": str(patience_s)}
        with (folder / "stderr").open("w") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        stacks.append(Stack(folder, port, process))
        return stacks[-1]

    yield start_stack
    for stack in stacks:
        stack.process.kill()
        stack.process.communicate(timeout=10)
        for process in stack.survivors():
            process.kill()


def test_one_line_says_ready_when_every_service_has_said_so(start: Callable[..., Stack]) -> None:
    stack = start(vad="ready", billing="ready")
    assert stack.ready() == f"voxbus ready api=http://127.0.0.1:8080 nats={stack.url} key=k"
    assert stack.end(signal.SIGINT) == 0
    assert stack.process.stdout is not None
    assert stack.process.stdout.read() == ""
    assert "starting nats-server" in stack.errors()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_drains_the_services_while_the_bus_still_runs(
    start: Callable[..., Stack], number: signal.Signals
) -> None:
    stack = start(vad="ready", billing="ready")
    stack.ready()
    assert stack.end(number) == 0
    assert (stack.folder / "vad.drained").read_text() == "the bus was there"
    assert stack.survivors() == []


def test_a_service_that_ignores_the_signal_is_killed_after_the_grace(start: Callable[..., Stack]) -> None:
    stack = start(vad="stubborn", billing="ready")
    stack.ready()
    assert stack.end(signal.SIGTERM) == 0
    assert (stack.folder / "billing.drained").exists()
    assert stack.survivors() == []


def test_a_second_signal_ends_everything_at_once(start: Callable[..., Stack]) -> None:
    stack = start(vad="stubborn")
    stack.ready()
    stack.process.send_signal(signal.SIGINT)
    time.sleep(0.6)
    assert stack.end(signal.SIGINT) == 0
    assert "ending at once" in stack.errors()
    assert stack.survivors() == []


def test_a_signal_that_comes_twice_in_a_moment_is_one(start: Callable[..., Stack]) -> None:
    stack = start(vad="ready")
    stack.ready()
    stack.process.send_signal(signal.SIGTERM)
    assert stack.end(signal.SIGTERM) == 0
    assert "ending at once" not in stack.errors()
    assert (stack.folder / "vad.drained").exists()


def test_kill_9_of_the_supervisor_leaves_no_process(start: Callable[..., Stack]) -> None:
    stack = start(vad="ready", billing="stubborn")
    stack.ready()
    assert len(stack.running()) == 3
    stack.end(signal.SIGKILL)
    assert stack.survivors() == []


def test_a_killed_service_is_started_again_as_another_worker(start: Callable[..., Stack]) -> None:
    stack = start(vad="ready")
    stack.ready()
    (pid, worker), *_ = stack.lives("vad")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(stack.lives("vad")) == 2, "the second life")
    (_, second), *_ = stack.lives("vad")[1:]
    assert worker != second
    assert worker.startswith("vad-")
    assert second.startswith("vad-")
    assert "vad ended (SIGKILL); starting it again. Its log" in stack.errors()


def test_who_starts_beside_a_colleague_that_serves_lets_the_calls_go_first(start: Callable[..., Stack]) -> None:
    stack = start(vad="ready", vad_2="ready", billing="ready")
    stack.ready()
    assert stack.niceness_of_starts("vad") == [0, 0], "at first nobody serves"
    os.kill(stack.lives("vad")[0][0], signal.SIGKILL)
    os.kill(stack.lives("billing")[0][0], signal.SIGKILL)
    wait_until(lambda: len(stack.lives("vad")) == 3, "the third life of a vad")
    wait_until(lambda: len(stack.lives("billing")) == 2, "the second life of the only billing")
    assert stack.niceness_of_starts("vad")[2] == 15
    assert stack.niceness_of_starts("billing")[1] == 0, "its work waits for it"


async def test_the_bus_hears_at_once_that_a_killed_worker_is_gone(start: Callable[..., Stack]) -> None:
    stack = start(vad="ready")
    await asyncio.to_thread(stack.ready)
    nc = await nats.connect(stack.url)
    try:
        heartbeats = await nc.subscribe(ALL_WORKERS)
        await nc.flush()
        (pid, worker), *_ = stack.lives("vad")
        os.kill(pid, signal.SIGKILL)
        killed_s = time.monotonic()
        while True:
            status = WorkerStatus.model_validate_json((await heartbeats.next_msg(timeout=5)).data)
            if status.state == "gone":
                break
        assert status.worker == worker
        assert time.monotonic() - killed_s < 1.0
    finally:
        await nc.close()


def test_what_a_killed_service_had_started_does_not_outlive_it(start: Callable[..., Stack]) -> None:
    stack = start(vad="parent")
    stack.ready()
    grandchild = psutil.Process(int((stack.folder / "grandchild").read_text()))
    os.kill(stack.lives("vad")[0][0], signal.SIGKILL)
    assert psutil.wait_procs([grandchild], timeout=5)[1] == []


async def test_nats_is_started_again_and_its_memory_streams_are_made_again(start: Callable[..., Stack]) -> None:
    stack = start(vad="ready")
    await asyncio.to_thread(stack.ready)
    server = next(process for process in stack.running() if process.name() == "nats-server")
    server.kill()
    await asyncio.to_thread(wait_until, lambda: "nats-server is back" in stack.errors(), "the return of NATS")
    nc = await nats.connect(stack.url)
    try:
        assert (await nc.jetstream().stream_info(AUDIO.name)).config.name == AUDIO.name
    finally:
        await nc.close()
    assert len(stack.lives("vad")) == 1


def test_a_service_that_cannot_start_fails_the_stack_with_its_last_words(start: Callable[..., Stack]) -> None:
    stack = start(vad="ready", billing="broken")
    assert stack.ready() == ""
    assert stack.process.wait(15) == 1
    assert "| the reason is on the last line" in stack.errors()
    assert "FAILED billing ends each time it is started (exit 1)" in stack.errors()
    assert len(stack.lives("billing")) == 3
    assert stack.survivors() == []


def test_a_service_that_never_says_ready_fails_the_stack_by_name(start: Callable[..., Stack]) -> None:
    stack = start(patience_s=3, vad="ready", billing="mute")
    assert stack.ready() == ""
    assert stack.process.wait(15) == 1
    assert "FAILED not healthy after 3 s: billing;" in stack.errors()


def test_two_stacks_run_side_by_side(start: Callable[..., Stack]) -> None:
    stacks = [start(vad="ready"), start(vad="ready")]
    assert all(stack.url in stack.ready() for stack in stacks)
    assert stacks[0].end(signal.SIGTERM) == 0
    assert stacks[1].process.poll() is None


async def restart(stack: Stack, *services: str) -> list[str]:
    """What the stack says while it replaces them."""
    said: list[str] = []
    await asyncio.wait_for(ask_for_restart(stack.folder, list(services), said.append), 20)
    return said


async def test_a_restart_starts_the_new_process_before_the_old_one_drains(start: Callable[..., Stack]) -> None:
    stack = start(vad="ready", billing="ready")
    await asyncio.to_thread(stack.ready)
    (old, worker), *_ = stack.lives("vad")
    said = await restart(stack, "vad")
    (new, successor) = stack.lives("vad")[1]
    assert said == [said[0]]
    assert said[0].startswith(f"vad: {successor} in the place of {worker} (")
    assert psutil.pid_exists(new)
    assert psutil.wait_procs([psutil.Process(old)] if psutil.pid_exists(old) else [], timeout=5)[1] == []
    assert (stack.folder / "vad.drained").read_text() == "the bus was there"
    assert len(stack.lives("billing")) == 1
    assert "ended" not in stack.errors(), "a process that was replaced is not started again"
    assert await asyncio.to_thread(stack.end, signal.SIGTERM) == 0
    assert stack.survivors() == []


async def test_a_restart_without_names_replaces_every_service_in_turn(start: Callable[..., Stack]) -> None:
    stack = start(billing="ready", vad="ready")
    await asyncio.to_thread(stack.ready)
    assert [text.partition(":")[0] for text in await restart(stack)] == ["vad", "billing"]
    assert [len(stack.lives(stage)) for stage in ("vad", "billing")] == [2, 2]


async def test_the_old_process_stays_when_the_new_one_does_not_become_ready(start: Callable[..., Stack]) -> None:
    stack = start(vad="once")
    await asyncio.to_thread(stack.ready)
    with pytest.raises(StackFailed, match="the new vad ended, so the old one goes on"):
        await restart(stack, "vad")
    assert psutil.pid_exists(stack.lives("vad")[0][0])
    assert not (stack.folder / "vad.drained").exists()


async def test_a_folder_without_a_stack_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(NotReachable, match="start it with `voxbus up`"):
        await ask_for_restart(tmp_path, [], print)
