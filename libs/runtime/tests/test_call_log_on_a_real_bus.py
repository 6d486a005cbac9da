"""A call's log as it is read back while others write on it."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import nats
import pytest

import voxbus_runtime.bus
from voxbus_contracts import CallRef, Command, Envelope, Event
from voxbus_contracts.commands import ClearPlayback
from voxbus_contracts.events import CallRinging, CallStarted
from voxbus_contracts.identity import DEFAULT_ORG
from voxbus_contracts.streams import EVENTS
from voxbus_runtime.bus import Bus, unix_ms
from voxbus_runtime.errors import NotStored
from voxbus_runtime.stream_reader import StoredMessage, last, read
from voxbus_testing.nats import bus_at

pytestmark = pytest.mark.integration


async def store(bus: Bus, ref: CallRef, message: Event | Command) -> None:
    envelope = Envelope(
        event_id=uuid.uuid4().hex,
        schema=message.schema_id(),
        occurred_at_ms=unix_ms(),
        producer="test",
        stage="media-ingress",
        traceparent="",
    )
    await bus.outbox.stored(message.subject(ref), message.payload(), envelope.headers())


async def test_what_is_written_while_a_log_is_read_is_in_it_in_its_place(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = CallRef(DEFAULT_ORG, str(uuid.uuid4()))
    async with bus_at(nats_url) as bus:
        await store(bus, ref, CallRinging())
        await store(bus, ref, ClearPlayback(up_to_utterance_seq=1))

        async def busy(*asked: Any, **bounds: Any) -> AsyncIterator[StoredMessage]:
            """Behind the first message an event and a command are written."""
            is_first = True
            async for message in read(*asked, **bounds, batch_size=1):
                yield message
                if is_first:
                    is_first = False
                    await store(bus, ref, CallStarted(pts_ms=0, setup_ms=1))
                    await store(bus, ref, ClearPlayback(up_to_utterance_seq=2))

        monkeypatch.setattr(voxbus_runtime.bus, "read", busy)
        log = await bus.call_log(ref)
        assert [logged.name for logged in log] == ["call.ringing", "playback.clear", "call.started", "playback.clear"]
        assert [logged.kind for logged in log] == ["event", "command", "event", "command"]
        assert await bus.call_log(ref, log[1].stream_seq, log[2].stream_seq) == log[1:3]


async def test_a_connection_of_services_and_a_plain_one_read_the_same(nats_url: str) -> None:
    ref = CallRef(DEFAULT_ORG, str(uuid.uuid4()))
    async with bus_at(nats_url) as bus:
        for upto in range(1, 8):
            await store(bus, ref, ClearPlayback(up_to_utterance_seq=upto))
        plain = await nats.connect(nats_url)
        try:
            for size in (3, 7, 512):
                seen = [
                    [message async for message in read(nc, EVENTS.name, ref.all_commands, batch_size=size)]
                    for nc in (bus.nc, plain)
                ]
                assert seen[0] == seen[1]
                assert len(seen[0]) == 7
                assert abs(seen[0][-1].stored_at_ms - unix_ms()) < 60_000
            assert [await last(nc, EVENTS.name, ref.event("media-ingress", "ended")) for nc in (bus.nc, plain)] == [
                None,
                None,
            ]
        finally:
            await plain.close()


async def test_a_stream_that_is_not_there_is_said_to_be_missing(nats_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxbus_runtime.stream_reader._TIMEOUT_S", 0.1)
    async with bus_at(nats_url) as bus:
        with pytest.raises(NotStored, match="stream NOWHERE"):
            await last(bus.nc, "NOWHERE", "any")
