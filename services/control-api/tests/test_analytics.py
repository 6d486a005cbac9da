"""Sums, averages and histories over calls."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus_contracts.events import CallEnded, CallStarted
from voxbus_control_api.analytics.answering import answered, reduced, span_of
from voxbus_control_api.analytics.periods import begin_of, zone
from voxbus_control_api.analytics.rows import Row, call_rows, usage_rows
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.schemas.analytics import AnalyticsQuery, Operation

LATE = {"start": "2026-03-02T00:00:00Z", "end": "2026-03-01T00:00:00Z"}
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
STEPS = ["second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade", "century", "millennium"]


def call(minute: int, seconds: float | None = None, **more: Any) -> dict[str, Any]:
    start = NOW - timedelta(hours=1) + timedelta(minutes=minute)
    times = {"createdAt": start.isoformat(), "startedAt": start.isoformat()}
    if seconds is not None:
        times["endedAt"] = (start + timedelta(seconds=seconds)).isoformat()
    return {**times, **more}


def ask(calls: list[dict[str, Any]], **query: Any) -> list[dict[str, Any]]:
    asked = AnalyticsQuery.model_validate({"table": "call", "name": "q", **query})
    rows = call_rows(calls) if asked.table == "call" else usage_rows(calls, NOW)
    return answered(asked, span_of(asked, NOW, "queries.0"), rows)["result"]


def op(operation: str, column: str, **more: str) -> dict[str, str]:
    return {"operation": operation, "column": column, **more}


def test_groups_are_counted_summed_and_named() -> None:
    calls = [
        call(0, 60, endedReason="a", cost=0.25, type="webCall"),
        call(1, 30, endedReason="a", cost=0.5, costBreakdown={"llm": 0.1}),
        call(2, None, endedReason="b", cost=1),
    ]
    operations = [
        op("count", "id"),
        op("sum", "cost", alias="spent"),
        op("avg", "duration"),
        op("max", "costBreakdown.llm"),
    ]
    assert ask(calls, groupBy=["endedReason"], operations=operations) == [
        {"endedReason": "a", "countId": 2, "spent": 0.75, "avgDuration": 45.0, "maxCostBreakdown.llm": 0.1},
        {"endedReason": "b", "countId": 1, "spent": 1.0, "avgDuration": None, "maxCostBreakdown.llm": None},
    ]


def test_without_groups_there_is_one_answer_even_of_nothing() -> None:
    assert ask([], operations=[op("count", "id"), op("sum", "cost"), op("min", "cost")]) == [
        {"countId": 0, "sumCost": 0.0, "minCost": None}
    ]


def test_steps_are_periods_of_the_asked_time_zone() -> None:
    calls = [call(-24 * 60, 1), call(0, 1), call(12 * 60 - 10, 1)]
    time_range = {"step": "day", "timezone": "Asia/Tokyo", "end": "2026-04-02T00:00:00Z"}
    assert ask(calls, timeRange=time_range, operations=[op("count", "id")]) == [
        {"date": "2026-03-29T15:00:00.000Z", "countId": 1},
        {"date": "2026-03-30T15:00:00.000Z", "countId": 1},
        {"date": "2026-03-31T15:00:00.000Z", "countId": 1},
    ]


def test_only_the_last_week_counts_when_nothing_is_said() -> None:
    assert ask([call(-8 * 24 * 60, 1), call(0, 1)], operations=[op("count", "id")]) == [{"countId": 1}]


def test_concurrency_is_what_overlapped() -> None:
    calls = [call(0, 120), call(1, 120), call(5, 60)]
    operations = [op("max", "concurrency"), op("sum", "minutesUsed"), op("history", "concurrency")]
    (told,) = ask(calls, table="subscription", operations=operations)
    assert (told["maxConcurrency"], told["sumMinutesUsed"]) == (2, 5.0)
    assert [point["value"] for point in told["historyConcurrency"]] == [1, 2, 1, 0, 1, 0]


def test_calls_are_grouped_by_variables_too() -> None:
    calls = [call(0, 1, assistantOverrides={"variableValues": {"plan": plan}}) for plan in ("gold", "gold", {"x": 1})]
    result = ask(calls, groupByVariableValue=[{"key": "plan"}], operations=[op("count", "id")])
    assert result == [{"variableValues.plan": "gold", "countId": 2}, {"variableValues.plan": None, "countId": 1}]


@given(st.lists(st.floats(-1e9, 1e9), max_size=20))
def test_what_is_least_average_and_greatest_is_in_order_and_adds_up(costs: list[float]) -> None:
    rows = [Row(NOW, {"cost": cost}) for cost in costs]
    least, mean, most, total = (
        reduced(Operation.model_validate(op(name, "cost")), rows) for name in ("min", "avg", "max", "sum")
    )
    if not costs:
        assert (least, mean, most, total) == (None, None, None, 0)
    else:
        slack = 1e-6 * (1 + abs(mean))
        assert least - slack <= mean <= most + slack
        assert abs(mean * len(costs) - total) <= 1e-6 * (1 + abs(total)) * len(costs)


@given(
    st.integers(-2_208_988_800, 4_102_444_800).map(lambda second: datetime.fromtimestamp(second, UTC)),
    st.sampled_from(STEPS),
    st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland"]),
)
def test_a_period_begins_before_what_lies_in_it_and_begins_itself(moment: datetime, step: Any, name: str) -> None:
    begin = begin_of(moment, step, zone(name))
    assert begin <= moment
    assert begin_of(begin, step, zone(name)) == begin


@pytest.mark.parametrize(
    ("time_range", "told"),
    [
        ({"timezone": "Mars/Olympus"}, "queries.0.timeRange.timezone must be a time zone, as in Europe/Zurich"),
        ({"timezone": "../../etc/passwd"}, "queries.0.timeRange.timezone must be a time zone, as in Europe/Zurich"),
        (LATE, "queries.0.timeRange.start must not be after end"),
    ],
)
def test_a_time_range_that_cannot_be_is_named(time_range: dict[str, str], told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        ask([], timeRange=time_range, operations=[op("count", "id")])


async def test_an_organisations_own_calls_are_counted_over_http(server: Any) -> None:
    first = await server.call(assistant={"name": "A"})
    await server.call()
    server.clock["ms"] += 1_000
    await server.happened(
        first["id"], CallStarted(pts_ms=0, setup_ms=1), CallEnded(pts_ms=1, reason="customer-ended-call")
    )
    query = {
        "table": "call",
        "name": "by end",
        "groupBy": ["endedReason"],
        "operations": [op("count", "id"), op("sum", "duration")],
    }
    response = await server.client.post("/analytics", json={"queries": [query]})
    assert response.status_code == 200, response.text
    (told,) = response.json()
    assert told["name"] == "by end"
    ended = {row["endedReason"]: row for row in told["result"]}
    assert ended["customer-ended-call"] == {
        "endedReason": "customer-ended-call",
        "countId": 1,
        "sumDuration": pytest.approx(0.001),
    }
    assert ended[None]["countId"] == 1
    theirs = await server.client.post("/analytics", json={"queries": [query]}, headers=server.theirs)
    assert theirs.json()[0]["result"] == []
    odd = {**query, "timeRange": {"start": "0001-01-01T00:00:00+14:00", "end": "9999-12-31T23:59:59-12:00"}}
    assert (await server.client.post("/analytics", json={"queries": [odd]})).status_code == 200
    wrong = {**query, "table": "subscription", "operations": [op("avg", "concurrency"), op("sum", "cost")]}
    refused = await server.client.post("/analytics", json={"queries": [wrong]})
    assert refused.status_code == 400
    assert [problem.split(" ")[0] for problem in refused.json()["message"]] == [
        "queries.0.operations.0.operation",
        "queries.0.operations.1.column",
        "queries.0.groupBy",
    ]
