"""`/v2/call`: calls by pages, with more to narrow them by; the same calls short, and as a file."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from voxbus_control_api.call_store import CallRecord
from voxbus_control_api.calls.search import ANY, COSTS, EXACT, NAMES, OBJECTS, Search, read_search
from voxbus_control_api.calls.table import csv_line, read_columns, row_of, short
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.http.api import Api, api_for
from voxbus_control_api.http.call_answers import shown
from voxbus_control_api.http.caller import org_of
from voxbus_control_api.http.described import described, list_query, ref
from voxbus_control_api.listing import page_metadata

Json = dict[str, Any]
Org = Annotated[str, Depends(org_of)]
Services = Annotated[Api, Depends(api_for)]

_AT_ONCE: Final = 100
"""Calls of an export that are in memory together."""

_FIELDS = (*EXACT, *ANY, *COSTS, *OBJECTS, *NAMES, "transcript")
_QUERY = list_query(paged=True, fields=_FIELDS)
_EXPORT: Json = {"parameters": list_query(fields=(*_FIELDS, "sortBy", "columns", "format"))}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file", "content": {"text/csv": {}, "application/json": {}}}
}

router = APIRouter(prefix="/v2/call", tags=["calls"])


@router.get("", **described(ref("CallPage"), query=_QUERY))
async def search_calls(request: Request, org: Org, api: Services) -> Json:
    """`{results, metadata}`, sorted by `createdAt`, `duration` or `cost`."""
    search = read_search(request.query_params.multi_items())
    ids, total = await _found(api, org, search)
    results = [await shown(api, call) for call in await api.calls.get_many(org, search.paged(ids))]
    return {"results": results, "metadata": page_metadata(search.listing, total)}


@router.get("/metadata", **described(ref("CallSummaryPage"), query=_QUERY))
async def search_short_calls(request: Request, org: Org, api: Services) -> Json:
    """The same calls without messages, artifact, analysis, costs and assistant."""
    search = read_search(request.query_params.multi_items())
    ids, total = await _found(api, org, search)
    results = [short(call.record) for call in await api.calls.get_many(org, search.paged(ids))]
    return {"results": results, "metadata": page_metadata(search.listing, total)}


@router.get("/export", openapi_extra=_EXPORT, responses=_FILE)
async def export_calls(request: Request, org: Org, api: Services) -> Response:
    """All calls that fit, as `csv` with the chosen `columns` or as `json`, in the answer itself.

    This server sends no mail: `async` and `email` change nothing.
    """
    asked = request.query_params
    if asked.get("format", "csv") not in ("csv", "json"):
        raise BadRequest("format must be one of the following values: csv, json")
    columns = read_columns(asked.getlist("columns"))
    ids, _ = await _found(api, org, read_search(asked.multi_items()))
    is_csv = asked.get("format", "csv") == "csv"
    lines = _csv(api, org, ids, columns) if is_csv else _json(api, org, ids)
    told = {"content-disposition": f'attachment; filename="calls.{"csv" if is_csv else "json"}"'}
    return StreamingResponse(lines, headers=told, media_type="text/csv" if is_csv else "application/json")


async def _found(api: Api, org: str, search: Search) -> tuple[list[str], int]:
    """Ids of all that fit, in order, and how many there are."""
    said = await api.calls.said(org, search.text) if search.text else None
    if search.body:
        bodies = await api.calls.bodies(org, search.statement())
        ids = [call_id for call_id, body in bodies if search.is_in(body)]
    else:
        ids = await api.calls.ids(org, search.statement())
    fitting = ids if said is None else [each for each in ids if each in said]
    return fitting, len(fitting)


async def _few_at_a_time(api: Api, org: str, ids: list[str]) -> AsyncIterator[CallRecord]:
    for start in range(0, len(ids), _AT_ONCE):
        for call in await api.calls.get_many(org, ids[start : start + _AT_ONCE]):
            yield call


async def _csv(api: Api, org: str, ids: list[str], columns: tuple[str, ...]) -> AsyncIterator[str]:
    yield csv_line(columns)
    async for call in _few_at_a_time(api, org, ids):
        yield csv_line(row_of(await shown(api, call), columns))


async def _json(api: Api, org: str, ids: list[str]) -> AsyncIterator[str]:
    separator = "["
    async for call in _few_at_a_time(api, org, ids):
        yield separator + json.dumps(await shown(api, call), ensure_ascii=False)
        separator = ","
    yield "[]" if separator == "[" else "]"
