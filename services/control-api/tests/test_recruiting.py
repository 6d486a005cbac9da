from typing import Any

import pytest

from voxbus_control_api.call_request import kind_of, parse_request
from voxbus_control_api.calls.planning import CallPlan, plan_call
from voxbus_control_api.calls.resolving import Missing, resolve
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.resource_store import Resource

WEBSOCKET = {"provider": "vapi.websocket"}
Json = dict[str, Any]


class Stored:
    """Resources by kind and id."""

    def __init__(self, **by_id: Json) -> None:
        self._by_id = by_id

    async def get(self, org: str, kind: str, resource_id: str) -> Resource | None:
        body = self._by_id.get(resource_id)
        return None if body is None else Resource(org, kind, resource_id, 1, 1, body)

    async def by_lookup(self, org: str, kind: str, lookup: str) -> list[Resource]:
        return []

    async def org_body(self, org: str) -> Json:
        return {}


def handoff(*destinations: Json) -> Json:
    return {"model": {"tools": [{"type": "handoff", "destinations": list(destinations)}]}}


async def planned(stored: Stored, **body: Any) -> CallPlan:
    request = parse_request({"transport": WEBSOCKET, **body})
    resolved = await resolve(stored, "org-1", request)
    return plan_call(request, resolved.speaker, kind_of({"transport": WEBSOCKET}))


def ways(assistant: Json) -> list[str]:
    return [each.get("member", "") for tool in assistant["model"]["tools"] for each in tool.get("destinations", [])]


async def test_members_have_their_overrides_then_those_of_all_and_find_each_other_by_name() -> None:
    squad = {
        "members": [
            {"assistant": {"name": "one", **handoff({"type": "assistant", "assistantName": "Two"})}},
            {
                "assistantId": "b",
                "assistantOverrides": {"firstMessage": "2", "voice": {"voiceId": "v"}},
                "assistantDestinations": [{"type": "assistant", "assistantName": "one", "message": ""}],
            },
        ],
        "membersOverrides": {"firstMessage": "all"},
    }
    plan = await planned(Stored(b={"name": "two"}), squad=squad, squadOverrides={"maxDurationSeconds": 77})
    assert ways(plan.assistant) == ["1"]
    (two,) = plan.members
    assert (two.key, two.assistant_id) == ("1", "b")
    assert (two.assistant["firstMessage"], two.assistant["voice"]["voiceId"]) == ("all", "v")
    assert (two.assistant["maxDurationSeconds"], plan.assistant["maxDurationSeconds"]) == (77, 77)
    (tool,) = two.assistant["model"]["tools"]
    assert tool["type"] == "transferCall"
    assert tool["destinations"][0]["member"] == "0"
    assert tool["destinations"][0]["transferMode"] == "rolling-history"


async def test_assistants_that_lead_to_each_other_are_gathered_once() -> None:
    to_b = {"type": "assistant", "assistantId": "b"}
    to_a = {"type": "assistant", "assistantId": "a"}
    stored = Stored(a={"name": "a", **handoff(to_b)}, b={"name": "b", **handoff(to_a, to_b)})
    plan = await planned(stored, assistantId="a")
    assert ways(plan.assistant) == ["1"]
    assert [each.key for each in plan.members] == ["1"]
    assert ways(plan.members[0].assistant) == ["0", "1"]


async def test_a_squad_as_destination_is_entered_where_it_says() -> None:
    other = {"members": [{"assistant": {"name": "x"}}, {"assistant": {"name": "y"}}]}
    leading = [{"type": "squad", "squadId": "s"}, {"type": "squad", "squadId": "s", "entryAssistantName": "y"}]
    plan = await planned(Stored(s=other), assistant=handoff(*leading))
    assert ways(plan.assistant) == ["1", "2"]


async def test_a_name_that_is_no_members_is_refused_in_a_squad_and_leads_nowhere_outside() -> None:
    lost = handoff({"type": "assistant", "assistantName": "nobody"})
    assert ways((await planned(Stored(), assistant=lost)).assistant) == [""]
    with pytest.raises(BadRequest, match="must be the name of a member"):
        await planned(Stored(), squad={"members": [{"assistant": lost}, {"assistant": {"name": "two"}}]})


async def test_a_member_brings_its_own_variables_and_the_structured_outputs_it_names() -> None:
    squad = {
        "members": [
            {"assistant": {"name": "one"}, "assistantOverrides": {"variableValues": {"desk": "front"}}},
            {"assistantId": "b", "assistantOverrides": {"variableValues": {"desk": "billing", "floor": 2}}},
        ],
        "membersOverrides": {"variableValues": {"floor": 3}},
    }
    output = {"name": "city", "schema": {"type": "string"}}
    stored = Stored(b={"name": "two", "artifactPlan": {"structuredOutputIds": ["out"]}}, out=output)
    plan = await planned(stored, squad=squad)
    (two,) = plan.members
    assert (plan.variables["desk"], two.variables) == ("front", {"desk": "billing", "floor": 3})
    assert two.assistant["artifactPlan"]["structuredOutputs"] == [{"id": "out", **output}]
    with pytest.raises(BadRequest, match=r"squad\.members\.1\.artifactPlan\.structuredOutputIds\.0 must be the id"):
        await planned(Stored(b={"artifactPlan": {"structuredOutputIds": ["gone"]}}), squad=squad)


async def test_a_member_that_is_gone_and_one_that_is_wrong_are_named() -> None:
    with pytest.raises(Missing):
        await planned(Stored(), squad={"members": [{"assistant": {}}, {"assistantId": "gone"}]})
    with pytest.raises(BadRequest) as refused:
        wrong = {"assistant": {"name": "x" * 41, "voice": {"speed": 9}}}
        await planned(Stored(), squad={"members": [{"assistant": {}}, wrong]})
    assert sorted(problem.split(" ")[0] for problem in refused.value.problems) == [
        "squad.members.1.name",
        "squad.members.1.voice.speed",
    ]
