"""Secrets: sealed on the bus, cut out of logs."""

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from voxbus_runtime.errors import BadSeal
from voxbus_runtime.logs import cut_out
from voxbus_runtime.sealing import open_config, seal_config

KEY = SecretStr(Fernet.generate_key().decode())
TREE = {
    "server": {"url": "https://example.org", "secret": "s3cret", "headers": {"X-Api-Key": "abc"}},
    "model": {"provider": "custom-llm", "headers": {"Authorization": "Bearer t0k"}, "messages": [{"content": "hi"}]},
    "credentials": [{"provider": "openai", "apiKey": "sk-1"}],
}


def test_every_secret_is_sealed_everything_else_stays_and_opening_gives_it_back() -> None:
    sealed = seal_config(TREE, KEY)
    assert not any(secret in str(sealed) for secret in ("s3cret", "abc", "t0k", "sk-1"))
    assert sealed["server"]["url"] == "https://example.org"
    assert sealed["model"]["messages"] == [{"content": "hi"}]
    assert open_config(sealed, KEY) == TREE
    assert seal_config(sealed, KEY) == sealed


def test_another_cluster_key_opens_nothing_and_says_which_setting() -> None:
    sealed = seal_config(TREE, KEY)
    with pytest.raises(BadSeal, match="VOXBUS_CLUSTER_KEY"):
        open_config(sealed, SecretStr(Fernet.generate_key().decode()))
    with pytest.raises(BadSeal, match="VOXBUS_CLUSTER_KEY"):
        seal_config(TREE, None)


def test_logs_hold_no_secret_and_no_words_of_a_person() -> None:
    line = cut_out(None, "", {"event": "x", "token": "t", "text": "my name is", "Authorization": "b", "call": "c"})
    assert line == {"event": "x", "token": "[cut]", "text": "[cut]", "Authorization": "[cut]", "call": "c"}
