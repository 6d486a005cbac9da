"""Secrets: sealed on the bus, cut out of logs, addresses guarded."""

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from voxbus_runtime.errors import AddressRefused, BadSeal
from voxbus_runtime.guard import Guard
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


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:80/x",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.8/",
        "http://0.0.0.0/",
        "http://224.0.0.1/",
        "ftp://example.org/",
        "http:///nothing",
        "file:///etc/passwd",
    ],
)
async def test_the_guard_refuses_what_is_not_public(url: str) -> None:
    with pytest.raises(AddressRefused):
        await Guard().check(url)


async def test_an_allowed_network_may_be_reached() -> None:
    guard = Guard.parse("127.0.0.0/8, ::1/128")
    await guard.check("http://127.0.0.1:9/x")
    await guard.check("http://[::ffff:127.0.0.1]/")
    with pytest.raises(AddressRefused):
        await guard.check("http://10.0.0.1/")
    with pytest.raises(ValueError, match="VOXBUS_GUARD_ALLOW"):
        Guard.parse("no-network")
