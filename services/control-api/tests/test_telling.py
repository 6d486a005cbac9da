"""Server messages on their way to the bus: in order, each once, whoever else makes them."""

import asyncio
import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import structlog

from voxbus_bus import Received
from voxbus_contracts import CallRef, Envelope, Message
from voxbus_contracts.config import CallConfig
from voxbus_contracts.delivery import Delivery, Place
from voxbus_contracts.events import (
    CallEnded,
    CallRinging,
    CallStarted,
    HandoffCompleted,
    SpeechStarted,
)
from voxbus_contracts.monitor import MonitorAddresses
from voxbus_control_api.messages.outbox import LaneOutbox
from voxbus_control_api.messages.telling import ServerTeller
from voxbus_runtime.sequencing import LoggedMessage

REF = CallRef("org-1", "6f1c0c1e-30a5-4f0e-9a55-7f6f2a3f3bab")
SERVER = {"server": {"url": "https://shop.example/hook"}}


@dataclass
class Stream:
    """The stream of deliveries: refuses whoever does not know its last message."""

    stored: list[Delivery] = field(default_factory=list[Delivery])
    fails: int = 0

    async def newest(self, subject: str) -> tuple[int, Place | None]:
        await asyncio.sleep(0)
        return (len(self.stored), self.stored[-1].place) if self.stored else (0, None)

    async def put(self, delivery: Delivery) -> int | None:
        await asyncio.sleep(0)
        if self.fails:
            self.fails -= 1
            raise TimeoutError
        if delivery.previous_seq != len(self.stored):
            return None
        self.stored.append(delivery)
        return len(self.stored)


@dataclass
class Logs:
    """The bus: configurations and logs of calls."""

    config: CallConfig | None
    log: list[Received] = field(default_factory=list[Received])
    reads: int = 0

    async def read_config(self, ref: CallRef) -> CallConfig | None:
        return self.config

    async def call_log(self, ref: CallRef, from_seq: int = 1) -> list[LoggedMessage]:
        self.reads += 1
        return [
            LoggedMessage(each.envelope, "event", each.name, each.payload, stream_seq=each.stream_seq)
            for each in self.log
            if each.stream_seq >= from_seq
        ]


def config(**changes: Any) -> CallConfig:
    made = {"org": REF.org, "call": REF.call, "created_at_ms": 1, "message_server": SERVER}
    return CallConfig.model_validate(made | changes)


def fact(seq: int, message: Message, at_ms: int = 1_000) -> Received:
    envelope = Envelope(f"event-{seq}", message.schema_id(), at_ms, "w", "llm-orchestrator", 1, 0)
    return Received(REF, envelope, message, message.payload(), seq)


def speech(seq: int) -> Received:
    return fact(seq, SpeechStarted(speech_seq=seq, pts_ms=seq, detected_pts_ms=seq))


TALK = [
    fact(1, CallRinging()),
    fact(2, CallStarted(pts_ms=0, setup_ms=1)),
    *(speech(seq) for seq in range(3, 9)),
    fact(9, CallEnded(pts_ms=9, reason="customer-ended-call")),
]


def teller(logs: Logs, stream: Stream) -> ServerTeller:
    return ServerTeller(
        logs,
        stream,
        lambda _: MonitorAddresses(control_url="https://api/control"),
        lambda: 5_000,
        structlog.get_logger(),
    )


def places(stream: Stream) -> list[tuple[int, int]]:
    return [(each.place.stream_seq, each.place.index) for each in stream.stored]


ALL = [(1, 0), (2, 0), (2, 1), *((seq, 0) for seq in range(3, 10))]


async def test_one_reader_reads_the_log_once_and_tells_all_of_it_in_order() -> None:
    logs, stream = Logs(config(), TALK), Stream()
    telling = teller(logs, stream)
    await telling.on_facts([replace(TALK[0], is_after_gap=True)])
    for each in TALK[1:]:
        await telling.on_facts([each])
    assert places(stream) == ALL
    assert logs.reads == 1
    assert [each.previous_seq for each in stream.stored] == list(range(len(ALL)))


async def test_a_call_whose_server_wants_nothing_is_not_followed() -> None:
    logs, stream = Logs(config(message_server=None), TALK), Stream()
    telling = teller(logs, stream)
    assert not await telling.cares(REF)
    await telling.on_facts(TALK)
    assert not stream.stored
    assert not logs.reads


async def test_a_reader_that_starts_in_the_middle_tells_what_is_missing_and_nothing_twice() -> None:
    logs, stream = Logs(config(), TALK[:4]), Stream()
    await teller(logs, stream).on_facts(TALK[:4])
    logs.log = TALK
    await teller(logs, stream).on_facts([TALK[7], TALK[8]])
    assert places(stream) == ALL


@pytest.mark.parametrize("seed", range(20))
async def test_two_readers_between_whom_events_are_dealt_out_tell_each_message_once_in_order(seed: int) -> None:
    """Each sees a part, with gaps; the log is there before anybody is told of it."""
    dealt = random.Random(seed)
    logs, stream = Logs(config()), Stream()
    readers = [teller(logs, stream), teller(logs, stream)]
    last = [0, 0]
    for number, each in enumerate(TALK, 1):
        logs.log = TALK[:number]
        at = dealt.randrange(2)
        batch = [replace(each, is_after_gap=number != last[at] + 1)]
        last[at] = number
        if dealt.random() < 0.3:
            await asyncio.gather(*(reader.on_facts([replace(each, is_after_gap=True)]) for reader in readers))
        else:
            await readers[at].on_facts(batch)
    assert places(stream) == ALL


async def test_what_could_not_be_stored_is_stored_first_the_next_time() -> None:
    logs, stream = Logs(config(), TALK[:1]), Stream()
    telling = teller(logs, stream)
    await telling.on_facts(TALK[:1])
    stream.fails = 1
    with pytest.raises(TimeoutError):
        await telling.on_facts([TALK[1]])
    await telling.on_facts([TALK[2]])
    await telling.on_facts([TALK[1]])
    assert places(stream)[:4] == ALL[:4]


async def test_the_report_comes_behind_everything_also_when_it_is_made_first_and_only_once() -> None:
    logs, stream = Logs(config(), TALK), Stream()
    telling = teller(logs, stream)
    await telling.report(REF, {"endedReason": "customer-ended-call", "artifact": {}})
    await telling.on_facts(TALK)
    await telling.report(REF, {"endedReason": "customer-ended-call", "artifact": {}})
    await teller(logs, stream).report(REF, {"endedReason": "customer-ended-call", "artifact": {}})
    assert places(stream) == [*ALL, (9, 10_000)]


def handed_to(seq: int, key: str) -> Received:
    return fact(seq, HandoffCompleted(from_assistant="a", to_assistant="b", member=key, pts_ms=seq))


@pytest.mark.parametrize("first", [{"message_server": SERVER}, {"message_server": None}])
async def test_the_server_of_an_assistant_that_is_found_while_the_call_runs_is_told_from_the_handoff_on(
    first: dict[str, Any],
) -> None:
    log = [*TALK[:3], handed_to(4, "1"), speech(5)]
    found = {"key": "1", "assistant": {"name": "b", "server": {"url": "https://b.example"}}}
    logs, stream = Logs(config(**first), log[:3]), Stream()
    telling = teller(logs, stream)
    await telling.on_facts(log[:3])
    logs.config, logs.log = config(**first, members=[found]), log
    await telling.on_facts(log[3:])
    assert [each.place.stream_seq for each in stream.stored if each.member == "1"] == [4, 5]
    assert all(b"api/control" in each.body for each in stream.stored)
    again = Stream()
    await teller(logs, again).on_facts(log[-1:])
    assert again.stored == stream.stored, "whoever reads it later tells the same"


async def test_an_outbox_that_was_overtaken_looks_where_the_lane_stands() -> None:
    stream = Stream()
    first, second = LaneOutbox("s", stream), LaneOutbox("s", stream)
    made = [Delivery(REF, "server", "hang", Place(seq, 0), 1, b"{}") for seq in range(1, 6)]
    first.add(made)
    second.add(made)
    await asyncio.gather(first.flush(), second.flush())
    assert [each.place for each in stream.stored] == [each.place for each in made]


WANTED = {"assistant": {"serverMessages": ["status-update", "end-of-call-report", "call.artifact.upload"]}}
STORED_SEQ = 12


async def test_that_a_recording_is_stored_is_told_once_behind_the_report_and_again_when_more_of_it_is_stored() -> None:
    logs, stream = Logs(config(**WANTED), TALK), Stream()
    telling = teller(logs, stream)
    assert await telling.wants_upload(REF)
    await telling.on_facts(TALK)
    assert not await telling.is_reported(REF)
    await telling.report(REF, {"artifact": {}})
    for reader in (telling, teller(logs, stream)):
        assert await reader.is_reported(REF)
        await reader.upload(REF, {"artifacts": []}, STORED_SEQ)
    await telling.upload(REF, {"artifacts": []}, STORED_SEQ + 3)
    assert [each.type for each in stream.stored] == [
        *("status-update", "status-update", "status-update", "end-of-call-report"),
        *("call.artifact.upload", "call.artifact.upload"),
    ]


async def test_without_a_report_it_comes_behind_all_that_the_log_makes() -> None:
    logs, stream = Logs(config(assistant={"serverMessages": ["status-update", "call.artifact.upload"]}), TALK), Stream()
    assert await teller(logs, stream).is_reported(REF)
    await teller(logs, stream).upload(REF, {"artifacts": []}, STORED_SEQ)
    await teller(logs, stream).on_facts(TALK)
    assert [each.type for each in stream.stored] == [*["status-update"] * 3, "call.artifact.upload"]
