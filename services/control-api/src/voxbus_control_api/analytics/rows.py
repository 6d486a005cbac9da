"""What is counted: one row per call, or per change of how many calls there were at a time. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

Json = dict[str, Any]

_OTHER_NAMES: Final = {
    "costBreakdown.analysisBreakdown.summary": "costBreakdown.analysisCostBreakdown.summary",
    "costBreakdown.transcriber": "costBreakdown.stt",
}


@dataclass(frozen=True, slots=True)
class Row:
    """`values` by column; what is not a number there counts as nothing where numbers are asked for."""

    at: datetime
    record: Json
    values: Json = field(default_factory=Json)

    def value(self, column: str) -> Any:
        if column in self.values:
            return self.values[column]
        below: Any = self.record
        for part in _OTHER_NAMES.get(column, column).split("."):
            below = below.get(part) if isinstance(below, dict) else None
        return below

    def number(self, column: str) -> float | None:
        value = self.value(column)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def group(self, column: str) -> Any:
        """What to group by: a plain value or nothing."""
        value = self.value(column)
        return None if isinstance(value, dict | list) else value


def call_rows(records: Iterable[Json]) -> list[Row]:
    """`duration` in s, from start to end; a call that has not both has none."""
    return [Row(_moment(each["createdAt"]), each, {"duration": _duration_s(each)}) for each in records]


def usage_rows(records: Iterable[Json], now: datetime) -> list[Row]:
    """One row per beginning and end of a call: `concurrency` from then on, `minutesUsed` of the call that ended."""
    changes: list[tuple[datetime, int, float]] = []
    for record in records:
        if "startedAt" not in record:
            continue
        changes.append((_moment(record["startedAt"]), 1, 0.0))
        if "endedAt" in record:
            changes.append((_moment(record["endedAt"]), -1, (_duration_s(record) or 0) / 60))
    rows: list[Row] = []
    level = 0
    for at, change, minutes in sorted(changes):
        level += change
        if at <= now:
            rows.append(Row(at, {}, {"id": None, "concurrency": level, "minutesUsed": minutes}))
    return rows


def _duration_s(record: Json) -> float | None:
    if "startedAt" not in record or "endedAt" not in record:
        return None
    return max(0.0, (_moment(record["endedAt"]) - _moment(record["startedAt"])).total_seconds())


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
