"""No request with one organisation's key sees or changes anything of another, by any route there is.

The routes come from the application itself: one that this file knows nothing about fails `test_every_route_has_a_case`.
"""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from stack import Stack
from tenants import MARK, OWNED, Operation, Tenant, operations

Json = dict[str, Any]
pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

SIGNED = "/objects/{key:path}"
NOT_OF_A_TENANT = {
    "/health": "says how the service is",
    "/openapi.json": "the document, which anybody may read",
    SIGNED: "opens to whoever has the signed address",
}
STREAM = "/event"
"""Never ends by itself: has a test of its own."""
NOBODY = "00000000-0000-4000-8000-00000000dead"
_CALL = {"transport": {"provider": "vapi.websocket"}}
_SCHEMA = {"type": "object", "properties": {}}
BODIES: dict[str, Json] = {
    "/analytics": {"queries": [{"table": "call", "name": "n", "operations": [{"operation": "count", "column": "id"}]}]},
    "/assistant": {"name": "mine"},
    "/assistants": {"name": "mine"},
    "/call": {"assistant": {}, **_CALL},
    "/call/phone": {"assistant": {}, **_CALL},
    "/call/web": {"assistant": {}},
    "/chat": {"assistant": {}, "input": "hello"},
    "/chat/responses": {"assistant": {}, "input": "hello"},
    "/chat/web": {"assistant": {}, "input": "hello"},
    "/chat/web/responses": {"assistant": {}, "input": "hello"},
    "/credential": {"provider": "openai", "apiKey": "not-a-real-key"},
    "/file": {},
    "/file/upload": {},
    "/knowledge-base": {"provider": "custom-knowledge-base", "server": {"url": "https://kb.example/mine"}},
    "/org": {"name": "mine"},
    "/phone-number": {"provider": "byo-phone-number", "number": "+14155550178", "credentialId": "$trunk"},
    "/phone-number/import/twilio": {"twilioPhoneNumber": "+14155550179", "twilioAccountSid": "AC1"},
    "/phone-number/import/vonage": {"vonagePhoneNumber": "+14155550180", "credentialId": "$credential"},
    "/session": {"name": "mine"},
    "/squad": {"members": [{"assistantId": "$assistant"}]},
    "/structured-output": {"name": "mine", "schema": _SCHEMA},
    "/structured-output/run": {"callIds": ["$call"], "structuredOutput": {"name": "mine", "schema": _SCHEMA}},
    "/token": {"name": "mine"},
    "/tool": {"type": "endCall"},
    "/tool-template/orders-database": {"credentialId": "$credential", "variables": {"baseUrl": "https://db.example"}},
    "/v2/knowledge-base": {"name": "mine"},
}
"""What the asker posts where: accepted, so that a field laid over it is what decides."""

REFERENCES: list[Json] = [
    {"assistantId": "$assistant"},
    {"squadId": "$squad"},
    {"phoneNumberId": "$phone-number"},
    {"sessionId": "$session"},
    {"previousChatId": "$chat"},
    {"credentialId": "$credential"},
    {"credentialIds": ["$credential"]},
    {"assistantIds": ["$assistant"]},
    {"fileIds": ["$file"]},
    {"callIds": ["$call"]},
    {"structuredOutputId": "$structured-output"},
    {"members": [{"assistantId": "$assistant"}]},
    {"assistant": {"model": {"toolIds": ["$tool"]}}},
    {"model": {"toolIds": ["$tool"]}},
    {"server": {"url": "https://mine.example", "credentialId": "$credential"}},
    {"artifactPlan": {"structuredOutputIds": ["$structured-output"]}},
    {"destinations": [{"type": "assistant", "assistantId": "$assistant"}]},
    {"knowledgeBases": [{"name": "n", "provider": "google", "fileIds": ["$file"]}]},
    {"orgId": "$org"},
]
_OF_A_CALL = {"assistantId", "squadId", "phoneNumberId"}
_OF_A_CHAT = {"assistantId", "sessionId", "previousChatId"}
USED_AT_ONCE = {
    **dict.fromkeys(("/call", "/call/web", "/call/phone"), _OF_A_CALL),
    **dict.fromkeys(("/chat", "/chat/responses"), _OF_A_CHAT),
    "/chat/web": {"assistantId"},
    "/tool-template/orders-database": {"credentialId"},
}
"""Fields whose object is used in the same request: another's must be refused. (A web chat whose session is not there
begins one of its own.)"""

OPERATIONS = [each for each in operations() if each.path != SIGNED]
POSTS = [each for each in OPERATIONS if each.method == "POST" and not each.kinds]
OF_OBJECTS = [each for each in OPERATIONS if each.kinds]
LISTS = [
    each
    for each in OPERATIONS
    if each.method == "GET" and not each.kinds and each.path not in {*NOT_OF_A_TENANT, STREAM}
]


@pytest.fixture(scope="module")
def owner(http: httpx.Client) -> Iterator[Tenant]:
    """Has one object of every kind there are routes for."""
    tenant = Tenant.new(http, "globex", MARK)
    there = {each.path for each in POSTS}
    for kind, made in OWNED.items():
        if made["path"] in there:
            tenant.own(kind)
    yield tenant
    tenant.http.close()


@pytest.fixture(scope="module")
def asker(http: httpx.Client) -> Iterator[Tenant]:
    tenant = Tenant.new(http, "acme", "of-acme")
    yield tenant
    tenant.http.close()


@pytest.fixture
def unchanged(owner: Tenant) -> Iterator[None]:
    """After the test the owner sees what it saw before."""
    before = owner.everything(each.path for each in LISTS)
    assert MARK in json.dumps(before["/assistant"])
    yield
    assert owner.everything(each.path for each in LISTS) == before


def shows_nothing(answer: httpx.Response) -> None:
    assert answer.status_code < 500, f"{answer.request.method} {answer.request.url}: {answer.text[:300]}"
    assert MARK not in answer.text, f"{answer.request.method} {answer.request.url} shows another's: {answer.text[:600]}"


def test_every_route_has_a_case() -> None:
    unknown = [str(each) for each in OPERATIONS if "?" in each.kinds]
    unknown += [str(each) for each in POSTS if each.path not in BODIES]
    known = ("GET", "POST", "PATCH", "PUT", "DELETE")
    unknown += [str(each) for each in OPERATIONS if each.method not in known]
    assert not unknown, "routes without a case: " + ", ".join(unknown)


@pytest.mark.parametrize("operation", OF_OBJECTS, ids=str)
@pytest.mark.usefixtures("unchanged")
def test_anothers_object_is_not_there(owner: Tenant, asker: Tenant, operation: Operation) -> None:
    path = owner.path_of(operation)
    bodies: list[Json | None] = [None] if operation.method in ("GET", "DELETE") else [{"name": "mine now"}]
    if "file" in operation.path.split("/")[3:]:
        bodies = [{"fileId": asker.own("file")}]
    if path.endswith("/control"):
        bodies = [{"type": "end-call"}]
    for body in bodies:
        answer = asker.http.request(operation.method, path, json=body, follow_redirects=False)
        shows_nothing(answer)
        assert answer.status_code in (403, 404), f"{operation}: {answer.status_code} {answer.text[:300]}"


@pytest.mark.parametrize("operation", LISTS, ids=str)
def test_lists_show_nothing_of_another_whatever_is_asked(owner: Tenant, asker: Tenant, operation: Operation) -> None:
    names = {"id": "assistant", "idAny": "assistant", "assistantId": "assistant", "assistantIdAny": "assistant"}
    names |= {"squadId": "squad", "phoneNumberId": "phone-number", "sessionId": "session", "previousChatId": "chat"}
    names |= {"phoneNumberIdAny": "phone-number", "squadIdAny": "squad"}
    queries: list[dict[str, str]] = [{}, {"limit": "1000"}, {"search": MARK}, {"name": MARK}, {"orgId": owner.org}]
    queries += [{name: owner.ids[kind]} for name, kind in names.items() if kind in owner.ids]
    queries += [{"id": each} for each in owner.ids.values()] + [{"idAny": ",".join(owner.ids.values())}]
    queries += [{"sortBy": each, "sortOrder": "ASC"} for each in ("createdAt", "duration", "cost")]
    for query in queries:
        answer = asker.http.get(operation.path, params=query)
        shows_nothing(answer)
        seen = [each for each in owner.ids.values() if f'"{each}"' in answer.text]
        assert not (seen and answer.status_code == 200), f"{operation} {query}: {answer.text[:300]}"


def test_a_stream_of_events_tells_of_no_call_of_another(owner: Tenant, asker: Tenant) -> None:
    """Neither what comes nor what is there from before, whatever place in the stream is asked for."""
    for before in ({}, {"Last-Event-ID": "1"}):
        seen: list[Json] = []
        with asker.http.stream("GET", STREAM, headers=before) as answer:
            assert answer.status_code == 200
            lines = answer.iter_lines()
            theirs = owner.http.post("/call", json=owner.filled(OWNED["call"]["body"])).json()["id"]
            mine = asker.http.post("/call", json={"assistant": {}, **_CALL}).json()["id"]
            for line in lines:
                if line.startswith("data: "):
                    seen.append(json.loads(line.removeprefix("data: ")))
                    if seen[-1].get("callId") == mine:
                        break
        assert {each.get("orgId", asker.org) for each in seen} == {asker.org}
        assert theirs not in json.dumps(seen)
        assert MARK not in json.dumps(seen)


@pytest.mark.parametrize("operation", POSTS, ids=str)
@pytest.mark.usefixtures("unchanged")
def test_a_body_that_refers_to_anothers_object_gets_nothing_of_it(
    owner: Tenant, asker: Tenant, operation: Operation
) -> None:
    if operation.path in ("/file", "/file/upload"):
        pytest.skip("takes a file, which refers to nothing")
    base = asker.filled(BODIES[operation.path])
    for reference in possible(owner):
        theirs = owner.filled(reference)
        (name,) = theirs
        laid = {
            key: value for key, value in base.items() if key != "assistant" or name not in ("assistantId", "squadId")
        }
        answer = asker.http.post(operation.path, json={**laid, **theirs})
        shows_nothing(answer)
        if name in USED_AT_ONCE.get(operation.path, ()):
            assert answer.status_code in (400, 403, 404), f"{operation} {reference}: {answer.status_code}"


@pytest.mark.parametrize("operation", [each for each in OF_OBJECTS if each.method in ("PATCH", "PUT")], ids=str)
@pytest.mark.usefixtures("unchanged")
def test_a_change_that_refers_to_anothers_object_gets_nothing_of_it(
    owner: Tenant, asker: Tenant, operation: Operation
) -> None:
    path = asker.path_of(operation)
    for reference in possible(owner):
        answer = asker.http.request(operation.method, path, json=owner.filled(reference))
        shows_nothing(answer)
    shows_nothing(asker.http.get(path))


def test_a_signed_address_opens_one_object_and_no_other(owner: Tenant, asker: Tenant) -> None:
    theirs, mine = (each.http.get(f"/file/{each.own('file')}").json()["url"] for each in (owner, asker))
    assert httpx.get(theirs).text == MARK, "the owner's address opens the owner's file"
    (path, _, _), (_, _, signature) = theirs.partition("?"), mine.partition("?")
    for address in (path, f"{path}?{signature}", theirs[:-1] + ("0" if theirs[-1] != "0" else "1")):
        answer = httpx.get(address)
        shows_nothing(answer)
        assert answer.status_code in (400, 401, 403, 404), f"{address}: {answer.status_code}"


def possible(owner: Tenant) -> list[Json]:
    """References to kinds of which the owner has an object."""
    return [each for each in REFERENCES if set(_named(each)) <= owner.ids.keys()]


def _named(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [name for each in value.values() for name in _named(each)]
    if isinstance(value, list):
        return [name for each in value for name in _named(each)]
    return [value[1:]] if isinstance(value, str) and value.startswith("$") else []


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.path not in NOT_OF_A_TENANT], ids=str)
def test_without_a_key_nothing_is_answered(stack: Stack, owner: Tenant, operation: Operation) -> None:
    path = owner.path_of(operation)
    for headers in ({}, {"Authorization": "Bearer vb_nobody"}):
        answer = httpx.request(operation.method, f"{stack.api}{path}", headers=headers, json={"type": "end-call"})
        assert answer.status_code == 401, f"{operation}: {answer.status_code} {answer.text[:200]}"
