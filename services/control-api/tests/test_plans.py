"""Plans that are out of range or contradict themselves are refused by the field's name."""

from typing import Any

import pytest

from voxbus_control_api.bodies import validate_assistant
from voxbus_control_api.errors import BadRequest

RULE = {"type": "customer", "regex": "x", "timeoutSeconds": 1}
HOOK = {"on": "customer.speech.timeout", "do": [{"type": "say", "exact": "Still there?"}]}


def start(**plan: Any) -> dict[str, Any]:
    return {"startSpeakingPlan": plan}


def rule(**fields: Any) -> dict[str, Any]:
    return start(customEndpointingRules=[{**RULE, **fields}])


def smart(**plan: Any) -> dict[str, Any]:
    return start(smartEndpointingPlan=plan)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (start(waitSeconds=5.1), "startSpeakingPlan.waitSeconds"),
        (start(waitSeconds=-0.1), "startSpeakingPlan.waitSeconds"),
        (start(waitSeconds=float("nan")), "startSpeakingPlan.waitSeconds"),
        (
            start(transcriptionEndpointingPlan={"onNumberSeconds": 3.5}),
            "startSpeakingPlan.transcriptionEndpointingPlan.onNumberSeconds",
        ),
        (rule(timeoutSeconds=15.5), "startSpeakingPlan.customEndpointingRules.0.timeoutSeconds"),
        ({"hooks": [{"on": "call.timeElapsed", "do": []}]}, "hooks.0.options"),
        ({"hooks": [{**HOOK, "do": [{"type": "message.add"}]}]}, "hooks.0.do.0.message"),
        (rule(regex="("), "startSpeakingPlan.customEndpointingRules.0.regex"),
        (rule(regex="(?=a)b"), "startSpeakingPlan.customEndpointingRules.0.regex"),
        (rule(type="both"), "startSpeakingPlan.customEndpointingRules.0.regex"),
        (rule(customerRegex="y"), "startSpeakingPlan.customEndpointingRules.0.customerRegex"),
        (rule(type="agent"), "startSpeakingPlan.customEndpointingRules.0.type"),
        (rule(regexOptions=[{"type": "loud"}]), "startSpeakingPlan.customEndpointingRules.0.regexOptions.0.type"),
        (
            start(customEndpointingRules=[{"type": "customer", "timeoutSeconds": 1}]),
            "startSpeakingPlan.customEndpointingRules.0.regex",
        ),
        (smart(provider="psychic"), "startSpeakingPlan.smartEndpointingPlan.provider"),
        (smart(provider="livekit", waitFunction="20 + y"), "startSpeakingPlan.smartEndpointingPlan.waitFunction"),
        (smart(provider="livekit", waitFunction="sqrt(x - 2)"), "startSpeakingPlan.smartEndpointingPlan.waitFunction"),
        (smart(provider="vapi", waitFunction="20"), "startSpeakingPlan.smartEndpointingPlan.waitFunction"),
        (smart(provider="vapi", threshold=0.4), "startSpeakingPlan.smartEndpointingPlan.threshold"),
        (smart(provider="krisp", threshold=1.4), "startSpeakingPlan.smartEndpointingPlan.threshold"),
        (
            smart(provider="livekit", server={"url": "https://a.example"}),
            "startSpeakingPlan.smartEndpointingPlan.server",
        ),
        (smart(provider="custom-endpointing-model"), "startSpeakingPlan"),
        ({"messagePlan": {"idleTimeoutSeconds": 0}}, "messagePlan.idleTimeoutSeconds"),
        ({"messagePlan": {"idleMessageMaxSpokenCount": 11}}, "messagePlan.idleMessageMaxSpokenCount"),
        ({"hooks": [{**HOOK, "options": {"triggerMaxCount": 0}}]}, "hooks.0.options.triggerMaxCount"),
        ({"hooks": [{**HOOK, "options": {"triggerResetMode": "often"}}]}, "hooks.0.options.triggerResetMode"),
        ({"hooks": [{**HOOK, "do": [{"type": "say"}]}]}, "hooks.0.do.0.prompt"),
        ({"hooks": [{**HOOK, "do": [{"type": "say", "exact": "a", "prompt": "b"}]}]}, "hooks.0.do.0.prompt"),
        ({"keypadInputPlan": {"timeoutSeconds": 11}}, "keypadInputPlan.timeoutSeconds"),
        ({"keypadInputPlan": {"enabled": True, "timeoutSeconds": 0}}, "keypadInputPlan.timeoutSeconds"),
        ({"silenceTimeoutSeconds": 4}, "silenceTimeoutSeconds"),
        ({"maxDurationSeconds": 9}, "maxDurationSeconds"),
        ({"firstMessageMode": "sing"}, "firstMessageMode"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_by_its_field(body: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest) as refused:
        validate_assistant(body)
    assert field in {problem.split(" ")[0] for problem in refused.value.problems}, refused.value.problems


@pytest.mark.parametrize(
    "body",
    [
        start(
            waitSeconds=0,
            customEndpointingRules=[
                RULE,
                {"type": "both", "assistantRegex": "a", "customerRegex": "b", "timeoutSeconds": 15},
            ],
        ),
        smart(provider="livekit", waitFunction="700 + 4000 * max(0, x-0.5)"),
        smart(provider="krisp", threshold=0.5),
        smart(provider="custom-endpointing-model", server={"url": "https://a.example", "headers": {"a": "b"}}),
        {**smart(provider="custom-endpointing-model"), "server": {"url": "https://a.example"}},
        {"hooks": [HOOK, {"on": "call.ending", "do": [{"type": "tool", "toolId": "t"}], "filters": []}]},
        {"keypadInputPlan": {"enabled": True, "timeoutSeconds": 0, "delimiters": ["#"]}},
        {"keypadInputPlan": {"enabled": True, "delimiters": "*"}},
        start(smartEndpointingEnabled="livekit"),
    ],
)
def test_plans_of_the_public_api_are_taken(body: dict[str, Any]) -> None:
    validate_assistant(body)
