"""Periods of the calendar, where they begin in a time zone. Pure but for the zone's rules."""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from voxbus_control_api.schemas.analytics import Step

_CUT: Final[dict[str, dict[str, int]]] = {
    "second": {"microsecond": 0},
    "minute": {"second": 0, "microsecond": 0},
    "hour": {"minute": 0, "second": 0, "microsecond": 0},
    "day": {"hour": 0, "minute": 0, "second": 0, "microsecond": 0},
}
_YEARS: Final = {"year": 1, "decade": 10, "century": 100, "millennium": 1000}


def zone(name: str) -> ZoneInfo:
    """Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError("must be a time zone, as in Europe/Zurich") from None


def begin_of(moment: datetime, step: Step, at: ZoneInfo) -> datetime:
    """When the period that `moment` lies in began there, in UTC; weeks begin on Monday."""
    local = moment.astimezone(at)
    if step in _CUT:
        return local.replace(**_CUT[step]).astimezone(UTC)  # pyright: ignore[reportArgumentType]
    day = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    match step:
        case "week":
            day = day - timedelta(days=day.weekday())
        case "month":
            day = day.replace(day=1)
        case "quarter":
            day = day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case _:
            years = _YEARS[step]
            day = day.replace(year=max(1, day.year // years * years), month=1, day=1)
    return day.astimezone(UTC)
