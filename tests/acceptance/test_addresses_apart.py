"""The addresses a call's answers hold carry their own tokens: each opens one thing of one call, and nothing else.

They are found in the answers themselves: one that this file knows nothing about fails the first test.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from stack import Stack
from tenants import MARK, Tenant
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from voxbus_contracts import DEFAULT_ORG

Json = dict[str, Any]
pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

KNOWN = {"transport.websocketCallUrl", "transport.callUrl", "webCallUrl", "monitor.controlUrl", "monitor.listenUrl"}
REFUSALS = {401, 403, 404}


@dataclass(frozen=True)
class Call:
    """One call with all of its addresses, by where they stand in the answer."""

    id: str
    org: str
    addresses: dict[str, str]

    def token(self, name: str) -> str:
        return parse_qs(urlsplit(self.addresses[name]).query)["token"][0]

    def address(self, name: str, **query: str | None) -> str:
        """The address with another query: None leaves a field out."""
        parts = urlsplit(self.addresses[name])
        laid = {key: values[0] for key, values in parse_qs(parts.query).items()} | query
        return parts._replace(query=urlencode({key: each for key, each in laid.items() if each is not None})).geturl()


def placed(tenant: Tenant, path: str) -> Call:
    body: Json = {"assistant": {"firstMessage": tenant.mark}, "name": tenant.mark}
    if path == "/call":
        body["transport"] = {"provider": "vapi.websocket"}
    answer = tenant.http.post(path, json=body)
    assert answer.status_code == 201, answer.text
    call = answer.json()
    return Call(call["id"], tenant.org, dict(_addresses(call, call["id"])))


def _addresses(tree: Any, call_id: str, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from _addresses(value, call_id, f"{path}.{name}".lstrip("."))
    elif isinstance(tree, str) and "://" in tree and call_id in tree:
        yield path, tree


@pytest.fixture(scope="module", params=["/call", "/call/web"])
def pair(request: pytest.FixtureRequest, http: httpx.Client) -> Iterator[tuple[Tenant, Tenant, str]]:
    owner, asker = Tenant.new(http, "globex", MARK), Tenant.new(http, "acme", "of-acme")
    yield owner, asker, request.param
    owner.http.close()
    asker.http.close()


def tried(address: str) -> int:
    """The status somebody gets who comes to the address without a key: 101 and 200 let him in."""
    if not address.startswith("ws"):
        return httpx.post(address, json={"type": "end-call"}).status_code
    try:
        with connect(address, open_timeout=10, close_timeout=2):
            return 101
    except InvalidStatus as refused:
        assert MARK not in refused.response.body.decode()
        return refused.response.status_code


def test_every_address_of_a_call_is_known_here(pair: tuple[Tenant, Tenant, str]) -> None:
    owner, _, path = pair
    call = placed(owner, path)
    assert "monitor.controlUrl" in call.addresses
    assert call.addresses.keys() <= KNOWN, "an address without a case"
    assert all(call.token(name) for name in call.addresses)
    told = owner.http.get(f"/call/{call.id}").json()
    assert dict(_addresses(told, call.id)).keys() == call.addresses.keys()


def test_no_ticket_of_another_call_opens_a_call(pair: tuple[Tenant, Tenant, str]) -> None:
    owner, asker, path = pair
    theirs, other, mine = placed(owner, path), placed(owner, path), placed(asker, path)
    for name in theirs.addresses:
        wrong = ["", asker.key, mine.token(name), other.token(name), theirs.token(name)[:-1], theirs.id]
        wrong += [theirs.token(each) for each in theirs.addresses if theirs.token(each) != theirs.token(name)]
        tries = [theirs.address(name, token=token) for token in wrong]
        tries += [theirs.address(name, token=mine.token(name), org=org) for org in (mine.org, DEFAULT_ORG, None, "*")]
        tries += [theirs.address(name, org=org) for org in (mine.org, DEFAULT_ORG, None, "*", ">", f"{theirs.org}.")]
        tries.append(theirs.address(name, token=None))
        tries.append(mine.address(name, org=theirs.org))
        for address in tries:
            status = tried(address)
            assert status in REFUSALS, f"{name} answers {status} to {address}"
    call = owner.http.get(f"/call/{theirs.id}").json()
    assert call["status"] == "queued", "nobody came in and nobody ended it"
    for name in theirs.addresses:
        own = placed(owner, path).addresses[name]  # of a new call each: who comes and goes ends the call
        assert tried(own) in (101, 200), f"{name}: the owner's own address opens"


def test_a_key_opens_no_others_call_whatever_its_address_says(stack: Stack, pair: tuple[Tenant, Tenant, str]) -> None:
    owner, asker, path = pair
    theirs, mine = placed(owner, path), placed(asker, path)
    end = {"type": "end-call"}
    for query in (f"?org={theirs.org}", f"?org={theirs.org}&token={mine.token('monitor.controlUrl')}", ""):
        answer = asker.http.post(f"/call/{theirs.id}/control{query}", json=end)
        assert answer.status_code in REFUSALS, f"{query}: {answer.status_code}"
        assert MARK not in answer.text
    answer = asker.http.post(f"{stack.api}/call/{mine.id}/control?org={theirs.org}", json=end)
    assert answer.status_code == 200, "an address without a ticket is the key's own organisation's"
    assert owner.http.get(f"/call/{theirs.id}").json()["status"] == "queued"
