"""Where a call goes by the customer's server: asked with credentials, understood, and new assistants made known."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import structlog
from cryptography.fernet import Fernet
from pydantic import SecretStr
from test_recruiting import Stored

from voxbus_bus import Received
from voxbus_contracts import CallRef, Command, Envelope, Event
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.commands import FindDestination
from voxbus_contracts.config import CallConfig, Member
from voxbus_contracts.events import DestinationResolved
from voxbus_control_api.calls.finding import DestinationFinder
from voxbus_control_api.calls.roster import Recruit
from voxbus_control_api.messages.asking import ServerAsker
from voxbus_runtime.server_access import ServerAccess

REF = CallRef("org-1", "0b6c4a34-3f55-4f38-a15e-2f4be0a1f0c7")
KEY = SecretStr(Fernet.generate_key().decode())
Json = dict[str, Any]


class World:
    """A configuration, a server that answers as told, and what is said on the bus."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response], **stored: Json) -> None:
        tool = {"type": "handoff", "function": {"name": "route"}, "destinations": [{"type": "dynamic"}]}
        server = {"url": "https://shop.example/hook", "secret": "s3"}
        assistant = Assistant.model_validate({"name": "one", "server": server, "model": {"tools": [tool]}})
        two = Member(key="1", assistant_id="b", assistant=Assistant(name="two"))
        self.config = CallConfig(org="org-1", call=REF.call, created_at_ms=1, assistant=assistant, members=(two,))
        self.asked: list[httpx.Request] = []
        self.said: list[DestinationResolved] = []
        self.recruited: list[Recruit] = []
        self._answer = answer
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._on_request))
        self.finder = DestinationFinder(
            configs=self,
            stored=Stored(**stored),
            asker=ServerAsker(client, ServerAccess(client, KEY), lambda: 1),
            publisher=self,
            sealed=self._sealed,
            artifact=self._artifact,
            now_ms=lambda: 1,
            log=structlog.get_logger(),
        )

    def _on_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self._answer(request)

    def _sealed(self, recruit: Recruit) -> Member:
        self.recruited.append(recruit)
        assistant = Assistant.model_validate(recruit.assistant)
        return Member(key=recruit.key, assistant_id=recruit.assistant_id, assistant=assistant)

    async def _artifact(self, _config: CallConfig) -> Json:
        return {"messages": ["so far"]}

    async def stored_config(self, ref: CallRef) -> CallConfig | None:
        return self.config

    async def store_config(self, config: CallConfig) -> None:
        self.config = config

    async def publish_stored(
        self, ref: CallRef, message: Event | Command, *, event_id: str | None = None, traceparent: str = ""
    ) -> int:
        assert isinstance(message, DestinationResolved)
        self.said.append(message)
        return 1

    async def finds(self, **fields: Any) -> DestinationResolved:
        command = FindDestination(cause="call_1_1", request="handoff", tool_name="route", **fields)
        envelope = Envelope(
            event_id="e1", schema=command.schema_id(), occurred_at_ms=1, producer="test", stage="llm-orchestrator"
        )
        received = Received(
            ref=REF,
            message=command,
            envelope=envelope,
            payload=command.payload(),
            stream_seq=1,
        )
        await self.finder.on_find(received)
        return self.said[-1]


def answering(body: Any, status: int = 200) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _request: httpx.Response(status, json=body)


async def test_the_server_is_asked_with_everything_it_needs_and_its_answer_is_followed() -> None:
    world = World(answering({"destination": {"type": "assistant", "assistantName": "Two"}, "result": "Done."}))
    found = await world.finds(parameters={"area": "north"})
    assert (found.destination["member"], found.result) == ("1", "Done.")
    (request,) = world.asked
    assert request.headers["x-vapi-secret"] == "s3"
    assert request.headers["x-call-id"] == REF.call
    message = json.loads(request.content)["message"]
    assert message["type"] == "handoff-destination-request"
    assert (message["parameters"], message["artifact"]) == ({"area": "north"}, {"messages": ["so far"]})
    assert message["call"]["id"] == REF.call


async def test_an_assistant_that_is_new_to_the_call_is_in_its_configuration_before_it_is_named() -> None:
    world = World(answering({"destination": {"type": "assistant", "assistantId": "c"}}), c={"name": "three"})
    found = await world.finds()
    assert found.destination["member"] == "2"
    assert world.config.members[1].assistant.name == "three"


async def test_an_assistant_that_is_new_to_the_call_brings_the_credentials_it_names() -> None:
    named = {"provider": "custom-credential", "authenticationPlan": {"type": "bearer", "token": "t"}}
    three = {"name": "three", "server": {"url": "https://three.example", "credentialId": "c-1"}}
    to_three = answering({"destination": {"type": "assistant", "assistantId": "c"}})
    world = World(to_three, c=three, **{"c-1": named})
    await world.finds()
    assert dict(world.recruited[0].credentials) == {"c-1": named}


async def test_what_is_to_be_looked_up_is_not_asked_for() -> None:
    world = World(answering({}))
    inline = {"type": "assistant", "assistant": {"name": "four", "firstMessage": "Hi."}}
    found = await world.finds(destination=inline)
    assert not world.asked
    assert found.destination["member"] == "2"
    assert "assistant" not in found.destination
    assert world.config.spoken_by("2").assistant.first_message == "Hi."


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (answering({"error": "We are closed."}), "We are closed."),
        (answering({}, 500), "status 500"),
        (answering([1]), "object"),
        (answering({"destination": {"type": "number"}}), "cannot be used"),
        (answering({"destination": {"type": "assistant", "assistantId": "gone"}}), "cannot be used"),
        (answering({"destination": {"type": "assistant", "assistant": {"voice": {"speed": 9}}}}), "cannot be used"),
    ],
)
async def test_no_usable_destination_is_said_so(answer: Callable[[httpx.Request], httpx.Response], told: str) -> None:
    world = World(answer)
    found = await world.finds()
    assert not found.destination
    assert told in (found.error or "")


async def test_a_number_is_a_destination_as_it_is() -> None:
    world = World(answering({"destination": {"type": "number", "number": "+14155550100"}, "message": "Bye."}))
    found = await world.finds()
    assert (found.destination, found.message) == ({"type": "number", "number": "+14155550100"}, "Bye.")
