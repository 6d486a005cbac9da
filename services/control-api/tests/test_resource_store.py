"""Stored resources: exactly what was put in comes out, for their own organisation only."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voxbus_control_api.database import Database
from voxbus_control_api.listing import Listing
from voxbus_control_api.resource_store import Resource, ResourceStore
from voxbus_control_api.secret_box import SecretBox

BOX = SecretBox([Fernet.generate_key().decode()])

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
BODIES = st.dictionaries(st.text(max_size=8), JSON, max_size=4)


@pytest.fixture
def store(database: Database) -> ResourceStore:
    return ResourceStore(database, BOX)


def tool(number: int, org: str = "acme", **more: Any) -> Resource:
    return Resource(org, "tool", f"t{number}", 100 * number, 100 * number, {"type": "function", **more})


async def ids(store: ResourceStore, listing: Listing, org: str = "acme") -> list[str]:
    return [each.id for each in await store.find(org, "tool", listing)]


async def test_any_json_comes_back_as_it_was_posted(store: ResourceStore) -> None:
    numbers = iter(range(10_000))

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(BODIES)
    def check(body: dict[str, Any]) -> None:
        bodies.append(body)

    bodies: list[dict[str, Any]] = []
    check()
    for body in bodies:
        posted = replace(tool(next(numbers)), body=body)
        await store.create(posted)
        assert await store.get("acme", "tool", posted.id) == posted


async def test_nobody_sees_or_changes_what_is_anothers(store: ResourceStore) -> None:
    await store.create(tool(1))
    assert await store.get("globex", "tool", "t1") is None
    assert await store.get("acme", "squad", "t1") is None
    assert await store.find("globex", "tool", Listing()) == []
    assert await store.count("globex", "tool", Listing()) == 0
    assert await store.get_many("globex", "tool", ["t1"]) == {}
    assert await store.change("globex", "tool", "t1", lambda there: replace(there, body={})) is None
    assert await store.delete("globex", "tool", "t1") is None
    assert await store.get("acme", "tool", "t1") == tool(1)


async def test_two_organisations_may_have_the_same_id(store: ResourceStore) -> None:
    await store.create(tool(1, name="mine"))
    await store.create(tool(1, org="globex", name="theirs"))
    await store.delete("globex", "tool", "t1")
    found = await store.get("acme", "tool", "t1")
    assert found is not None
    assert found.body["name"] == "mine"


async def test_pages_are_newest_first_and_complete(store: ResourceStore) -> None:
    for number in range(1, 6):
        await store.create(tool(number))
    assert await ids(store, Listing(limit=2)) == ["t5", "t4"]
    assert await ids(store, Listing(limit=2, page=3)) == ["t1"]
    assert await ids(store, Listing(limit=3, oldest_first=True)) == ["t1", "t2", "t3"]
    assert await store.count("acme", "tool", Listing(limit=2)) == 5
    between = Listing(times=(("created_at_ms", "Gt", 100), ("created_at_ms", "Le", 300)))
    assert await ids(store, between) == ["t3", "t2"]
    assert await store.count("acme", "tool", between) == 2


async def test_a_field_of_the_body_narrows_a_list(store: ResourceStore) -> None:
    await store.create(tool(1, purpose="a'\"b"))
    await store.create(tool(2, purpose="other\u0000"))
    await store.create(tool(3))
    assert await ids(store, Listing(in_body=(("purpose", ("a'\"b",)),))) == ["t1"]


async def test_a_field_within_a_field_narrows_a_list_to_any_of_several_values(store: ResourceStore) -> None:
    await store.create(tool(1, customer={"number": "+1"}))
    await store.create(tool(2, customer={"number": "+2"}))
    await store.create(tool(3, customer="+1"))
    any_of = Listing(in_body=(("customer.number", ("+1", "+2", "+3")),))
    assert await ids(store, any_of) == ["t2", "t1"]
    assert await store.count("acme", "tool", any_of) == 2
    assert await ids(store, Listing(equal=(("id", ("t1", "t3", "nobody")),))) == ["t3", "t1"]


async def test_lists_are_sorted_by_an_amount_and_those_with_the_same_by_time(store: ResourceStore) -> None:
    for number, cost in enumerate((0.5, 10, None, 0.0625), start=1):
        priced: dict[str, Any] = {} if cost is None else {"cost": cost}
        await store.create(tool(number, **priced))
    await store.create(tool(5, cost=0))
    assert await ids(store, Listing(sort_by="cost")) == ["t2", "t1", "t4", "t5", "t3"]
    assert await ids(store, Listing(sort_by="cost", oldest_first=True)) == ["t3", "t5", "t4", "t1", "t2"]


async def test_changes_at_the_same_time_are_all_kept(store: ResourceStore) -> None:
    await store.create(tool(1))

    async def add(name: str) -> None:
        await store.change("acme", "tool", "t1", lambda there: replace(there, body={**there.body, name: True}))

    await asyncio.gather(*(add(f"f{number}") for number in range(8)))
    found = await store.get("acme", "tool", "t1")
    assert found is not None
    assert len(found.body) == 9


async def test_a_change_that_is_refused_changes_nothing(store: ResourceStore) -> None:
    await store.create(tool(1))

    def refuse(_there: Resource) -> Resource:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await store.change("acme", "tool", "t1", refuse)
    assert await store.get("acme", "tool", "t1") == tool(1)


async def test_a_resource_is_found_by_its_other_name(store: ResourceStore) -> None:
    await store.create(replace(tool(1), lookup="+15551234"))
    await store.create(replace(tool(2, org="globex"), lookup="+15551234"))
    assert [each.id for each in await store.by_lookup("acme", "tool", "+15551234")] == ["t1"]
    removed = await store.delete("acme", "tool", "t1")
    assert removed is not None
    assert removed.lookup == "+15551234"
    assert await store.by_lookup("acme", "tool", "+15551234") == []
