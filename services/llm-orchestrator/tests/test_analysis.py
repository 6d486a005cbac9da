"""What is asked about a call that is over, of a real server that speaks OpenAI's protocol: well, wrongly, never."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from voxbus_bus import Received
from voxbus_contracts import CallRef, Envelope
from voxbus_contracts import events as e
from voxbus_contracts.analysis import Rubric, StructuredOutput
from voxbus_contracts.commands import AnalyseCall
from voxbus_contracts.config import CallConfig
from voxbus_contracts.message import Message
from voxbus_llm_orchestrator.analysis.analyst import Analyst
from voxbus_llm_orchestrator.analysis.rubrics import SCALES, read_evaluation
from voxbus_llm_orchestrator.models import Models
from voxbus_llm_orchestrator.providers.openai import OpenAiModel
from voxbus_llm_orchestrator.providers.scripted import ScriptedModel
from voxbus_providers.model import LanguageModel
from voxbus_runtime.sequencing import LoggedMessage
from voxbus_testing.openai_server import Answer, OpenAiServer, failing, silent, streamed

Json = dict[str, Any]
REF = CallRef("acme", "0198a3c2-7b1e-7c55-9f3e-5d2a6b4c8d0e")
SCHEMA = {"type": "object", "properties": {"order": {"type": "integer"}}, "required": ["order"]}
ENDED = e.CallEnded(pts_ms=9_000, reason="customer-ended-call")
LOG: list[Message] = [
    e.CallStarted(pts_ms=0, setup_ms=1),
    e.TurnCommitted(
        turn=1,
        text="where is order 4711",
        transcript_seqs=(1,),
        anchor_pts_ms=1,
        pts_ms=2,
        reason="silence",
        endpointing_ms=1,
    ),
    e.ReplyFinished(reply=1, turn=1, heard="It ships on Friday.", pts_ms=5),
    ENDED,
]
ONLY_DATA = {"summaryPlan": {"enabled": False}, "successEvaluationPlan": {"enabled": False}}


class World:
    """The bus in memory: one call's configuration and log, and what is published."""

    def __init__(self, answering: LanguageModel, /, **assistant: Any) -> None:
        tree = {
            "org": REF.org,
            "call": REF.call,
            "created_at_ms": 1,
            "assistant": {"model": {"provider": "openai", "model": "gpt-4.1"}, **assistant},
        }
        self.config: CallConfig | None = CallConfig.model_validate(tree)
        self.log = list(LOG)
        self.published: dict[str, Message] = {}
        self.fails_after = 1_000
        self.analyst = Analyst(
            self, self, Models(lambda name: answering if name == "openai" else ScriptedModel()), None
        )

    async def read_config(self, ref: CallRef) -> CallConfig | None:
        return self.config if ref == REF else None

    async def call_log(self, ref: CallRef, from_seq: int = 1) -> list[LoggedMessage]:
        assert ref == REF
        return [
            LoggedMessage(_envelope(f"e{at}", each), each.kind, each.name(), each.payload(), stream_seq=at)
            for at, each in enumerate(self.log)
        ]

    async def publish_stored(
        self, ref: CallRef, message: Message, *, event_id: str | None = None, traceparent: str = ""
    ) -> int:
        assert ref == REF
        assert event_id
        if len(self.published) >= self.fails_after:
            raise ConnectionError("the worker is lost here")
        if event_id not in self.published:
            self.log.append(message)
        self.published.setdefault(event_id, message)
        return len(self.published)

    async def ended(self) -> "World":
        received = Received(REF, _envelope("end", ENDED), ENDED, ENDED.payload(), 1)
        await self.analyst.on_call_ended(received)
        return self

    def made(self) -> dict[str, e.AnalysisMade]:
        return {each.part: each for each in self.published.values() if isinstance(each, e.AnalysisMade)}

    def usages(self) -> list[tuple[str | None, str, int]]:
        found = [each for each in self.published.values() if isinstance(each, e.UsageRecorded)]
        return sorted((str(each.purpose), each.unit, each.quantity) for each in found)

    @property
    def completed(self) -> e.AnalysisCompleted:
        (found,) = (each for each in self.published.values() if isinstance(each, e.AnalysisCompleted))
        return found


def _envelope(event_id: str, message: Message) -> Envelope:
    return Envelope(event_id=event_id, schema=message.schema_id(), occurred_at_ms=1, producer="p", stage="s")


@pytest.fixture
async def server() -> AsyncIterator[OpenAiServer]:
    async with OpenAiServer() as server:
        yield server


@pytest.fixture
async def model(server: OpenAiServer) -> AsyncIterator[OpenAiModel]:
    made = OpenAiModel(httpx.AsyncClient(trust_env=False), server.base_url, "k")
    yield made
    await made.close()


def data_plan(**fields: Any) -> Json:
    return {**ONLY_DATA, "structuredDataPlan": {"enabled": True, "schema": SCHEMA, **fields}}


async def test_a_summary_and_an_evaluation_are_asked_for_unless_they_are_switched_off(
    server: OpenAiServer, model: OpenAiModel
) -> None:
    server.answer_next(streamed("true"), streamed("true"))
    world = await World(model).ended()
    assert {part: made.result["value"] for part, made in world.made().items()} == {
        "summary": "true",
        "successEvaluation": "true",
    }
    asked = "\n".join(str(request.body["messages"]) for request in server.received)
    assert "AI: It ships on Friday." in asked
    assert "customer-ended-call" in asked
    assert world.usages() == [
        (purpose, unit, count)
        for purpose in ("successEvaluation", "summary")
        for unit, count in (("completion_tokens", 7), ("prompt_tokens", 11))
    ]
    assert (world.completed.parts, world.completed.prompt_tokens, world.completed.completion_tokens) == (2, 22, 14)


async def test_own_prompts_are_templates_over_the_call(server: OpenAiServer, model: OpenAiModel) -> None:
    prompt = "{{transcript}}|{{systemPrompt}}|{{endedReason}}|{{schema}}|{{messages}}|{{shop}}"
    plan = data_plan(messages=[{"role": "system", "content": prompt}])
    server.answer_next(streamed('{"order": 4711}'))
    prompts = {"provider": "openai", "model": "m", "messages": [{"role": "system", "content": "Be kind."}]}
    world = World(model, analysisPlan=plan, model=prompts)
    assert world.config is not None
    world.config = world.config.model_copy(update={"variables": {"shop": "Wool & Co"}})
    await world.ended()
    (asked,) = server.received[0].body["messages"]
    transcript, system, reason, schema, messages, shop = asked["content"].split("|")
    assert transcript == "User: where is order 4711\nAI: It ships on Friday."
    assert (system, reason, shop) == ("Be kind.", "customer-ended-call", "Wool & Co")
    assert json.loads(schema) == SCHEMA
    assert json.loads(messages)[0] == {"role": "user", "content": "where is order 4711"}


@pytest.mark.parametrize(
    ("answers", "value", "problem", "requests"),
    [
        (['{"order": 4711}'], {"order": 4711}, "", 1),
        (['```json\n{"order": 4711}\n```'], {"order": 4711}, "", 1),
        (["Sure! It is 4711.", '{"order": 4711}'], {"order": 4711}, "", 2),
        (['{"order": "x"}', '{"order": 5}'], {"order": 5}, "", 2),
        (["no", "still no"], None, "the model's answer is no JSON", 2),
        (['{"order": "x"}', "{}"], None, "the model's answer does not fit: the answer breaks the schema's required", 2),
    ],
)
async def test_data_that_does_not_fit_is_asked_for_again_once(
    server: OpenAiServer, model: OpenAiModel, answers: list[str], value: Any, problem: str, requests: int
) -> None:
    server.answer_next(*(streamed(each) for each in answers))
    made = (await World(model, analysisPlan=data_plan()).ended()).made()["structuredData"]
    assert made.result.get("value") == value
    assert made.problem == problem
    assert len(server.received) == requests
    if requests == 2:
        assert server.received[1].body["messages"][-2] == {"role": "assistant", "content": answers[0]}


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ([silent()], "the model gave no answer within 1 s"),
        ([failing(500), failing(500)], "openai: "),
        ([failing(401, "invalid_api_key")], "openai: "),
    ],
)
async def test_a_model_that_hangs_or_fails_leaves_a_reason_in_place_of_an_answer(
    server: OpenAiServer, model: OpenAiModel, answers: list[Answer], problem: str
) -> None:
    server.answer_next(*answers)
    world = await World(model, analysisPlan=data_plan(timeoutSeconds=1)).ended()
    made = world.made()["structuredData"]
    assert made.problem.startswith(problem)
    assert not made.result
    assert len(server.received) == len(answers)
    assert world.completed.parts == 1


async def test_a_passing_failure_is_tried_again(server: OpenAiServer, model: OpenAiModel) -> None:
    server.answer_next(failing(503), streamed('{"order": 1}'))
    world = await World(model, analysisPlan=data_plan()).ended()
    assert world.made()["structuredData"].result == {"value": {"order": 1}}


async def test_several_questions_for_data_keep_their_keys(server: OpenAiServer, model: OpenAiModel) -> None:
    keyed = [{"key": key, "plan": {"enabled": True, "schema": SCHEMA}} for key in ("a", "b\n")]
    server.answer_next(streamed('{"order": 1}'), streamed('{"order": 1}'))
    world = await World(model, analysisPlan={**ONLY_DATA, "structuredDataMultiPlan": keyed}).ended()
    assert set(world.made()) == {"structuredDataMulti:a", "structuredDataMulti:b\n"}
    assert all("\n" not in event_id for event_id in world.published)


async def test_structured_outputs_are_kept_under_their_ids_and_a_regex_needs_no_model(
    server: OpenAiServer, model: OpenAiModel
) -> None:
    outputs = [
        {"id": "o-1", "name": "order", "description": "The order's number", "schema": SCHEMA},
        {"id": "o-2", "name": "friday", "type": "regex", "regex": "/friday/i", "schema": {"type": "boolean"}},
    ]
    server.answer_next(streamed('{"order": 4711}'))
    world = await World(model, analysisPlan=ONLY_DATA, artifactPlan={"structuredOutputs": outputs}).ended()
    made = world.made()
    assert made["structuredOutput:o-1"].result == {"value": {"order": 4711}}
    assert made["structuredOutput:o-2"].result == {"value": True}
    assert made["structuredOutput:o-1"].output_name == "order"
    assert "The order's number" in server.received[0].body["messages"][0]["content"]


async def test_a_model_that_only_follows_a_script_is_not_asked_and_the_reason_is_told(model: OpenAiModel) -> None:
    world = await World(model, model={"provider": "vapi", "model": "scripted"}).ended()
    assert world.completed.skipped == {
        part: "the model vapi/scripted cannot be asked about a call" for part in ("summary", "successEvaluation")
    }
    assert not world.made()


async def test_a_call_on_which_hardly_anything_was_said_is_not_analysed(
    server: OpenAiServer, model: OpenAiModel
) -> None:
    world = await World(model, analysisPlan={"minMessagesThreshold": 3}).ended()
    assert set(world.completed.skipped.values()) == {"fewer than 3 messages were said"}
    unanswered = World(model)
    unanswered.log = [ENDED]
    await unanswered.ended()
    assert set(unanswered.completed.skipped.values()) == {"the call was never answered"}
    assert not server.received


async def test_nothing_of_a_private_call_is_asked(server: OpenAiServer, model: OpenAiModel) -> None:
    world = await World(model, compliancePlan={"hipaaEnabled": True}).ended()
    assert set(world.completed.skipped.values()) == {"nothing that was said on a private call is kept"}
    assert not server.received


@pytest.mark.parametrize("lost_after", range(7))
async def test_a_worker_that_is_lost_anywhere_leaves_the_rest_to_the_next_and_nothing_is_doubled(
    server: OpenAiServer, model: OpenAiModel, lost_after: int
) -> None:
    server.answer_next(*(streamed("true") for _ in range(10)))
    world = World(model)
    world.fails_after = lost_after
    with pytest.raises(ConnectionError):
        await world.ended()
    world.fails_after = 1_000
    await world.ended()
    asked = len(server.received)
    await world.ended()
    assert len(server.received) == asked
    assert set(world.made()) == {"summary", "successEvaluation"}
    assert len(world.usages()) == 4
    assert world.completed.parts == 2


async def test_a_call_that_was_deleted_is_left_alone(model: OpenAiModel) -> None:
    world = World(model)
    world.config = None
    assert not (await world.ended()).published


async def test_calls_of_the_past_are_asked_about_with_what_the_request_brings(
    server: OpenAiServer, model: OpenAiModel
) -> None:
    server.answer_next(streamed('{"order": 4711}'))
    world = World(model)
    world.config = None
    output = StructuredOutput.model_validate({"id": "o-1", "name": "order", "schema": SCHEMA})
    command = AnalyseCall(
        run="r-1",
        outputs=(output,),
        model={"provider": "openai", "model": "m"},
        messages=({"role": "user", "content": "where is order 4711"},),
        is_preview=True,
    )
    await world.analyst.on_run(Received(REF, _envelope("c", command), command, command.payload(), 1))
    made = world.made()["structuredOutput:o-1"]
    assert (made.result, made.run, made.is_preview) == ({"value": {"order": 4711}}, "r-1", True)


@pytest.mark.parametrize(
    ("rubric", "answer", "value"),
    [
        ("NumericScale", "10", "10"),
        ("NumericScale", "I give it an 8.", "8"),
        ("NumericScale", "11", None),
        ("NumericScale", "between 3 and 4", None),
        ("PercentageScale", "about 85%", "85%"),
        ("PercentageScale", "0.85", None),
        ("LikertScale", "strongly disagree.", "Strongly Disagree"),
        ("DescriptiveScale", "**Good**", "Good"),
        ("PassFail", "True", "true"),
        ("PassFail", "maybe", None),
        ("Checklist", "- greeted: met", "- greeted: met"),
        ("Matrix", " ", None),
        ("AutomaticRubric", "overall: 7", "overall: 7"),
    ],
)
def test_every_rubric_has_its_values(rubric: Rubric, answer: str, value: str | None) -> None:
    assert read_evaluation(rubric, answer) == value
    assert SCALES[rubric].told


async def test_an_answer_off_the_scale_is_asked_for_again(server: OpenAiServer, model: OpenAiModel) -> None:
    plan = {**ONLY_DATA, "successEvaluationPlan": {"rubric": "NumericScale"}}
    server.answer_next(streamed("Well done!"), streamed("9"))
    world = await World(model, analysisPlan=plan).ended()
    assert world.made()["successEvaluation"].result == {"value": "9"}
    assert "1 (the goal was missed)" in str(server.received[0].body["messages"])


async def test_questions_are_asked_at_the_same_time(server: OpenAiServer, model: OpenAiModel) -> None:
    server.answer_next(silent(), silent())
    asking = asyncio.create_task(World(model).ended())
    async with asyncio.timeout(5):
        while len(server.received) < 2:
            await asyncio.sleep(0.01)
    server.go_on()
    await asking


def moved(*members: str) -> list[Message]:
    taken: Json = {"variables": {"account": "A7"}}
    return [e.HandoffCompleted(from_assistant="a", to_assistant="b", member=key, pts_ms=3, **taken) for key in members]


@pytest.mark.parametrize(("ways", "asked_by"), [((), "first"), (("1",), "second"), (("1", "0"), "first")])
async def test_a_call_that_was_handed_over_is_analysed_as_the_assistant_wishes_that_had_it_last(
    server: OpenAiServer, model: OpenAiModel, ways: tuple[str, ...], asked_by: str
) -> None:
    def wishes(name: str) -> Json:
        output = {"id": name, "name": name, "schema": {"type": "integer"}}
        prompts = [{"role": "system", "content": f"{name} {{{{account}}}} {{{{shop}}}}"}]
        return {"analysisPlan": data_plan(messages=prompts), "artifactPlan": {"structuredOutputs": [output]}}

    own = {"model": {"provider": "openai", "model": "of-the-second"}, **wishes("second")}
    world = World(model, **wishes("first"))
    assert world.config is not None
    tree = world.config.model_dump(by_alias=True, exclude_unset=True)
    members = [{"key": "1", "assistant": own, "variables": {"shop": "Wool"}}]
    world.config = CallConfig.model_validate({**tree, "members": members})
    world.log[2:2] = moved(*ways)
    server.answer_next(streamed('{"order": 1}'), streamed('{"order": 1}'), streamed("1"), streamed("1"))
    await world.ended()
    assert set(world.made()) == {"structuredData", f"structuredOutput:{asked_by}"}
    prompts = [str(request.body["messages"][0]["content"]) for request in server.received]
    known = " ".join(["A7"] * bool(ways) + ["Wool"] * (asked_by == "second"))
    assert any(prompt.split() == f"{asked_by} {known}".split() for prompt in prompts), prompts
    asked = {request.body["model"] for request in server.received}
    assert asked == {"of-the-second" if asked_by == "second" else "gpt-4.1"}
