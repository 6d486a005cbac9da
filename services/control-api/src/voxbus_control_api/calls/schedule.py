"""When a call is to start, and which calls are due now. Pure: times are ms since the epoch."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from voxbus_control_api.errors import BadRequest

TOO_LATE: Final = "call.in-progress.error-vapifault-worker-not-available"
"""The end of a scheduled call that nobody was there to start in its time."""

ANNOUNCED_WITHIN_MS: Final = 5_000
"""A call that was to start at once and is not on the bus after this is announced again."""


class SchedulePlan(BaseModel):
    """`schedulePlan` of a request; a time without a zone is UTC."""

    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel)

    earliest_at: datetime
    latest_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The call starts at `earliest_ms` or as soon after as somebody can start it, never later than `latest_ms`."""

    earliest_ms: int
    latest_ms: int | None = None


def window(plan: SchedulePlan, now_ms: int) -> Window:
    """Raises BadRequest when no time is left in it."""
    earliest, latest = _ms(plan.earliest_at), _ms(plan.latest_at) if plan.latest_at else None
    problems: list[str] = []
    if latest is not None and latest < earliest:
        problems.append("schedulePlan.latestAt must not be before schedulePlan.earliestAt")
    if latest is not None and latest < now_ms:
        problems.append("schedulePlan.latestAt must not be in the past")
    if problems:
        raise BadRequest(*problems)
    return Window(earliest, latest)


@dataclass(frozen=True, slots=True)
class Unstarted:
    """A call that is stored and not on the bus."""

    org: str
    call: str
    starts_at_ms: int
    latest_ms: int | None
    is_scheduled: bool


def due(call: Unstarted, now_ms: int) -> bool:
    """Calls without a schedule were due when they were made: whoever took them may still be at it for a moment."""
    return now_ms >= call.starts_at_ms + (0 if call.is_scheduled else ANNOUNCED_WITHIN_MS)


def is_too_late(call: Unstarted, now_ms: int) -> bool:
    return call.latest_ms is not None and now_ms > call.latest_ms


def _ms(moment: datetime) -> int:
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
