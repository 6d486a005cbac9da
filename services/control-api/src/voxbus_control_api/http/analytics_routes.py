"""`/analytics`: sums, averages, counts and histories over an organisation's calls."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from voxbus_control_api.analytics.answering import Span, answered, check_query, span_of
from voxbus_control_api.analytics.rows import call_rows, usage_rows
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.http.api import Api, api_for
from voxbus_control_api.http.body import read_object
from voxbus_control_api.http.caller import org_of
from voxbus_control_api.http.described import array_of, described, ref
from voxbus_control_api.listing import MOST, Listing
from voxbus_control_api.overrides import without_nulls
from voxbus_control_api.problems import validated
from voxbus_control_api.schemas.analytics import AnalyticsBody, AnalyticsQuery

Json = dict[str, Any]
Org = Annotated[str, Depends(org_of)]
Services = Annotated[Api, Depends(api_for)]
Body = Annotated[Json, Depends(read_object)]

_PAGES: Final = 100
_LONGEST_CALL: Final = timedelta(hours=12)
"""A call that is counted as going on may have begun that long before: the longest maxDurationSeconds."""

router = APIRouter(tags=["analytics"])


@router.post("/analytics", **described(array_of("AnalyticsResult"), body=ref("AnalyticsBody"), name="askAnalytics"))
async def ask(org: Org, api: Services, body: Body) -> JSONResponse:
    """`duration` is in seconds; calls belong to the time they were created at."""
    asked = validated(AnalyticsBody, without_nulls(body))
    now = datetime.fromtimestamp(api.now_ms() / 1000, UTC)
    spans: list[tuple[AnalyticsQuery, Span]] = []
    for index, query in enumerate(asked.queries):
        path = f"queries.{index}"
        check_query(query, path)
        spans.append((query, span_of(query, now, path)))
    return JSONResponse([await _answer(api, org, query, span, now) for query, span in spans])


async def _answer(api: Api, org: str, query: AnalyticsQuery, span: Span, now: datetime) -> Json:
    if query.table == "call":
        return answered(query, span, call_rows(await _records(api, org, span.start, span.end)))
    before = span.start - _LONGEST_CALL if span.start.year > 1 else span.start
    return answered(query, span, usage_rows(await _records(api, org, before, span.end), now))


async def _records(api: Api, org: str, start: datetime, end: datetime) -> list[Json]:
    """Raises BadRequest when there are too many to be counted in one request."""
    times = (("created_at_ms", "Ge", _ms(start)), ("created_at_ms", "Lt", _ms(end)))
    records: list[Json] = []
    for page in range(1, _PAGES + 1):
        found = await api.calls.find(org, Listing(limit=MOST, times=times, page=page))
        records += [_counted(call.record) for call in found]
        if len(found) < MOST:
            return records
    raise BadRequest(f"timeRange holds more than {_PAGES * MOST} calls: ask for a shorter one")


def _counted(record: Json) -> Json:
    """Without what was said: it is not counted."""
    return {name: value for name, value in record.items() if name not in ("messages", "artifact")}


def _ms(moment: datetime) -> float:
    return moment.timestamp() * 1000
