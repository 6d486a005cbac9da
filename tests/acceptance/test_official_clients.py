"""The official clients create, list, get, update and delete every resource without losing a field."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
from assistants import scripted
from comparing import lost, shown, without
from official import COMMANDS, Official, Refused
from table import Referenced, method_of, rows

Json = dict[str, Any]
pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

CASES = [
    pytest.param(client, row, id=f"{client}: {row['name']}")
    for client in COMMANDS
    for row in rows()
    if client not in row.get("not", {})
]


@pytest.mark.parametrize(("client", "row"), CASES)
def test_a_resource_comes_back_whole_from_create_list_get_update_and_delete(
    clients: dict[str, Official], referenced: Referenced, client: str, row: Json
) -> None:
    official, resource = clients[client], row["resource"]
    posted = referenced.filled(row["create"])

    def do(verb: str, **more: Any) -> Any:
        return official.do(resource, method_of(resource, verb), **more)

    created = do("create", body=posted)
    try:
        comes_back_whole(do, created, row, referenced)
    finally:
        with suppress(Refused):  # deleted already; or one left over, which would be in the lists of the rows to come
            do("delete", id=created["id"])


def comes_back_whole(do: Callable[..., Any], created: Json, row: Json, referenced: Referenced) -> None:
    posted = without(referenced.filled(row["create"]), row.get("hidden", ()))
    assert not lost(posted, created)
    assert not shown(row["create"], created, row.get("hidden", ()))
    assert {"id", "orgId", "createdAt", "updatedAt"} <= created.keys()
    of_id = {"id": created["id"]}
    got = do("get", **of_id)
    assert not lost(posted, got)
    listed = do("list")
    listed = listed["results"] if isinstance(listed, dict) else listed
    (same,) = [each for each in listed if each["id"] == created["id"]]
    lasting = {name: value for name, value in same.items() if name != "updatedAt"}
    assert not lost(lasting, got)
    assert not lost(posted, same)

    changes = referenced.filled(row["update"])
    updated = do("update", **of_id, body=changes, query=row.get("updateQuery", {}))
    after = {**posted, **changes}
    assert not lost(after, updated)
    assert not lost(after, do("get", **of_id))

    gone = do("delete", **of_id)
    assert gone["id"] == created["id"]
    with pytest.raises(Refused) as refused:
        do("get", **of_id)
    assert refused.value.status == 404
    assert refused.value.body["statusCode"] == 404


def test_a_file_goes_up_and_is_fetched_by_the_address_the_client_reads(official: Official) -> None:
    upload = {"name": "prices.txt", "text": "Tea: 3 dollars", "type": "text/plain"}
    created = official.do("files", "create", upload=upload)
    of_id = {"id": created["id"]}
    assert (created["originalName"], created["bytes"], created["status"]) == ("prices.txt", 14, "done")
    assert created["id"] in [each["id"] for each in official.do("files", "list")]
    assert httpx.get(official.do("files", "get", **of_id)["url"]).text == upload["text"]
    assert official.do("files", "update", **of_id, body={"name": "menu.txt"})["name"] == "menu.txt"
    assert official.do("files", "delete", **of_id)["id"] == created["id"]
    with pytest.raises(Refused) as refused:
        official.do("files", "get", **of_id)
    assert refused.value.status == 404


def test_a_chat_is_answered_listed_got_and_deleted(official: Official, http: httpx.Client) -> None:
    if official.name == "python-0.4.0":
        pytest.skip("it has no chats")
    assistant = http.post("/assistant", json=scripted({"when": "tea", "say": "Three dollars."})).json()["id"]
    first = official.do("chats", "create", body={"assistantId": assistant, "input": "How much is tea?"})
    assert [(each["role"], each["content"]) for each in first["output"]] == [("assistant", "Three dollars.")]
    more = {"previousChatId": first["id"], "input": "And tea for two?"}
    second = official.do("chats", "create", body=more)
    assert [each["content"] for each in second["messages"]] == [*_spoken(first), "And tea for two?"]
    assert second["id"] in [each["id"] for each in official.do("chats", "list")["results"]]
    assert official.do("chats", "get", id=second["id"])["output"] == second["output"]
    assert official.do("chats", "delete", id=second["id"])["id"] == second["id"]
    with pytest.raises(Refused) as refused:
        official.do("chats", "get", id=second["id"])
    assert refused.value.status == 404


def _spoken(chat: Json) -> list[str]:
    return [each["content"] for each in (*chat["messages"], *chat["output"]) if each["role"] != "system"]


def test_calls_are_narrowed_renamed_and_deleted_by_the_client(official: Official, http: httpx.Client) -> None:
    assistant = http.post("/assistant", json={"name": f"counted by {official.name}"}).json()["id"]
    body = {"assistantId": assistant, "transport": {"provider": "vapi.websocket"}}
    calls = [http.post("/call", json=body).json()["id"] for _ in range(3)]
    listed = official.do("calls", "list", query={"assistantId": assistant, "limit": 2})
    assert [each["id"] for each in listed] == calls[:0:-1], "newest first, as many as asked for"
    assert official.do("calls", "update", id=calls[0], body={"name": "the first"})["name"] == "the first"
    for call in calls:
        assert official.do("calls", "delete", id=call)["id"] == call


def test_calls_are_counted_by_the_client(official: Official, http: httpx.Client) -> None:
    if official.name == "python-0.4.0":
        pytest.skip("it makes nothing of the answer")
    assistant = http.post("/assistant", json={"name": f"called by {official.name}"}).json()["id"]
    body = {"assistantId": assistant, "transport": {"provider": "vapi.websocket"}}
    calls = [http.post("/call", json=body).json()["id"] for _ in range(3)]
    timed = {"step": "day", "start": "2020-01-01T00:00:00Z", "end": "2100-01-01T00:00:00Z", "timezone": "UTC"}
    counted = {"operation": "count", "column": "id", "alias": "n"}
    query = {"table": "call", "name": "all", "operations": [counted], "groupBy": ["assistantId"], "timeRange": timed}
    (answer,) = official.do("analytics", "get", body={"queries": [query]})
    assert sum(row["n"] for row in answer["result"] if row["assistantId"] == assistant) == len(calls)


def test_a_wrong_body_is_refused_with_the_fields_named_as_the_client_reports_it(official: Official) -> None:
    with pytest.raises(Refused) as refused:
        official.do("assistants", "create", body={"maxDurationSeconds": 1})
    assert refused.value.status == 400
    assert any("maxDurationSeconds" in line for line in refused.value.body["message"])
