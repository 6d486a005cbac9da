"""`/v2/call` over HTTP; `server` is in conftest.py."""

import csv
import io
import json
from typing import Any

import pytest

from voxbus_contracts.events import CallEnded, CallStarted, CostUpdated, ReplyFinished, TurnCommitted
from voxbus_control_api.calls.table import COLUMNS, csv_line

WEBSOCKET = {"provider": "vapi.websocket"}


async def search(server: Any, path: str = "/v2/call", **query: Any) -> list[str]:
    """Names of the calls that are found."""
    answer = await server.client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return [call["name"] for call in answer.json()["results"]]


async def over(server: Any, call: dict[str, Any], cost: str, lasted_ms: int, said: str, reason: str) -> None:
    server.clock["ms"] += 1
    started_ms = server.clock["ms"]
    await server.happened(call["id"], CallStarted(pts_ms=0, setup_ms=1))
    server.clock["ms"] += lasted_ms
    turn = TurnCommitted(turn=1, text=said, transcript_seqs=(), anchor_pts_ms=9, pts_ms=9, reason="silence")
    told = CostUpdated(version=1, rows=(), breakdown={}, total=cost, ended=True)
    heard = ReplyFinished(reply=1, turn=1, heard='Sure, "no problem".', pts_ms=8)
    await server.happened(
        call["id"],
        CallStarted(pts_ms=0, setup_ms=1),
        turn,
        heard,
        CallEnded(pts_ms=9, reason=reason),
        told,
    )
    assert started_ms < server.clock["ms"]


@pytest.fixture
async def three(server: Any) -> Any:
    """ann: cheap and long; bob: dear and short; cyd: still going on, by a squad."""
    values = {"variableValues": {"city": "Bonn", "age": 25}}
    ann = await server.call(name="ann", customer={"number": "+14155551234", "name": "Ann"}, assistantOverrides=values)
    server.clock["ms"] += 1
    bob = await server.call(name="bob", assistant={"name": "Seller"}, customer={"externalId": "b-7"})
    await over(server, ann, "0.001", 60_000, "Where is my order", "customer-ended-call")
    await over(server, bob, "0.25", 5_000, "der Müller kommt", "silence-timed-out")
    server.clock["ms"] += 1
    squad = {"members": [{"assistant": {}}], "name": "Team"}
    await server.call(name="cyd", assistant=None, squad=squad)
    return server


async def test_calls_come_by_pages_and_in_the_asked_order(three: Any) -> None:
    answer = (await three.client.get("/v2/call", params={"limit": 2})).json()
    assert [call["name"] for call in answer["results"]] == ["cyd", "bob"]
    assert answer["metadata"] == {
        "itemsPerPage": 2,
        "totalItems": 3,
        "currentPage": 1,
        "totalPages": 2,
        "hasNextPage": True,
        "sortOrder": "DESC",
    }
    assert await search(three, limit=2, page=2) == ["ann"]
    assert await search(three, sortBy="cost") == ["bob", "ann", "cyd"]
    assert await search(three, sortBy="duration") == ["ann", "bob", "cyd"]
    assert await search(three, sortBy="duration", sortOrder="ASC") == ["cyd", "bob", "ann"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"endedReasonAny": "customer-ended-call, silence-timed-out"}, ["bob", "ann"]),
        ({"endedReason": "silence-timed-out"}, ["bob"]),
        ({"customerNumberAny": "+14155551234,+1999"}, ["ann"]),
        ({"customer": '{"name": "ann"}'}, ["ann"]),
        ({"customer[externalId]": "b-7"}, ["bob"]),
        ({"assistantOverrides": '{"variableValues": {"age": "25", "city": "bonn"}}'}, ["ann"]),
        ({"assistantOverrides[variableValues][city]": "Köln"}, []),
        ({"assistantName": "SELLER"}, ["bob"]),
        ({"squadName": "team"}, ["cyd"]),
        ({"costGe": "0.25"}, ["bob"]),
        ({"costLt": "0.25"}, ["ann"]),
        ({"cost": "0.001"}, ["ann"]),
        ({"transcript": "MY ORDER"}, ["ann"]),
        ({"transcript": "Müller"}, ["bob"]),
        ({"transcript": 'sure, "no'}, ["bob", "ann"]),
        ({"transcript": "silence"}, []),
        ({"transcript": "100%"}, []),
        ({"transcript": "sure", "customer": '{"name": "Ann"}'}, ["ann"]),
        ({"assistantIdAny": "nobody"}, []),
    ],
)
async def test_calls_are_found_by_what_is_known_of_them(three: Any, query: dict[str, str], found: list[str]) -> None:
    assert await search(three, **query) == found
    assert await search(three, "/v2/call/metadata", **query) == found


async def test_the_short_form_has_nothing_that_was_said(three: Any) -> None:
    for call in (await three.client.get("/v2/call/metadata")).json()["results"]:
        assert not {"messages", "artifact", "assistant", "squad"} & set(call)
        assert {"id", "orgId", "createdAt", "status", "type", "cost"} <= set(call)


async def test_ids_may_be_repeated_and_nobody_elses_are_found(three: Any) -> None:
    ids = [call["id"] for call in (await three.client.get("/v2/call")).json()["results"]]
    assert len(await search(three, idAny=ids[:2])) == 2
    theirs = await three.client.get("/v2/call", params={"idAny": ",".join(ids)}, headers=three.theirs)
    assert theirs.json()["results"] == []


async def test_every_wrong_parameter_is_named(server: Any) -> None:
    wrong = {"sortBy": "mood", "costLe": "cheap", "customer": "ann", "score": "1", "limit": "many"}
    answer = await server.client.get("/v2/call", params=wrong)
    assert answer.status_code == 400
    assert sorted(problem.split(" ")[0] for problem in answer.json()["message"]) == sorted(wrong)


async def test_an_export_is_a_file_of_all_calls_that_fit(three: Any) -> None:
    answer = await three.client.get("/v2/call/export", params={"columns": "id,duration,customerNumber,transcript"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["id", "duration", "customerNumber", "transcript"]
    assert [row[1:3] for row in rows[1:]] == [["", ""], ["5.003", ""], ["60.003", "+14155551234"]]
    assert rows[3][3] == 'AI: Sure, "no problem".\nUser: Where is my order\n'
    whole = await three.client.get("/v2/call/export", params={"format": "json", "endedReason": "silence-timed-out"})
    assert [call["name"] for call in json.loads(whole.text)] == ["bob"]
    none = await three.client.get("/v2/call/export", params={"format": "json", "id": "nobody"})
    assert none.json() == []
    everything = await three.client.get("/v2/call/export")
    assert everything.text.splitlines()[0].split(",") == list(COLUMNS)
    for wrong in ({"format": "xls"}, {"columns": "id,secret"}):
        assert (await three.client.get("/v2/call/export", params=wrong)).status_code == 400


def test_no_cell_is_a_formula() -> None:
    assert csv_line(["=1+1", "+4930", "@x", -5, "a,b"]) == "'=1+1,+4930,'@x,-5,\"a,b\"\r\n"
