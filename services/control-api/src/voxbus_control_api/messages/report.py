"""The end-of-call report: what of it must be there first, and the call's record in its shape. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from voxbus_contracts.events import CallEnded, CallStarted, CostUpdated, RecordedFile, RecordingStored
from voxbus_control_api.analysis import missing_analysis
from voxbus_control_api.past_events import PastEvent

Json = dict[str, Any]

_FROM_RECORD: Final = (
    *("endedReason", "endedMessage", "startedAt", "endedAt", "destination"),
    *("cost", "costs", "costBreakdown", "artifact", "analysis", "compliance"),
)
_ALSO_FLAT: Final = ("messages", "transcript", "recordingUrl", "stereoRecordingUrl")
"""Fields of the artifact that older servers read from the message itself."""


def missing(events: Iterable[PastEvent], *, is_recorded: bool) -> list[str]:
    """What is still to come before the report is whole: `end`, `cost`, `recording`, `analysis` and its cost."""
    there = [event.message for event in events]
    out: list[str] = []
    if not any(isinstance(each, CallEnded) for each in there):
        out.append("end")
    if not any(isinstance(each, CostUpdated) and each.ended for each in there):
        out.append("cost")
    was_started = any(isinstance(each, CallStarted) for each in there)
    if is_recorded and was_started and not any(isinstance(each, RecordingStored) for each in there):
        out.append("recording")
    if was_started and (analysis := missing_analysis(there)):
        out.append(analysis)
    return out


def report_fields(record: Mapping[str, Any]) -> Json:
    """The message's own fields, from the call's record with its addresses."""
    fields = {name: record[name] for name in _FROM_RECORD if name in record}
    artifact = record["artifact"]
    fields |= {name: artifact[name] for name in _ALSO_FLAT if name in artifact}
    fields.setdefault("analysis", {})
    if "summary" in fields["analysis"]:
        fields["summary"] = fields["analysis"]["summary"]
    return fields | _durations(record)


def upload_fields(record: Mapping[str, Any], files: Iterable[RecordedFile]) -> Json:
    """Of `call.artifact.upload`: which files are stored, and the record's artifact with their addresses."""
    artifacts = [{"type": f"recording-{file.track}", "success": True} for file in files]
    return {"artifacts": artifacts, "artifact": record["artifact"]}


def _durations(record: Mapping[str, Any]) -> Json:
    """Nothing for a call that was never answered."""
    if "startedAt" not in record or "endedAt" not in record:
        return {}
    length = _read(record["endedAt"]) - _read(record["startedAt"])
    length_ms = max(0, round(length.total_seconds() * 1000))
    return {
        "durationMs": length_ms,
        "durationSeconds": length_ms / 1000,
        "durationMinutes": round(length_ms / 60_000, 4),
    }


def _read(iso: str) -> datetime:
    return datetime.fromisoformat(iso)
