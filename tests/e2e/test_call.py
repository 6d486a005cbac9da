"""A call from the first frame to the bill, by the public API only."""

import pytest
from assistants import hearing, scripted, speech_at
from bus_watch import BusWatch, in_order
from stack import Stack

from voxbus_audio.levels import peak
from voxbus_testing.caller import calling

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]


async def test_a_caller_is_greeted_answered_and_billed_and_all_of_it_is_on_the_bus(
    stack: Stack, watch: BusWatch
) -> None:
    pcm, speech, labels = speech_at("where is my order", 4_000)
    rule = {"when": "where is my order", "say": "It ships on Friday. Anything else?"}
    greeting = "Hello, how can I help?"
    assistant = hearing(scripted(rule, firstMessage=greeting, firstMessageMode="assistant-speaks-first"), labels)
    async with calling(stack.api, stack.key, assistant) as caller:
        caller.say(pcm)
        await watch.until(caller.call_id, "reply.finished", count=2)
        await caller.hang_up()
        record = await caller.ended_record()
    in_order(
        await watch.names(caller.call_id),
        "call.queued",
        "media.attached",
        "call.ringing",
        "call.started",
        "reply.started",
        "speech.say",
        "playback.started",
        "playback.finished",
        "reply.finished",
        "speech.started",
        "reply.speculated",
        "speech.say",
        "speech.stopped",
        "transcript.final",
        "turn.committed",
        "reply.started",
        "playback.started",
        "reply.finished",
        "media.detached",
        "call.ended",
    )
    assert record["endedReason"] == "customer-ended-call"
    spoken = [(m["role"], m["message"]) for m in record["messages"] if m["role"] in ("bot", "user")]
    assert spoken == [("bot", greeting), ("user", "where is my order"), ("bot", "It ships on Friday. Anything else?")]
    assert "User: where is my order" in record["artifact"]["transcript"]
    assert {row["type"] for row in record["costs"]} >= {"transport", "transcriber", "model", "voice", "vapi"}
    (turn,) = await watch.payloads(caller.call_id, "turn.measured")
    assert abs(sum(turn["parts"].values()) - turn["v2v_ms"]) <= 5
    assert 250 <= turn["v2v_ms"] <= 2_000
    loud = [at_s for at_s, pcm in caller.heard.audio if peak(pcm) > 500]
    asked_s = (4_000 + speech.length_ms) / 1000
    answered_s = next(at_s for at_s in loud if at_s > asked_s)
    assert abs((answered_s - asked_s) * 1000 - turn["v2v_ms"]) < 150, "the figure is what the caller hears"


async def test_speech_over_the_answer_silences_it_and_the_history_ends_where_it_was_heard(
    stack: Stack, watch: BusWatch
) -> None:
    answer = "This answer is a long one and it goes on and on until somebody has had enough of it and says so."
    first, _, labels = speech_at("tell me everything")
    second, _, more = speech_at("stop it please", 5_000)
    rules = ({"when": "everything", "say": answer}, {"when": "stop", "say": "As you wish."})
    async with calling(stack.api, stack.key, hearing(scripted(*rules), labels + more)) as caller:
        caller.say(first + second[len(first) :])
        (interrupted,) = await watch.until(caller.call_id, "reply.interrupted", timeout_s=20)
        replies = await watch.until(caller.call_id, "reply.finished", timeout_s=20)
        await caller.hang_up()
        await caller.ended_record()
    assert answer.startswith(interrupted["heard"])
    assert 0 < len(interrupted["heard"]) < len(answer)
    assert replies[-1]["heard"] == "As you wish."
    assert caller.messages("user-interrupted")


async def test_a_tool_is_called_on_the_demo_server_and_its_result_is_spoken(stack: Stack, watch: BusWatch) -> None:
    demo = f"http://127.0.0.1:{stack.port + 2}/tools/order-status"
    tool = {
        "type": "function",
        "function": {"name": "order_status", "parameters": {"type": "object"}},
        "server": {"url": demo, "secret": "a-webhook-secret"},
    }
    rules = (
        {"afterTool": "order_status", "failed": False, "say": "I found it: {{result}}"},
        {"when": "order (?P<order>\\w+)", "call": {"name": "order_status", "arguments": {"order": "{{order}}"}}},
    )
    pcm, _, labels = speech_at("where is order four")
    assistant = hearing(scripted(*rules), labels)
    assistant["model"]["tools"] = [tool]
    async with calling(stack.api, stack.key, assistant) as caller:
        caller.say(pcm)
        (finished,) = await watch.until(caller.call_id, "tool.finished", timeout_s=20)
        replies = await watch.until(caller.call_id, "reply.finished", count=2, timeout_s=20)
        await caller.hang_up()
        record = await caller.ended_record()
    assert replies[-1]["heard"].startswith("I found it:")
    assert finished.get("result"), finished
    assert {"tool_calls", "tool_call_result"} <= {message["role"] for message in record["messages"]}
    everything = stack.logs() + "".join(str(m.payload) for m in await watch.log(caller.call_id))
    assert "a-webhook-secret" not in everything


async def test_the_assistant_hangs_up_after_its_farewell_was_heard(stack: Stack, watch: BusWatch) -> None:
    pcm, _, labels = speech_at("goodbye then")
    rule = {"when": "goodbye", "say": "Goodbye, and thank you.", "endCall": True}
    async with calling(stack.api, stack.key, hearing(scripted(rule), labels)) as caller:
        caller.say(pcm)
        record = await caller.ended_record(20)
        assert record["endedReason"] == "assistant-ended-call"
        await caller.until(caller.closed.is_set, 5, "closing of the socket")
        assert caller.heard.close_code == 1000
    (finished,) = await watch.payloads(caller.call_id, "reply.finished")
    assert finished["heard"] == "Goodbye, and thank you."


async def test_a_caller_whose_line_broke_comes_back_on_the_same_url_and_hears_the_rest(
    stack: Stack, watch: BusWatch
) -> None:
    answer = "Here is the first half of what I have to say. And here is the second half of it, for your ears."
    pcm, _, labels = speech_at("go ahead")
    async with calling(stack.api, stack.key, hearing(scripted({"when": "go", "say": answer}), labels)) as caller:
        caller.say(pcm)
        await watch.until(caller.call_id, "playback.progressed", count=3, timeout_s=20)
        await caller.break_line()
        await watch.until(caller.call_id, "media.detached")
        await caller.dial()
        (finished,) = await watch.until(caller.call_id, "reply.finished", timeout_s=25)
        assert finished["heard"] == answer
        attached = await watch.payloads(caller.call_id, "media.attached")
        assert [a["resumed"] for a in attached] == [False, True]
        assert attached[1]["pts_ms"] > attached[0]["pts_ms"]
        await caller.hang_up()
        assert (await caller.ended_record())["endedReason"] == "customer-ended-call"
