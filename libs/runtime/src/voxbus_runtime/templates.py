"""Liquid templates of customers: `{{ customer.name }}`, filters, conditions. Sandboxed and bounded; never raises.

A template sees the variables it is given and nothing else: no files, no other templates, no attributes of objects. A
value is never read as a template again. What cannot be rendered loses its placeholders: a caller must not hear them.
"""

import datetime as dt
import re
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from liquid import BoundTemplate, Environment
from liquid.exceptions import LiquidError

from voxbus_contracts.config import CallConfig

LONGEST_TEMPLATE: Final = 200_000
"""Characters; a longer text is left as it is."""

_NOW_FORMAT: Final = "%b %-d, %Y %-I:%M %p"
_READ_FORMATS: Final = ("%b %d, %Y %I:%M %p", "%b %d, %Y", "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")
_LONGEST_DATE_FORMAT: Final = 200
_MARK: Final = re.compile(r"\{\{|\{%")
_PLACEHOLDER: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


class _Bounded(Environment):
    """What one template may use up."""

    block_nesting_limit = 10
    context_depth_limit = 10
    loop_iteration_limit = 1_000
    local_namespace_limit = 100_000
    output_stream_limit = 200_000


def variables_of(config: CallConfig) -> dict[str, Any]:
    """What every template of a call knows: when it was made (UTC), who and how, and over that its own variables."""
    at = dt.datetime.fromtimestamp(config.created_at_ms / 1000, dt.UTC)
    known: dict[str, Any] = {
        "now": at.strftime(_NOW_FORMAT),
        "date": at.strftime("%b %-d, %Y"),
        "time": at.strftime("%-I:%M %p"),
        "month": at.strftime("%B"),
        "day": str(at.day),
        "year": str(at.year),
        "call": {"id": config.call, "type": config.call_type, "orgId": config.org},
        "transport": {"conversationType": "chat" if config.is_chat else "voice", "provider": config.transport.provider},
    }
    return known | config.variables


def is_template(text: str) -> bool:
    return _MARK.search(text) is not None


def rendered(text: str, variables: Mapping[str, Any], now_ms: int) -> str:
    """The text with its placeholders filled in; names nobody knows are empty. `now_ms`: unix time of "now"."""
    if not is_template(text) or len(text) > LONGEST_TEMPLATE:
        return text
    try:
        return _parsed(text).render({**variables, _NOW: now_ms})
    except (LiquidError, RecursionError, ValueError, TypeError, ArithmeticError):
        return _PLACEHOLDER.sub("", text)


def filled(value: Any, variables: Mapping[str, Any], now_ms: int) -> Any:
    """A JSON value with every text in it rendered."""
    fill = partial(filled, variables=variables, now_ms=now_ms)
    match value:
        case str():
            return rendered(value, variables, now_ms)
        case dict():
            return {name: fill(each) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case list() | tuple():
            return [fill(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value


_NOW: Final = "voxbus_now_ms"


@lru_cache(maxsize=512)
def _parsed(text: str) -> BoundTemplate:
    return _ENVIRONMENT.from_string(text)


def _date(value: Any, form: Any = "", zone: Any = "UTC", *, context: Any) -> str:
    """`{{ "now" | date: "%A, %B %d", "America/New_York" }}`; what is no date stays as it is."""
    at = _moment(value, int(context.globals.get(_NOW, 0)))
    if at is None or not form:
        return str(value)
    try:
        return at.astimezone(ZoneInfo(str(zone))).strftime(str(form)[:_LONGEST_DATE_FORMAT])
    except (ZoneInfoNotFoundError, ValueError, OverflowError):
        return at.strftime(str(form)[:_LONGEST_DATE_FORMAT])


_date.with_context = True  # type: ignore[attr-defined]  # how the library hands a filter its context


def _moment(value: Any, now_ms: int) -> dt.datetime | None:
    text = str(value).strip()
    if text in {"now", "today"}:
        return dt.datetime.fromtimestamp(now_ms / 1000, dt.UTC)
    try:
        if text.isdecimal():
            return dt.datetime.fromtimestamp(int(text), dt.UTC)
        at = dt.datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        at = next((found for form in _READ_FORMATS if (found := _by(text, form)) is not None), None)
    return at if at is None or at.tzinfo else at.replace(tzinfo=dt.UTC)


def _by(text: str, form: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, form)  # noqa: DTZ007  # a date without a zone is UTC
    except ValueError:
        return None


def _environment() -> Environment:
    environment = _Bounded(strict_filters=True)
    environment.add_filter("date", _date)
    return environment


_ENVIRONMENT: Final = _environment()
