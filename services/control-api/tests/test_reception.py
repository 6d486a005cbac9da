"""Calls that come in: whose assistant answers, what the customer's server is asked, and what callers hear instead."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import structlog
from pydantic import SecretStr

from voxbus_contracts import DEFAULT_ORG
from voxbus_contracts.config import CallConfig
from voxbus_contracts.requests import InboundAnswered, InboundCall
from voxbus_control_api.calls.inbound import APOLOGY
from voxbus_control_api.calls.reception import Reception
from voxbus_control_api.messages.asking import ServerAsker
from voxbus_runtime.sealing import open_seal
from voxbus_runtime.server_access import ServerAccess

Json = dict[str, Any]
Answer = Callable[[httpx.Request], httpx.Response]

NUMBER: Json = {"provider": "byo-phone-number", "number": "+14155550100", "credentialId": "c", "name": "front"}
SERVER: Json = {"url": "https://shop.example/hook", "secret": "s3"}
FALLBACK: Json = {"type": "number", "number": "+14155550199", "message": "I connect you."}


class Desk:
    """The reception of a real API, and a customer's server that answers as told."""

    def __init__(self, server: Any, answer: Answer | None = None) -> None:
        self.server = server
        self.asked: list[httpx.Request] = []
        self._answer = answer or (lambda _request: httpx.Response(200, json={"assistant": {"firstMessage": "Hi."}}))
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._on_request))
        asker = ServerAsker(client, ServerAccess(client, server.starter.cluster_key), lambda: 1)
        self.reception = Reception(server.resources, server.bus, asker, server.starter, structlog.get_logger())

    def _on_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self._answer(request)

    async def number(self, **fields: Any) -> str:
        answer = await self.server.client.post("/phone-number", json={**NUMBER, "server": SERVER, **fields})
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    async def rings(self, **fields: Any) -> InboundAnswered:
        asked = {"id": "CA1", "number": NUMBER["number"], "caller": {"number": "+14155550123"}, **fields}
        return await self.reception.on_call(self.server.org, InboundCall.model_validate(asked))

    @property
    def config(self) -> CallConfig:
        return self.server.bus.configs[-1]

    async def record(self, call: str) -> Json:
        return (await self.server.client.get(f"/call/{call}")).json()


def answering(body: Any, status: int = 200) -> Answer:
    return lambda _request: httpx.Response(status, json=body)


async def stored(server: Any, path: str, **body: Any) -> str:
    answer = await server.client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def test_the_numbers_server_is_asked_who_answers_and_its_assistant_does(server: Any) -> None:
    desk = Desk(server, answering({"assistant": {"firstMessage": "Hello {{ customer.number }}."}}))
    number = await desk.number()
    told = await desk.rings(variables={"order": "4711"})
    assert (told.outcome, told.reason) == ("connect", "")
    (request,) = desk.asked
    assert request.headers["x-vapi-secret"] == "s3"
    assert request.headers["x-call-id"] == told.call
    message = json.loads(request.content)["message"]
    assert message["type"] == "assistant-request"
    call = message["call"]
    assert (call["id"], call["type"], call["status"]) == (told.call, "inboundPhoneCall", "ringing")
    assert (call["phoneNumberId"], call["customer"]) == (number, {"number": "+14155550123"})
    assert message["phoneNumber"]["number"] == NUMBER["number"]
    assert message["customer"] == {"number": "+14155550123"}
    assert b"s3" not in request.content
    (config,) = server.bus.announced
    assert config.assistant.first_message == "Hello {{ customer.number }}."
    assert config.variables["customer"]["number"] == "+14155550123"
    assert (config.variables["order"], config.variables["phoneNumber"]) == ("4711", {"number": NUMBER["number"]})
    assert (config.transport.provider, config.transport.encoding) == ("vapi.sip", "mulaw")
    record = await desk.record(told.call)
    assert (record["type"], record["status"], record["phoneNumberId"]) == ("inboundPhoneCall", "queued", number)
    assert (record["phoneCallProviderId"], record["phoneCallTransport"]) == ("CA1", "sip")
    assert "websocketCallUrl" not in record["transport"]


async def test_the_address_of_the_audio_travels_sealed_and_lets_the_transport_in(server: Any) -> None:
    desk = Desk(server)
    await desk.number()
    told = await desk.rings()
    assert told.url.startswith("sealed:")
    url = httpx.URL(open_seal(told.url, server.starter.cluster_key))
    assert url == server.starter.addresses.transport_url(desk.config.ref)


async def test_a_numbers_own_assistant_answers_and_nobody_is_asked(server: Any) -> None:
    desk = Desk(server)
    assistant = await stored(server, "/assistant", firstMessage="Mine.")
    await desk.number(assistantId=assistant)
    told = await desk.rings()
    assert (told.outcome, told.reason, desk.asked) == ("connect", "", [])
    assert desk.config.assistant_id == assistant


async def test_the_organisations_server_is_asked_where_the_number_has_none(server: Any) -> None:
    desk = Desk(server)
    changed = await server.client.patch(f"/org/{server.org}", json={"server": {"url": "https://org.example/hook"}})
    assert changed.status_code == 200, changed.text
    await desk.number(server=None)
    await desk.rings()
    assert [str(request.url) for request in desk.asked] == ["https://org.example/hook"]


async def test_every_kind_of_speaker_an_answer_may_name_speaks_with_its_overrides(server: Any) -> None:
    one = await stored(server, "/assistant", name="one", firstMessage="Hello {{ name }}.")
    squad = await stored(server, "/squad", members=[{"assistantId": one}])
    over = {"assistantOverrides": {"variableValues": {"name": "Ann"}, "voice": {"speed": 1.5}}}
    answers: list[Json] = [
        {"assistantId": one, **over},
        {"assistant": {"name": "one", "firstMessage": "Hello."}, **over},
        {"squadId": squad, "squadOverrides": over["assistantOverrides"]},
        {"squad": {"members": [{"assistantId": one}]}, "squadOverrides": over["assistantOverrides"]},
    ]
    for index, answer in enumerate(answers):
        desk = Desk(server, answering(answer))
        if not index:
            await desk.number()
        told = await desk.rings(id=f"CA{index}")
        assert (told.outcome, told.reason) == ("connect", ""), told
        assert desk.config.assistant.name == "one"
        assert desk.config.assistant.voice.speed == 1.5
        assert desk.config.variables["name"] == "Ann"


async def test_an_error_is_what_the_caller_hears(server: Any) -> None:
    desk = Desk(server, answering({"error": "We are closed on Sundays.", "assistant": {}}))
    await desk.number(fallbackDestination=FALLBACK)
    told = await desk.rings()
    assert (told.outcome, told.reason) == ("connect", "assistant-request-returned-error")
    verdict = desk.config.verdict
    assert verdict is not None
    assert (verdict.say, verdict.destination) == ("We are closed on Sundays.", {}), "the server's wish, no fallback"
    assert desk.config.message_server is not None, "and it is told of the call's end"


async def test_a_destination_is_where_the_call_leaves_for(server: Any) -> None:
    destination = {"type": "sip", "sipUri": "sip:desk@example.org", "message": "One moment."}
    desk = Desk(server, answering({"destination": destination}))
    await desk.number(fallbackDestination=FALLBACK)
    told = await desk.rings()
    assert told.reason == "assistant-request-returned-forwarding-phone-number"
    assert told.destination["sipUri"] == "sip:desk@example.org"
    assert desk.config.verdict is not None
    assert desk.config.verdict.say == "One moment."


UNUSABLE: list[tuple[Answer, str, str]] = [
    (answering({}, 500), "assistant-request-failed", "status 500"),
    (answering([1]), "assistant-request-failed", "object"),
    (answering({}), "assistant-request-returned-no-assistant", "assistantId"),
    (answering({"error": {"a": 1}}), "assistant-request-returned-unspeakable-error", "text"),
    (answering({"error": " "}), "assistant-request-returned-unspeakable-error", "text"),
    (answering({"assistant": {"voice": {"speed": 9}}}), "assistant-request-returned-invalid-assistant", "voice.speed"),
    (answering({"assistant": {}, "assistantId": "a"}), "assistant-request-returned-invalid-assistant", "exactly one"),
    (answering({"workflowId": "w"}), "assistant-request-returned-invalid-assistant", "workflowId"),
    (answering({"destination": {"type": "number"}}), "assistant-request-returned-invalid-assistant", "number"),
    (answering({"destination": "+1415"}), "assistant-request-returned-invalid-assistant", "destination.type"),
    (answering({"assistantId": "gone"}), "assistant-not-found", "gone"),
    (answering({"squadId": "gone"}), "call.start.error-get-assistant", "gone"),
]


@pytest.mark.parametrize(("answer", "reason", "problem"), UNUSABLE)
async def test_without_an_assistant_the_caller_hears_an_apology(
    server: Any, answer: Answer, reason: str, problem: str
) -> None:
    desk = Desk(server, answer)
    await desk.number()
    told = await desk.rings()
    assert (told.outcome, told.reason) == ("connect", reason)
    assert problem in told.problem
    assert desk.config.verdict is not None
    assert (desk.config.verdict.say, desk.config.verdict.destination) == (APOLOGY, {})
    assert (await desk.record(told.call))["status"] == "queued"


@pytest.mark.parametrize(("answer", "reason", "problem"), UNUSABLE)
async def test_a_fallback_takes_the_call_where_there_is_no_assistant(
    server: Any, answer: Answer, reason: str, problem: str
) -> None:
    desk = Desk(server, answer)
    await desk.number(fallbackDestination=FALLBACK)
    told = await desk.rings()
    assert (told.reason, told.destination["number"]) == (reason, FALLBACK["number"])
    assert problem in told.problem
    assert desk.config.verdict is not None
    assert desk.config.verdict.say == "I connect you."


async def test_a_server_that_cannot_be_reached_or_let_nobody_in_has_failed(server: Any) -> None:
    def unreachable(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("https://shop.example/hook", request=request)

    desk = Desk(server, unreachable)
    await desk.number()
    told = await desk.rings()
    assert (told.reason, "shop.example" in told.problem) == ("assistant-request-failed", False)
    gone = Desk(server)
    await gone.number(number="+14155550101", server={**SERVER, "credentialId": "gone"})
    told = await gone.rings(id="CA2", number="+14155550101")
    assert (told.reason, gone.asked) == ("assistant-request-failed", []), "nothing is sent unsigned"


async def test_a_number_with_neither_assistant_nor_server_says_so(server: Any) -> None:
    desk = Desk(server)
    await desk.number(server=None)
    told = await desk.rings()
    assert told.reason == "call-start-error-neither-assistant-nor-server-set"
    assert desk.asked == []


async def test_a_numbers_assistant_that_is_gone_or_not_valid_any_more_is_told_apart(server: Any) -> None:
    desk = Desk(server)
    await server.store("phone-number", "n1", **NUMBER, assistantId="gone")
    assert (await desk.rings(phone_number_id="n1")).reason == "assistant-not-found"
    await server.store("assistant", "odd", voice={"speed": 9})
    await server.store("phone-number", "n2", **NUMBER, assistantId="odd")
    assert (await desk.rings(id="CA2", phone_number_id="n2")).reason == "assistant-not-valid"


async def test_a_call_that_is_announced_twice_is_one_call(server: Any) -> None:
    desk = Desk(server)
    await desk.number()
    first = await desk.rings()
    again = await desk.rings()
    assert (again.call, again.outcome) == (first.call, "connect")
    assert len(desk.asked) == len(server.bus.configs) == len(server.bus.announced) == 1
    assert len((await server.client.get("/call")).json()) == 1
    assert (await desk.rings(id="CA2")).call != first.call


async def test_an_unknown_number_and_another_organisations_are_refused_and_make_no_call(server: Any) -> None:
    desk = Desk(server)
    await desk.number()
    for fields in ({"number": "+14155550999"}, {"phone_number_id": "gone"}, {"number": None}):
        told = await desk.rings(**fields)
        assert (told.outcome, told.reason, told.call) == ("refused", "call.start.error-get-phone-number", "")
    asked = InboundCall(id="CA1", number=NUMBER["number"])
    assert (await desk.reception.on_call(DEFAULT_ORG, asked)).outcome == "refused"
    assert server.bus.configs == []


async def test_an_organisation_without_a_place_refuses_and_the_record_says_why(server: Any) -> None:
    desk = Desk(server)
    await desk.number()
    limited = await server.client.patch(f"/org/{server.org}", json={"concurrencyLimit": 1})
    if limited.status_code != 200:
        limited = await server.client.patch(f"/org/{server.org}", json={"concurrencyLimit": 1}, headers=server.operator)
    assert limited.status_code == 200, limited.text
    await server.call()
    told = await desk.rings()
    assert (told.outcome, told.reason) == ("refused", "call.start.error-subscription-concurrency-limit-reached")
    assert server.bus.ended == [(told.call, told.reason)]


async def test_without_a_cluster_key_nothing_is_said_in_the_open(server: Any) -> None:
    desk = Desk(server)
    await desk.number()
    object.__setattr__(server.starter, "cluster_key", None)
    told = await desk.rings()
    assert (told.outcome, told.url) == ("refused", "")
    assert "VOXBUS_CLUSTER_KEY" in told.problem
    object.__setattr__(server.starter, "cluster_key", SecretStr("x"))
