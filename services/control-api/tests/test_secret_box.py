"""Secrets are unreadable where they are stored, and come back exactly; keys can be changed."""

import json
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import text

from voxbus_control_api.database import Database
from voxbus_control_api.errors import BadSecretKey
from voxbus_control_api.resource_store import Resource, ResourceStore
from voxbus_control_api.secret_box import SecretBox, keys_from
from voxbus_control_api.secret_names import (
    MASK,
    is_secret,
    keeping_secrets,
    masked,
    masks_in,
    unmasked,
    with_secrets,
    without_secrets,
)
from voxbus_control_api.secret_renewal import renew_secrets

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))
NAMES = st.sampled_from(["apiKey", "secret", "headers", "authPassword", "name", "model", "maxTokens", "token", "url"])
TEXTS = st.text(max_size=8) | st.sampled_from(["enc:v1:", "enc:v1:abc"])
TREES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(NAMES, TREES, max_size=4))
def test_whatever_is_posted_comes_back(body: dict[str, Any]) -> None:
    assert SecretBox([OLD]).from_text(SecretBox([OLD]).to_text(body)) == body


@settings(deadline=None)
@given(st.dictionaries(NAMES, TREES, max_size=4))
def test_no_secret_is_readable_and_nothing_else_is_changed(body: dict[str, Any]) -> None:
    stored = json.loads(SecretBox([OLD]).to_text(body))
    assert without_secrets(stored) == without_secrets(body)
    secrets: list[str] = []
    with_secrets(stored, lambda found: secrets.append(found) or found)
    assert all(secret.startswith("enc:v1:gAAAA") for secret in secrets)


@settings(deadline=None)
@given(st.dictionaries(NAMES, TREES, max_size=4))
def test_a_new_key_takes_over_what_the_old_one_encrypted(body: dict[str, Any]) -> None:
    stored = SecretBox([OLD]).to_text(body)
    both = SecretBox([NEW, OLD])
    assert both.from_text(stored) == body
    renewed = both.renewed(stored)
    assert SecretBox([NEW]).from_text(renewed or stored) == body
    if renewed is not None:
        assert both.renewed(renewed) is None


def test_what_was_stored_openly_is_read_and_encrypted() -> None:
    openly = '{"server":{"secret":"abc"}}'
    assert SecretBox([OLD]).from_text(openly) == {"server": {"secret": "abc"}}
    assert "abc" not in (SecretBox([OLD]).renewed(openly) or "abc")


def test_another_key_is_told_by_its_setting() -> None:
    stored = SecretBox([OLD]).to_text({"apiKey": "abc"})
    with pytest.raises(BadSecretKey, match="VOXBUS_SECRET_KEY"):
        SecretBox([OTHER]).from_text(stored)


@pytest.mark.parametrize("keys", [[], ["short"], [OLD, "x"], ["ä" * 44]])
def test_what_is_no_key_is_refused_by_its_setting(keys: list[str]) -> None:
    with pytest.raises(BadSecretKey, match="VOXBUS_SECRET_KEY"):
        SecretBox(keys)


def test_keys_that_are_set_come_first_and_the_others_still_decrypt() -> None:
    cluster = SecretStr(OTHER)
    keys = keys_from(SecretStr(f"{NEW}, {OLD}"), cluster, "local")
    assert keys[:2] == [NEW, OLD]
    assert keys[3] == "local"
    assert keys_from(None, cluster, None) == [keys[2]]
    assert keys[2] not in (OTHER, NEW, OLD)


@pytest.mark.parametrize(
    "name", ["apiKey", "api_key", "twilioAuthToken", "serverUrlSecret", "token", "openAIKey", "Headers"]
)
def test_secrets_are_known_by_their_names(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name", ["maxTokens", "tokenUri", "publicKey", "secretary", "keywords", "awsAccessKeyId", "keyterms"]
)
def test_other_names_are_no_secrets(name: str) -> None:
    assert not is_secret(name)


def test_secrets_that_are_not_spoken_of_stay() -> None:
    before = {"plan": {"user": "a", "password": "p", "more": {"token": "t"}}}
    after = {"plan": {"user": "b", "more": {}}}
    assert keeping_secrets(before, after) == {"plan": {"user": "b", "password": "p", "more": {"token": "t"}}}
    assert keeping_secrets(before, {"plan": {"password": "q"}})["plan"]["password"] == "q"


async def test_a_start_with_a_new_key_encrypts_everything_with_it(database: Database) -> None:
    old = ResourceStore(database, SecretBox([OLD]))
    assert await renew_secrets(database, SecretBox([OLD]), 1) == 0
    for number in range(450):
        secret = {"secret": f"s{number}"} if number % 2 else {"name": "open"}
        await old.create(Resource("acme", "tool", f"t{number:03}", 1, 1, {"server": secret}))
    assert await renew_secrets(database, SecretBox([NEW, OLD]), 2) == 225
    assert await renew_secrets(database, SecretBox([NEW]), 3) == 0
    found = await ResourceStore(database, SecretBox([NEW])).get("acme", "tool", "t449")
    assert found is not None
    assert found.body == {"server": {"secret": "s449"}}


async def test_a_start_without_the_key_of_the_last_time_is_refused(database: Database) -> None:
    await renew_secrets(database, SecretBox([OLD]), 1)
    with pytest.raises(BadSecretKey, match="behind the new one"):
        await renew_secrets(database, SecretBox([OTHER]), 2)


async def test_what_older_versions_stored_openly_is_encrypted_at_the_first_start(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(
            text("INSERT INTO resources VALUES ('acme', 'assistant', 'a1', 1, 1, NULL, :body)"),
            {"body": '{"server":{"secret":"very-open"}}'},
        )
    assert await renew_secrets(database, SecretBox([NEW]), 1) == 1
    async with database.read() as connection:
        stored = (await connection.execute(text("SELECT body FROM resources"))).scalar_one()
    assert "very-open" not in stored
    found = await ResourceStore(database, SecretBox([NEW])).get("acme", "assistant", "a1")
    assert found is not None
    assert found.body == {"server": {"secret": "very-open"}}


@given(st.dictionaries(NAMES, TREES))
def test_what_was_shown_sent_back_is_what_was_there(body: dict[str, Any]) -> None:
    shown = masked(body)
    assert unmasked(body, shown) == body
    assert masks_in(unmasked(body, shown)) == []
    assert bool(masks_in(shown)) == (shown != body)


def test_a_mask_is_only_one_in_place_of_a_secret() -> None:
    assert masks_in({"name": MASK, "plan": [{"token": MASK}], "headers": {"A": MASK}}) == ["plan.0.token", "headers.A"]
    assert unmasked({"name": "n", "token": "t"}, {"name": MASK, "token": MASK}) == {"name": MASK, "token": "t"}
