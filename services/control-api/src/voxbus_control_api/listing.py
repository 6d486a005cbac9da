"""What a list is narrowed by: the filters every list of the public API has."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table

from voxbus_control_api.errors import BadRequest

DEFAULT_LIMIT: Final = 100
MOST: Final = 1_000

_TIMES: Final = {
    f"{field}{suffix}": (column, suffix)
    for field, column in (("createdAt", "created_at_ms"), ("updatedAt", "updated_at_ms"))
    for suffix in ("Gt", "Lt", "Ge", "Le")
}


@dataclass(frozen=True, slots=True)
class Listing:
    """Page `page` (from 1) of those that fit all conditions, `limit` on each, newest first.

    Times are in ms since the epoch. `equal` are columns and values, `in_body` text fields at the top
    of a stored body and values.
    """

    limit: int = DEFAULT_LIMIT
    times: tuple[tuple[str, str, float], ...] = ()
    equal: tuple[tuple[str, str], ...] = ()
    in_body: tuple[tuple[str, str], ...] = ()
    page: int = 1
    oldest_first: bool = False
    sort_by: str = "created_at_ms"

    def applied(self, statement: Select[Any], table: Table) -> Select[Any]:
        """The statement's one page; entries of the same time are in order of their ids."""
        column = table.c[self.sort_by]
        ordered = statement.order_by(column if self.oldest_first else column.desc(), table.c.id)
        return ordered.limit(self.limit).offset(self.limit * (self.page - 1))

    def conditions(self, table: Table) -> list[ColumnElement[bool]]:
        compared = [_compare(table.c[column], suffix, ms) for column, suffix, ms in self.times]
        return compared + [table.c[column] == value for column, value in self.equal]


def read_listing(query: Mapping[str, str], equal: Mapping[str, str] | None = None) -> Listing:
    """`equal` maps a parameter to its column. Raises BadRequest naming every parameter that is wrong."""
    problems: list[str] = []
    limit = query.get("limit", str(DEFAULT_LIMIT))
    if not (limit.isascii() and limit.isdigit() and int(limit) <= MOST):
        problems.append(f"limit must be a whole number from 0 to {MOST}")
    times: list[tuple[str, str, float]] = []
    for name, (column, suffix) in _TIMES.items():
        if name in query:
            try:
                times.append((column, suffix, _ms(query[name])))
            except ValueError:
                problems.append(f"{name} must be a valid ISO 8601 date string")
    if problems:
        raise BadRequest(*problems)
    same = tuple((column, query[name]) for name, column in (equal or {}).items() if name in query)
    return Listing(int(limit), tuple(times), same)


def _ms(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000


def _compare(column: Any, suffix: str, ms: float) -> ColumnElement[bool]:
    match suffix:
        case "Gt":
            return column > ms
        case "Lt":
            return column < ms
        case "Ge":
            return column >= ms
        case _:
            return column <= ms
