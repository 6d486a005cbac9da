"""Whom a worker suspects, by what it heard on the bus."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from voxbus_contracts.config import WorkerBack, WorkerStatus
from voxbus_runtime.liveness import SUSPECT_AFTER_S, Vital
from voxbus_runtime.peers import Peers


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Peers of worker `vad-a` that have heard nobody for longer than anybody may be silent."""
    now_s = [100.0]
    monkeypatch.setattr("voxbus_runtime.peers.time.monotonic", lambda: now_s[0])
    bus = SimpleNamespace(worker="vad-a", connected=True)
    peers = Peers(cast("Any", bus))
    now_s[0] += SUSPECT_AFTER_S + 0.1
    return SimpleNamespace(peers=peers, bus=bus, now_s=now_s)


def test_a_worker_that_is_silent_for_too_long_is_suspect(later: Any) -> None:
    assert later.peers.vital("vad-b") is Vital.SUSPECT


def test_nobody_is_suspect_while_the_bus_is_lost(later: Any) -> None:
    later.bus.connected = False
    assert later.peers.vital("vad-b") is Vital.UNKNOWN


def test_a_worker_never_suspects_itself_however_late_its_own_heartbeat_comes_back(later: Any) -> None:
    assert later.peers.vital("vad-a") is Vital.ALIVE


def test_who_does_not_even_hear_itself_suspects_nobody_until_it_hears_again(later: Any) -> None:
    for worker in ("vad-a", "vad-b"):
        later.peers._on_status(f"worker.v1.vad.{worker}.status", None, b"{}")
    later.now_s[0] += SUSPECT_AFTER_S + 0.1
    assert later.peers.vital("vad-b") is Vital.UNKNOWN, "the server both hang on may be frozen"
    later.peers._on_status("worker.v1.vad.vad-a.status", None, b"{}")
    assert later.peers.vital("vad-b") is Vital.SUSPECT


def test_who_does_not_hear_itself_or_has_lost_the_bus_is_deaf(later: Any) -> None:
    later.peers._on_status("worker.v1.vad.vad-a.status", None, b"{}")
    assert not later.peers.is_deaf
    later.now_s[0] += SUSPECT_AFTER_S + 0.1
    assert later.peers.is_deaf
    later.peers._on_status("worker.v1.vad.vad-a.status", None, b"{}")
    assert not later.peers.is_deaf
    later.bus.connected = False
    assert later.peers.is_deaf


def test_a_worker_whose_end_was_told_is_gone_even_for_the_deaf(later: Any) -> None:
    later.peers._on_status("worker.v1.vad.vad-a.status", None, b"{}")
    later.peers._on_status("worker.v1.vad.vad-b.status", None, b'{"state": "gone"}')
    later.now_s[0] += SUSPECT_AFTER_S + 0.1
    assert later.peers.vital("vad-b") is Vital.SUSPECT


async def test_a_worker_that_is_back_says_how_long_it_was_deaf(later: Any) -> None:
    said: list[tuple[str, bytes]] = []

    async def publish(subject: str, payload: bytes) -> None:
        said.append((subject, payload))

    later.bus.nc = SimpleNamespace(publish=publish)
    await later.peers.say(WorkerStatus(stage="vad", worker="vad-a", state="ready"))
    later.peers._on_status("worker.v1.vad.vad-b.status", None, b"{}")
    later.now_s[0] += 3.25
    await later.peers._on_reconnect()
    subject, payload = said[-1]
    assert subject == "worker.v1.vad.vad-a.back"
    assert WorkerBack.model_validate_json(payload).deaf_ms == 3_250
    assert later.peers.vital("vad-b") is Vital.ALIVE


async def test_what_is_not_stored_is_said_again_once_for_all_who_are_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxbus_runtime.peers._RESEND_AFTER_S", 0.02)
    resent: list[bool] = []
    outbox = SimpleNamespace(resend_all=lambda: resent.append(True))
    peers = Peers(cast("Any", SimpleNamespace(worker="vad-a", connected=True, outbox=outbox)))
    for worker in ("stt-worker-1", "llm-orchestrator-1"):
        peers._on_back(f"worker.v1.any.{worker}.back", None, b'{"deaf_ms": 900}')
    async with asyncio.timeout(5):
        while not resent:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert resent == [True]
