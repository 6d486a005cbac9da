"""Which language models there are, and which of them a configuration means."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from voxbus_contracts.assistant import Model
from voxbus_providers.errors import ProviderMissing
from voxbus_providers.model import LanguageModel
from voxbus_providers.registry import load

REGISTRY: Final[Mapping[str, str]] = {
    "scripted": "voxbus_llm_orchestrator.providers.scripted:ScriptedModel",
    "openai": "voxbus_llm_orchestrator.providers.openai:OpenAiModel",
    "custom-llm": "voxbus_llm_orchestrator.providers.custom_llm:CustomLlm",
}

_PLATFORM: Final = "vapi"
_PLATFORM_MODELS: Final[Mapping[str, str]] = {"scripted": "scripted"}
_PLATFORM_DEFAULT: Final = "scripted"


@dataclass(frozen=True, slots=True)
class CompatibleVendor:
    """A row of openai_compatible.toml: who speaks OpenAI's chat completions, where, and with which key."""

    base_url: str
    api_key_env: str
    limit_field: str = "max_tokens"


@cache
def compatible_vendors() -> Mapping[str, CompatibleVendor]:
    """The rows by provider name. Raises TypeError on a row with a missing or unknown field."""
    text = (files(__package__ or "") / "openai_compatible.toml").read_text(encoding="utf-8")
    return {name: CompatibleVendor(**row) for name, row in tomllib.loads(text).items()}


def resolve(model: Model) -> str:
    """The name of the model that answers: `model.provider`, or for the platform's own (`vapi`) by `model.model`.

    Raises ProviderMissing when nobody here is called that.
    """
    if model.provider == _PLATFORM:
        return _PLATFORM_MODELS.get(model.model, _PLATFORM_DEFAULT)
    known = {*REGISTRY, *compatible_vendors()}
    if model.provider not in known:
        there_are = ", ".join(sorted({*known, _PLATFORM}))
        raise ProviderMissing(model.provider, f"model.provider is unknown; there are: {there_are}")
    return model.provider


def model_class(name: str) -> type[LanguageModel]:
    """The class that serves a resolved name; vendors of the TOML file share OpenAI's. Raises ProviderMissing."""
    return load(REGISTRY, "openai" if name in compatible_vendors() else name)
