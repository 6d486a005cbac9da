"""Events are written together, once, and never lost because somebody else's writing failed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from voxbus_contracts import Event
from voxbus_contracts.events import CallEnded, CostUpdated, MediaAttached
from voxbus_control_api.call_store import CallStore, NewCall
from voxbus_control_api.calls.open_calls import OpenCalls
from voxbus_control_api.database import CALLS, Database
from voxbus_control_api.event_store import EventRow, EventStore
from voxbus_control_api.projection import CallFacts
from voxbus_control_api.secret_box import SecretBox

BOX = SecretBox([Fernet.generate_key().decode()])

CALL = CallFacts("11111111-1111-4111-8111-1111111111ab", "acme", 5, 5, "vapi.websocketCall", {})
ATTACHED = MediaAttached(attachment=1, transport="t", encoding="e", sample_rate_hz=8000, pts_ms=0, resumed=False)


class Failing(Database):
    """Counts transactions and fails the first ones."""

    def __init__(self, inner: Database, failures: int = 0) -> None:
        self.inner = inner
        self.failures = failures
        self.written = 0

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        if self.failures:
            self.failures -= 1
            await asyncio.sleep(0)
            raise OSError("disk full")
        self.written += 1
        async with self.inner.write() as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        async with self.inner.read() as connection:
            yield connection


@pytest.fixture(autouse=True)
async def call(database: Database) -> None:
    await CallStore(database, EventStore(database), BOX, 100).add(CALL.org, [NewCall(CALL)], None, 0)


def row(number: int) -> EventRow:
    payload = CallEnded(pts_ms=number, reason="r").payload().decode()
    return EventRow(f"e{number}", CALL.id, number, "call.ended", "llm-orchestrator", 1, number, 1_000 + number, payload)


async def test_a_batch_is_written_in_one_transaction(database: Database) -> None:
    counting = Failing(database)
    events = EventStore(counting)
    await events.add([row(number) for number in range(50)])
    assert counting.written == 1
    assert len(await events.of_call(CALL.id)) == 50


async def test_a_failed_batch_may_be_written_again_event_by_event(database: Database) -> None:
    events = EventStore(Failing(database, failures=1))
    rows = [row(number) for number in range(20)]
    with pytest.raises(OSError, match="disk full"):
        await events.add(rows)
    assert await events.of_call(CALL.id) == []
    for each in rows:
        await events.add([each])
    assert len(await events.of_call(CALL.id)) == 20


async def test_an_event_delivered_twice_is_stored_once(database: Database) -> None:
    events = EventStore(database)
    await events.add([row(1)])
    await events.add([replace(row(1), stream_seq=9)])
    (stored,) = await events.of_call(CALL.id)
    assert stored.stream_seq == 1


async def test_an_event_of_an_unknown_call_is_left_out(database: Database) -> None:
    events = EventStore(database)
    await events.add([replace(row(1), call="22222222-2222-4222-8222-2222222222cd")])
    assert await events.of_call("22222222-2222-4222-8222-2222222222cd") == []


async def test_the_reaper_sees_first_attachment_and_no_call_that_started_or_ended(database: Database) -> None:
    events = EventStore(database)
    calls = OpenCalls(database)
    assert [(each.ref.call, each.attached_at_ms) for each in await calls.waiting()] == [(CALL.id, None)]
    for number, ms in ((1, 700), (2, 900)):
        payload = ATTACHED.payload().decode()
        attached = replace(
            row(number), event_id=f"a{number}", name="media.attached", occurred_at_ms=ms, payload=payload
        )
        await events.add([attached])
    assert [each.attached_at_ms for each in await calls.waiting()] == [700]
    await events.add([row(3)])
    assert await calls.waiting() == []


def row_of(number: int, event: Event) -> EventRow:
    return EventRow(f"e{number}", CALL.id, number, event.name(), "s", 0, 0, number, event.payload().decode())


async def test_calls_are_found_by_their_first_end_and_by_the_newest_version_of_their_cost(database: Database) -> None:
    events, calls = EventStore(database), CallStore(database, EventStore(database), BOX, 100)
    cost = {1: "0.0000012", 2: "0.150000001", 3: "0.1500000019"}
    told = [CostUpdated(version=v, rows=(), breakdown={}, total=total, ended=False) for v, total in cost.items()]
    ended = [CallEnded(pts_ms=1, reason=reason) for reason in ("customer-ended-call", "silence-timed-out")]
    await events.add([row_of(1, told[2]), row_of(2, ended[0])])
    await events.add([row_of(3, told[0]), row_of(4, told[1]), row_of(5, ended[1])])
    (row,) = await calls.rows(CALL.org, select(CALLS))
    assert (row.ended_reason, row.cost_nano_usd, row.cost_version) == ("customer-ended-call", 150_000_002, 3)


async def test_within_one_batch_too_the_first_end_counts_and_the_newest_version_of_the_cost(database: Database) -> None:
    events, calls = EventStore(database), CallStore(database, EventStore(database), BOX, 100)
    newer, older = (
        CostUpdated(version=version, rows=(), breakdown={}, total=total, ended=False)
        for version, total in ((2, "0.2"), (1, "0.1"))
    )
    ended = [CallEnded(pts_ms=1, reason=reason) for reason in ("customer-ended-call", "silence-timed-out")]
    told = (ended[0], newer, ended[1], older)
    await events.add([row_of(number, event) for number, event in enumerate(told, 1)])
    (row,) = await calls.rows(CALL.org, select(CALLS))
    assert (row.ended_reason, row.cost_nano_usd, row.cost_version) == ("customer-ended-call", 200_000_000, 2)
    assert row.ended_at_ms == 1


async def test_a_batch_of_many_calls_changes_each_by_its_own_events(database: Database) -> None:
    others = [replace(CALL, id=f"{number}2222222-2222-4222-8222-2222222222cd") for number in range(1, 6)]
    events = EventStore(database)
    calls = CallStore(database, events, BOX, 100)
    await calls.add(CALL.org, [NewCall(each) for each in others], None, 0)
    told = [
        replace(row_of(number, CallEnded(pts_ms=1, reason=f"r{number}")), call=each.id, event_id=f"e{each.id}")
        for number, each in enumerate(others)
    ]
    await events.add([replace(row(9), event_id="own"), *told])
    found = {each.id: each.ended_reason for each in await calls.rows(CALL.org, select(CALLS))}
    assert found == {CALL.id: "r", **{each.id: f"r{number}" for number, each in enumerate(others)}}
