"""A real child process: multiplexing, death, hanging, ending."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from voxbus_providers.child import ChildLimits, ChildProcess, Exchange, restart_delay_s
from voxbus_providers.errors import ProviderMissing, ProviderRejected, ProviderUnavailable

LIMITS = ChildLimits(start_s=10, open_s=10, first_restart_s=0.01)
MakeChild = Callable[..., ChildProcess]


@pytest.fixture
async def make_child(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MakeChild]:
    here = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH", "")))))
    made: list[ChildProcess] = []

    def make(
        *arguments: str, limits: ChildLimits = LIMITS, log: Callable[[str], None] = lambda line: None
    ) -> ChildProcess:
        made.append(ChildProcess("echo", "echo_child", arguments, limits=limits, log=log))
        return made[-1]

    yield make
    for child in made:
        await child.close()


async def next_body(exchange: Exchange) -> bytes:
    async with asyncio.timeout(10):
        async with contextlib.aclosing(exchange.replies()) as replies:
            return (await anext(replies)).body


def is_running(pid: int) -> bool:
    """A dead one that its parent has not read the end of is not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_many_exchanges_share_the_child_and_never_mix(make_child: MakeChild) -> None:
    child = make_child()
    await child.start()
    exchanges = [await child.open() for _ in range(20)]
    for number, exchange in enumerate(exchanges):
        for _ in range(3):
            exchange.send(16, bytes([number]) * 70_000)
    for number, exchange in enumerate(exchanges):
        for _ in range(3):
            assert await next_body(exchange) == bytes([number]) * 70_000


async def test_what_libraries_print_goes_to_the_log_and_not_into_the_pipe(make_child: MakeChild) -> None:
    lines: list[str] = []
    child = make_child(log=lines.append)
    await child.start()
    exchange = await child.open()
    exchange.send(16, b"x")
    assert await next_body(exchange) == b"x"
    async with asyncio.timeout(5):
        while not lines:
            await asyncio.sleep(0.01)
    assert lines == ["echo: a library prints this"]


async def test_waiting_exchanges_fail_when_the_child_dies_and_new_ones_go_on(
    make_child: MakeChild,
) -> None:
    child = make_child()
    await child.start()
    waiting, killer = await child.open(), await child.open()
    killer.send(18)
    for exchange in (waiting, killer):
        with pytest.raises(ProviderUnavailable):
            await next_body(exchange)
        exchange.send(16, b"to nobody")
    again = await child.open()
    again.send(16, b"back")
    assert await next_body(again) == b"back"


async def test_an_exchange_that_fails_leaves_the_others_alone(make_child: MakeChild) -> None:
    child = make_child()
    await child.start()
    failing, healthy = await child.open(), await child.open()
    failing.send(20)
    healthy.send(16, b"fine")
    with pytest.raises(ProviderRejected, match="no such thing"):
        await next_body(failing)
    assert await next_body(healthy) == b"fine"


async def test_a_child_that_hangs_is_killed_and_replaced(make_child: MakeChild) -> None:
    child = make_child(limits=ChildLimits(open_s=10, first_restart_s=0.01, ping_every_s=0.05, stall_s=0.3))
    await child.start()
    exchange = await child.open()
    exchange.send(19)
    with pytest.raises(ProviderUnavailable, match=r"did not answer within 0\.3 s"):
        await next_body(exchange)
    again = await child.open()
    again.send(16, b"back")
    assert await next_body(again) == b"back"


async def test_a_child_that_stops_reading_is_killed_before_memory_fills(make_child: MakeChild) -> None:
    child = make_child(limits=ChildLimits(open_s=10, first_restart_s=0.01, max_unread_bytes=1_000_000))
    await child.start()
    exchange = await child.open()
    pid = child.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    for _ in range(30):
        exchange.send(16, bytes(100_000))
    with pytest.raises(ProviderUnavailable, match="does not read"):
        await next_body(exchange)


async def test_nothing_arrives_on_a_closed_exchange(make_child: MakeChild) -> None:
    child = make_child()
    await child.start()
    exchange = await child.open()
    exchange.send(17, bytes([200]))
    assert await next_body(exchange) == b"\0"
    exchange.close()
    assert [message async for message in exchange.replies()] == []
    assert child.load == 0


async def test_the_child_ends_when_its_service_hangs_up(make_child: MakeChild) -> None:
    child = make_child()
    await child.start()
    pid = child.pid
    assert pid is not None
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)
    exchange = await child.open()
    exchange.send(16, b"still there")
    assert await next_body(exchange) == b"still there"
    await child.close()
    assert not is_running(pid)


_SERVICE = """
import asyncio
from voxbus_providers.child import ChildProcess

async def main():
    child = ChildProcess("echo", "echo_child")
    await child.start()
    print(child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_nothing_is_left_behind_when_the_service_is_killed(make_child: MakeChild) -> None:
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SERVICE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert service.stdout is not None
    child_pid = int(await asyncio.wait_for(service.stdout.readline(), 10))
    assert is_running(child_pid)
    service.kill()
    await service.wait()
    async with asyncio.timeout(5):
        while is_running(child_pid):
            await asyncio.sleep(0.01)


async def test_closing_ends_a_child_that_hangs(make_child: MakeChild) -> None:
    child = make_child(limits=ChildLimits(close_s=0.1))
    await child.start()
    pid = child.pid
    assert pid is not None
    (await child.open()).send(19)
    await child.close()
    assert not is_running(pid)


async def test_missing_software_is_told_at_start(make_child: MakeChild) -> None:
    with pytest.raises(ProviderMissing, match="libecho1"):
        await make_child("missing").start()


async def test_a_child_that_ends_before_it_is_ready_is_unavailable(make_child: MakeChild) -> None:
    with pytest.raises(ProviderUnavailable, match="exit code 7"):
        await make_child("broken").start()


async def test_no_exchange_is_opened_on_a_child_that_never_started(make_child: MakeChild) -> None:
    with pytest.raises(ProviderUnavailable):
        await make_child(limits=ChildLimits(open_s=0.01)).open()


async def test_the_services_secrets_are_not_in_the_childs_environment(
    make_child: MakeChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOXBUS_CLUSTER_KEY", "very-secret")
    child = make_child()
    await child.start()
    assert b"very-secret" not in Path(f"/proc/{child.pid}/environ").read_bytes()


def test_restarts_slow_down_up_to_a_limit() -> None:
    delays = [restart_delay_s(deaths, ChildLimits()) for deaths in (0, 1, 2, 3, 7, 1_000)]
    assert delays == [0.1, 0.1, 0.2, 0.4, 5.0, 5.0]
