"""Which stored credentials a call is given, and that none of them is readable on the bus."""

from typing import Any

from conftest import Server
from voxbus_control_api.calls.call_credentials import call_credentials, named_credentials, providers_in

_CALL = {"transport": {"provider": "vapi.websocket"}}
_PLAN = {"type": "bearer", "token": "let-me-in"}


async def stored(server: Server, **body: Any) -> str:
    answer = await server.client.post("/credential", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def test_credentials_are_found_wherever_a_body_names_them_each_once() -> None:
    voice = {"provider": "custom-voice", "server": {"url": "https://v.example", "credentialId": "c-1"}}
    model = {"tools": [{"server": {"credentialId": "c-2"}}], "knowledgeBase": {"server": {"credentialId": "c-1"}}}
    assert named_credentials([{"voice": voice, "model": model}, None, {"credentialIds": ["c-3", 7]}]) == [
        "c-1",
        "c-2",
        "c-3",
    ]


def test_vendors_are_those_of_the_stages_and_of_what_stands_in_for_them_never_our_own() -> None:
    body = {
        "model": {"provider": "openai", "fallbackModels": [{"provider": "custom-llm"}]},
        "voice": {"provider": "custom-voice", "fallbackPlan": {"voices": [{"provider": "cartesia"}]}},
        "transcriber": {"provider": "vapi"},
    }
    assert providers_in([body, None, {"voice": "odd"}]) == ["openai", "custom-llm", "cartesia"]


def test_what_came_with_the_assistant_counts_before_what_is_stored_and_unusable_plans_are_left_out() -> None:
    assistant = {"credentials": [{"provider": "openai", "apiKey": "own"}, "odd", {"apiKey": "whose"}]}
    aws = {"provider": "custom-credential", "authenticationPlan": {"type": "aws-iam", "awsSecretAccessKey": "s"}}
    assert call_credentials(assistant, {"c-1": aws}) == [
        {"id": "", "provider": "openai", "api_key": "own", "authentication": None},
        {"id": "c-1", "provider": "custom-credential", "api_key": "", "authentication": None},
    ]


async def test_a_call_is_given_the_credentials_it_names_and_its_vendors_newest_key_all_sealed(server: Server) -> None:
    await stored(server, provider="openai", apiKey="sk-older")
    newest = await stored(server, provider="openai", apiKey="sk-newest")
    named = await stored(server, provider="custom-credential", authenticationPlan=_PLAN)
    await stored(server, provider="anthropic", apiKey="sk-not-wanted")
    voice = {"provider": "custom-voice", "server": {"url": "https://v.example", "credentialId": named}}
    body = {"assistant": {"model": {"provider": "openai", "model": "gpt"}, "voice": voice}, **_CALL}
    answer = await server.client.post("/call", json=body)
    assert answer.status_code == 201, answer.text
    (config,) = server.bus.configs
    assert [(each.id, each.provider) for each in config.credentials] == [
        (named, "custom-credential"),
        (newest, "openai"),
    ]
    key = config.credential_of("openai")
    assert key is not None
    assert key.api_key.startswith("sealed:v1:")
    for secret in ("let-me-in", "sk-older", "sk-newest", "sk-not-wanted"):
        assert secret not in config.payload().decode()


async def test_a_later_member_of_a_squad_has_its_own_variables_and_keys_before_the_calls(server: Server) -> None:
    keyed = {"provider": "openai", "apiKey": "sk-own"}
    second = {"name": "two", "credentials": [keyed], "model": {"provider": "openai", "model": "gpt"}}
    members = [
        {"assistant": {"name": "one", "credentials": [{"provider": "openai", "apiKey": "sk-first"}]}},
        {"assistant": second, "assistantOverrides": {"variableValues": {"desk": "billing"}}},
    ]
    answer = await server.client.post("/call", json={"squad": {"members": members}, **_CALL})
    assert answer.status_code == 201, answer.text
    (config,) = server.bus.configs
    spoken = config.spoken_by("1")
    assert spoken.variables["desk"] == "billing"
    assert "desk" not in config.variables
    first, own = config.credential_of("openai"), spoken.credential_of("openai")
    assert first is not None
    assert own is not None
    assert own.api_key.startswith("sealed:v1:")
    assert own.api_key != first.api_key
    assert "sk-own" not in config.payload().decode()


async def test_another_tenants_credential_is_not_there(server: Server) -> None:
    body = {"assistant": {"credentialIds": ["somebody-elses"]}, **_CALL}
    assert (await server.client.post("/call", json=body)).status_code == 201
    assert server.bus.configs[0].credentials == ()
