"""A text message is sent once or not at all, whoever runs the tool and however often."""

import asyncio
import base64
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from kinds_at_hand import Stored, tool_runner

from voxbus_contracts import CallRef, Command, Event
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.commands import RunTool
from voxbus_contracts.config import CallConfig, CallCredential
from voxbus_contracts.events import ToolAttempted
from voxbus_tool_runner.answer import Answer
from voxbus_tool_runner.errors import BadAnswer, BadArguments, OutcomeUnknown, ServerMissing, ServerUnreachable
from voxbus_tool_runner.receipts import Receipts

REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")
ACCOUNT = {"accountSid": "AC1", "authToken": "hush"}
SENT = {"sid": "SM1", "status": "queued"}


class Log:
    """The stream: the same id counts once, the first stays."""

    def __init__(self) -> None:
        self.by_id: dict[str, ToolAttempted] = {}

    async def publish_stored(
        self, ref: CallRef, message: Event | Command, *, event_id: str | None = None, traceparent: str = ""
    ) -> int:
        assert isinstance(message, ToolAttempted)
        self.by_id.setdefault(event_id or "", message)
        return len(self.by_id)

    async def first(self, ref: CallRef, tool_call_id: str) -> str:
        found = [each.worker for each in self.by_id.values() if each.tool_call_id == tool_call_id]
        return found[0] if found else ""


class Twilio:
    """Messages.json, as the vendor answers it."""

    def __init__(self, answer: httpx.Response | Exception | None = None) -> None:
        self.answer = answer or httpx.Response(201, json=SENT)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return httpx.Response(self.answer.status_code, content=self.answer.content)


async def send(
    twilio: Any,
    log: Log | None = None,
    worker: str = "tool-runner-1",
    arguments: dict[str, Any] | None = None,
    ms: int = 5_000,
    **fields: Any,
) -> Answer:
    fields = {"credentials": (CallCredential(id="c1", provider="twilio", account=ACCOUNT),), **fields}
    tool = {"type": "sms", "credentialId": "c1", "metadata": {"from": "+14155550199"}, **fields.pop("tool", {})}
    config = CallConfig(
        org=REF.org,
        call=REF.call,
        created_at_ms=1,
        assistant=Assistant.model_validate({"model": {"tools": [tool]}}),
        variables={"customer": {"number": "+14155550100"}},
        **fields,
    )
    log = log or Log()
    client = httpx.AsyncClient(transport=httpx.MockTransport(twilio))
    receipts = Receipts(log, log.first, worker)
    runner = tool_runner(Stored(config), client, sms=(receipts, "https://sms.example"))
    chosen = {"message": "Your order ships."} if arguments is None else arguments
    command = RunTool(tool_call_id="call_1_1", tool_name="sms", arguments=chosen, timeout_ms=ms)
    return await runner.perform(await runner.prepare(REF, command, ""))


async def test_it_is_handed_in_as_the_vendor_wants_it() -> None:
    twilio = Twilio()
    answer = await send(twilio)
    (request,) = twilio.asked
    assert str(request.url) == "https://sms.example/2010-04-01/Accounts/AC1/Messages.json"
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"AC1:hush").decode()
    assert parse_qs(request.content.decode()) == {
        "To": ["+14155550100"],
        "From": ["+14155550199"],
        "Body": ["Your order ships."],
    }
    assert (answer.result, answer.value) == ("The message was sent.", SENT)


async def test_who_comes_after_a_receipt_sends_nothing() -> None:
    log, twilio = Log(), Twilio(httpx.ReadTimeout("the worker dies while it waits"))
    with pytest.raises(OutcomeUnknown, match="not known whether"):
        await send(twilio, log, "tool-runner-1")
    for worker in ("tool-runner-2", "tool-runner-1"):  # a pod's container is started again under the same name
        with pytest.raises(OutcomeUnknown, match="not sent again"):
            await send(Twilio(), log, worker)
    assert len(twilio.asked) == 1


async def test_of_two_that_run_at_once_one_sends() -> None:
    log, twilio = Log(), Twilio()
    runs = await asyncio.gather(*(send(twilio, log, f"w{n}") for n in range(2)), return_exceptions=True)
    assert len(twilio.asked) == 1
    assert sum(isinstance(each, Answer) for each in runs) == 1


async def test_a_replica_that_is_a_moment_behind_keeps_no_message_from_being_sent() -> None:
    class Late(Log):
        looks = 0

        async def first(self, ref: CallRef, tool_call_id: str) -> str:
            self.looks += 1
            return "" if self.looks == 1 else await super().first(ref, tool_call_id)

    answer = await send(Twilio(), Late())
    assert answer.result == "The message was sent."


async def test_a_vendor_that_hangs_is_given_up_as_unknown_within_the_limit() -> None:
    async def hangs(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(OutcomeUnknown):
        await send(hangs, ms=100)


async def test_what_was_refused_or_never_left_was_not_sent() -> None:
    refused = httpx.Response(400, json={"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400})
    with pytest.raises(BadAnswer, match="was not sent: Invalid"):
        await send(Twilio(refused))
    with pytest.raises(ServerUnreachable, match="was not sent"):
        await send(Twilio(httpx.ConnectError("x")))
    with pytest.raises(OutcomeUnknown):
        await send(Twilio(httpx.Response(503)))


async def test_what_cannot_be_sent_is_named_and_leaves_no_receipt() -> None:
    log = Log()
    with pytest.raises(BadArguments, match="to must be"):
        await send(Twilio(), log, arguments={"message": "x", "to": "12"})
    with pytest.raises(BadArguments, match="message must have"):
        await send(Twilio(), log, arguments={})
    with pytest.raises(ServerMissing, match="credentialId"):
        await send(Twilio(), log, credentials=())
    with pytest.raises(ServerMissing, match=r"metadata\.from"):
        await send(Twilio(), log, tool={"metadata": {}})
    assert log.by_id == {}


async def test_a_calls_own_number_and_an_api_key_will_do() -> None:
    twilio = Twilio()
    own = {"accountSid": "AC2", "apiKey": "SK1", "apiSecret": "s"}
    await send(twilio, credentials=(CallCredential(provider="twilio", account=own),), tool={"credentialId": None})
    assert twilio.asked[0].headers["authorization"] == "Basic " + base64.b64encode(b"SK1:s").decode()
