"""The end-of-call report, and that the recording is stored: when they are told, and what they say."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import structlog
from test_telling import REF, STORED_SEQ, TALK, fact

from voxbus_bus import Again, Received
from voxbus_contracts import CallRef, Message
from voxbus_contracts.events import (
    AnalysisCompleted,
    CallEnded,
    CallStarted,
    CostUpdated,
    RecordedFile,
    RecordingStored,
)
from voxbus_control_api.call_store import CallRecord
from voxbus_control_api.messages.report import missing, report_fields
from voxbus_control_api.messages.reporting import Reporter
from voxbus_control_api.past_events import PastEvent


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
    has_report: bool = False
    uploads: list[tuple[int, dict[str, Any]]] = field(default_factory=list[tuple[int, dict[str, Any]]])

    async def cares(self, ref: CallRef) -> bool:
        return self.is_wanted

    async def report(self, ref: CallRef, fields: Any) -> None:
        self.reports.append(dict(fields))
        self.has_report = True

    async def wants_upload(self, ref: CallRef) -> bool:
        return self.is_wanted

    async def is_reported(self, ref: CallRef) -> bool:
        return self.has_report

    async def upload(self, ref: CallRef, fields: Any, stored_seq: int) -> None:
        self.uploads.append((stored_seq, dict(fields)))


@dataclass
class Desk:
    """A reporter and all it asks."""

    listener: Listening = field(default_factory=Listening)
    events: list[PastEvent] = field(default_factory=list[PastEvent])
    record: CallRecord | None = field(default_factory=lambda: CallRecord(REF, True, dict(RECORD)))
    now_ms: int = 1_000

    async def get(self, org: str, call_id: str) -> CallRecord | None:
        return self.record

    async def ended(self, received: Received = TALK[-1]) -> None:
        async def events_of(_: str) -> list[PastEvent]:
            return self.events

        async def shown(call: CallRecord) -> dict[str, Any]:
            return call.record

        reporter = Reporter(
            self.listener, self, events_of, shown, lambda: self.now_ms, 10_000, 30_000, structlog.get_logger()
        )
        await reporter.on_record(received)


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


FILES = tuple(RecordedFile(track=each, key="k", format="wav", size_bytes=1) for each in ("stereo", "customer"))


def stored(at_ms: int = 1_000) -> Received:
    return fact(STORED_SEQ, SOUND.model_copy(update={"files": FILES}), at_ms)


async def test_that_a_recording_is_stored_is_told_with_its_addresses_when_record_and_report_are_there() -> None:
    desk = Desk(events=[past(BEGUN), past(OVER), past(COST), past(SOUND), past(ANALYSED)])
    desk.listener.has_report = True
    with pytest.raises(Again):
        await desk.ended(stored())
    desk.events.append(replace(past(SOUND), stream_seq=STORED_SEQ))
    desk.listener.has_report = False
    with pytest.raises(Again):
        await desk.ended(stored())
    await desk.ended()
    await desk.ended(stored())
    ((seq, fields),) = desk.listener.uploads
    assert (seq, fields["artifact"]) == (STORED_SEQ, RECORD["artifact"])
    assert fields["artifacts"] == [
        {"type": "recording-stereo", "success": True},
        {"type": "recording-customer", "success": True},
    ]


async def test_that_a_recording_is_stored_waits_for_no_report_for_ever_and_is_not_told_of_a_deleted_call() -> None:
    desk = Desk(now_ms=1_000 + 90_000)
    await desk.ended(stored())
    assert len(desk.listener.uploads) == 1
    for gone in (Desk(record=None), Desk(listener=Listening(is_wanted=False))):
        await gone.ended(stored())
        assert not gone.listener.uploads
