"""Workers are killed in the middle of calls; the calls go on."""

import signal

import pytest
from assistants import hearing, scripted, speech_at
from bus_watch import BusWatch
from stack import Stack

from voxbus_testing.caller import calling

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

ANSWER = "Your order number seven ships on Friday."
RULE = {"when": "where is my order number seven please", "say": ANSWER}


@pytest.mark.parametrize("service", ["vad", "stt-worker", "llm-orchestrator", "tts-worker"])
async def test_a_call_gets_its_answer_although_a_worker_is_killed_while_the_caller_speaks(
    stack: Stack, watch: BusWatch, service: str
) -> None:
    pcm, speech, labels = speech_at("where is my order number seven please", 1500)
    async with calling(stack.api, stack.key, hearing(scripted(RULE), labels)) as caller:
        caller.say(pcm)
        await caller.until(lambda: caller.clock_ms > 1500 + speech.length_ms // 2, 10, "half of the sentence")
        stack.signal(service, signal.SIGKILL)
        (turn,) = await watch.until(caller.call_id, "turn.committed", timeout_s=20)
        assert turn["text"] == "where is my order number seven please", "no word lost, none doubled"
        (finished,) = await watch.until(caller.call_id, "reply.finished", timeout_s=20)
        assert finished["heard"] == ANSWER
        await caller.hang_up()
        record = await caller.ended_record()
        assert record["endedReason"] == "customer-ended-call"


@pytest.mark.parametrize("service", ["llm-orchestrator", "tts-worker"])
async def test_a_call_hears_the_whole_answer_although_a_worker_is_killed_while_the_agent_speaks(
    stack: Stack, watch: BusWatch, service: str
) -> None:
    story = "The first part is here. The second part follows now. The third part comes last of all."
    pcm, _, labels = speech_at("tell me a story")
    assistant = hearing(scripted({"when": "story", "say": story}), labels)
    async with calling(stack.api, stack.key, assistant) as caller:
        caller.say(pcm)
        await watch.until(caller.call_id, "playback.started", timeout_s=15)
        stack.signal(service, signal.SIGKILL)
        (finished,) = await watch.until(caller.call_id, "reply.finished", timeout_s=30)
        assert finished["heard"] == story
        says = await watch.payloads(caller.call_id, "speech.say")
        assert " ".join(say["text"] for say in says) == story, "no sentence doubled"
        await caller.hang_up()
