"""An organisation has no more calls than it may; the others wait, and are let in oldest first."""

import asyncio
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from voxbus_contracts.events import CallEnded, CallQueued
from voxbus_control_api.call_store import CallStore, NewCall
from voxbus_control_api.calls.places import LONGEST_CALL_MS, Places, WaitingCalls
from voxbus_control_api.database import Database
from voxbus_control_api.event_store import EventStore
from voxbus_control_api.org_store import Org, OrgStore
from voxbus_control_api.projection import CallFacts
from voxbus_control_api.secret_box import SecretBox

BOX = SecretBox([Fernet.generate_key().decode()])
QUEUED = CallQueued(call_type="vapi.websocketCall", transport="vapi.websocket", config_hash="h")
ENDED = CallEnded(pts_ms=0, reason="customer-ended-call")


@given(st.integers(1, 50), st.integers(0, 80), st.integers(0, 80))
def test_places_are_never_given_twice(limit: int, active: int, waiting: int) -> None:
    places = Places(limit, active, waiting)
    assert places.free == 0 or active + waiting + places.free == limit
    assert places.free_for_waiting <= waiting
    assert places.free_for_waiting == 0 or active + places.free_for_waiting <= limit
    assert not (places.free and places.free_for_waiting < waiting), "who waits comes first"


async def limited(server: Any, limit: int) -> None:
    response = await server.client.patch(
        f"/org/{server.org}", headers=server.operator, json={"concurrencyLimit": limit}
    )
    assert response.status_code == 200


def blocked(call: dict[str, Any]) -> bool:
    return call["subscriptionLimits"]["concurrencyBlocked"]


async def test_calls_beyond_the_limit_wait_and_are_let_in_oldest_first(server: Any) -> None:
    await limited(server, 2)
    calls = []
    for _ in range(5):
        server.clock["ms"] += 1
        calls.append(await server.call())
    assert [blocked(call) for call in calls] == [False, False, True, True, True]
    assert calls[0]["subscriptionLimits"] == {
        "concurrencyBlocked": False,
        "concurrencyLimit": 2,
        "remainingConcurrentCalls": 1,
    }
    assert [config.call for config in server.bus.announced] == [calls[0]["id"], calls[1]["id"]]
    latest = {config.call: config.is_waiting for config in server.bus.configs}
    assert [latest[call["id"]] for call in calls] == [False, False, True, True, True]
    await server.due.look()
    assert len(server.bus.announced) == 2
    await server.happened(calls[1]["id"], QUEUED, ENDED)
    await server.due.look()
    assert [config.call for config in server.bus.announced][2:] == [calls[2]["id"]]
    assert not server.bus.announced[2].is_waiting
    assert server.bus.configs[-1] == server.bus.announced[2], "whoever connects now is let in"
    assert (await server.client.get(f"/call/{calls[3]['id']}")).json()["status"] == "queued"


async def test_a_new_call_does_not_pass_those_that_wait(server: Any) -> None:
    await limited(server, 1)
    first, second = await server.call(), await server.call()
    await server.happened(first["id"], QUEUED, ENDED)
    assert blocked(await server.call())
    await server.due.look()
    assert server.bus.announced[-1].call == second["id"]


async def test_a_batch_takes_the_places_there_are(server: Any) -> None:
    await limited(server, 2)
    customers = [{"number": f"+1415555000{number}"} for number in range(3)]
    number = await server.client.post("/call", json={"assistant": {}, "customers": customers, "phoneNumber": NUMBER})
    assert number.status_code == 201, number.text
    answer = number.json()
    assert [blocked(call) for call in answer["results"]] == [False, False, True]
    limits = {"concurrencyBlocked": True, "concurrencyLimit": 2, "remainingConcurrentCalls": 0}
    assert answer["subscriptionLimits"] == limits


NUMBER = {"twilioAccountSid": "AC1", "twilioAuthToken": "t", "twilioPhoneNumber": "+14155550100"}


async def test_a_deleted_call_gives_its_place_free(server: Any) -> None:
    await limited(server, 1)
    first, second = await server.call(), await server.call()
    assert (await server.client.delete(f"/call/{first['id']}")).status_code == 200
    await server.due.look()
    assert server.bus.announced[-1].call == second["id"]


async def test_a_waiting_call_that_is_deleted_is_never_let_in(server: Any) -> None:
    await limited(server, 1)
    first, second = await server.call(), await server.call()
    await server.client.delete(f"/call/{second['id']}")
    await server.happened(first["id"], QUEUED, ENDED)
    await server.due.look()
    assert [config.call for config in server.bus.announced] == [first["id"]]


async def test_a_scheduled_call_takes_a_place_when_it_starts(server: Any) -> None:
    await limited(server, 1)
    plan = {"earliestAt": "2023-11-14T23:13:20Z"}
    later = await server.call(schedulePlan=plan)
    assert not blocked(later)
    now = await server.call()
    assert not blocked(now)
    await server.happened(now["id"], QUEUED)
    server.clock["ms"] += 3_600_000
    await server.due.look()
    assert [config.call for config in server.bus.announced] == [now["id"]]
    await server.happened(now["id"], QUEUED, ENDED)
    await server.due.look()
    assert server.bus.announced[-1].call == later["id"]


async def test_organisations_do_not_wait_for_each_other(server: Any) -> None:
    await limited(server, 1)
    await server.call()
    body = {"assistant": {}, "transport": {"provider": "vapi.websocket"}}
    theirs = await server.client.post("/call", headers=server.theirs, json=body)
    assert not blocked(theirs.json())
    assert theirs.json()["subscriptionLimits"]["concurrencyLimit"] == 100


@pytest.fixture
async def store(database: Database) -> CallStore:
    await OrgStore(database).ensure(Org("acme", 1, 1, {}, concurrency_limit=7))
    return CallStore(database, EventStore(database), BOX, 100)


def new_call(number: int) -> NewCall:
    call = f"00000000-0000-4000-8000-{number:012x}"
    return NewCall(CallFacts(call, "acme", number, number, "vapi.websocketCall", {}, {"name": str(number)}))


async def test_calls_asked_for_at_the_same_moment_get_no_place_twice(store: CallStore) -> None:
    added = await asyncio.gather(*(store.add("acme", [new_call(number)], None, 5) for number in range(20)))
    assert sum(1 for each in added if each.standing and not each.standing.waiting) == 7


async def test_replicas_let_in_no_call_twice(store: CallStore, database: Database) -> None:
    await store.add("acme", [new_call(number) for number in range(20)], None, 5)
    replicas = [WaitingCalls(database, 100) for _ in range(3)]
    assert await asyncio.gather(*(each.admit(6) for each in replicas)) == [[], [], []]
    long_after_ms = 6 + LONGEST_CALL_MS
    let_in = [
        ref.call for found in await asyncio.gather(*(each.admit(long_after_ms) for each in replicas)) for ref in found
    ]
    assert len(let_in) == len(set(let_in)) == 7


async def test_a_body_posted_with_a_call_is_not_readable_in_the_database(server: Any, database: Database) -> None:
    call = await server.call(assistant={"server": {"url": "https://a.example", "secret": "hush-hush"}})
    assert call["assistant"]["server"]["secret"] == "hush-hush"
    await server.happened(call["id"], QUEUED, ENDED)
    for _ in range(2):
        shown = (await server.client.get(f"/call/{call['id']}")).json()
        assert shown["assistant"]["server"]["secret"] == "hush-hush"
    async with database.read() as connection:
        rows = (await connection.exec_driver_sql("SELECT * FROM calls")).all()
    assert "hush-hush" not in str(rows)
    assert "customer-ended-call" in str(rows)
