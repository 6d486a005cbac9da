"""A customer's own model, voice, recognizer and knowledge: on the bus and in what the caller hears."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
from assistants import LEAD_MS, hearing, scripted, speech_at
from bus_watch import BusWatch
from stack import Stack

from voxbus_audio import tone_power
from voxbus_testing.caller import Caller, calling
from voxbus_testing.openai_server import HOLD, Answer, OpenAiServer, chunk, event, streamed
from voxbus_testing.transcriber_server import TranscriberServer
from voxbus_testing.voice_server import VoiceServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

WORDS = "where is my order"
PCM, SPEECH, LABELS = speech_at(WORDS)
KNOWN = {
    label.text: SPEECH.pcm[label.start_ms * 32 : label.end_ms * 32] for label in SPEECH.labels
}  # the server knows each word by its samples


@pytest.fixture
async def model() -> AsyncIterator[OpenAiServer]:
    async with OpenAiServer() as server:
        yield server


@pytest.fixture
async def voice() -> AsyncIterator[VoiceServer]:
    async with VoiceServer() as server:
        yield server


@pytest.fixture
async def ears() -> AsyncIterator[TranscriberServer]:
    async with TranscriberServer(KNOWN) as server:
        yield server


def hears_tone(caller: Caller, frequency_hz: float = 440) -> bool:
    pcm = caller.agent_pcm()[-32_000:]
    return len(pcm) > 16_000 and tone_power(pcm, frequency_hz) > 20 * tone_power(pcm, frequency_hz * 1.6)


def at(url: str, **server: Any) -> dict[str, Any]:
    return {"server": {"url": url, **server}}


async def test_a_flushed_part_is_heard_in_the_customers_voice_while_the_customers_model_stalls(
    stack: Stack, watch: BusWatch, model: OpenAiServer, voice: VoiceServer
) -> None:
    pieces = [event(chunk({"content": text})) for text in ("Let me look that up", " <flush />")]
    model.answer_to(WORDS, Answer((*pieces, HOLD, *streamed("It ships on Friday.").pieces)))
    assistant = hearing(scripted(), LABELS) | {
        "model": {"provider": "custom-llm", "model": "m", "url": model.base_url},
        "voice": {"provider": "custom-voice", **at(voice.url, secret="s3cret")},
        "metadata": {"shop": 7},
    }
    async with calling(stack.api, stack.key, assistant) as caller:
        caller.say(PCM)
        await caller.until(lambda: hears_tone(caller), 30, "the flushed part in the customer's voice")
        said = [each["text"] for each in await watch.payloads(caller.call_id, "speech.say")]
        assert said == ["Let me look that up"], "while the model says nothing more"
        model.go_on()
        (finished,) = await watch.until(caller.call_id, "reply.finished", timeout_s=20)
        synthesized = await watch.payloads(caller.call_id, "speech.synthesized")
        await caller.hang_up()
    assert finished["heard"] == "Let me look that up It ships on Friday."
    assert {each["provider"] for each in synthesized} == {"custom-voice"}
    asked = model.received[-1].body
    assert asked["call"]["id"] == caller.call_id
    assert asked["call"]["monitor"]["controlUrl"].startswith("http")
    assert asked["metadata"] == {"shop": 7}
    assert voice.headers[0]["x-vapi-secret"] == "s3cret"
    assert voice.messages[0]["text"] == "Let me look that up"
    assert voice.messages[0]["call"]["id"] == caller.call_id


async def test_the_caller_breaking_in_aborts_the_customers_model_and_voice(
    stack: Stack, watch: BusWatch, model: OpenAiServer, voice: VoiceServer
) -> None:
    second, _, more = speech_at("stop it please", 6_000)
    long = "This is a long answer that goes on and on for quite a while until somebody breaks in on it."
    model.answer_to(WORDS, Answer((event(chunk({"content": f"{long} "})), HOLD)))
    model.answer_to("stop it please", streamed("As you wish."))
    assistant = hearing(scripted(), LABELS + more) | {
        "model": {"provider": "custom-llm", "model": "m", "url": model.base_url},
        "voice": {"provider": "custom-voice", **at(voice.url)},
    }
    async with calling(stack.api, stack.key, assistant) as caller:
        caller.say(PCM + second[len(PCM) :])
        (interrupted,) = await watch.until(caller.call_id, "reply.interrupted", timeout_s=30)
        await asyncio.wait_for(model.has_aborted.wait(), 10)
        await watch.until(caller.call_id, "reply.finished", timeout_s=20)
        asked = model.received[-1].body["messages"]  # before the call is over: then its summary is asked for
        await caller.hang_up()
    heard = interrupted["heard"]
    assert 0 < len(heard) < len(long)
    history = [each["content"] for each in asked if each["role"] == "assistant"]
    assert history == [heard], "the model is told what was heard, no more"


async def test_a_voice_server_that_fails_leaves_no_silence(stack: Stack, watch: BusWatch, voice: VoiceServer) -> None:
    voice.always = "500"
    assistant = scripted(firstMessage="Hello, how can I help?", firstMessageMode="assistant-speaks-first") | {
        "voice": {"provider": "custom-voice", **at(voice.url)}
    }
    async with calling(stack.api, stack.key, assistant) as caller:
        (finished,) = await watch.until(caller.call_id, "reply.finished", timeout_s=20)
        (synthesized,) = await watch.payloads(caller.call_id, "speech.synthesized")
        faults = await watch.payloads(caller.call_id, "fault.raised")
        await caller.hang_up()
    assert finished["heard"] == "Hello, how can I help?"
    assert synthesized["provider"] in ("espeak-ng", "flite")
    assert any("custom-voice: its server answered 500" in each["detail"] for each in faults)


@pytest.mark.parametrize("fate", ["well", "drops"])
async def test_the_customers_recognizer_hears_both_sides_and_no_word_is_lost_when_it_hangs_up(
    stack: Stack, watch: BusWatch, ears: TranscriberServer, voice: VoiceServer, fate: Any
) -> None:
    ears.next_is.append(fate)
    assistant = scripted({"when": WORDS, "say": "It ships on Friday."}) | {
        "transcriber": {"provider": "custom-transcriber", **at(ears.url, secret="s3cret")},
        "voice": {"provider": "custom-voice", **at(voice.url)},
    }
    async with calling(stack.api, stack.key, assistant) as caller:
        caller.say(PCM)
        (finished,) = await watch.until(caller.call_id, "reply.finished", timeout_s=30)
        (turn,) = await watch.payloads(caller.call_id, "turn.committed")
        finals = [each for each in await watch.payloads(caller.call_id, "transcript.final") if each["text"]]
        await caller.hang_up()
    assert turn["text"] == WORDS
    assert finished["heard"] == "It ships on Friday."
    assert {each["provider"] for each in finals} == {"custom-transcriber"}
    assert ears.headers[0]["x-vapi-secret"] == "s3cret"
    right = bytes(ears.lines[-1].assistant)
    frames = [right[start : start + 6_400] for start in range(0, len(right), 6_400)]
    assert any(tone_power(each, 440) > 1_000 * (tone_power(each, 700) + 1e-9) for each in frames), "what was played"
    assert len(ears.lines) == (2 if fate == "drops" else 1)
    assert len(ears.lines[0].caller) > LEAD_MS * 32


async def test_a_killed_stt_worker_leaves_the_customers_recognizer_to_the_next_one_and_no_word_is_lost(
    stack: Stack, watch: BusWatch
) -> None:
    question = "please tell me now where is that order which i have made on your page some two or three days ago"
    pcm, speech, _ = speech_at(question)
    known = {each.text: speech.pcm[each.start_ms * 32 : each.end_ms * 32] for each in speech.labels}
    async with TranscriberServer(known) as ears:
        await _killed_while_hearing(stack, watch, ears, pcm, question)


async def _killed_while_hearing(
    stack: Stack, watch: BusWatch, ears: TranscriberServer, pcm: bytes, question: str
) -> None:
    assistant = scripted({"when": "order", "say": "It ships on Friday."}) | {
        "transcriber": {"provider": "custom-transcriber", **at(ears.url)}
    }
    async with calling(stack.api, stack.key, assistant) as caller:
        caller.say(pcm)
        await watch.until(caller.call_id, "transcript.partial", timeout_s=20)
        stack.signal("stt-worker", signal.SIGKILL)
        (turn,) = await watch.until(caller.call_id, "turn.committed", timeout_s=30)
        (finished,) = await watch.until(caller.call_id, "reply.finished", timeout_s=30)
        claims = await watch.payloads(caller.call_id, "stage.claimed")
        finals = [each for each in await watch.payloads(caller.call_id, "transcript.final") if each["text"]]
        await caller.hang_up()
    assert turn["text"] == question, "no word lost, none doubled"
    assert finished["heard"] == "It ships on Friday."
    assert {each["provider"] for each in finals} == {"custom-transcriber"}
    assert [each["stage"] for each in claims].count("stt-worker") == 2
    assert len(ears.lines) == 2


async def test_a_model_that_is_down_hands_over_to_the_next_one_in_the_same_turn_and_for_the_rest_of_the_call(
    stack: Stack, watch: BusWatch, model: OpenAiServer
) -> None:
    second, _, more = speech_at("thank you very much", 7_000)
    model.answer_to(WORDS, streamed("It ships on Friday."))
    model.answer_to("thank you very much", streamed("You are welcome."))
    async with OpenAiServer() as down:
        down.answer_to("", Answer((b"{}",), status=500, content_type="application/json"))
        own = {"provider": "custom-llm", "model": "m", "url": down.base_url}
        stands_in = {"provider": "custom-llm", "model": "other", "url": model.base_url}
        messages = [{"role": "system", "content": "Be kind."}]
        assistant = hearing(scripted(), LABELS + more) | {
            "model": {**own, "messages": messages, "fallbackModels": [stands_in]}
        }
        async with calling(stack.api, stack.key, assistant) as caller:
            caller.say(PCM + second[len(PCM) :])
            await watch.until(caller.call_id, "reply.finished", timeout_s=30)
            asked_in_vain = len(down.received)
            finished = await watch.until(caller.call_id, "reply.finished", count=2, timeout_s=30)
            retried = await watch.payloads(caller.call_id, "reply.retried")
            await caller.hang_up()
        assert [each["heard"] for each in finished] == ["It ships on Friday.", "You are welcome."]
        assert [each["stand_in"] for each in retried] == [1]
        assert asked_in_vain == len(down.received) > 0
    assert {each.body["model"] for each in model.received} == {"other"}
    assert model.received[0].body["messages"][0] == messages[0], "what it does not say is as the first has it"


def knows(answer: dict[str, Any]) -> Answer:
    return Answer((json.dumps(answer).encode(),), content_type="application/json")


def informed(model: OpenAiServer, base: OpenAiServer) -> dict[str, Any]:
    known = {"provider": "custom-knowledge-base", **at(base.base_url, timeoutSeconds=2)}
    own = {"provider": "custom-llm", "model": "m", "url": model.base_url, "knowledgeBase": known}
    return hearing(scripted(), LABELS) | {"model": own}


async def test_what_the_customer_knows_is_told_to_the_model_or_said_in_its_place_and_is_never_waited_for_in_vain(
    stack: Stack, watch: BusWatch, model: OpenAiServer
) -> None:
    model.answer_to(WORDS, streamed("It ships on Friday."))
    for answer, heard, documents in (
        (knows({"documents": [{"content": "Orders ship on Fridays."}]}), "It ships on Friday.", 1),
        (knows({"message": "Your order has arrived."}), "Your order has arrived.", 0),
        (Answer((HOLD,)), "It ships on Friday.", 0),
    ):
        model.received.clear()
        async with OpenAiServer() as base:
            base.answer_to("", answer)
            async with calling(stack.api, stack.key, informed(model, base)) as caller:
                caller.say(PCM)
                (finished,) = await watch.until(caller.call_id, "reply.finished", timeout_s=30)
                faults = [each["code"] for each in await watch.payloads(caller.call_id, "fault.raised")]
                told = [each for request in model.received[-1:] for each in request.body["messages"]]
                await caller.hang_up()
        assert finished["heard"] == heard
        asked = base.received[-1].body["message"]
        assert asked["type"] == "knowledge-base-request"
        assert asked["messagesOpenAIFormatted"][-1]["content"] == WORDS
        assert sum("Orders ship on Fridays." in str(each["content"]) for each in told) == documents
        assert ("knowledge-server-failed" in faults) == (answer.pieces == (HOLD,))
