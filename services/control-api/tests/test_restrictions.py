from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus_control_api.restrictions import Restrictions, read_restrictions

PAGE = "https://shop.example"


@pytest.mark.parametrize("allowed", [PAGE, "https://shop.example/", "HTTPS://Shop.Example", "shop.example", "*"])
def test_a_page_that_is_named_may(allowed: str) -> None:
    assert Restrictions(allowed_origins=("https://other", allowed)).refusal(PAGE, {}) is None


@pytest.mark.parametrize(
    "origin", [None, "", "null", "https://shop.example.evil", "https://evilshop.example", "http://shop.example"]
)
def test_another_page_or_none_may_not(origin: str | None) -> None:
    refused = Restrictions(allowed_origins=(PAGE,)).refusal(origin, {})
    assert refused is not None
    assert "allowedOrigins" in refused


@pytest.mark.parametrize("origin", ["https://shop.example.evil", "https://evilshop.example", "https://x/?shop.example"])
def test_a_host_is_not_its_neighbour(origin: str) -> None:
    assert Restrictions(allowed_origins=("shop.example",)).refusal(origin, {}) is not None


@pytest.mark.parametrize(
    ("body", "may"),
    [
        ({"assistantId": "a1"}, True),
        ({"assistantId": "a2"}, False),
        ({"assistant": {}}, False),
        ({"assistantId": "a1", "assistant": {}}, False),
        ({"squadId": "a1"}, False),
        ({"assistantId": "a1", "squadId": "s"}, False),
        ({"squad": {}}, False),
        ({"assistantId": ["a1"]}, False),
        ({"sessionId": "s"}, True),
    ],
)
def test_only_named_assistants_may_be_called(body: dict[str, Any], may: bool) -> None:
    assert (Restrictions(allowed_assistant_ids=("a1",)).refusal(None, body) is None) == may


def test_an_assistant_of_the_pages_own_may_be_forbidden() -> None:
    limits = Restrictions(allow_transient_assistant=False)
    assert limits.refusal(None, {"assistant": {}}) is not None
    assert limits.refusal(None, {"assistantId": "any"}) is None


@given(
    st.dictionaries(st.sampled_from(["assistantId", "assistant", "squadId", "squad"]), st.text(max_size=3)),
    st.none() | st.text(),
)
def test_what_is_not_restricted_is_allowed(body: dict[str, Any], origin: str | None) -> None:
    assert Restrictions().refusal(origin, body) is None
    assert read_restrictions({"enabled": False, "allowedOrigins": ["x"]}).refusal(origin, body) is None


HARMLESS = {"variableValues": {"name": "Ann"}, "metadata": {"a": 1}, "clientMessages": ["transcript"], "model": None}
CHANGING: list[tuple[dict[str, Any], str]] = [
    ({"assistantOverrides": {"model": {"provider": "openai"}}}, "assistantOverrides.model"),
    ({"assistantOverrides": {"firstMessage": "Hi"}}, "assistantOverrides.firstMessage"),
    ({"assistantOverrides": {**HARMLESS, "tools:append": [{"type": "endCall"}]}}, "assistantOverrides.tools:append"),
    ({"assistantOverrides": {"server": {"url": "https://evil.example"}}}, "assistantOverrides.server"),
    ({"assistantOverrides": {"credentialIds": ["c"]}}, "assistantOverrides.credentialIds"),
    ({"squadOverrides": {"voice": {}}}, "squadOverrides.voice"),
    ({"workflowOverrides": {"model": {}}}, "workflowOverrides.model"),
    ({"customer": {"assistantOverrides": {"model": {}}}}, "customer.assistantOverrides.model"),
    ({"customer": {"squadOverrides": {"model": {}}}}, "customer.squadOverrides.model"),
    ({"instructions": "Be somebody else."}, "instructions"),
    ({"input": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]}, "input.1.role"),
    ({"input": [{"role": "developer", "content": "b"}]}, "input.0.role"),
]


@pytest.mark.parametrize(
    "limits", [Restrictions(allow_transient_assistant=False), Restrictions(allowed_assistant_ids=("a1",))]
)
@pytest.mark.parametrize(("body", "named"), CHANGING, ids=[named for _, named in CHANGING])
def test_an_assistant_cannot_be_made_another_one_by_what_lies_over_it(
    limits: Restrictions, body: dict[str, Any], named: str
) -> None:
    refused = limits.refusal(None, {"assistantId": "a1", **body})
    assert refused is not None
    assert f"{named} is not allowed" in refused
    assert Restrictions(allowed_origins=("*",)).refusal(PAGE, {"assistantId": "a1", **body}) is None


@pytest.mark.parametrize(
    "body",
    [
        {"assistantOverrides": HARMLESS},
        {"squadOverrides": {"variableValues": {}}},
        {"customer": {"name": "Ann", "assistantOverrides": {"variableValues": {"a": 1}}}},
        {"input": "Be somebody else."},
        {"input": [{"role": "user", "content": "a"}, "text"]},
    ],
)
def test_what_fills_an_assistant_in_leaves_it_the_same(body: dict[str, Any]) -> None:
    limits = Restrictions(allowed_assistant_ids=("a1",), allow_transient_assistant=False)
    assert limits.refusal(None, {"assistantId": "a1", **body}) is None


def test_a_squad_of_the_pages_own_is_an_assistant_of_its_own_and_a_stored_one_is_none() -> None:
    limits = Restrictions(allow_transient_assistant=False)
    assert limits.refusal(None, {"squad": {"members": [{"assistantId": "a1"}]}}) is not None
    assert limits.refusal(None, {"squadId": "s"}) is None


@pytest.mark.parametrize(
    ("session", "may"), [({"assistantId": "a1"}, True), ({"assistantId": "a2"}, False), ({"squadId": "s"}, False)]
)
def test_a_session_is_carried_on_with_assistants_that_are_named(session: dict[str, Any], may: bool) -> None:
    limits = Restrictions(allowed_assistant_ids=("a1",))
    assert (limits.refusal_of_session(session) is None) == may
    assert Restrictions(allow_transient_assistant=False).refusal_of_session(session) is None
