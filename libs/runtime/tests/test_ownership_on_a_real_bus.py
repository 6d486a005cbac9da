"""Claims, takeover and fencing with a real nats-server and workers inside this process."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import nats.errors
import pytest

from voxbus_contracts import DEFAULT_ORG, CallRef, Envelope
from voxbus_contracts.config import CallConfig, Owner
from voxbus_contracts.events import CallEnded, SpeechStarted
from voxbus_contracts.streams import OWNERS
from voxbus_contracts.subjects import claims_of
from voxbus_runtime.claims import StageWorker, put_claims
from voxbus_runtime.errors import NotStored
from voxbus_runtime.owned_call import OwnedCall
from voxbus_runtime.ownership import Held
from voxbus_runtime.service import Runtime
from voxbus_runtime.settings import ServiceSettings
from voxbus_testing.nats import RunningService, bus_at, eventually, start_service, store_config

pytestmark = pytest.mark.integration


@pytest.fixture
def config() -> CallConfig:
    return CallConfig(org=DEFAULT_ORG, call=str(uuid.uuid4()), created_at_ms=1, stages=("vad",))


class Counting:
    """A stage that says one event per start and remembers what it saw."""

    def __init__(self) -> None:
        self.served: list[OwnedCall] = []
        self.heard: list[str] = []

    async def serve(self, call: OwnedCall) -> None:
        self.served.append(call)
        count = sum(1 for m in call.history if m.name == "speech.started")
        await call.publish(SpeechStarted(speech_seq=count + 1, pts_ms=0, detected_pts_ms=60))
        async for message in call.messages():
            self.heard.append(message.name)


async def start(url: str, worker: str, stage: Counting) -> RunningService:
    async def wire(runtime: Runtime[Any]) -> StageWorker:
        return StageWorker(runtime, "vad", stage.serve, frozenset({"speech.started"}))

    return await start_service("vad", ServiceSettings(nats_url=url, slots=10), wire, worker)


@asynccontextmanager
async def owned(nats_url: str, config: CallConfig) -> AsyncIterator[tuple[RunningService, OwnedCall]]:
    """A worker, and the call it owns."""
    stage = Counting()
    worker = await start(nats_url, "vad-a", stage)
    async with bus_at(nats_url) as bus:
        await store_config(bus, config)
        await put_claims(bus, config)
        (call,) = await eventually(lambda: stage.served, what="an owner")
        yield worker, call
    await worker.stop()


async def test_a_claimed_call_is_served_by_exactly_one_of_two_workers(nats_url: str, config: CallConfig) -> None:
    first, second = Counting(), Counting()
    a, b = await start(nats_url, "vad-a", first), await start(nats_url, "vad-b", second)
    async with bus_at(nats_url) as bus:
        await store_config(bus, config)
        await put_claims(bus, config)
        await put_claims(bus, config, reason="again")
        await eventually(lambda: len(first.served) + len(second.served) == 1, what="one owner")
        await asyncio.sleep(0.3)
        assert len(first.served) + len(second.served) == 1
        await bus.publish_event(config.ref, CallEnded(pts_ms=1, reason="customer-ended-call"), stage="llm-orchestrator")
        await eventually(lambda: not a.component.calls() and not b.component.calls(), what="call let go")
        assert await bus.kv_get(OWNERS.name, config.ref.owner_key("vad")) is None
    await a.stop()
    await b.stop()


async def test_a_vanished_owner_is_replaced_and_the_next_folds_its_log(nats_url: str, config: CallConfig) -> None:
    first, second = Counting(), Counting()
    a = await start(nats_url, "vad-a", first)
    async with bus_at(nats_url) as bus:
        await store_config(bus, config)
        await put_claims(bus, config)
        await eventually(lambda: first.served, what="first owner")
        await eventually(lambda: not a.runtime.bus.outbox.waiting, what="events stored")
        b = await start(nats_url, "vad-b", second)
        await a.vanish()
        (taken,) = await eventually(lambda: second.served, timeout_s=5, what="second owner")
        assert [m.name for m in taken.history] == ["stage.claimed", "speech.started", "stage.claimed"]
        assert taken.epoch > first.served[0].epoch
        assert taken.fence.accepts("vad", first.served[0].epoch) is False
        await b.stop()


async def test_a_worker_that_stood_still_asks_who_has_its_calls_until_the_bus_answers(
    nats_url: str, config: CallConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with owned(nats_url, config) as (a, call):
        answer, asked = a.runtime.bus.kv_get, list[str]()

        async def slow(bucket: str, key: str) -> Any:
            asked.append(key)
            if len(asked) == 1:
                raise nats.errors.TimeoutError
            return await answer(bucket, key)

        monkeypatch.setattr(a.runtime.bus, "kv_get", slow)
        for thawed in a.runtime.peers._thawed:  # as its heartbeat does after it was late
            await thawed()
        await eventually(lambda: len(asked) == 2, what="asked again")
        assert not call.fenced.is_set(), "nobody else has it"
        assert a.component.calls()


async def test_what_is_left_of_a_watch_whose_connection_broke_goes_soon(nats_url: str) -> None:
    worker = await start(nats_url, "vad-a", Counting())
    async with bus_at(nats_url) as bus:

        async def consumers() -> list[Any]:
            return await bus.js.consumers_info(f"KV_{OWNERS.name}")

        deadline = asyncio.get_running_loop().time() + 5
        while not (found := await consumers()) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        assert {consumer.config.inactive_threshold for consumer in found} == {30}
    await worker.stop()


async def test_a_worker_started_alone_finds_the_calls_of_a_dead_one(nats_url: str, config: CallConfig) -> None:
    first, second = Counting(), Counting()
    a = await start(nats_url, "vad-a", first)
    async with bus_at(nats_url) as bus:
        await store_config(bus, config)
        await put_claims(bus, config)
        await eventually(lambda: first.served, what="first owner")
        await a.vanish()
        b = await start(nats_url, "vad-b", second)
        await eventually(lambda: second.served, timeout_s=5, what="second owner")
        await b.stop()


@pytest.mark.parametrize("is_claimed_again", [True, False])
async def test_a_key_that_was_stored_without_its_worker_hearing_so_does_not_keep_the_call_from_being_served(
    nats_url: str, config: CallConfig, is_claimed_again: bool
) -> None:
    stage = Counting()
    a = await start(nats_url, "vad-a", stage)
    async with bus_at(nats_url) as bus:
        await store_config(bus, config)
        await bus.kv_create(OWNERS.name, config.ref.owner_key("vad"), Owner(worker="vad-a").payload())
        if is_claimed_again:
            await put_claims(bus, config)
        await eventually(lambda: stage.served, timeout_s=2 if is_claimed_again else 8, what="served after all")
        assert a.component.calls() == [str(config.ref)]
    await a.stop()


async def test_the_key_of_an_ended_call_that_its_worker_could_not_remove_goes(
    nats_url: str, config: CallConfig
) -> None:
    stage = Counting()
    a = await start(nats_url, "vad-a", stage)
    async with bus_at(nats_url) as bus:
        await store_config(bus, config)
        await bus.publish_event(config.ref, CallEnded(pts_ms=1, reason="customer-ended-call"), stage="llm-orchestrator")
        key = config.ref.owner_key("vad")
        await bus.kv_create(OWNERS.name, key, Owner(worker="vad-a").payload())
        async with asyncio.timeout(10):
            while await bus.kv_get(OWNERS.name, key) is not None:
                await asyncio.sleep(0.1)
    assert not stage.served
    await a.stop()


async def test_draining_gives_the_call_to_the_other_worker_at_once(nats_url: str, config: CallConfig) -> None:
    first, second = Counting(), Counting()
    a = await start(nats_url, "vad-a", first)
    async with bus_at(nats_url) as bus:
        await store_config(bus, config)
        await put_claims(bus, config)
        await eventually(lambda: first.served, what="first owner")
        b = await start(nats_url, "vad-b", second)
        await a.stop()
        (taken,) = await eventually(lambda: second.served, timeout_s=1.0, what="handed over")
        assert "stage.released" not in [m.name for m in taken.history]  # not among the interests
        await b.stop()


def several(count: int) -> list[CallConfig]:
    return [CallConfig(org=DEFAULT_ORG, call=str(uuid.uuid4()), created_at_ms=1, stages=("vad",)) for _ in range(count)]


async def test_calls_are_given_back_as_they_are_taken_not_faster(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Counting(), Counting()
    a = await start(nats_url, "vad-a", first)
    async with bus_at(nats_url) as bus:
        for config in several(8):
            await store_config(bus, config)
            await put_claims(bus, config)
        await eventually(lambda: len(first.served) == 8, timeout_s=10, what="first owner of all")
        b = await start(nats_url, "vad-b", second)
        read = b.runtime.bus.call_log

        async def slowly(ref: CallRef, from_seq: int = 1, upto_seq: int | None = None) -> Any:
            await asyncio.sleep(0.15)
            return await read(ref, from_seq, upto_seq)

        monkeypatch.setattr(b.runtime.bus, "call_log", slowly)
        nobodys, most = set[str](), 0

        def note(key: str, held: Held | None) -> None:
            nonlocal most
            nobodys.add(key) if held is not None and not held.owner.worker else nobodys.discard(key)
            most = max(most, len(nobodys))

        b.component._owners.on_change(note)
        await a.stop()
        await eventually(lambda: len(second.served) == 8, timeout_s=5, what="all handed over")
        assert 1 <= most <= 3, "6 when they are given back at once"
        await b.stop()


async def test_who_drains_alone_waits_for_nobody(nats_url: str) -> None:
    stage = Counting()
    a = await start(nats_url, "vad-a", stage)
    async with bus_at(nats_url) as bus:
        for config in several(10):
            await store_config(bus, config)
            await put_claims(bus, config)
        await eventually(lambda: len(stage.served) == 10, timeout_s=10, what="an owner of all")
        began_s = time.monotonic()
        await a.stop()
        assert time.monotonic() - began_s < 3


async def test_claims_of_an_ended_call_are_acknowledged_unserved(nats_url: str, config: CallConfig) -> None:
    stage = Counting()
    async with bus_at(nats_url) as bus:
        await store_config(bus, config)
        await bus.publish_event(config.ref, CallEnded(pts_ms=1, reason="x"), stage="llm-orchestrator")
        await bus.outbox.flush(2)
        worker = await start(nats_url, "vad-a", stage)
        await put_claims(bus, config)
        await asyncio.sleep(0.5)
        info = await bus.js.stream_info("CLAIMS", subjects_filter=claims_of("vad"))
        assert not stage.served
        assert not info.state.subjects
        await worker.stop()


async def test_of_many_workers_that_want_a_call_at_once_one_wins_each_epoch(nats_url: str, config: CallConfig) -> None:
    async with bus_at(nats_url) as bus:
        key, epochs = config.ref.owner_key("vad"), list[int]()
        last = 0
        for _ in range(5):
            wishes = [
                bus.kv_update(OWNERS.name, key, b"{}", last) if last else bus.kv_create(OWNERS.name, key, b"{}")
                for _ in range(10)
            ]
            won = [revision for revision in await asyncio.gather(*wishes) if revision is not None]
            assert len(won) == 1
            epochs += won
            last = won[0]
        assert epochs == sorted(set(epochs))


async def test_a_deleted_key_goes_for_those_who_watch_and_its_mark_goes_after_it(
    nats_url: str, config: CallConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxbus_runtime.bus._MARK_S", 1)
    async with bus_at(nats_url) as bus:
        key = config.ref.owner_key("vad")
        revision = await bus.kv_create(OWNERS.name, key, b"{}")
        assert revision is not None
        watcher = await (await bus.bucket(OWNERS.name)).watch(key)
        assert not await bus.kv_delete(OWNERS.name, key, revision + 1)
        assert await bus.kv_get(OWNERS.name, key) is not None
        assert await bus.kv_delete(OWNERS.name, key, revision)
        assert await bus.kv_get(OWNERS.name, key) is None
        seen = [update.operation async for update in _until_deleted(watcher)]
        assert seen == [None, "DEL"]

        async def is_unmarked() -> bool:
            info = await bus.js.stream_info(f"KV_{OWNERS.name}", subjects_filter=f"$KV.{OWNERS.name}.{key}")
            return not info.state.subjects

        async with asyncio.timeout(10):
            while not await is_unmarked():
                await asyncio.sleep(0.1)
        again = await bus.kv_create(OWNERS.name, key, b"{}")
        assert again is not None
        assert again > revision
        await watcher.stop()


async def _until_deleted(watcher: Any) -> AsyncIterator[Any]:
    while True:
        update = await watcher.updates(timeout=5)
        if update is not None:
            yield update
            if update.operation == "DEL":
                return


async def test_who_comes_back_to_the_bus_is_behind_until_the_log_could_be_read(
    nats_url: str, config: CallConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with owned(nats_url, config) as (a, call):
        assert not call.is_behind
        read, asked = a.runtime.bus.call_log, list[int]()

        async def without_leader(ref: CallRef, from_seq: int = 1, upto_seq: int | None = None) -> Any:
            asked.append(from_seq)
            if len(asked) == 1:
                raise NotStored("the stream has no leader")
            return await read(ref, from_seq, upto_seq)

        monkeypatch.setattr(a.runtime.bus, "call_log", without_leader)
        await a.runtime.bus.reconnected()
        assert call.is_behind
        await eventually(lambda: len(asked) == 1, what="the first attempt")
        await asyncio.sleep(0.1)
        assert call.is_behind, "it failed"
        await eventually(lambda: not call.is_behind, timeout_s=5, what="the second attempt")


async def test_a_hole_in_the_live_messages_is_filled_from_the_stream(nats_url: str, config: CallConfig) -> None:
    stage = Counting()
    worker = await start(nats_url, "vad-a", stage)
    async with bus_at(nats_url) as bus:
        await store_config(bus, config)
        await put_claims(bus, config)
        (call,) = await eventually(lambda: stage.served, what="an owner")

        def heard(number: int) -> tuple[str, bytes, dict[str, str]]:
            event = SpeechStarted(speech_seq=number, pts_ms=0, detected_pts_ms=0)
            envelope = Envelope(f"other.{number}", event.schema_id(), 1, "w", "stt-worker", 3, number)
            return event.subject(config.ref), event.payload(), envelope.headers()

        for subscription in call._subscriptions:  # the line to the worker is cut for number 1
            await subscription.unsubscribe()
        await worker.runtime.bus.nc.flush()
        await bus.js.publish(heard(1)[0], heard(1)[1], headers=heard(1)[2])
        await call.listen()
        await worker.runtime.bus.nc.flush()
        before = stage.heard.count("speech.started")
        await bus.js.publish(heard(2)[0], heard(2)[1], headers=heard(2)[2])
        await eventually(lambda: stage.heard.count("speech.started") == before + 2, what="both messages")
    await worker.stop()
