"""The way in at a model's server is found once for as long as nothing about it changes."""

from typing import Any, cast

from cryptography.fernet import Fernet
from pydantic import SecretStr

from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig
from voxbus_llm_orchestrator.model_access import Access
from voxbus_runtime.owned_call import OwnedCall
from voxbus_runtime.sealing import seal

KEY = SecretStr(Fernet.generate_key().decode())


class Call:
    """Takes the place of a call on a bus."""

    class bus:  # noqa: N801 - as the call's own
        cluster_key = KEY


def config(key: str) -> CallConfig:
    lent: dict[str, Any] = {"id": "c-1", "provider": "openai", "api_key": seal(key, KEY)}
    return CallConfig.model_validate({"org": "acme", "call": "call-1", "created_at_ms": 1, "credentials": [lent]})


def test_it_is_opened_once_and_again_when_the_configuration_is_another() -> None:
    access = Access(cast("OwnedCall", Call()))
    assistant = Assistant.model_validate({"model": {"provider": "openai", "model": "gpt"}})
    first = config("sk-first")
    opened = access.of(first, assistant, assistant.model)
    assert opened.api_key == "sk-first"
    assert access.of(first, assistant, assistant.model) is opened
    assert access.of(config("sk-second"), assistant, assistant.model).api_key == "sk-second"
