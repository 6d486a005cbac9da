"""What a list is narrowed by: the filters every list of the public API has."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table
from starlette.datastructures import QueryParams

from voxbus_control_api.errors import BadRequest

DEFAULT_LIMIT: Final = 100
MOST: Final = 1_000
SORTED_BY: Final = ("createdAt", "duration", "cost")
_MOST_PAGES: Final = 1_000_000

_WHOLE: Final = re.compile(r"[0-9]{1,7}(\.0+)?")
_BLANK_ZONE: Final = re.compile(r" (\d\d:\d\d)$")

_TIMES: Final = {
    f"{field}{suffix}": (column, suffix)
    for field, column in (("createdAt", "created_at_ms"), ("updatedAt", "updated_at_ms"))
    for suffix in ("Gt", "Lt", "Ge", "Le")
}


@dataclass(frozen=True, slots=True)
class Listing:
    """Page `page` (from 1) of those that fit all conditions, `limit` on each, newest first.

    Times are in ms since the epoch. `equal` are columns and the values one of which each must have, `in_body` the same
    of text fields of a stored body (`customer.number`); `searched` is a text and the fields one of which must hold it.
    """

    limit: int = DEFAULT_LIMIT
    times: tuple[tuple[str, str, float], ...] = ()
    equal: tuple[tuple[str, tuple[str, ...]], ...] = ()
    in_body: tuple[tuple[str, tuple[str, ...]], ...] = ()
    searched: tuple[str, tuple[str, ...]] | None = None
    page: int = 1
    oldest_first: bool = False
    sort_by: str = SORTED_BY[0]

    def applied(self, statement: Select[Any], table: Table, first: ColumnElement[Any] | None = None) -> Select[Any]:
        """The statement's one page, in order of `first` and then of time; entries of the same time by their ids."""
        columns = [table.c.created_at_ms] if first is None else [first, table.c.created_at_ms]
        ordered = statement.order_by(*(each if self.oldest_first else each.desc() for each in columns), table.c.id)
        return ordered.limit(self.limit).offset(self.limit * (self.page - 1))

    def conditions(self, table: Table) -> list[ColumnElement[bool]]:
        compared = [_compare(table.c[column], suffix, ms) for column, suffix, ms in self.times]
        return compared + [table.c[column].in_(values) for column, values in self.equal]


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list may be narrowed by beside times: parameter → column, parameter → field of the body.

    Parameters whose names end in `Any` take several values, any of which will do.
    """

    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    in_body: Mapping[str, str] = field(default_factory=dict[str, str])
    searched: tuple[str, ...] = ()
    """Fields of the body that `search` looks into."""
    amounts: tuple[str, ...] = ()
    """What the list can be sorted by beside time, numbers that are ours; of the others all have the same."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of all parameters."""
        return (*self.columns, *self.in_body, *(("search",) if self.searched else ()))


def read_listing(query: Mapping[str, str], equal: Mapping[str, str] | None = None) -> Listing:
    """`equal` maps a parameter to its column. Raises BadRequest naming every parameter that is wrong."""
    return read_filtered(query, Filters(columns=equal or {}))


def read_filtered(query: Mapping[str, str], filters: Filters) -> Listing:
    """The same with all that a list can be narrowed by; of a paged list too."""
    parameters = _all(query)
    problems = [f"{name} must not hold the character NUL" for name, value in parameters if "\0" in value]
    limit = _number(query, "limit", DEFAULT_LIMIT, (0, MOST), problems)
    page = _number(query, "page", 1, (1, _MOST_PAGES), problems)
    order = query.get("sortOrder", "DESC")
    if order not in ("ASC", "DESC"):
        problems.append("sortOrder must be one of the following values: ASC, DESC")
    sort_by = query.get("sortBy", SORTED_BY[0])
    if sort_by not in SORTED_BY:
        problems.append(f"sortBy must be one of the following values: {', '.join(SORTED_BY)}")
    times: list[tuple[str, str, float]] = []
    for name, (column, suffix) in _TIMES.items():
        if name in query:
            try:
                times.append((column, suffix, _ms(query[name])))
            except (ValueError, OverflowError):
                problems.append(f"{name} must be a valid ISO 8601 date string")
    if problems:
        raise BadRequest(*problems)
    searched = (query["search"], filters.searched) if query.get("search") and filters.searched else None
    return Listing(
        limit=limit,
        page=page,
        oldest_first=order == "ASC",
        times=tuple(times),
        equal=_wanted(query, filters.columns),
        in_body=_wanted(query, filters.in_body),
        searched=searched,
        sort_by=sort_by if sort_by in filters.amounts else SORTED_BY[0],
    )


def several(name: str, parameters: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """A list, given as comma-separated values, repeated, or with `[]`."""
    given = [value for key, value in parameters if key in (name, f"{name}[]")]
    return tuple(part.strip() for value in given for part in value.split(",") if part.strip())


def _all(query: Mapping[str, str]) -> list[tuple[str, str]]:
    """Every parameter, those that are repeated too."""
    return query.multi_items() if isinstance(query, QueryParams) else list(query.items())


def _wanted(query: Mapping[str, str], places: Mapping[str, str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Places and values; a list without values narrows nothing."""
    parameters = _all(query)
    one = [(place, (query[name],)) for name, place in places.items() if name in query and not name.endswith("Any")]
    any_of = [(place, several(name, parameters)) for name, place in places.items() if name.endswith("Any")]
    return (*one, *((place, values) for place, values in any_of if values))


def page_metadata(listing: Listing, total: int) -> dict[str, Any]:
    """What stands beside the results of a page."""
    pages = -(-total // listing.limit) if listing.limit else 0
    return {
        "itemsPerPage": listing.limit,
        "totalItems": total,
        "currentPage": listing.page,
        "totalPages": pages,
        "hasNextPage": listing.page < pages,
        "sortOrder": "ASC" if listing.oldest_first else "DESC",
    }


def _number(query: Mapping[str, str], name: str, default: int, within: tuple[int, int], problems: list[str]) -> int:
    """Clients with one kind of number send 10.0."""
    text = query.get(name)
    if text is None:
        return default
    low, high = within
    if _WHOLE.fullmatch(text) and low <= int(text.partition(".")[0]) <= high:
        return int(text.partition(".")[0])
    problems.append(f"{name} must be a whole number from {low} to {high}")
    return default


def _ms(text: str) -> float:
    """A `+` that was not escaped reaches us as a blank."""
    moment = datetime.fromisoformat(_BLANK_ZONE.sub(r"+\1", text))
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
