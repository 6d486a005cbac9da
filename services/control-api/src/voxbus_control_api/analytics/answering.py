"""Rows grouped, each group's columns reduced. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from voxbus_control_api.analytics.periods import begin_of, zone
from voxbus_control_api.analytics.rows import Row
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.schemas.analytics import AnalyticsQuery, Operation, TimeRange

Json = dict[str, Any]

_WEEK: Final = timedelta(days=7)
_USAGE: Final = ("concurrency", "minutesUsed")


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` up to, without, `end`."""

    start: datetime
    end: datetime
    asked: TimeRange


def span_of(query: AnalyticsQuery, now: datetime, path: str) -> Span:
    """The last seven days when nothing is said. Raises BadRequest naming the field below `path`."""
    asked = query.time_range or TimeRange()
    try:
        zone(asked.timezone)
    except ValueError as wrong:
        raise BadRequest(f"{path}.timeRange.timezone {wrong}") from None
    end = _aware(asked.end) or now
    start = _aware(asked.start) or _week_before(end)
    if start > end:
        raise BadRequest(f"{path}.timeRange.start must not be after end")
    return Span(start, end, asked)


def check_query(query: AnalyticsQuery, path: str) -> None:
    """What can be asked of which table. Raises BadRequest."""
    problems: list[str] = []
    for index, operation in enumerate(query.operations):
        is_usage = operation.column in _USAGE
        place = f"{path}.operations.{index}"
        if is_usage != (query.table == "subscription"):
            problems.append(f"{place}.column {operation.column[:100]} is no column of the table {query.table}")
        elif operation.column == "concurrency" and operation.operation in ("sum", "avg"):
            problems.append(f"{place}.operation must be max, min, count or history for concurrency")
    if query.table == "subscription" and (query.group_by or query.group_by_variable_value):
        problems.append(f"{path}.groupBy must not be given for the table subscription")
    if problems:
        raise BadRequest(*problems)


def answered(query: AnalyticsQuery, span: Span, rows: Sequence[Row]) -> Json:
    """`{name, timeRange, result}`; a group nobody is in is left out."""
    within = [row for row in rows if span.start <= row.at < span.end]
    groups: dict[tuple[Any, ...], list[Row]] = {} if _is_divided(query, span) else {(): []}
    for row in within:
        groups.setdefault(_group_of(row, query, span), []).append(row)
    names = _group_names(query, span)
    result = [{**dict(zip(names, group, strict=True)), **_reduced(query, groups[group])} for group in groups]
    if span.asked.step is not None:
        result.sort(key=lambda each: each["date"])
    return {"name": query.name, "timeRange": _shown(span), "result": result}


def _reduced(query: AnalyticsQuery, rows: list[Row]) -> Json:
    return {_name(operation): reduced(operation, rows) for operation in query.operations}


def reduced(operation: Operation, rows: Sequence[Row]) -> Any:
    """A sum of nothing is 0; an average, least or greatest of nothing is null."""
    column = operation.column
    if operation.operation == "count":
        return sum(1 for row in rows if column == "id" or row.value(column) is not None)
    if operation.operation == "history":
        ordered = sorted(rows, key=lambda row: row.at)
        return [
            {"date": _iso(row.at), "value": row.number(column)} for row in ordered if row.number(column) is not None
        ]
    numbers = [number for row in rows if (number := row.number(column)) is not None]
    if operation.operation == "sum":
        return math.fsum(numbers)
    if not numbers:
        return None
    match operation.operation:
        case "avg":
            return math.fsum(numbers) / len(numbers)
        case "min":
            return min(numbers)
        case _:
            return max(numbers)


def _is_divided(query: AnalyticsQuery, span: Span) -> bool:
    return bool(_group_names(query, span))


def _group_names(query: AnalyticsQuery, span: Span) -> list[str]:
    dates = ["date"] if span.asked.step else []
    return [*dates, *query.group_by, *(f"variableValues.{each.key}" for each in query.group_by_variable_value)]


def _group_of(row: Row, query: AnalyticsQuery, span: Span) -> tuple[Any, ...]:
    step = span.asked.step
    dates = [_iso(begin_of(row.at, step, zone(span.asked.timezone)))] if step else []
    overrides = row.value("assistantOverrides.variableValues")
    variables = overrides if isinstance(overrides, dict) else {}
    values = [variables.get(each.key) for each in query.group_by_variable_value]
    plain = [None if isinstance(value, dict | list) else value for value in values]
    return (*dates, *(row.group(column) for column in query.group_by), *plain)


def _name(operation: Operation) -> str:
    column = operation.column
    return operation.alias or f"{operation.operation}{column[:1].upper()}{column[1:]}"


def _shown(span: Span) -> Json:
    step = {"step": span.asked.step} if span.asked.step else {}
    return {**step, "start": _iso(span.start), "end": _iso(span.end), "timezone": span.asked.timezone}


def _aware(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if moment.year == 1 else datetime.max.replace(tzinfo=UTC)


def _week_before(end: datetime) -> datetime:
    return end - _WEEK if end.year > 1 else datetime.min.replace(tzinfo=UTC)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
