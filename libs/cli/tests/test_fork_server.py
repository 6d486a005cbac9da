"""Services are forked from a process that has read what they need; each is one of its own, as if started alone."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import psutil
import pytest

from voxbus_cli.bench.machine import words_of
from voxbus_cli.stack.fork_server import PRELOADED, READY, Order
from voxbus_cli.stack.forking import CannotFork, Forked, ForkServer
from voxbus_cli.stack.lifeline import bury, take_in_orphans
from voxbus_contracts.identity import SERVICES

MAIN = """
import json, os, random, sys, threading
if __name__ == "__main__":
    if os.environ.get("FAILS"):
        sys.exit("the reason is on the last line")
    told = {
        "pid": os.getpid(), "parent": os.getppid(), "group": os.getpgid(0), "arguments": sys.argv[1:],
        "mine": os.environ.get("MINE"), "theirs": "FORK_SERVER_ALONE" in os.environ,
        "niceness": os.getpriority(os.PRIO_PROCESS, 0), "random": random.random(), "threads": threading.active_count(),
        "preloaded": "numpy" in sys.modules,
    }
    print(json.dumps(told))
    sys.stdin.read() if os.environ.get("ENDS") else __import__("time").sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    package = tmp_path / "forked_thing"
    package.mkdir()
    for name, text in (("__init__", ""), ("wiring", ""), ("settings", ""), ("__main__", MAIN)):
        (package / f"{name}.py").write_text(text)
    return tmp_path


@contextlib.asynccontextmanager
async def serving(folder: Path) -> AsyncGenerator[ForkServer]:
    assert take_in_orphans()
    environment = {**os.environ, "PYTHONPATH": str(folder), "FORK_SERVER_ALONE": "1"}
    server = ForkServer(environment, folder / "fork-server.log")
    running = asyncio.create_task(server.run())
    try:
        await eventually(lambda: server.pid)
        yield server
    finally:
        await server.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        take_in_orphans(on=False)  # other tests leave theirs to the system


async def eventually(condition: Callable[[], object], within_s: float = 20) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)


async def forked(server: ForkServer, folder: Path, name: str = "a", niceness: int = 0, **more: str) -> Forked:
    environment = {"PYTHONPATH": str(folder), "VOXBUS_WORKER_ID": name, "MINE": name, **more}
    with (folder / f"{name}.log").open("ab") as log:
        return await server.fork("forked_thing", environment, niceness, log.fileno())


async def told(folder: Path, name: str) -> dict[str, object]:
    log = folder / f"{name}.log"
    await eventually(lambda: log.read_text().endswith("\n"))
    found: dict[str, object] = json.loads(log.read_text())
    return found


async def end(process: Forked) -> int:
    process.terminate()
    return await asyncio.wait_for(process.wait(), 5)


async def test_a_forked_service_is_ours_with_a_group_an_environment_a_log_and_a_name_of_its_own(folder: Path) -> None:
    async with serving(folder) as server:
        first, second = await forked(server, folder, "a"), await forked(server, folder, "b", niceness=3)
        a, b = await told(folder, "a"), await told(folder, "b")
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert (a["pid"], a["parent"], a["group"]) == (first.pid, os.getpid(), first.pid)
        assert (a["mine"], b["mine"], a["theirs"], a["arguments"]) == ("a", "b", False, [])
        assert (a["niceness"], b["niceness"]) == (own, min(19, own + 3))
        assert a["preloaded"]
        assert a["threads"] == 1
        assert a["random"] != b["random"]
        assert words_of(psutil.Process(second.pid)) == ["forked_thing", "b"]
        assert await end(first) == await end(second) == -signal.SIGTERM
        assert (first.returncode, second.returncode) == (-signal.SIGTERM, -signal.SIGTERM)
        with pytest.raises(ProcessLookupError):
            os.kill(first.pid, 0)


async def test_how_a_forked_service_ends_and_what_it_said_last_is_known(folder: Path) -> None:
    async with serving(folder) as server:
        failing = await forked(server, folder, "failing", FAILS="1")
        assert await asyncio.wait_for(failing.wait(), 10) == 1
        assert (folder / "failing.log").read_text() == "the reason is on the last line\n"
        ending = await forked(server, folder, "ending", ENDS="1")
        assert await asyncio.wait_for(ending.wait(), 10) == 0


async def test_services_outlive_the_fork_server_and_the_next_one_forks_again(folder: Path) -> None:
    async with serving(folder) as server:
        first = await forked(server, folder, "a")
        assert server.pid
        killed = server.pid
        os.kill(killed, signal.SIGKILL)
        with contextlib.suppress(CannotFork):  # asked in the moment of its death
            await end(await forked(server, folder, "between"))
        second = await forked(server, folder, "b")
        assert server.pid != killed
        assert psutil.pid_exists(first.pid)
        await end(first)
        await end(second)


async def test_a_fork_server_that_dies_with_an_order_in_its_hands_leaves_no_service_behind(folder: Path) -> None:
    async with serving(folder) as server:
        await end(await forked(server, folder, "a"))
        assert server.pid
        stopped = server.pid
        os.kill(stopped, signal.SIGSTOP)
        ordering = asyncio.create_task(forked(server, folder, "b"))
        await asyncio.sleep(0.1)
        os.kill(stopped, signal.SIGKILL)
        with pytest.raises(CannotFork):
            await asyncio.wait_for(ordering, 5)
        assert (folder / "b.log").read_text() == ""
        await end(await forked(server, folder, "c"))


async def test_a_process_of_which_the_supervisor_does_not_know_ends(folder: Path) -> None:
    assert take_in_orphans()
    line, end_of_line = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "voxbus_cli.stack.fork_server", str(end_of_line.fileno())]
    with line, subprocess.Popen(command, pass_fds=(end_of_line.fileno(),)) as server:
        end_of_line.close()
        assert await asyncio.to_thread(line.recv, 64) == READY
        order = Order("forked_thing", {"PYTHONPATH": str(folder)}, 0, os.getpid())
        ours, theirs = socket.socketpair()
        with (folder / "a.log").open("ab") as log, theirs:
            socket.send_fds(line, [order.to_json()], [log.fileno(), theirs.fileno()])
        pid = int(await asyncio.to_thread(ours.recv, 64))
        ours.close()
        assert await asyncio.wait_for(Forked(pid).wait(), 5) == 1
        assert (folder / "a.log").read_text() == ""
        line.close()
        assert server.wait(5) == 0


async def test_a_fork_server_that_cannot_start_is_said_so_to_who_asks(folder: Path) -> None:
    server = ForkServer({**os.environ, "PYTHONHOME": "/nowhere"}, folder / "fork-server.log")
    running = asyncio.create_task(server.run())
    try:
        await eventually(lambda: server.pid)
        with pytest.raises(CannotFork, match=r"it is not ready; its log: .*fork-server\.log"):
            await forked(server, folder)
        asked_s = time.monotonic()
        for _ in range(5):
            with pytest.raises(CannotFork):
                await forked(server, folder)
        assert time.monotonic() - asked_s < 1, "nobody waits for what has failed already"
        assert "nowhere" in (folder / "fork-server.log").read_text()
    finally:
        await server.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_forked_services_die_with_the_supervisor(folder: Path) -> None:
    script = f"""
import asyncio, os
from pathlib import Path
from test_fork_server import forked, serving
async def main():
    async with serving(Path({str(folder)!r})) as server:
        print((await forked(server, Path({str(folder)!r}))).pid, server.pid, flush=True)
        os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    left = [psutil.Process(int(pid)) for pid in done.stdout.split() if psutil.pid_exists(int(pid))]
    assert done.stdout
    assert psutil.wait_procs(left, timeout=5)[1] == []


def test_the_dead_of_a_group_are_buried_and_the_living_waited_for() -> None:
    sleeping = subprocess.Popen(["sleep", "600"], process_group=0)
    assert not bury(sleeping.pid)
    sleeping.kill()
    os.waitid(os.P_PID, sleeping.pid, os.WEXITED | os.WNOWAIT)
    assert bury(sleeping.pid)
    assert bury(sleeping.pid)
    sleeping.returncode = -signal.SIGKILL


def test_what_is_read_ahead_is_all_that_services_need_of_others_and_starts_no_thread() -> None:
    script = f"""
import importlib, os, sys
from pathlib import Path
from voxbus_cli.stack.fork_server import preload
preload()
threads = next(l.split()[1] for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("Threads:"))
print(threads, flush=True)
before = {{name.partition(".")[0] for name in sys.modules}} | sys.stdlib_module_names
for service in {SERVICES!r}:
    module = "voxbus_" + service.replace("-", "_")
    if not os.fork():
        for part in ("settings", "wiring"):
            importlib.import_module(module + "." + part)
        news = {{name.partition(".")[0] for name in sys.modules}} - before - {{module}}
        print(*sorted(name for name in news if not name.startswith("_")), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0
"""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["1", *([""] * len(SERVICES))]


def test_nothing_is_read_ahead_that_is_not_there() -> None:
    script = f"import importlib\nfor name in {PRELOADED!r}: importlib.import_module(name)"
    subprocess.run([sys.executable, "-c", script], check=True)
