"""Squads on a real stack: the call goes from assistant to assistant with model, voice and recognizer, and outside."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
from assistants import LEAD_MS, scripted
from bus_watch import BusWatch, in_order
from stack import Stack, running
from test_server_messages import Shop, shop

from voxbus_testing.caller import Caller, calling
from voxbus_testing.speech import hush, saying

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

Json = dict[str, Any]

FIRST, SECOND = "i want billing", "is it paid"
SECOND_AT_MS = 9_000


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("squads") / "data", VOXBUS_GUARD_ALLOW="127.0.0.0/8") as started:
        yield started


def speech(second_at_ms: int = SECOND_AT_MS) -> tuple[bytes, list[Json]]:
    """What the caller says to the first assistant, a pause, what it says to the second; and the labels of both."""
    first, second = saying(FIRST, 300), saying(SECOND, 300)
    gap_ms = second_at_ms - LEAD_MS - len(first.pcm) // 32
    pcm = hush(LEAD_MS) + first.pcm + hush(gap_ms) + second.pcm
    return pcm, [*first.labels_at(LEAD_MS), *second.labels_at(second_at_ms)]


def member(name: str, labels: list[Json], rules: list[Json], **fields: Any) -> Json:
    transcriber = {"provider": "vapi", "model": "position", "labels": labels}
    made = scripted(*rules, name=name, transcriber=transcriber, **fields)
    return {**made, "startSpeakingPlan": {"waitSeconds": 0}}


def handing(assistant: Json, **destination: Any) -> Json:
    tool = {"type": "handoff", "messages": [], "destinations": [{"type": "assistant", **destination}]}
    return {**assistant, "model": {**assistant["model"], "tools": [tool]}}


def squad(labels: list[Json], *, context: Json, billing: Json | None = None, **destination: Any) -> Json:
    """Triage, in espeak's voice, hands over to billing, in flite's, whose answers say what its model was told."""
    calls = {"name": "handoff_to_billing_desk", "arguments": {"account": "A7"}}
    triage = member(
        "triage", labels, [{"when": "billing", "say": "I connect you.", "call": calls}], voice={"voiceId": "espeak"}
    )
    rules: list[Json] = [
        {"afterTool": "handoff_to_billing_desk", "turn": 0, "say": "I know the end."},
        {"afterTool": "handoff_to_billing_desk", "say": "I know everything."},
        {"when": "paid", "turn": 2, "say": "Your second question is answered."},
        {"when": "billing", "say": "I know your wish."},
        {"turn": 0, "say": "I know nothing."},
    ]
    first = {"firstMessageMode": "assistant-speaks-first-with-model-generated-message", **(billing or {})}
    desk = {**member("billing desk", labels, rules, voice={"voiceId": "flite"}), **first}
    leading = {"assistantName": "billing desk", "contextEngineeringPlan": context, **destination}
    return {"name": "front", "members": [{"assistant": handing(triage, **leading)}, {"assistant": desk}]}


def calling_squad(stack: Stack, posted: Json, **fields: Any) -> AbstractAsyncContextManager[Caller]:
    return calling(stack.api, stack.key, None, squad=posted, **fields)


async def said(watch: BusWatch, call: str, count: int) -> list[str]:
    found = await watch.until(call, "speech.say", count, timeout_s=60)
    return [each["text"] for each in sorted(found, key=lambda each: each["utterance_seq"])][:count]


async def record_of(stack: Stack, call: str) -> Json:
    async with httpx.AsyncClient(base_url=stack.api, headers={"Authorization": f"Bearer {stack.key}"}) as http:
        return (await http.get(f"/call/{call}")).json()


async def ended_record_of(stack: Stack, call: str) -> Json:
    """Records are half a second behind the bus."""
    async with asyncio.timeout(20):
        while (record := await record_of(stack, call)).get("status") != "ended":
            await asyncio.sleep(0.1)
    return record


CONTEXTS: list[tuple[Json, str]] = [
    ({"type": "all"}, "I know everything."),
    ({"type": "userAndAssistantMessages"}, "I know your wish."),
    ({"type": "previousAssistantMessages"}, "I know everything."),
    ({"type": "lastNMessages", "maxMessages": 2}, "I know the end."),
    ({"type": "none"}, "I know nothing."),
]


async def test_what_the_next_assistant_says_follows_from_its_context(stack: Stack, watch: BusWatch) -> None:
    pcm, labels = speech()
    places = asyncio.Semaphore(2)

    async def heard_with(context: Json) -> list[str]:
        async with places, calling_squad(stack, squad(labels, context=context)) as caller:
            caller.say(pcm)
            sentences = await said(watch, caller.call_id, 2)
            await watch.until(caller.call_id, "reply.finished", 2, timeout_s=30)
            (handoff,) = await watch.payloads(caller.call_id, "handoff.completed")
            assert (handoff["from_assistant"], handoff["to_assistant"]) == ("triage", "billing desk")
            await caller.hang_up()
            return sentences

    answers = await asyncio.gather(*(heard_with(context) for context, _ in CONTEXTS))
    assert answers == [["I connect you.", expected] for _, expected in CONTEXTS]


async def test_voice_and_model_change_at_a_handoff_and_everybody_is_told(stack: Stack, watch: BusWatch) -> None:
    pcm, labels = speech()
    extracting = {"schema": {"type": "object", "properties": {"account": {"type": "string"}}}}
    desk = {"firstMessage": "Billing for {{ account }}.", "firstMessageMode": "assistant-speaks-first"}
    posted = squad(labels, context={"type": "all"}, billing=desk, variableExtractionPlan=extracting)
    async with calling_squad(stack, posted) as caller:
        caller.say(pcm)
        assert await said(watch, caller.call_id, 2) == ["I connect you.", "Billing for A7."]
        await watch.until(caller.call_id, "reply.finished", 3, timeout_s=40)
        voices = await watch.payloads(caller.call_id, "speech.synthesized")
        assert [each["provider"] for each in voices] == ["espeak-ng", "flite", "flite"]
        assert all(not each.get("failed") for each in voices)
        told = [message for _, message in caller.heard.messages]
        (update,) = [each for each in told if each["type"] == "transfer-update"]
        assert update["destination"] == {"type": "assistant", "assistantName": "billing desk"}
        assert update["toAssistant"]["voice"]["voiceId"] == "flite"
        started = [each["newAssistant"]["name"] for each in told if each["type"] == "assistant.started"]
        assert started == ["triage", "billing desk"]
        await caller.hang_up()
        await watch.until(caller.call_id, "call.ended")
    artifact = (await ended_record_of(stack, caller.call_id))["artifact"]
    assert artifact["assistantActivations"] == [{"assistantName": "triage"}, {"assistantName": "billing desk"}]
    assert [each["message"] for each in artifact["messages"] if each["role"] == "bot"][:2] == [
        "I connect you.",
        "Billing for A7.",
    ]


def telling(posted: Json, *hooks: Shop) -> Json:
    """The squad whose members have a server each, and want to be told different things."""
    wanted = ["transfer-update", "assistant.started", "status-update", "end-of-call-report"]
    lists = ([*wanted, "transcript"], [*wanted, "voice-input"])
    for each, hook, names in zip(posted["members"], hooks, lists, strict=True):
        each["assistant"] |= {"server": {"url": hook.url}, "serverMessages": names}
    return posted


async def test_each_members_server_is_told_what_it_wants_of_its_own_part_of_the_call(
    stack: Stack, watch: BusWatch
) -> None:
    pcm, labels = speech()
    async with shop() as first, shop() as second:
        posted = telling(squad(labels, context={"type": "all"}), first, second)
        async with calling_squad(stack, posted) as caller:
            caller.say(pcm)
            await said(watch, caller.call_id, 2)
            await watch.until(caller.call_id, "reply.finished", 2, timeout_s=30)
            await caller.hang_up()
            await watch.until(caller.call_id, "call.ended")
        call = caller.call_id
        (report,) = await second.until(call, "end-of-call-report", timeout_s=40)
        kinds = [each["type"] for each in first.messages(call)]
        assert {each["assistant"]["name"] for each in first.messages(call)} == {"triage"}
        assert {each["assistant"]["name"] for each in second.messages(call)} == {"billing desk"}
    assert report["artifact"]["assistantActivations"][-1] == {"assistantName": "billing desk"}
    assert (kinds.count("transcript"), kinds[-1]) >= (2, "transfer-update")
    assert "voice-input" not in kinds
    later = [each["type"] for each in second.messages(call)]
    assert (later[0], later[-2:]) == ("assistant.started", ["status-update", "end-of-call-report"])
    assert set(later[1:-2]) == {"voice-input"}


async def test_workers_that_die_after_a_handoff_are_followed_by_those_of_the_new_assistant(
    stack: Stack, watch: BusWatch
) -> None:
    pcm, labels = speech(16_000)
    async with calling_squad(stack, squad(labels, context={"type": "all"})) as caller:
        caller.say(pcm)
        await watch.until(caller.call_id, "handoff.completed", timeout_s=30)
        for stage in ("llm-orchestrator", "tts-worker", "stt-worker"):
            (worker,) = await watch.owners(caller.call_id, stage)
            os.kill(stack.pid_of_worker(worker), signal.SIGKILL)
        await watch.until(caller.call_id, "turn.committed", 2, timeout_s=60)
        await watch.until(caller.call_id, "reply.finished", 3, timeout_s=60)
        sentences = await watch.payloads(caller.call_id, "speech.say")
        assert sentences[-1]["text"] == "Your second question is answered."
        assert [each["text"] for each in sentences if not each.get("repeats")][:2] == [
            "I connect you.",
            "I know everything.",
        ]
        assert len(await watch.payloads(caller.call_id, "handoff.completed")) == 1
        voices = {each["utterance_seq"]: each for each in await watch.payloads(caller.call_id, "speech.synthesized")}
        assert voices[sentences[-1]["utterance_seq"]]["provider"] == "flite"
        await caller.hang_up()


async def test_a_transfer_to_a_number_is_announced_and_ends_the_call_as_forwarded(
    stack: Stack, watch: BusWatch
) -> None:
    pcm, labels = speech()
    rules = [{"when": "billing", "call": {"name": "transferCall", "arguments": {"destination": "+14155550100"}}}]
    assistant = member("desk", labels, rules)
    tool = {"type": "transferCall", "destinations": [{"type": "number", "number": "+14155550100"}]}
    assistant["model"]["tools"] = [tool]
    async with calling(stack.api, stack.key, assistant) as caller:
        caller.say(pcm)
        assert await said(watch, caller.call_id, 1) == ["Transferring the call now"]
        (ended,) = await watch.until(caller.call_id, "call.ended", timeout_s=30)
        assert ended["reason"] == "assistant-forwarded-call"
        names = await watch.names(caller.call_id)
        in_order(names, "tool.requested", "playback.finished", "call.transferred", "call.ended")
        *_, forwarding, last = caller.messages("status-update")
        assert (forwarding["status"], last["status"]) == ("forwarding", "ended")
        assert forwarding["destination"] == {"type": "number", "number": "+14155550100"}
    record = await ended_record_of(stack, caller.call_id)
    assert (record["endedReason"], record["destination"]["number"]) == ("assistant-forwarded-call", "+14155550100")
