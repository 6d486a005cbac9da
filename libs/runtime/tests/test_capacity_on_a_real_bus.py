"""A full or late worker leaves new calls on the queue; calls under way come first."""

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from voxbus_contracts import DEFAULT_ORG
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import CallEnded
from voxbus_runtime.bus import Bus
from voxbus_runtime.claims import StageWorker, put_claims
from voxbus_runtime.owned_call import OwnedCall
from voxbus_runtime.service import Runtime, status_of
from voxbus_runtime.settings import ServiceSettings
from voxbus_testing.nats import RunningService, bus_at, eventually, start_service, store_config

pytestmark = pytest.mark.integration


class Serving:
    """A stage that stays with its calls and remembers them."""

    def __init__(self) -> None:
        self.served: list[OwnedCall] = []

    async def serve(self, call: OwnedCall) -> None:
        self.served.append(call)
        async for _ in call.messages():
            pass


async def start(url: str, worker: str, stage: Serving, slots: int = 2) -> RunningService:
    async def wire(runtime: Runtime[Any]) -> StageWorker:
        return StageWorker(runtime, "vad", stage.serve, frozenset({"speech.started"}))

    return await start_service("vad", ServiceSettings(nats_url=url, slots=slots), wire, worker)


async def ask(bus: Bus) -> CallConfig:
    """A new call for the stage."""
    config = CallConfig(org=DEFAULT_ORG, call=str(uuid.uuid4()), created_at_ms=1, stages=("vad",))
    await store_config(bus, config)
    await put_claims(bus, config)
    return config


def serves(stage: Serving, *configs: CallConfig) -> Callable[[], bool]:
    return lambda: {call.ref.call for call in stage.served} == {config.call for config in configs}


def _has_served(stage: Serving, count: int) -> bool:
    return len(stage.served) >= count


async def test_many_calls_at_once_never_fill_more_than_the_slots_and_the_next_follows_when_one_ends(
    nats_url: str,
) -> None:
    stage = Serving()
    worker = await start(nats_url, "vad-a", stage)
    async with bus_at(nats_url) as bus:
        configs = [await ask(bus) for _ in range(6)]
        for served in range(2, 6):
            await eventually(lambda: len(worker.component.calls()) == 2, what="both slots used")
            assert len(stage.served) == served, "no third call beside two"
            status = status_of(worker.runtime, worker.component)
            assert (status.slots, status.calls) == (2, 2)
            ending = next(config for config in configs if str(config.ref) == worker.component.calls()[0])
            ended = CallEnded(pts_ms=1, reason="customer-ended-call")
            await bus.publish_event(ending.ref, ended, stage="llm-orchestrator")
            await eventually(partial(_has_served, stage, served + 1), what="the next call")
    await worker.stop()


async def test_a_late_worker_leaves_new_calls_to_another_and_takes_them_when_it_is_on_time_again(
    nats_url: str,
) -> None:
    late, calm = Serving(), Serving()
    a = await start(nats_url, "vad-a", late)
    a.runtime._lags_ms = [900.0] * 100
    assert status_of(a.runtime, a.component).is_overloaded
    async with bus_at(nats_url) as bus:
        b = await start(nats_url, "vad-b", calm, slots=1)
        first = await ask(bus)
        await eventually(serves(calm, first), what="the calm worker has it")
        second = await ask(bus)
        assert not late.served
        a.runtime._lags_ms = [0.0] * 100
        await eventually(serves(late, second), what="taken once it is on time")
        await b.stop()
    await a.stop()


async def test_calls_of_a_dead_worker_are_taken_before_a_new_one_that_has_waited_longer(nats_url: str) -> None:
    first, second = Serving(), Serving()
    a = await start(nats_url, "vad-a", first)
    async with bus_at(nats_url) as bus:
        under_way = [await ask(bus), await ask(bus)]
        await eventually(serves(first, *under_way), what="both slots used")
        await ask(bus)
        await a.vanish()
        b = await start(nats_url, "vad-b", second)
        await eventually(serves(second, *under_way), timeout_s=10, what="both taken over, the new one waits")
        await b.stop()
