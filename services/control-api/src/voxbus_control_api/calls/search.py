"""What `/v2/call` is narrowed and sorted by. Pure: parameters → conditions of the table and of the posted body.

An object is given as JSON or as `customer[number]=…`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, select
from starlette.datastructures import QueryParams

from voxbus_control_api.database import CALLS
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.listing import Filters, Listing, read_filtered, several

Json = dict[str, Any]

EXACT: Final = {
    "id": "id",
    "assistantId": "assistant_id",
    "squadId": "squad_id",
    "phoneNumberId": "phone_number_id",
    "endedReason": "ended_reason",
}
ANY: Final = {
    "idAny": "id",
    "assistantIdAny": "assistant_id",
    "squadIdAny": "squad_id",
    "phoneNumberIdAny": "phone_number_id",
    "endedReasonAny": "ended_reason",
    "customerNumberAny": "customer_number",
}
COSTS: Final = ("cost", "costGt", "costLt", "costGe", "costLe")
OBJECTS: Final = ("customer", "assistantOverrides")
NAMES: Final = {"assistantName": "assistant", "squadName": "squad"}

_NOT_YET: Final = ("endedReasonAnyBitmap", "successEvaluation", "structuredOutputs", "score", "cursor")
_LONGEST_TEXT: Final = 500
_NANO: Final = Decimal(10) ** 9
_MOST_USD: Final = Decimal(10) ** 9
_PART: Final = re.compile(r"\[([^\]]*)\]")


@dataclass(frozen=True, slots=True)
class Search:
    """`anys` are columns and their values, `costs` comparisons in billionths of a dollar.

    `text` must have been said, and `body` be part of what was posted, which the database cannot look into.
    """

    listing: Listing
    anys: tuple[tuple[str, tuple[str, ...]], ...] = ()
    costs: tuple[tuple[str, int], ...] = ()
    text: str = ""
    body: Json = field(default_factory=Json)

    def statement(self) -> Select[Any]:
        """Whole rows in order, on one page if `paged` below is applied."""
        wanted = [*self.listing.conditions(CALLS), *(CALLS.c[name].in_(values) for name, values in self.anys)]
        wanted += [_compared(CALLS.c.cost_nano_usd, sign, nanos) for sign, nanos in self.costs]
        column = _SORTS[self.listing.sort_by]
        order = column.asc() if self.listing.oldest_first else column.desc()
        return select(CALLS).where(*wanted).order_by(order, CALLS.c.id)

    def paged(self, found: Sequence[str]) -> Sequence[str]:
        start = self.listing.limit * (self.listing.page - 1)
        return found[start : start + self.listing.limit]

    def is_in(self, body: Json) -> bool:
        return _holds(body, self.body)


_SORTS: Final[Mapping[str, ColumnElement[Any]]] = {
    "createdAt": CALLS.c.created_at_ms,
    "duration": func.coalesce(CALLS.c.ended_at_ms - CALLS.c.started_at_ms, 0),
    "cost": func.coalesce(CALLS.c.cost_nano_usd, 0),
}


def read_search(parameters: Sequence[tuple[str, str]]) -> Search:
    """Raises BadRequest naming every parameter that is wrong."""
    query = QueryParams(list(parameters))
    problems = [f"{name} is not supported by this server yet" for name in _NOT_YET if name in query]
    text = query.get("transcript", "")
    if len(text) > _LONGEST_TEXT:
        problems.append(f"transcript must have at most {_LONGEST_TEXT} characters")
    body = {name: _object(name, parameters, problems) for name in OBJECTS}
    body |= {of: {"name": query[name]} for name, of in NAMES.items() if name in query}
    costs = tuple((name.removeprefix("cost"), _nanos(name, query[name], problems)) for name in COSTS if name in query)
    try:
        listing = read_filtered(query, Filters(columns=EXACT, amounts=("duration", "cost")))
    except BadRequest as wrong:
        raise BadRequest(*problems, *wrong.problems) from None
    if problems:
        raise BadRequest(*problems)
    anys = tuple((column, values) for name, column in ANY.items() if (values := several(name, parameters)))
    return Search(listing, anys, costs, text, {name: value for name, value in body.items() if value})


def _nanos(name: str, text: str, problems: list[str]) -> int:
    try:
        exact = Decimal(text)
        if exact.is_finite() and abs(exact) < _MOST_USD:
            return int((exact * _NANO).to_integral_value())
    except InvalidOperation:
        pass
    problems.append(f"{name} must be a number")
    return 0


def _compared(column: Any, sign: str, nanos: int) -> ColumnElement[bool]:
    match sign:
        case "Gt":
            return column > nanos
        case "Lt":
            return column < nanos
        case "Ge":
            return column >= nanos
        case "Le":
            return column <= nanos
        case _:
            return column == nanos


def _object(name: str, parameters: Sequence[tuple[str, str]], problems: list[str]) -> Json:
    out: Json = {}
    for key, value in parameters:
        if key == name:
            out = _merged(out, _parsed(name, value, problems))
        elif key.startswith(f"{name}["):
            path = _PART.findall(key)
            leaf: Any = value
            for part in reversed(path):
                leaf = {part: leaf}
            out = _merged(out, leaf if isinstance(leaf, dict) else {})
    return out


def _parsed(name: str, text: str, problems: list[str]) -> Json:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        problems.append(f"{name} must be a JSON object")
        return {}
    return value


def _merged(one: Json, other: Json) -> Json:
    out = dict(one)
    for name, value in other.items():
        below = out.get(name)
        out[name] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return out


def _holds(there: Any, wanted: Any) -> bool:
    """Every wanted field is there; texts are compared without case, numbers as they are written."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(_holds(there.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(there, list) and all(any(_holds(each, value) for each in there) for value in wanted)
    return there is not None and str(there).casefold() == str(wanted).casefold()
