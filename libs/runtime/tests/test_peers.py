"""Whom a worker suspects, by what it heard on the bus."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

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
    return SimpleNamespace(peers=peers, bus=bus)


def test_a_worker_that_is_silent_for_too_long_is_suspect(later: Any) -> None:
    assert later.peers.vital("vad-b") is Vital.SUSPECT


def test_nobody_is_suspect_while_the_bus_is_lost(later: Any) -> None:
    later.bus.connected = False
    assert later.peers.vital("vad-b") is Vital.UNKNOWN


def test_a_worker_never_suspects_itself_however_late_its_own_heartbeat_comes_back(later: Any) -> None:
    assert later.peers.vital("vad-a") is Vital.ALIVE
