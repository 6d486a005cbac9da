"""Calls as rows of a table: `/v2/call/export` and what `/v2/call/metadata` shows of a call. Pure."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from voxbus_control_api.errors import BadRequest

Json = dict[str, Any]

COLUMNS: Final = (
    "id",
    "assistantId",
    "squadId",
    "customerId",
    "customerName",
    "customerNumber",
    "customerSipUri",
    "customerExtension",
    "phoneNumberId",
    "endedReason",
    "type",
    "duration",
    "startedAt",
    "endedAt",
    "transcript",
    "summary",
    "successEvaluation",
    "recordingUrl",
    "cost",
    "phoneCallProvider",
    "phoneCallProviderId",
    "createdAt",
    "updatedAt",
    "assistantVersion",
)
_IN: Final = {
    "customerName": ("customer", "name"),
    "customerNumber": ("customer", "number"),
    "customerSipUri": ("customer", "sipUri"),
    "customerExtension": ("customer", "extension"),
    "transcript": ("artifact", "transcript"),
    "recordingUrl": ("artifact", "recordingUrl"),
    "summary": ("analysis", "summary"),
    "successEvaluation": ("analysis", "successEvaluation"),
}
_LONG: Final = ("messages", "artifact", "analysis", "assistant", "squad", "costs", "monitor")


def read_columns(asked: Sequence[str]) -> tuple[str, ...]:
    """Comma-separated or repeated; all when none is named. Raises BadRequest."""
    names = [name.strip() for each in asked for name in each.split(",") if name.strip()]
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise BadRequest(f"columns must be some of the following values: {', '.join(COLUMNS)}")
    return tuple(names) or COLUMNS


def csv_line(values: Sequence[Any]) -> str:
    """As RFC 4180 has it; a cell a spreadsheet would take for a formula begins with an apostrophe."""
    out = io.StringIO()
    csv.writer(out).writerow([_cell(value) for value in values])
    return out.getvalue()


def row_of(call: Json, columns: Sequence[str]) -> list[Any]:
    return [_value(call, column) for column in columns]


def short(call: Json) -> Json:
    """The call without what was said, and without its assistant."""
    return {name: value for name, value in call.items() if name not in _LONG}


def _value(call: Json, column: str) -> Any:
    if column == "duration":
        return _duration_s(call)
    below: Any = call
    for name in _IN.get(column, (column,)):
        below = below.get(name) if isinstance(below, dict) else None
    return below


def _duration_s(call: Json) -> float | None:
    if "startedAt" not in call or "endedAt" not in call:
        return None
    ended, started = (datetime.fromisoformat(call[name]) for name in ("endedAt", "startedAt"))
    return round((ended - started).total_seconds(), 3)


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    is_number = isinstance(value, int | float) or text.removeprefix("+").isdigit()
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not is_number else text
