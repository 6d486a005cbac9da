"""Which model a configuration means."""

import pytest

from voxbus_contracts.assistant import Model
from voxbus_llm_orchestrator.providers.custom_llm import CustomLlm
from voxbus_llm_orchestrator.providers.openai import OpenAiModel
from voxbus_llm_orchestrator.providers.registry import REGISTRY, compatible_vendors, model_class, resolve
from voxbus_llm_orchestrator.providers.scripted import ScriptedModel
from voxbus_providers.errors import ProviderMissing


def test_the_platforms_own_model_is_the_scripted_one_whatever_it_is_called() -> None:
    assert resolve(Model()) == "scripted"
    assert resolve(Model(provider="vapi", model="gpt-4o")) == "scripted"


def test_every_registered_name_and_every_vendor_resolves_to_its_class() -> None:
    classes = {"scripted": ScriptedModel, "openai": OpenAiModel, "custom-llm": CustomLlm}
    assert set(classes) == set(REGISTRY)
    for name in {*REGISTRY, *compatible_vendors()}:
        assert resolve(Model(provider=name)) == name
        assert model_class(name) is classes.get(name, OpenAiModel)


def test_every_vendor_has_an_address_and_a_key_of_its_own() -> None:
    vendors = compatible_vendors()
    assert vendors["openai"].api_key_env == "OPENAI_API_KEY"
    assert all(vendor.base_url.startswith("https://") for vendor in vendors.values())
    assert len({vendor.api_key_env for vendor in vendors.values()}) == len(vendors)


def test_an_unknown_provider_is_named_with_those_there_are() -> None:
    with pytest.raises(ProviderMissing, match=r"nobody: model\.provider is unknown; there are: .*custom-llm.*vapi"):
        resolve(Model(provider="nobody"))
    with pytest.raises(ProviderMissing):
        model_class("nobody")
