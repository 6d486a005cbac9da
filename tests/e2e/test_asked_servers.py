"""What a customer's server is asked on a real call besides tool calls, and what is told of records that no call has."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from assistants import hearing, scripted, speech_at
from bus_watch import BusWatch, in_order
from stack import Stack, running
from test_server_messages import Shop, api, shop

from voxbus_testing.caller import calling

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

Json = dict[str, Any]
WISH = "please connect me"
NUMBER = {"type": "number", "number": "+14155550100"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("asked") / "data", VOXBUS_GUARD_ALLOW="127.0.0.0/8") as started:
        yield started


def calling_for(function: str, arguments: Json, hook: Shop, model: Json, **fields: Any) -> tuple[Json, bytes]:
    """An assistant that calls this function when the caller asks, and says what came of it; and the caller's words."""
    pcm, _, labels = speech_at(WISH)
    rules = [
        {"afterTool": function, "failed": True, "say": "That failed."},
        {"afterTool": function, "say": "{{result}}"},
        {"when": "connect", "call": {"name": function, "arguments": arguments}},
    ]
    assistant = hearing(scripted(*rules, server={"url": hook.url, "timeoutSeconds": 5}, **fields), labels)
    assistant["model"] |= model
    return assistant, pcm


async def test_an_older_assistants_function_is_asked_for_by_function_call_and_its_result_is_heard(
    stack: Stack, watch: BusWatch
) -> None:
    function = {"name": "findDesk", "parameters": {"type": "object", "properties": {"wish": {"type": "string"}}}}
    async with shop(answers={"function-call": {"result": "You want desk four."}}) as hook:
        assistant, pcm = calling_for("findDesk", {"wish": "bills"}, hook, {"functions": [function]}, serverMessages=[])
        async with calling(stack.api, stack.key, assistant) as caller:
            caller.say(pcm)
            finished = await watch.until(caller.call_id, "reply.finished", 2, timeout_s=40)
            await caller.hang_up()
        (asked,) = hook.messages(caller.call_id)
    assert finished[-1]["heard"] == "You want desk four."
    assert asked["type"] == "function-call"
    assert asked["functionCall"] == {"name": "findDesk", "parameters": {"wish": "bills"}}


async def test_the_server_that_names_the_number_forwards_the_call_itself_where_it_wants_to(
    stack: Stack, watch: BusWatch
) -> None:
    answer = {"destination": NUMBER, "message": "I put you through."}
    wanted = ["phone-call-control", "status-update"]
    async with shop(answers={"transfer-destination-request": answer}) as hook:
        tools = {"tools": [{"type": "transferCall", "messages": []}]}
        assistant, pcm = calling_for("transferCall", {"destination": "sales"}, hook, tools, serverMessages=wanted)
        async with calling(stack.api, stack.key, assistant) as caller:
            caller.say(pcm)
            (control,) = await hook.until(caller.call_id, "phone-call-control")
            finished = await watch.until(caller.call_id, "reply.finished", timeout_s=20)
            in_order(
                await watch.names(caller.call_id), "destination.resolved", "playback.finished", "call.control-requested"
            )
            assert not caller.closed.is_set(), "the line is the server's to end"
            await caller.hang_up()
            record = await caller.ended_record()
        (asked,) = hook.messages(caller.call_id, "transfer-destination-request")
        statuses = [each["status"] for each in await hook.until(caller.call_id, "status-update", 3)]
    assert asked["parameters"] == {"destination": "sales"}
    assert WISH in [each["message"] for each in asked["artifact"]["messages"]]
    assert finished[-1]["heard"] == "I put you through."
    assert (control["request"], control["destination"]["number"]) == ("forward", NUMBER["number"])
    assert statuses == ["ringing", "in-progress", "ended"], "nothing was forwarded from here"
    assert record["endedReason"] == "customer-ended-call"


async def test_the_server_that_is_asked_who_takes_over_may_send_an_assistant_nobody_knew(
    stack: Stack, watch: BusWatch
) -> None:
    desk = scripted(name="desk", firstMessage="Desk four here.", firstMessageMode="assistant-speaks-first")
    answer = {"destination": {"type": "assistant", "assistant": desk}}
    async with shop(answers={"handoff-destination-request": answer}) as hook:
        function = {"name": "route", "parameters": {"type": "object", "properties": {"wish": {"type": "string"}}}}
        tool = {"type": "handoff", "function": function, "messages": [], "destinations": [{"type": "dynamic"}]}
        assistant, pcm = calling_for(
            "route", {"wish": "bills"}, hook, {"tools": [tool]}, name="front", serverMessages=[]
        )
        async with calling(stack.api, stack.key, assistant) as caller:
            caller.say(pcm)
            (done,) = await watch.until(caller.call_id, "handoff.completed", timeout_s=30)
            finished = await watch.until(caller.call_id, "reply.finished", 2, timeout_s=30)
            await caller.hang_up()
        (asked,) = hook.messages(caller.call_id)
    assert (asked["type"], asked["parameters"]) == ("handoff-destination-request", {"wish": "bills"})
    assert (done["from_assistant"], done["to_assistant"]) == ("front", "desk")
    assert finished[-1]["heard"] == "Desk four here."


async def test_sessions_chats_and_calls_that_are_deleted_are_told_of(stack: Stack, watch: BusWatch) -> None:
    wanted = [
        *("session.created", "session.updated", "session.deleted"),
        *("chat.created", "chat.deleted", "call.deleted"),
    ]
    async with shop() as hook, api(stack) as http:
        assistant = scripted({"when": "hello", "say": "Hi."}, server={"url": hook.url}, serverMessages=wanted)

        async def told(kind: str) -> Json:
            async with asyncio.timeout(20):
                while True:
                    for _, body in hook.got:
                        if (message := json.loads(body)["message"])["type"] == kind:
                            return message
                    await asyncio.sleep(0.02)

        session = made(await http.post("/session", json={"assistant": assistant}))
        assert (await told("session.created"))["session"]["id"] == session["id"]
        made(await http.patch(f"/session/{session['id']}", json={"name": "renamed"}))
        assert (await told("session.updated"))["session"]["name"] == "renamed"
        made(await http.delete(f"/session/{session['id']}"))
        assert (await told("session.deleted"))["session"]["id"] == session["id"]
        chat = made(await http.post("/chat", json={"assistant": assistant, "input": "hello"}))
        assert (await told("chat.created"))["chat"]["id"] == chat["id"]
        made(await http.delete(f"/chat/{chat['id']}"))
        assert (await told("chat.deleted"))["chat"]["id"] == chat["id"]
        async with calling(stack.api, stack.key, assistant) as caller:
            await caller.until(lambda: caller.clock_ms > 500, 20, "a moment of the call")
            await caller.hang_up()
            await caller.ended_record()
        made(await http.delete(f"/call/{caller.call_id}"))
        assert (await told("call.deleted"))["call"]["id"] == caller.call_id


def made(answer: httpx.Response) -> Json:
    assert answer.is_success, answer.text
    return answer.json()
