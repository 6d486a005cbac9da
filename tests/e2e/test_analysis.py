"""Calls that are over are analysed by their assistant's model: in the report, in the record, paid for, once."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from assistants import hearing, scripted, speech_at
from bus_watch import BusWatch, in_order
from stack import Stack, running
from test_server_messages import Shop, api, shop

from voxbus_testing.caller import calling
from voxbus_testing.openai_server import OpenAiServer, silent, streamed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

Json = dict[str, Any]
SCHEMA = {"type": "object", "properties": {"order": {"type": "integer"}}, "required": ["order"]}
ASKED = "where is my order"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`voxbus up`, whose guard lets the test's own servers be reached."""
    with running(tmp_path_factory.mktemp("analysis") / "data", VOXBUS_GUARD_ALLOW="127.0.0.0/8") as started:
        yield started


def assistant_of(model: OpenAiServer, hook: Shop, labels: list[Json], **plan: Any) -> Json:
    model.answer_to(ASKED, streamed("It ships on Friday."))
    off = {"summaryPlan": {"enabled": False}, "successEvaluationPlan": {"enabled": False}}
    told = scripted(
        model={"provider": "custom-llm", "model": "m", "url": model.base_url},
        firstMessage="Hello there.",
        firstMessageMode="assistant-speaks-first",
        server={"url": hook.url},
        serverMessages=["end-of-call-report"],
        analysisPlan={**off, **plan},
        artifactPlan={"structuredOutputs": [{"id": "o-1", "name": "order", "schema": SCHEMA}]},
    )
    return hearing(told, labels)


async def test_the_report_has_the_analysis_its_cost_and_the_structured_outputs(stack: Stack, watch: BusWatch) -> None:
    pcm, _, labels = speech_at(ASKED, 3_000)
    async with OpenAiServer() as model, shop() as hook:
        model.answer_next(streamed('{"order": "x"}'), streamed('{"order": 4711}'), streamed('{"order": 4711}'))
        assistant = assistant_of(model, hook, labels, minMessagesThreshold=2)
        async with calling(stack.api, stack.key, assistant) as caller:
            caller.say(pcm)
            await watch.until(caller.call_id, "reply.finished", count=2, timeout_s=40)
            await caller.hang_up()
        (report,) = await hook.until(caller.call_id, "end-of-call-report", timeout_s=60)
        model.answer_next(streamed("7"), streamed("7"))
        async with api(stack) as client:
            output = {"name": "seven", "schema": {"type": "integer"}}
            asked = {"callIds": [caller.call_id], "structuredOutput": {**output, "model": assistant["model"]}}
            again = (await client.post("/structured-output/run", json=asked, timeout=60)).raise_for_status().json()
    assert report["artifact"]["structuredOutputs"] == {"o-1": {"name": "order", "result": {"order": 4711}}}
    (row,) = [each for each in report["costs"] if each["type"] == "analysis"]
    assert (row["analysisType"], row["promptTokens"], row["completionTokens"]) == ("structuredOutput", 22, 14)
    assert report["costBreakdown"]["analysisCostBreakdown"]["structuredOutputPromptTokens"] == 22
    in_order(await watch.names(caller.call_id), "call.ended", "analysis.made", "analysis.completed")
    assert [each["result"] for each in again.values()] == [7]


async def test_a_worker_that_is_killed_while_the_model_thinks_neither_loses_nor_doubles_the_answer(
    stack: Stack, watch: BusWatch
) -> None:
    pcm, _, labels = speech_at(ASKED, 3_000)
    async with OpenAiServer() as model, shop() as hook:
        model.answer_next(silent(), streamed('{"order": 1}'))
        async with calling(stack.api, stack.key, assistant_of(model, hook, labels)) as caller:
            caller.say(pcm)
            await watch.until(caller.call_id, "reply.finished", count=2, timeout_s=40)
            before = len(model.received)
            await caller.hang_up()
            await watch.until(caller.call_id, "call.ended", timeout_s=20)
            await caller.until(lambda: len(model.received) > before, 30, "the model is asked about the call")
            stack.signal("llm-orchestrator", signal.SIGKILL)
        await watch.until(caller.call_id, "analysis.completed", timeout_s=60)
        (report,) = await hook.until(caller.call_id, "end-of-call-report", timeout_s=60)
    (made,) = await watch.payloads(caller.call_id, "analysis.made")
    assert made["result"] == {"value": {"order": 1}}
    assert report["artifact"]["structuredOutputs"]["o-1"]["result"] == {"order": 1}
    usages = [each for each in await watch.payloads(caller.call_id, "usage.recorded") if each["item"] == "analysis"]
    assert sorted((each["unit"], each["quantity"]) for each in usages) == [
        ("completion_tokens", 7),
        ("prompt_tokens", 11),
    ]
