import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus_contracts.assistant import Assistant
from voxbus_control_api.bodies import validate_assistant
from voxbus_control_api.call_request import kind_of, parse_request, parse_web_request
from voxbus_control_api.calls.layers import member_layers
from voxbus_control_api.calls.planning import CallPlan, Speaker, first_member, plan_call
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.schemas.assistant import AssistantBody

WEBSOCKET = {"provider": "vapi.websocket"}
PHONE = {"assistantId": "a", "phoneNumberId": "p"}


def planned(body: dict[str, Any], stored: dict[str, Any] | None = None) -> CallPlan:
    request = parse_request(body)
    given = request.assistant
    speaker = Speaker("assistantId", stored or {}, "a") if given is None else Speaker("assistant", given)
    return plan_call(request, speaker, kind_of(body))


def test_what_is_wrong_with_a_call_as_a_whole_hides_no_field_that_is_wrong_in_itself() -> None:
    problems = problems_of({"transport": {**WEBSOCKET, "audioFormat": {"format": "opus"}}, "name": "n" * 41})
    assert [problem.split(" ")[0] for problem in problems] == ["exactly", "transport.audioFormat.format", "name"]
    with pytest.raises(BadRequest) as refused:
        parse_web_request({"customer": {"number": "12"}, "name": 5})
    assert {problem.split(" ")[0] for problem in refused.value.problems} >= {"exactly", "customer", "name"}


def problems_of(body: dict[str, Any]) -> list[str]:
    with pytest.raises(BadRequest) as refused:
        planned(body)
    return refused.value.problems


def test_every_offending_field_is_named_in_the_spelling_of_the_api() -> None:
    assistant = {
        "name": "x" * 41,
        "firstMessageMode": "sing",
        "model": {"maxTokens": 10, "temperature": "warm", "tools": [{"type": "function", "function": {"name": "a b"}}]},
        "startSpeakingPlan": {"waitSeconds": 9},
    }
    with pytest.raises(BadRequest) as refused:
        validate_assistant(assistant)
    named = sorted(problem.split(" ")[0] for problem in refused.value.problems)
    assert named == [
        "firstMessageMode",
        "model.maxTokens",
        "model.temperature",
        "model.tools.0.function.name",
        "name",
        "startSpeakingPlan.waitSeconds",
    ]
    assert "model.maxTokens must be greater than or equal to 50" in refused.value.problems
    assert not any("warm" in problem for problem in refused.value.problems), "values are not quoted"


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        ({"numWords": 11}, "numWords"),
        ({"numWords": -1}, "numWords"),
        ({"voiceSeconds": 0.6}, "voiceSeconds"),
        ({"backoffSeconds": 10.5}, "backoffSeconds"),
        ({"acknowledgementPhrases": ["okay", "…"]}, "acknowledgementPhrases.1"),
        ({"interruptionPhrases": ["x" * 241]}, "interruptionPhrases.0"),
        ({"acknowledgementPhrases": ["No"], "interruptionPhrases": ["no"]}, "interruptionPhrases"),
    ],
)
def test_a_stop_speaking_plan_out_of_range_or_against_itself_is_refused(plan: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest) as refused:
        validate_assistant({"stopSpeakingPlan": plan})
    (problem,) = refused.value.problems
    assert problem.startswith(f"stopSpeakingPlan.{field} must ")


def test_a_stop_speaking_plan_that_moves_a_phrase_from_one_list_to_the_other_is_taken() -> None:
    for phrases in ({"acknowledgementPhrases": ["no"]}, {"interruptionPhrases": ["yeah"]}):
        validate_assistant({"stopSpeakingPlan": phrases})


def test_fields_that_are_null_count_as_not_given() -> None:
    assert validate_assistant({"voice": None, "model": {"temperature": None}}) == AssistantBody()


def test_numbers_as_text_are_refused() -> None:
    with pytest.raises(BadRequest, match=r"model\.maxTokens must be a valid integer"):
        validate_assistant({"model": {"maxTokens": "100"}})


def test_legacy_fields_are_accepted_and_mapped() -> None:
    old = {
        "serverUrl": "https://shop.example/hook",
        "serverUrlSecret": "s",
        "endCallFunctionEnabled": True,
        "backchannelingEnabled": False,
        "model": {"provider": "openai", "model": "gpt-4", "functions": [{"name": "lookup"}]},
    }
    assistant = validate_assistant(old)
    assert assistant.server is not None
    assert (assistant.server.url, assistant.server.secret) == ("https://shop.example/hook", "s")
    lookup, end_call = assistant.model.tools
    assert lookup.function is not None
    assert (lookup.function.name, end_call.type) == ("lookup", "endCall")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"transport": WEBSOCKET}, "exactly one of assistantId, assistant, squadId and squad must be given"),
        ({"transport": WEBSOCKET, "assistantId": "a", "assistant": {}}, "exactly one of assistantId, assistant"),
        ({"transport": WEBSOCKET, "assistantId": "a", "squadId": "s"}, "exactly one of assistantId, assistant"),
        ({"transport": WEBSOCKET, "workflowId": "w"}, "workflowId is not supported by this server"),
        ({"assistantId": "a"}, "exactly one of phoneNumberId and phoneNumber must be given, or transport.provider"),
        ({**PHONE, "phoneNumber": {}}, "exactly one of phoneNumberId and phoneNumber must be given"),
        (
            {"assistantId": "a", "transport": {"provider": "daily"}},
            "transport.provider daily belongs to POST /call/w",
        ),
        ({"assistantId": "a", "transport": {"provider": "pigeon"}}, "transport.provider must be 'vapi.websocket'"),
        ({"assistantId": "a", "transport": {}}, "transport.provider is required"),
        (
            {"assistantId": "a", "phoneNumberId": "p", "transport": WEBSOCKET},
            "phoneNumberId must not be given together with transport.provider vapi.websocket",
        ),
        (PHONE, "customer.number or customer.sipUri must be given"),
        ({**PHONE, "customer": {"number": "5551234"}}, "customer.number must be a phone number in the E.164 format"),
        ({**PHONE, "customer": {"number": "+0155512345"}}, "customer.number must be a phone number in the E.164"),
        (
            {**PHONE, "customer": {"number": "call me", "numberE164CheckEnabled": False}},
            "customer.number must hold only letters and digits",
        ),
        (
            {**PHONE, "customer": {"number": "+1", "numberE164CheckEnabled": False}},
            "customer.number must have at leas",
        ),
        ({**PHONE, "customer": {"sipUri": "ann@example.org"}}, "customer.sipUri must be a SIP address"),
        ({**PHONE, "customer": {"number": "+14155551234", "extension": "1" * 11}}, "customer.extension must have"),
        ({**PHONE, "customer": {"number": "+14155551234"}, "customers": []}, "customers must not be given together"),
        ({**PHONE, "customerId": "c"}, "customerId is not supported by this server"),
        (
            {**PHONE, "customer": {"number": "+14155551234"}, "schedulePlan": {"earliestAt": "soon"}},
            "schedulePlan.earliestAt must be a valid datetime",
        ),
        (
            {**PHONE, "customer": {"number": "+14155551234", "assistantOverrides": {"variableValues": 1}}},
            "customer.assistantOverrides.variableValues must be an object",
        ),
        (
            {"assistantId": "a", "transport": {**WEBSOCKET, "audioFormat": {"sampleRate": 100}}},
            "transport.audioFormat.sampleRate must be greater than or equal to 3000",
        ),
        (
            {"assistantId": "a", "transport": {**WEBSOCKET, "audioFormat": {"format": "opus"}}},
            "transport.audioFormat.format must be 'pcm_s16le' or 'mulaw'",
        ),
        ({"assistant": {"model": {"maxTokens": 1}}, "transport": WEBSOCKET}, "assistant.model.maxTokens must be"),
        (
            {"assistantId": "a", "assistantOverrides": {"model": {"maxTokens": 1}}, "transport": WEBSOCKET},
            "assistantOverrides.model.maxTokens must be",
        ),
        (
            {"assistantId": "a", "assistantOverrides": {"variableValues": [1]}, "transport": WEBSOCKET},
            "assistantOverrides.variableValues must be an object",
        ),
        (
            {"assistantId": "a", "assistantOverrides": {"tools:append": [{"name": "x"}]}, "transport": WEBSOCKET},
            "assistantOverrides.model.tools.0.type is required",
        ),
        (
            {"assistantId": "a", "assistantOverrides": {"tools:append": {"type": "x"}}, "transport": WEBSOCKET},
            "assistantOverrides.tools:append must be a list",
        ),
        ({"assistantId": "a", "name": "n" * 41, "transport": WEBSOCKET}, "name must have at most 40 characters"),
    ],
)
def test_a_call_that_cannot_be_is_refused_with_its_reason(body: dict[str, Any], told: str) -> None:
    assert any(told in problem for problem in problems_of(body)), problems_of(body)


FIELDS = """assistant assistantId assistantOverrides transport provider audioFormat format model tools functions
function server serverUrl serverUrlSecret endCallFunctionEnabled name url messages type variableValues tools:append"""
NAMES = st.sampled_from(re.findall(r"[\w:]+", FIELDS))
TEXTS = st.sampled_from(["vapi.websocket", "x", ""])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(NAMES, JSON, max_size=5), st.dictionaries(NAMES, JSON, max_size=3))
def test_any_json_is_a_call_or_a_bad_request(body: dict[str, Any], stored: dict[str, Any]) -> None:
    try:
        plan = planned({"transport": WEBSOCKET, "assistantId": "a", **body}, stored)
    except BadRequest as refused:
        assert refused.problems
    else:
        Assistant.model_validate(plan.assistant)


@pytest.mark.parametrize(
    ("audio", "encoding", "rate_hz"),
    [
        ({}, "pcm_s16le", 16_000),
        ({"format": "mulaw"}, "mulaw", 8_000),
        ({"format": "pcm_s16le", "container": "raw", "sampleRate": 44_100}, "pcm_s16le", 44_100),
    ],
)
def test_the_audio_format_has_the_defaults_of_the_api(audio: dict[str, Any], encoding: str, rate_hz: int) -> None:
    plan = planned({"assistant": {}, "transport": {**WEBSOCKET, "audioFormat": audio}})
    assert (plan.transport.encoding, plan.transport.sample_rate_hz) == (encoding, rate_hz)


def test_overrides_lie_deep_over_the_stored_assistant() -> None:
    stored = {
        "firstMessage": "Hello",
        "model": {"provider": "vapi", "temperature": 0.1, "tools": [{"type": "endCall"}]},
    }
    body = {
        "assistantId": "a",
        "assistantOverrides": {
            "model": {"temperature": 0.9},
            "variableValues": {"name": "Ann"},
            "tools:append": [{"type": "function", "function": {"name": "lookup"}}],
        },
        "transport": WEBSOCKET,
    }
    plan = planned(body, stored)
    assistant = Assistant.model_validate(plan.assistant)
    assert (assistant.first_message, assistant.model.temperature) == ("Hello", 0.9)
    assert [tool.name for tool in assistant.model.tools] == ["endCall", "lookup"]
    assert plan.variables == {"name": "Ann"}
    assert stored["model"] == {"provider": "vapi", "temperature": 0.1, "tools": [{"type": "endCall"}]}


NUMBERS = st.one_of(st.from_regex(r"\+?[0-9a-zA-Z ]{0,42}", fullmatch=True), st.text(max_size=6))


@given(NUMBERS)
def test_only_e164_numbers_pass_the_check_and_nothing_but_letters_and_digits_passes_without_it(number: str) -> None:
    def is_taken(checked: bool) -> bool:
        customer = {"number": number, "numberE164CheckEnabled": checked}
        try:
            parse_request({**PHONE, "customer": customer})
        except BadRequest as refused:
            assert all(problem.startswith("customer.number") for problem in refused.problems)
            return False
        return True

    digits = number.removeprefix("+")
    is_ascii = number.isascii() and digits.isalnum() and 3 <= len(number) <= 40
    is_e164 = is_ascii and number[0] == "+" and digits.isdigit() and digits[0] != "0" and len(digits) <= 15
    assert is_taken(True) == is_e164
    assert is_taken(False) == is_ascii


def test_layers_lie_over_each_other_from_the_member_to_the_customer() -> None:
    squad = {
        "members": [
            {
                "assistant": {"name": "A", "firstMessage": "1", "voice": {"speed": 1.0, "voiceId": "v"}},
                "assistantOverrides": {"firstMessage": "2", "variableValues": {"a": 1, "b": 1, "c": 1}},
            },
            {"assistantId": "second"},
        ],
        "membersOverrides": {"firstMessage": "3", "voice": {"speed": 1.5}, "variableValues": {"b": 2}},
    }
    body = {
        "squad": squad,
        "phoneNumberId": "p",
        "squadOverrides": {"firstMessage": "4", "tools:append": [{"type": "endCall"}]},
        "customer": {
            "number": "+14155551234",
            "name": "Ann",
            "assistantOverrides": {"firstMessage": "5", "variableValues": {"c": 3}},
        },
    }
    member = first_member(squad)
    speaker = Speaker("squad", member["assistant"], layers=member_layers(squad, member))
    plan = plan_call(parse_request(body), speaker, kind_of(body), {"provider": "byo-phone-number", "number": "+49301"})
    assistant = Assistant.model_validate(plan.assistant)
    assert (assistant.first_message, assistant.voice.speed, assistant.voice.voice_id) == ("5", 1.5, "v")
    assert [tool.name for tool in assistant.model.tools] == ["endCall"]
    assert {name: plan.variables[name] for name in "abc"} == {"a": 1, "b": 2, "c": 3}
    assert plan.variables["customer"]["name"] == "Ann"
    assert plan.variables["phoneNumber"] == {"number": "+49301"}
    assert plan.transport.provider == "vapi.sip"


@pytest.mark.parametrize(
    ("squad", "told"),
    [
        ({}, "squad.members must have at least one member"),
        ({"members": []}, "squad.members must have at least one member"),
        ({"members": [{}]}, "squad.members.0 must have exactly one of assistantId and assistant"),
        ({"members": [{"assistantId": "a", "assistant": {}}]}, "squad.members.0 must have exactly one"),
    ],
)
def test_a_squad_needs_a_first_member(squad: dict[str, Any], told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        first_member(squad)


def test_a_web_call_is_of_nobody_by_telephone() -> None:
    with pytest.raises(BadRequest) as refused:
        parse_web_request(
            {"assistantId": "a", "phoneNumberId": "p", "customer": {}, "transport": {"provider": "daily"}}
        )
    assert [problem.split(" ")[0] for problem in refused.value.problems] == ["phoneNumberId", "customer"]
    assert parse_web_request({"assistantId": "a", "roomDeleteOnUserLeaveEnabled": True}).assistant_id == "a"
