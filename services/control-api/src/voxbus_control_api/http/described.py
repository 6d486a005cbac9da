"""What a route takes and answers, for the OpenAPI document."""

from collections.abc import Sequence
from typing import Any, Final

from voxbus_control_api.listing import SORTED_BY

Json = dict[str, Any]

_TIMES: Final = tuple(f"{field}{suffix}" for field in ("createdAt", "updatedAt") for suffix in ("Gt", "Lt", "Ge", "Le"))
_REF: Final = "#/components/schemas/"


def ref(name: str) -> Json:
    """A named schema of the document; see `http/components.py`."""
    return {"$ref": f"{_REF}{name}"}


def described(
    answer: Json, *, status: int = 200, body: Json | None = None, query: Sequence[Json] = (), name: str = ""
) -> Json:
    """Arguments of a route's decorator: its answer, its body, its query, its name."""
    extra: Json = {"parameters": list(query)} if query else {}
    if body is not None:
        extra["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    answers = {status: {"description": "Done", "content": {"application/json": {"schema": answer}}}}
    out: Json = {"status_code": status, "responses": answers, "openapi_extra": extra, "response_model": None}
    return {**out, "operation_id": name} if name else out


def list_query(*, paged: bool = False, fields: Sequence[str] = ()) -> list[Json]:
    """Parameters of a list."""
    out = [parameter("limit", {"type": "integer", "minimum": 0, "maximum": 1000, "default": 100})]
    if paged:
        out.append(parameter("page", {"type": "integer", "minimum": 1, "maximum": 1_000_000, "default": 1}))
        out.append(parameter("sortOrder", {"type": "string", "enum": ["ASC", "DESC"], "default": "DESC"}))
        out.append(parameter("sortBy", {"type": "string", "enum": list(SORTED_BY), "default": SORTED_BY[0]}))
    out += [parameter(field, {"type": "string", "pattern": "^[^\\u0000]*$"}) for field in fields]
    return out + [parameter(time, {"type": "string", "format": "date-time"}) for time in _TIMES]


def array_of(name: str) -> Json:
    """A bare array."""
    return {"type": "array", "items": ref(name)}


def pages_of(name: str) -> Json:
    """`{results, metadata}`"""
    return {
        "type": "object",
        "required": ["results", "metadata"],
        "properties": {"results": array_of(name), "metadata": ref("PaginationMetadata")},
    }


def open_object(required: Json, optional: Json | None = None) -> Json:
    """An object with at least these fields: name → schema."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        "additionalProperties": True,
    }


def parameter(name: str, schema: Json) -> Json:
    """Of the query, not required."""
    return {"name": name, "in": "query", "required": False, "schema": schema}
