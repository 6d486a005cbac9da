"""Server messages on their way to the bus: in order, each once, whoever else makes them."""

import asyncio
import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import structlog

from voxbus_bus import Again, Received
from voxbus_contracts import CallRef, Envelope, Message
from voxbus_contracts.config import CallConfig
from voxbus_contracts.delivery import Delivery, Place
from voxbus_contracts.events import (
    AnalysisCompleted,
    CallEnded,
    CallRinging,
    CallStarted,
    CostUpdated,
    HandoffCompleted,
    RecordingStored,
    SpeechStarted,
)
from voxbus_contracts.monitor import MonitorAddresses
from voxbus_control_api.call_store import CallRecord
from voxbus_control_api.messages.outbox import LaneOutbox
from voxbus_control_api.messages.report import missing, report_fields
from voxbus_control_api.messages.reporting import Reporter
from voxbus_control_api.messages.telling import ServerTeller
from voxbus_control_api.past_events import PastEvent
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


# The report


def past(message: Message) -> PastEvent:
    return PastEvent(message.name(), 1, "s", 0, 0, 1, message)


COST = CostUpdated(version=2, rows=(), breakdown={}, total="0", ended=True)
SOUND = RecordingStored(files=(), start_pts_ms=0, duration_ms=1, missing_ms=0)
BEGUN = CallStarted(pts_ms=0, setup_ms=1)
OVER = CallEnded(pts_ms=1, reason="customer-ended-call")
ANALYSED = AnalysisCompleted(parts=0)


def test_a_report_waits_for_end_cost_and_recording_and_for_no_recording_that_will_not_come() -> None:
    assert missing([], is_recorded=True) == ["end", "cost"]
    assert missing([past(BEGUN), past(OVER), past(ANALYSED)], is_recorded=True) == ["cost", "recording"]
    assert missing([past(BEGUN), past(OVER), past(COST), past(ANALYSED)], is_recorded=False) == []
    assert missing([past(OVER), past(COST)], is_recorded=True) == [], "it was never answered"
    assert missing([past(BEGUN), past(OVER), past(COST), past(SOUND), past(ANALYSED)], is_recorded=True) == []
    running = COST.model_copy(update={"ended": False})
    assert missing([past(BEGUN), past(OVER), past(running), past(SOUND)], is_recorded=True) == ["cost", "analysis"]


RECORD = {
    "id": REF.call,
    "startedAt": "2026-11-24T02:00:00.000Z",
    "endedAt": "2026-11-24T02:01:30.500Z",
    "endedReason": "customer-ended-call",
    "cost": 0.25,
    "costs": [{"type": "voice", "cost": 0.25}],
    "costBreakdown": {"total": 0.25},
    "artifact": {
        "messages": [{"role": "user", "message": "hi"}],
        "transcript": "User: hi\n",
        "recordingUrl": "https://api/mono",
        "stereoRecordingUrl": "https://api/stereo",
    },
}


def test_a_report_has_todays_fields_and_those_older_servers_read() -> None:
    fields = report_fields(RECORD)
    assert fields["artifact"] == RECORD["artifact"]
    assert (fields["durationMs"], fields["durationSeconds"], fields["durationMinutes"]) == (90_500, 90.5, 1.5083)
    assert fields["recordingUrl"] == "https://api/mono"
    assert fields["stereoRecordingUrl"] == "https://api/stereo"
    assert (fields["cost"], fields["endedReason"], fields["analysis"]) == (0.25, "customer-ended-call", {})
    assert fields["transcript"] == "User: hi\n"
    assert "summary" not in fields
    assert report_fields({**RECORD, "analysis": {"summary": "A greeting."}})["summary"] == "A greeting."


def test_a_call_that_was_never_answered_has_no_duration() -> None:
    never = {name: value for name, value in RECORD.items() if name != "startedAt"}
    assert "durationMs" not in report_fields(never)


@dataclass
class Listening:
    reports: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    is_wanted: bool = True

    async def cares(self, ref: CallRef) -> bool:
        return self.is_wanted

    async def report(self, ref: CallRef, fields: Any) -> None:
        self.reports.append(dict(fields))


@dataclass
class Desk:
    """A reporter and all it asks."""

    listener: Listening = field(default_factory=Listening)
    events: list[PastEvent] = field(default_factory=list[PastEvent])
    record: CallRecord | None = field(default_factory=lambda: CallRecord(REF, True, dict(RECORD)))
    now_ms: int = 1_000

    async def get(self, org: str, call_id: str) -> CallRecord | None:
        return self.record

    async def ended(self) -> None:
        async def events_of(_: str) -> list[PastEvent]:
            return self.events

        async def shown(call: CallRecord) -> dict[str, Any]:
            return call.record

        reporter = Reporter(
            self.listener, self, events_of, shown, lambda: self.now_ms, 10_000, 30_000, structlog.get_logger()
        )
        await reporter.on_call_ended(TALK[-1])


async def test_a_report_is_asked_for_again_until_everything_is_there() -> None:
    desk = Desk(events=[past(BEGUN), past(OVER), past(COST), past(ANALYSED)])
    with pytest.raises(Again):
        await desk.ended()
    desk.events.append(past(SOUND))
    await desk.ended()
    assert [each["endedReason"] for each in desk.listener.reports] == ["customer-ended-call"]


async def test_a_report_goes_without_what_does_not_come_in_time() -> None:
    desk = Desk(events=[past(BEGUN), past(OVER)], now_ms=11_000)
    await desk.ended()
    assert len(desk.listener.reports) == 1


async def test_a_report_waits_longer_for_the_analysis_alone_but_not_for_ever() -> None:
    desk = Desk(events=[past(BEGUN), past(OVER), past(COST), past(SOUND)], now_ms=29_000)
    with pytest.raises(Again):
        await desk.ended()
    desk.now_ms = 31_000
    await desk.ended()
    assert len(desk.listener.reports) == 1


async def test_of_a_deleted_call_and_for_a_server_that_wants_nothing_there_is_no_report() -> None:
    deleted = Desk(record=None, now_ms=11_000)
    await deleted.ended()
    unwanted = Desk(listener=Listening(is_wanted=False))
    await unwanted.ended()
    assert not deleted.listener.reports
    assert not unwanted.listener.reports
