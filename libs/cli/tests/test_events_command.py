"""`voxbus events`: a call's messages, stored ones first, then live, against a real server."""

import asyncio
import json
import secrets

import pytest

from voxbus_cli.errors import NotReachable
from voxbus_cli.follow.lines import SeenMessage, as_json, read_message, readable
from voxbus_cli.follow.reader import CallReader, follow
from voxbus_cli.stack.broker import connect
from voxbus_contracts import DEFAULT_ORG, CallRef, Envelope, Message
from voxbus_contracts.commands import SaySentence
from voxbus_contracts.events import CallEnded, CallQueued, CostUpdated, SpeechStarted
from voxbus_runtime.bus import Bus
from voxbus_testing.nats import NatsServer, bus_at

QUEUED = CallQueued(call_type="vapi.websocketCall", transport="vapi.websocket", config_hash="x")
ENDED = CallEnded(pts_ms=5, reason="customer-ended-call")
SPEECH = SpeechStarted(speech_seq=1, pts_ms=1240, detected_pts_ms=1320)
SAY = SaySentence.model_validate(SaySentence.example)


def envelope(message: Message, at_ms: int = 1_000) -> Envelope:
    return Envelope(secrets.token_hex(4), message.schema_id(), at_ms, "w-1", "vad", epoch=3, number=1)


def seen(message: Message, at_ms: int = 1_000) -> SeenMessage:
    ref = CallRef("org", "call00")
    found = read_message(message.subject(ref), envelope(message, at_ms).headers(), message.payload())
    assert found is not None
    return found


def test_a_line_tells_when_who_what_and_the_fields() -> None:
    line = readable(seen(SPEECH, at_ms=13_345), since_ms=1_000)
    assert line == "   12.345 s  vad              speech.started        speech_seq=1 pts_ms=1240 detected_pts_ms=1320"


def test_commands_are_marked_and_long_values_cut() -> None:
    line = readable(seen(SAY.model_copy(update={"text": "word " * 100})), since_ms=1_000)
    assert "→ speech.say" in line
    assert "word wor… anchor_pts_ms" in line
    assert "reply=2" in line
    assert "repeats" not in line, "nobody has set it"
    assert len(line) < 250


def test_the_json_line_holds_the_envelope_and_all_fields() -> None:
    found = json.loads(as_json(seen(SPEECH)))
    assert (found["name"], found["stage"], found["epoch"], found["kind"]) == ("speech.started", "vad", 3, "event")
    assert found["fields"] == {"speech_seq": 1, "pts_ms": 1240, "detected_pts_ms": 1320}


def test_an_event_no_catalogue_knows_is_shown_as_it_is() -> None:
    subject = SPEECH.subject(CallRef("org", "call00")).replace("speech.started", "mood.changed")
    found = read_message(subject, envelope(SPEECH).headers(), b'{"mood": "fine"}')
    assert found is not None
    assert "mood.changed" in readable(found, 0)
    assert 'mood="fine"' in readable(found, 0)


@pytest.mark.parametrize("payload", [b"", b"no json", b"[1]", b"\xff\xfe"])
def test_a_payload_that_is_no_object_does_not_stop_the_reader(payload: bytes) -> None:
    found = read_message(SPEECH.subject(CallRef("org", "call00")), envelope(SPEECH).headers(), payload)
    assert found is not None
    assert found.fields == {}


def test_what_is_no_message_of_a_call_is_left_out() -> None:
    assert read_message("worker.v1.vad.vad-1.status", envelope(SPEECH).headers(), b"{}") is None
    assert read_message(SPEECH.subject(CallRef("org", "call00")), None, b"{}") is None


async def store(bus: Bus, ref: CallRef, message: Message) -> None:
    await bus.js.publish(message.subject(ref), message.payload(), headers=envelope(message).headers())


@pytest.mark.integration
async def test_stored_events_come_first_then_live_ones_until_the_call_has_ended(nats_url: str) -> None:
    ref, other = CallRef(DEFAULT_ORG, "call-1-a0"), CallRef(DEFAULT_ORG, "call-2-a0")
    names: list[str] = []
    async with bus_at(nats_url) as bus:
        for message in (QUEUED, SAY, SPEECH):
            await store(bus, ref, message)
        await store(bus, other, ENDED)
        nc = await connect(nats_url, 5)
        async with asyncio.timeout(20):
            async for portion in follow(CallReader(nc, ref.call, with_commands=False), keep=False):
                names += [message.name for message in portion]
                if names == ["call.queued", "speech.started"]:
                    await store(bus, ref, ENDED)
                if names[-1:] == ["call.ended"]:
                    await store(bus, ref, CostUpdated.model_validate(CostUpdated.example))
        await nc.close()
    assert names == ["call.queued", "speech.started", "call.ended", "cost.updated"]


@pytest.mark.integration
async def test_commands_are_read_too_when_asked_for_in_stored_order(nats_url: str) -> None:
    ref = CallRef(DEFAULT_ORG, "call-3-a0")
    async with bus_at(nats_url) as bus:
        for message in (QUEUED, SAY, SPEECH):
            await store(bus, ref, message)
        nc = await connect(nats_url, 5)
        reader = CallReader(nc, ref.call, with_commands=True)
        await reader.open()
        first = await reader.new_messages()
        await store(bus, ref, SAY)
        await reader.wait(10)
        second = await reader.new_messages()
        await nc.close()
    assert [message.name for message in first] == ["call.queued", "speech.say", "speech.started"]
    assert [message.name for message in second] == ["speech.say"]


@pytest.mark.integration
async def test_a_call_nobody_has_heard_of_is_waited_for(nats_url: str) -> None:
    nc = await connect(nats_url, 5)
    async with asyncio.timeout(10):
        async for portion in follow(CallReader(nc, "call-4-a0", with_commands=False), keep=False):
            assert portion == []
            break
    await nc.close()


@pytest.mark.integration
async def test_a_server_without_streams_is_said_to_run_no_stack(nats_server: NatsServer, nats_url: str) -> None:
    nc = await connect(nats_url, 5)
    try:
        await nc.jetstream().delete_stream("EVENTS")
        reader = CallReader(nc, "call-5-a0", with_commands=False)
        with pytest.raises(NotReachable, match="EVENTS"):
            await reader.new_messages()
    finally:
        await nc.close()


async def test_no_server_at_all_is_named_by_its_address() -> None:
    with pytest.raises(NotReachable, match=r"127\.0\.0\.1:1\b"):
        await connect("nats://127.0.0.1:1", 0.3)
