"""Events of a real bus as server-sent events: live, replayed, resumed; one reader for all who listen."""

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from voxbus_archive import ArchivedMessage, CallArchive, serialize_archive
from voxbus_bus.publishing import StoredPublisher
from voxbus_contracts import CallRef, Envelope, Event
from voxbus_contracts.events import (
    AnalysisCompleted,
    ArchiveStored,
    CallDeleted,
    CallEnded,
    CallQueued,
    StageClaimed,
    TurnCommitted,
)
from voxbus_contracts.subjects import events_of
from voxbus_control_api.live.event_stream import Client, Told, call_events, org_events
from voxbus_control_api.live.events import LiveEvents
from voxbus_control_api.live.lines import KEEP_ALIVE, Wanted
from voxbus_objects import ObjectStore, open_store
from voxbus_objects.keys import archive
from voxbus_runtime.bus import Bus, unix_ms
from voxbus_testing.nats import bus_at

pytestmark = pytest.mark.integration

Json = dict[str, Any]
QUEUED = CallQueued(call_type="webCall", transport="vapi.websocket", config_hash="h")
ENDED = CallEnded(pts_ms=9, reason="customer-ended-call")
ANALYSED = AnalysisCompleted(parts=0)
ARCHIVED = ArchiveStored(key="k", size_bytes=1, sha256="s", messages=1, last_stream_seq=1)


def committed(turn: int, text: str = "hello") -> TurnCommitted:
    return TurnCommitted(turn=turn, text=text, transcript_seqs=(), anchor_pts_ms=1, pts_ms=2, reason="r")


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with bus_at(nats_url) as connected:
        yield connected


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "objects"))


def new_ref(org: str = "acme") -> CallRef:
    return CallRef(org, str(uuid.uuid4()))


async def say(bus: Bus, ref: CallRef, *events: Event) -> list[int]:
    publisher = StoredPublisher(bus, "control-api")
    return [await publisher.publish_stored(ref, event) for event in events]


async def say_as(bus: Bus, ref: CallRef, epoch: int, number: int, event: Event) -> None:
    """As the owner of the orchestrator's part of the call."""
    name = f"{ref.call}.llm-orchestrator.{epoch}.{number}"
    envelope = Envelope(name, event.schema_id(), unix_ms(), "w", "llm-orchestrator", epoch, number)
    await bus.outbox.stored(event.subject(ref), event.payload(), envelope.headers(), 5)


def client(after: int | None = None, types: str = "", *, is_welcome: bool = True) -> Client:
    async def welcome() -> bool:
        return is_welcome

    return Client(Wanted(types), after, welcome, unix_ms)


class Reading:
    """What one client was sent."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.text = ""

    @property
    def events(self) -> list[Json]:
        found: list[Json] = []
        for record in self.text.split("\n\n"):
            fields = dict(line.split(": ", 1) for line in record.split("\n") if line and not line.startswith(":"))
            if "data" in fields:
                found.append({**json.loads(fields["data"]), "seq": int(fields.get("id", 0))})
        return found

    @property
    def types(self) -> list[str]:
        return [each["type"] for each in self.events]

    async def until(self, count: int) -> list[Json]:
        async with asyncio.timeout(20):
            while len(self.events) < count:
                self.text += await anext(self.told.texts)
        return self.events

    async def rest(self) -> list[Json]:
        async with asyncio.timeout(30):
            async for text in self.told.texts:
                self.text += text
        return self.events


@asynccontextmanager
async def reading(told: Told | None) -> AsyncGenerator[Reading]:
    assert told is not None
    try:
        yield Reading(told)
    finally:
        await told.texts.aclose()
        await told.close()


async def test_a_call_is_told_from_its_beginning_and_on_until_it_is_archived_and_analysed(
    bus: Bus, objects: ObjectStore
) -> None:
    live, ref = LiveEvents(bus, objects), new_ref()
    await say(bus, ref, QUEUED, committed(1))
    async with reading(await call_events(live, ref, client(), wordless=False)) as read:
        await read.until(2)
        await say(bus, ref, committed(2), ENDED, ARCHIVED)
        await read.until(5)
        await say(bus, ref, ANALYSED)
        told = await read.rest()
    assert [each["type"] for each in told] == [
        *("call.queued", "turn.committed", "turn.committed"),
        *("call.ended", "archive.stored", "analysis.completed"),
    ]
    assert told[2]["data"]["turn"] == 2
    assert {each["callId"] for each in told} == {ref.call}
    assert [each["seq"] for each in told] == sorted({each["seq"] for each in told})
    await live.stop()


async def test_wherever_a_client_loses_the_line_it_misses_nothing_and_gets_nothing_twice(
    bus: Bus, objects: ObjectStore
) -> None:
    live, ref = LiveEvents(bus, objects), new_ref()
    seqs = await say(bus, ref, QUEUED, *(committed(turn) for turn in range(1, 6)))
    for cut in range(len(seqs)):
        async with reading(await call_events(live, ref, client(seqs[cut]), wordless=False)) as read:
            seqs += await say(bus, ref, committed(100 + cut))
            told = await read.until(len(seqs) - cut - 1)
        assert [each["seq"] for each in told] == seqs[cut + 1 :]
    seqs += await say(bus, ref, ENDED, ANALYSED, ARCHIVED)
    async with reading(await call_events(live, ref, client(seqs[-3]), wordless=False)) as read:
        assert [each["seq"] for each in await read.rest()] == seqs[-2:]
    assert await call_events(live, ref, client(seqs[-1]), wordless=False) is None, "there is nothing left: 204"
    await live.stop()


async def test_what_the_stream_has_lost_comes_from_the_archive_under_the_same_ids(
    bus: Bus, objects: ObjectStore
) -> None:
    live, ref = LiveEvents(bus, objects), new_ref()
    seqs = await say(bus, ref, QUEUED, committed(1), committed(2), ENDED, ANALYSED)
    log = await bus.call_log(ref)
    kept = tuple(
        ArchivedMessage(ref.event(*m.name.split(".")), m.envelope.headers(), m.payload, m.stream_seq, 1) for m in log
    )
    await objects.put(archive(ref), serialize_archive(CallArchive(ref, kept)))
    await bus.js.purge_stream("EVENTS", subject=ref.all_events)
    seqs += await say(bus, ref, ARCHIVED)
    async with reading(await call_events(live, ref, client(seqs[1]), wordless=False)) as read:
        assert [each["seq"] for each in await read.rest()] == seqs[2:]
    async with reading(await call_events(live, ref, client(), wordless=True)) as read:
        told = await read.rest()
    assert [each["seq"] for each in told] == seqs
    assert told[1]["data"]["text"] == "", "of a call that is not logged no words are replayed"
    await live.stop()


async def test_an_organisation_hears_its_own_calls_and_goes_on_where_it_was(bus: Bus, objects: ObjectStore) -> None:
    live, org = LiveEvents(bus, objects), f"org-{uuid.uuid4().hex[:8]}"
    first, second, theirs = new_ref(org), new_ref(org), new_ref(f"{org}-not")
    before = await say(bus, first, QUEUED)
    async with reading(await org_events(live, org, client())) as read:
        await say(bus, theirs, QUEUED, committed(1))
        seqs = [*await say(bus, second, QUEUED), *await say(bus, first, committed(1))]
        told = await read.until(2)
    assert [each["seq"] for each in told] == seqs, "only from now on, only its own"
    seqs += [*await say(bus, first, ENDED, ANALYSED, ARCHIVED), *await say(bus, second, committed(1))]
    async with reading(await org_events(live, org, client(before[0]))) as read:
        await read.until(len(seqs))
        seqs += await say(bus, second, committed(2))
        told = await read.until(len(seqs))
    assert [each["seq"] for each in told] == seqs
    assert all(each["orgId"] == org for each in told)
    await live.stop()


async def test_only_the_types_that_were_asked_for_are_told(bus: Bus, objects: ObjectStore) -> None:
    live, ref = LiveEvents(bus, objects), new_ref()
    await say(bus, ref, QUEUED, committed(1), ENDED, ANALYSED, ARCHIVED)
    async with reading(await call_events(live, ref, client(types="turn.*,call.ended"), wordless=False)) as read:
        await read.rest()
    assert read.types == ["turn.committed", "call.ended"]
    await live.stop()


async def test_a_worker_whose_part_of_the_call_is_anothers_is_not_told_of(bus: Bus, objects: ObjectStore) -> None:
    """Neither to who listens from the beginning nor to who comes in the middle."""
    live, ref = LiveEvents(bus, objects), new_ref(f"org-{uuid.uuid4().hex[:8]}")
    await say(bus, ref, QUEUED)
    await say_as(bus, ref, 1, 1, StageClaimed(stage="llm-orchestrator", epoch=1, worker="a", address="10.0.0.1:9"))
    await say_as(bus, ref, 2, 1, StageClaimed(stage="llm-orchestrator", epoch=2, worker="b", address="10.0.0.2:9"))
    async with (
        reading(await org_events(live, ref.org, client())) as org,
        reading(await call_events(live, ref, client(), wordless=False)) as call,
    ):
        await say_as(bus, ref, 1, 2, committed(7, "of the frozen"))
        await say_as(bus, ref, 2, 2, committed(8, "of the owner"))
        told = [*await org.until(1), *await call.until(4)]
    assert [each["data"]["turn"] for each in told if each["type"] == "turn.committed"] == [8, 8]
    assert "10.0.0" not in org.text + call.text, "no worker's address is told"
    await live.stop()


async def test_of_a_deleted_call_nothing_is_replayed(bus: Bus, objects: ObjectStore) -> None:
    live, org = LiveEvents(bus, objects), f"org-{uuid.uuid4().hex[:8]}"
    gone, there = new_ref(org), new_ref(org)
    (before,) = await say(bus, there, QUEUED)
    await say(bus, gone, QUEUED, committed(1, "secret words"), CallDeleted())
    await say(bus, there, committed(1))
    async with reading(await org_events(live, org, client(before))) as read:
        await read.until(2)
    assert read.types == ["call.deleted", "turn.committed"]
    assert "secret words" not in read.text
    await live.stop()


async def test_many_listeners_share_one_subscription_and_leave_nothing(bus: Bus, objects: ObjectStore) -> None:
    live, ref = LiveEvents(bus, objects), new_ref()
    await say(bus, ref, QUEUED)
    await bus.js.stream_info("EVENTS")  # has one inbox for all answers
    before = bus.nc.subscription_count
    told = [await org_events(live, ref.org, client()) for _ in range(50)]
    assert bus.nc.subscription_count <= before + 2, "one, and one for a moment while the stream is read"
    await say(bus, ref, committed(1))
    for each in told:
        async with reading(each) as read:
            await read.until(1)
    assert bus.nc.subscription_count == before
    await live.stop()


async def test_a_client_that_does_not_read_is_sent_away_and_holds_up_nobody(
    bus: Bus, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxbus_control_api.live.topic.MOST_WAITING", 3)
    live, ref = LiveEvents(bus, objects), new_ref()
    async with live.listening(events_of(ref.org)) as slow, live.listening(events_of(ref.org)) as quick:
        got = 0
        for turn in range(1, 7):
            await say(bus, ref, committed(turn))
            async with asyncio.timeout(10):
                while got < turn:
                    got += len(await quick.next(5))
        assert slow.is_over
        assert not quick.is_over
    await live.stop()


async def test_a_key_that_is_revoked_ends_its_streams_and_silence_is_kept_alive(
    bus: Bus, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxbus_control_api.live.event_stream.KEEP_ALIVE_S", 0.05)
    live = LiveEvents(bus, objects)
    async with reading(await org_events(live, "acme", client(is_welcome=False))) as read:
        await read.rest()
    assert KEEP_ALIVE in read.text
    await live.stop()


async def test_a_process_that_stops_ends_its_streams(bus: Bus, objects: ObjectStore) -> None:
    live = LiveEvents(bus, objects)
    async with reading(await org_events(live, "acme", client())) as read:
        waiting = asyncio.ensure_future(read.rest())
        await asyncio.sleep(0)
        await live.stop()
        await asyncio.wait_for(waiting, 5)


async def test_what_is_sealed_is_told_without_its_words(bus: Bus, objects: ObjectStore) -> None:
    live, ref = LiveEvents(bus, objects), new_ref()
    await say(bus, ref, QUEUED)
    await say(bus, ref, committed(1, "pii:v1:gAAA"))
    async with reading(await call_events(live, ref, client(), wordless=False)) as read:
        (_, told) = await read.until(2)
    assert told["data"]["text"] == ""
    await live.stop()
