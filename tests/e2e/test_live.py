"""Calls are controlled, listened to and followed while they go on: on the bus and in what the caller hears."""

import asyncio
import json
from array import array
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest
from assistants import hearing, scripted, speech_at
from bus_watch import BusWatch, in_order
from stack import Stack, running
from websockets.asyncio.client import connect

from voxbus_audio import FRAME_BYTES, frames, peak
from voxbus_testing.caller import LOUD, Caller, calling
from voxbus_testing.openai_server import OpenAiServer, streamed
from voxbus_testing.stub_voice import stub_duration_ms

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

Json = dict[str, Any]

VOICE = {"provider": "vapi", "voiceId": "stub"}
LONG = "This is a long text that is read from its beginning to its very end, whatever else may happen meanwhile"
NUMBER = {"type": "number", "number": "+14155550100", "message": "I connect you."}
WAYS = ("address", "socket")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`voxbus up` with the stub voice, whose tone is as long as its text."""
    folder = tmp_path_factory.mktemp("live") / "data"
    with running(folder, VOXBUS_STUB_PROVIDERS="1", VOXBUS_GUARD_ALLOW="127.0.0.0/8") as started:
        yield started


def speaking(*rules: Json, **fields: Any) -> Json:
    return scripted(*rules, voice=VOICE, **fields)


def on_call(stack: Stack, assistant: Json | None = None, **body: Any) -> AbstractAsyncContextManager[Caller]:
    return calling(stack.api, stack.key, assistant, **body)


async def order(caller: Caller, way: str, **message: Any) -> None:
    """Tells the call something at its control address, or as a text frame of the caller's WebSocket."""
    if way == "socket":
        await caller.send(message)
        return
    answer = await posted((await caller.record())["monitor"]["controlUrl"], message)
    assert (answer.status_code, answer.json()) == (200, {"status": "accepted"})


async def posted(address: str, message: Json) -> httpx.Response:
    async with httpx.AsyncClient(timeout=20) as http:
        return await http.post(address, json=message)


async def started(watch: BusWatch, caller: Caller) -> None:
    await watch.until(caller.call_id, "call.started", timeout_s=30)


async def replies(watch: BusWatch, caller: Caller, count: int) -> list[tuple[str, str]]:
    """Source and heard words of the replies, once so many are heard to their end."""
    ended = await watch.until(caller.call_id, "reply.finished", count, timeout_s=30)
    sources = {each["reply"]: each["source"] for each in await watch.payloads(caller.call_id, "reply.started")}
    return [(sources[each["reply"]], each["heard"]) for each in ended]


def loud(pcm: bytes) -> list[bool]:
    """Whether each 20 ms of it sounds."""
    return [peak(frame) > LOUD for frame in frames(pcm)]


def sounding_ms(pcm: bytes) -> int:
    return 20 * sum(loud(pcm))


def is_about(found_ms: float, *texts: str) -> bool:
    """As long as these texts are, but for a few frames."""
    return abs(found_ms - sum(map(stub_duration_ms, texts))) <= 100


async def test_what_is_to_be_said_is_heard_in_turn_at_once_or_as_the_last_word(stack: Stack, watch: BusWatch) -> None:
    async def in_turn(way: str) -> None:
        async with on_call(stack, speaking()) as caller:
            await begin(watch, caller, way)
            await order(caller, way, type="say", message="Be quick.")
            assert await replies(watch, caller, 2) == [("say", LONG), ("say", "Be quick.")]
            await caller.hang_up()
        assert is_about(sounding_ms(caller.agent_pcm()), LONG, "Be quick.")

    async def at_once(way: str) -> None:
        async with on_call(stack, speaking()) as caller:
            await begin(watch, caller, way)
            await order(caller, way, type="say", message="Be quick.", interruptAssistantEnabled=True)
            (interrupted,) = await watch.until(caller.call_id, "reply.interrupted")
            assert await replies(watch, caller, 1) == [("say", "Be quick.")]
            await order(caller, way, type="say", content="Good night.", endCallAfterSpoken=True)
            (ended,) = await watch.until(caller.call_id, "call.ended")
            await asyncio.wait_for(caller.closed.wait(), 10)
        assert (interrupted["reason"], ended["reason"]) == ("told-to-say", "assistant-ended-call")
        assert len(interrupted["heard"]) < len(LONG)
        assert sounding_ms(caller.agent_pcm()) < stub_duration_ms(LONG)
        assert is_about(sounding_ms(caller.agent_pcm()[-(stub_duration_ms("Good night.") * 32) :]), "Good night.")
        in_order(await watch.names(caller.call_id), "call.say", "call.say", "playback.clear", "call.say", "call.ended")

    await asyncio.gather(*map(in_turn, WAYS), *map(at_once, WAYS))


async def begin(watch: BusWatch, caller: Caller, way: str) -> None:
    """The assistant speaks, for a while."""
    await started(watch, caller)
    await order(caller, way, type="say", content=LONG, interruptionsEnabled=False)
    await watch.until(caller.call_id, "playback.started")


async def test_an_added_message_is_answered_at_once_or_known_to_the_next_answer(stack: Stack, watch: BusWatch) -> None:
    rules = [
        {"when": r"member (?P<number>\w+)", "say": "Welcome, member {{number}}."},
        {"when": "hello", "requires": ["number"], "say": "Hello, member {{number}}."},
    ]
    pcm, _, labels = speech_at("hello over there", 3_000)
    assistant = hearing(speaking(*rules), labels)
    told = {"type": "add-message", "message": {"role": "user", "content": "i am member seven"}}
    async with on_call(stack, assistant) as asked, on_call(stack, assistant) as informed:
        informed.say(pcm)
        await asyncio.gather(started(watch, asked), started(watch, informed))
        await order(informed, "socket", **told, triggerResponseEnabled=False)
        await order(asked, "address", **told)
        assert await replies(watch, asked, 1) == [("model", "Welcome, member seven.")]
        assert await replies(watch, informed, 1) == [("model", "Hello, member seven.")]
        await asyncio.gather(asked.hang_up(), informed.hang_up())
    in_order(await watch.names(asked.call_id), "call.add-message", "message.added", "reply.started")
    in_order(await watch.names(informed.call_id), "message.added", "turn.committed", "reply.started")
    assert is_about(sounding_ms(asked.agent_pcm()), "Welcome, member seven.")
    assert is_about(sounding_ms(informed.agent_pcm()), "Hello, member seven.")


async def test_a_message_added_while_something_is_said_is_answered_afterwards(stack: Stack, watch: BusWatch) -> None:
    async with OpenAiServer() as model:
        premium = {"role": "system", "content": "The caller is a premium customer."}
        model.answer_to(premium["content"], streamed("I know."))
        own = {"provider": "custom-llm", "model": "m", "url": model.base_url}
        async with on_call(stack, speaking() | {"model": own}) as caller:
            await begin(watch, caller, "address")
            await order(caller, "address", type="add-message", message=premium)
            assert await replies(watch, caller, 2) == [("say", LONG), ("model", "I know.")]
            await caller.hang_up()
    assert premium in model.received[-1].body["messages"]
    assert len(await watch.payloads(caller.call_id, "message.added")) == 1
    assert is_about(sounding_ms(caller.agent_pcm()), LONG, "I know.")


async def test_a_muted_assistant_goes_on_unheard(stack: Stack, watch: BusWatch) -> None:
    async def heard_by_caller(way: str) -> list[bool]:
        async with on_call(stack, speaking()) as caller:
            await begin(watch, caller, way)
            await caller.until(lambda: sounding_ms(caller.agent_pcm()) > 200, 15, "sound")
            await order(caller, way, type="control", control="mute-assistant")
            await caller.until(lambda: loud(caller.agent_pcm()).count(False) > 25, 15, "silence")
            await order(caller, way, type="control", control="unmute-assistant")
            assert await replies(watch, caller, 1) == [("say", LONG)]
            await caller.hang_up()
        return loud(caller.agent_pcm())

    for heard in await asyncio.gather(*map(heard_by_caller, WAYS)):
        assert is_about(20 * len(heard), LONG), "a mute takes no time away"
        first, last = heard.index(False), len(heard) - 1 - heard[-3::-1].index(False) - 2
        assert all(heard[1 : first - 2])
        assert not any(heard[first + 3 : last - 2])
        assert all(heard[last + 3 : -2]), "what is left after the unmute sounds"
        assert last < len(heard) - 10


async def test_a_muted_customer_is_not_heard(stack: Stack, watch: BusWatch) -> None:
    first, _, labels = speech_at("nobody hears me", 5_000)
    second, _, more = speech_at("where is my order", 7_500)
    assistant = hearing(speaking({"when": "order", "say": "It ships on Friday."}), labels + more)

    async def is_heard(way: str) -> None:
        async with on_call(stack, assistant) as caller:
            caller.say(first + second[len(first) :])
            await started(watch, caller)
            await order(caller, way, type="control", control="mute-customer")
            await watch.until(caller.call_id, "call.control")
            assert caller.clock_ms < 5_000, "the machine is too slow for this test"
            await caller.until(lambda: caller.clock_ms > 6_300, 30, "the first words are over")
            await order(caller, way, type="control", control="unmute-customer")
            assert await replies(watch, caller, 1) == [("model", "It ships on Friday.")]
            await caller.hang_up()
        turns = await watch.payloads(caller.call_id, "turn.committed")
        assert [turn["text"] for turn in turns] == ["where is my order"]
        spoken = await watch.payloads(caller.call_id, "speech.started")
        assert all(each["pts_ms"] > 6_300 for each in spoken)

    await asyncio.gather(*map(is_heard, WAYS))


async def test_the_first_message_is_said_when_and_as_often_as_it_is_asked_for(stack: Stack, watch: BusWatch) -> None:
    async with on_call(stack, speaking(firstMessage="Welcome to the shop.")) as caller:
        await started(watch, caller)
        for way in WAYS:
            await order(caller, way, type="control", control="say-first-message")
        assert await replies(watch, caller, 2) == [("say", "Welcome to the shop.")] * 2
        await caller.hang_up()
    assert is_about(sounding_ms(caller.agent_pcm()), *["Welcome to the shop."] * 2)


async def test_a_call_is_ended_and_takes_no_more_orders(stack: Stack, watch: BusWatch) -> None:
    async def ends(way: str, kind: str) -> str:
        async with on_call(stack, speaking()) as caller:
            await started(watch, caller)
            address = (await caller.record())["monitor"]["controlUrl"]
            await order(caller, way, type=kind)
            (ended,) = await watch.until(caller.call_id, "call.ended")
            await asyncio.wait_for(caller.closed.wait(), 10)
            assert caller.heard.close_code == 1000
            record = await caller.ended_record()
        assert record["endedReason"] == ended["reason"]
        assert "monitor" not in record
        assert (await posted(address, {"type": "say", "content": "Hello?"})).status_code == 409
        return ended["reason"]

    ways = [(way, kind) for way in WAYS for kind in ("end-call", "hangup")]
    reasons = await asyncio.gather(*(ends(way, kind) for way, kind in ways))
    assert reasons == [*["manually-canceled"] * 2, *["customer-ended-call"] * 2]


@pytest.mark.parametrize("way", WAYS)
async def test_a_call_is_transferred_after_what_there_is_to_say(stack: Stack, watch: BusWatch, way: str) -> None:
    async with on_call(stack, speaking()) as told, on_call(stack, speaking()) as untold:
        await asyncio.gather(started(watch, told), started(watch, untold))
        await order(told, way, type="transfer", destination=NUMBER)
        await order(untold, way, type="transfer", destination=NUMBER, content="")
        for caller in (told, untold):
            (ended,) = await watch.until(caller.call_id, "call.ended", timeout_s=30)
            assert ended["reason"] == "assistant-forwarded-call"
            await asyncio.wait_for(caller.closed.wait(), 10)
            assert [each["status"] for each in caller.messages("status-update")][-2:] == ["forwarding", "ended"]
            (gone,) = await watch.payloads(caller.call_id, "call.transferred")
            assert gone["destination"] == NUMBER["number"]
            record = await caller.ended_record()
            assert (record["endedReason"], record["destination"]["number"]) == (ended["reason"], NUMBER["number"])
    in_order(await watch.names(told.call_id), "call.transfer", "playback.finished", "call.transferred", "call.ended")
    assert is_about(sounding_ms(told.agent_pcm()), "I connect you.")
    assert untold.heard.audio == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_call_is_handed_to_another_assistant_of_its_squad_or_a_new_one(
    stack: Stack, watch: BusWatch, way: str
) -> None:
    desk = {**speaking(name="desk", firstMessage="Billing here."), "firstMessageMode": "assistant-speaks-first"}
    squad = {"members": [{"assistant": speaking(name="triage")}, {"assistant": desk}]}
    new = {**desk, "name": "newcomer", "firstMessage": "New here."}
    async with on_call(stack, squad=squad) as known, on_call(stack, squad=squad) as unknown:
        await asyncio.gather(started(watch, known), started(watch, unknown))
        by_name = {"type": "assistant", "assistantName": "desk"}
        await order(known, way, type="handoff", destination=by_name, content="One moment.")
        await order(unknown, way, type="handoff", destination={"type": "assistant", "assistant": new})
        assert [heard for _, heard in await replies(watch, known, 2)] == ["One moment.", "Billing here."]
        assert [heard for _, heard in await replies(watch, unknown, 1)] == ["New here."]
        for caller, name in ((known, "desk"), (unknown, "newcomer")):
            (done,) = await watch.payloads(caller.call_id, "handoff.completed")
            assert (done["from_assistant"], done["to_assistant"]) == ("triage", name)
            begun = [each["newAssistant"]["name"] for each in caller.messages("assistant.started")]
            assert begun == ["triage", name]
            await caller.hang_up()
    assert is_about(sounding_ms(known.agent_pcm()), "One moment.", "Billing here.")


@asynccontextmanager
async def listening(caller: Caller) -> AsyncGenerator[tuple[bytearray, asyncio.Task[int | None]]]:
    """What a listener hears, and the code that its line is closed with."""
    heard = bytearray()

    async def listen() -> int | None:
        async for message in line:
            assert isinstance(message, bytes)
            heard.extend(message)
        return line.close_code

    async with connect((await caller.record())["monitor"]["listenUrl"]) as line:
        assert json.loads(await asyncio.wait_for(line.recv(), 10))["channels"] == 2
        task = asyncio.create_task(listen())
        try:
            yield heard, task
        finally:
            task.cancel()


async def test_listeners_hear_both_sides_until_the_call_is_over(stack: Stack, watch: BusWatch) -> None:
    pcm, speech, labels = speech_at("where is my order", 3_000)
    spoken = set(frames(speech.pcm))
    assistant = hearing(speaking({"when": "order", "say": "It ships on Friday."}), labels)
    async with on_call(stack, assistant) as caller:
        caller.say(pcm)
        async with listening(caller) as first, listening(caller) as second:
            assert caller.clock_ms < 3_000, "the machine is too slow for this test"
            assert await replies(watch, caller, 1) == [("model", "It ships on Friday.")]
            await caller.hang_up()
            assert [await asyncio.wait_for(task, 20) for _, task in (first, second)] == [1000, 1000]
    for heard, _ in (first, second):
        left = frames(channel(heard, 0))
        assert sum(frame in spoken for frame in left) >= 0.9 * len(spoken), "what the caller said"
        assert sounding_ms(channel(heard, 1)) == sounding_ms(caller.agent_pcm()), "what the caller heard"


def channel(stereo: bytearray, number: int) -> bytes:
    whole = len(stereo) // (2 * FRAME_BYTES) * 2 * FRAME_BYTES
    return array("h", bytes(stereo[:whole]))[number::2].tobytes()


async def followed(stack: Stack, call: str, cut: Callable[[int], bool]) -> list[tuple[int, str]]:
    """Place and type of every event of the call, by a client that loses its line behind each event that `cut` names."""
    found: list[tuple[int, str]] = []
    headers = {"Authorization": f"Bearer {stack.key}"}
    async with httpx.AsyncClient(base_url=stack.api, headers=headers, timeout=30) as http:
        while True:
            last = {"Last-Event-ID": str(found[-1][0])} if found else {}
            async with http.stream("GET", f"/call/{call}/events", headers=last) as answer:
                if answer.status_code == 204:
                    return found
                assert answer.status_code == 200
                async for event in events_in(answer):
                    found.append(event)
                    if cut(len(found)):
                        break


async def events_in(answer: httpx.Response) -> AsyncIterator[tuple[int, str]]:
    place = 0
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            place = int(value)
        elif name == "data":
            yield place, json.loads(value)["type"]


async def test_who_follows_a_call_and_loses_the_line_again_and_again_misses_nothing_and_gets_nothing_twice(
    stack: Stack, watch: BusWatch
) -> None:
    pcm, _, labels = speech_at("where is my order", 2_000)
    assistant = hearing(speaking({"when": "order", "say": "It ships on Friday."}), labels)
    cuts: list[Callable[[int], bool]] = [lambda _: False, lambda count: count % 3 == 0, lambda count: count % 7 == 0]
    async with on_call(stack, assistant) as caller:
        following = [asyncio.create_task(followed(stack, caller.call_id, cut)) for cut in cuts]
        caller.say(pcm)
        assert await replies(watch, caller, 1) == [("model", "It ships on Friday.")]
        await order(caller, "address", type="say", content="Anything else?")
        await replies(watch, caller, 2)
        await caller.hang_up()
        told = await asyncio.wait_for(asyncio.gather(*following), 60)
    log = await watch.log(caller.call_id)
    on_the_bus = [(each.stream_seq, each.name) for each in log if each.kind == "event"]
    assert {"call.ended", "archive.stored", "analysis.completed"} <= {name for _, name in told[0]}
    for each in told:
        assert len(each) > 20
        assert each == on_the_bus[: len(each)]
