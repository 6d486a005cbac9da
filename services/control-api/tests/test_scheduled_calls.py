"""Calls that start later, on a clock that only the test moves; `server` is in conftest.py."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus_contracts.events import CallQueued
from voxbus_control_api.calls.schedule import (
    ANNOUNCED_WITHIN_MS,
    TOO_LATE,
    SchedulePlan,
    Unstarted,
    due,
    is_too_late,
    window,
)
from voxbus_control_api.errors import BadRequest

WEBSOCKET = {"provider": "vapi.websocket"}
HOUR_MS = 3_600_000
QUEUED = CallQueued(call_type="vapi.websocketCall", transport="vapi.websocket", config_hash="h")


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


async def scheduled(server: Any, after_ms: int, latest_ms: int | None = None, **body: Any) -> dict[str, Any]:
    now_ms = server.clock["ms"]
    plan = {"earliestAt": iso(now_ms + after_ms)}
    if latest_ms is not None:
        plan["latestAt"] = iso(now_ms + latest_ms)
    return await server.call(schedulePlan=plan, **body)


async def status(server: Any, call: dict[str, Any]) -> str:
    return (await server.client.get(f"/call/{call['id']}")).json()["status"]


async def test_a_scheduled_call_starts_when_its_time_has_come_and_not_before(server: Any) -> None:
    call = await scheduled(server, HOUR_MS)
    assert call["status"] == "scheduled"
    server.clock["ms"] += HOUR_MS - 1
    await server.due.look()
    assert server.bus.configs == server.bus.announced == [], "nobody can connect before"
    assert await status(server, call) == "scheduled"
    server.clock["ms"] += 1
    await server.due.look()
    (config,) = server.bus.announced
    assert config == server.bus.configs[0]
    assert (config.call, config.created_at_ms) == (call["id"], server.clock["ms"])
    await server.happened(call["id"], QUEUED)
    assert await status(server, call) == "queued"
    await server.due.look()
    assert len(server.bus.announced) == 1


async def test_the_assistant_of_a_scheduled_call_is_the_one_there_is_when_it_starts(server: Any) -> None:
    assistant = (await server.client.post("/assistant", json={"firstMessage": "old"})).json()
    await scheduled(server, HOUR_MS, assistant=None, assistantId=assistant["id"])
    prompt = {"provider": "vapi", "messages": [{"role": "system", "content": "Be brief."}]}
    changed = {"firstMessage": "new", "model": prompt}
    await server.client.patch(f"/assistant/{assistant['id']}", json=changed)
    server.clock["ms"] += HOUR_MS
    await server.due.look()
    (config,) = server.bus.announced
    assert config.assistant.first_message == "new"
    (call,) = (await server.client.get("/call")).json()
    assert call["messages"][0]["message"] == "Be brief."


async def test_a_call_whose_start_was_cut_off_is_started_with_what_was_made_then(server: Any) -> None:
    await scheduled(server, HOUR_MS)
    server.clock["ms"] += HOUR_MS
    server.bus.is_mute = True
    with pytest.raises(Exception, match="the bus does not answer"):
        await server.due.look()
    server.bus.is_mute = False
    server.clock["ms"] += 1_000
    await server.due.look()
    (config,) = server.bus.announced
    assert [config] == server.bus.configs


async def test_a_scheduled_call_whose_assistant_is_gone_ends_with_that_reason(server: Any) -> None:
    assistant = (await server.client.post("/assistant", json={})).json()
    gone = await scheduled(server, HOUR_MS, assistant=None, assistantId=assistant["id"])
    await server.client.delete(f"/assistant/{assistant['id']}")
    server.clock["ms"] += HOUR_MS
    await server.due.look()
    assert server.bus.ended == [(gone["id"], "assistant-not-found")]
    assert not server.bus.announced


async def test_a_call_nobody_could_start_in_its_time_ends_unstarted(server: Any) -> None:
    call = await scheduled(server, HOUR_MS, 2 * HOUR_MS)
    server.clock["ms"] += 2 * HOUR_MS + 1
    await server.due.look()
    assert server.bus.ended == [(call["id"], TOO_LATE)]
    assert not server.bus.announced


async def test_a_scheduled_call_that_is_deleted_never_starts(server: Any) -> None:
    call = await scheduled(server, HOUR_MS)
    assert (await server.client.delete(f"/call/{call['id']}")).status_code == 200
    assert server.bus.ended == [(call["id"], "scheduled-call-deleted")]
    server.clock["ms"] += HOUR_MS
    await server.due.look()
    assert not server.bus.announced


async def test_a_schedule_that_cannot_be_kept_is_refused(server: Any) -> None:
    now_ms = server.clock["ms"]
    plan = {"earliestAt": iso(now_ms - HOUR_MS), "latestAt": iso(now_ms - 2 * HOUR_MS)}
    body = {"assistant": {}, "transport": WEBSOCKET, "schedulePlan": plan}
    refused = await server.client.post("/call", json=body)
    assert refused.status_code == 400
    assert refused.json()["message"] == [
        "schedulePlan.latestAt must not be before schedulePlan.earliestAt",
        "schedulePlan.latestAt must not be in the past",
    ]


MS = st.integers(0, 10**12)


@given(MS, st.none() | MS, MS, st.booleans())
def test_a_call_is_due_from_its_time_on_and_too_late_only_after_its_last(
    starts_ms: int, latest_ms: int | None, now_ms: int, is_scheduled: bool
) -> None:
    call = Unstarted("acme", "c", starts_ms, latest_ms, is_scheduled)
    assert due(call, now_ms) == (now_ms - starts_ms >= (0 if is_scheduled else ANNOUNCED_WITHIN_MS))
    assert is_too_late(call, now_ms) == (latest_ms is not None and now_ms > latest_ms)


@given(MS, st.none() | MS, MS)
def test_a_window_is_in_order_and_not_over(earliest_ms: int, latest_ms: int | None, now_ms: int) -> None:
    latest = None if latest_ms is None else iso(latest_ms)
    plan = SchedulePlan.model_validate({"earliestAt": iso(earliest_ms), "latestAt": latest})
    try:
        found = window(plan, now_ms)
    except BadRequest:
        assert latest_ms is not None
        assert latest_ms < max(earliest_ms, now_ms)
    else:
        assert (found.earliest_ms, found.latest_ms) == (earliest_ms, latest_ms)
