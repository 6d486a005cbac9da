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
