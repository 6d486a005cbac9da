"""People's recorded speech, recognized by the built-in recognizer, answered by the built-in model and voice."""

import pytest
from assistants import scripted
from bus_watch import BusWatch, in_order
from stack import Stack

from voxbus_audio.files import read_audio_16k
from voxbus_contracts.identity import DEMO_ASSISTANT
from voxbus_testing.caller import calling
from voxbus_testing.speech import hush, recordings

pytestmark = [pytest.mark.e2e, pytest.mark.speech, pytest.mark.timeout(120)]

WORD_ERROR_BOUND = 0.4
"""Of the built-in recognizer on clear, close speech; 29 % on eight clips (November 2026)."""

RULES = (
    {"when": "weather", "say": "It is sunny all day long."},
    {"when": "clubs|seven", "say": "That is a black card."},
    {"when": "do something", "say": "I would rather stay here."},
)
CALLERS = {
    "what's the weather like": "It is sunny all day long.",
    "seven of clubs": "That is a black card.",
    "go somewhere and do something": "I would rather stay here.",
}


WHOLE_SENTENCES = {"waitSeconds": 0, "transcriptionEndpointingPlan": {"onNoPunctuationSeconds": 1.2}}
"""What is asked here is whether words are recognized and answered: no sentence is to end at a pause inside it."""


def clip(words: str) -> bytes:
    found = [row for row in recordings() if row["kind"] == "utt" and row["human"] and row["transcript"] == words]
    assert found, f"no recording of {words!r}"
    return read_audio_16k(found[0]["file"])


def word_errors(said: str, understood: str) -> int:
    """Levenshtein distance over words."""
    a, b = said.lower().split(), understood.lower().split()
    row = list(range(len(b) + 1))
    for i, word in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1]


async def test_a_recorded_caller_gets_an_answer_to_their_words(stack: Stack, watch: BusWatch) -> None:
    errors = words = 0
    for said, answer in CALLERS.items():
        async with calling(stack.api, stack.key, scripted(*RULES, startSpeakingPlan=WHOLE_SENTENCES)) as caller:
            caller.say(hush(800) + clip(said))
            (turn,) = await watch.until(caller.call_id, "turn.committed", timeout_s=25)
            (reply,) = await watch.until(caller.call_id, "reply.finished", timeout_s=20)
            await caller.hang_up()
            record = await caller.ended_record()
        errors += word_errors(said, turn["text"])
        words += len(said.split())
        assert reply["heard"] == answer
        assert record["endedReason"] == "customer-ended-call"
        in_order(
            await watch.names(caller.call_id),
            "call.queued",
            "media.attached",
            "call.started",
            "speech.started",
            "speech.stopped",
            "transcript.final",
            "turn.committed",
            "reply.started",
            "playback.started",
            "playback.finished",
            "reply.finished",
            "media.detached",
            "call.ended",
        )
    print(f"word errors {errors} of {words}")
    assert errors / words <= WORD_ERROR_BOUND


async def test_the_demo_assistant_looks_up_an_order_whose_number_was_read_out(stack: Stack, watch: BusWatch) -> None:
    number = "two nine three four zero"
    async with calling(stack.api, stack.key, DEMO_ASSISTANT) as caller:
        caller.say(hush(5_000) + clip(number))
        (requested,) = await watch.until(caller.call_id, "tool.requested", timeout_s=30)
        (finished,) = await watch.until(caller.call_id, "tool.finished", timeout_s=10)
        replies = await watch.until(caller.call_id, "reply.finished", count=3, timeout_s=30)
        await caller.hang_up()
        await caller.ended_record()
    assert word_errors(number, requested["arguments"]["order"]) <= 2
    assert finished["result"]
    assert replies[-1]["heard"].startswith(finished["result"])
