"""An assistant whose secrets are opened is the assistant that was given."""

from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from voxbus_contracts.assistant import Assistant
from voxbus_llm_orchestrator.endpointing import FixedSilence, TurnSoFar, endpoint, endpointing_of
from voxbus_llm_orchestrator.handlers import opened
from voxbus_runtime.sealing import seal_config

KEY = SecretStr(Fernet.generate_key().decode())
SERVER: dict[str, Any] = {"url": "https://example.com/turns", "secret": "only the server knows"}


def sealed(given: dict[str, Any]) -> Assistant:
    return Assistant.model_validate(seal_config(given, KEY))


def test_its_secrets_can_be_read() -> None:
    assert opened(sealed({"server": SERVER}), KEY).server == Assistant.model_validate({"server": SERVER}).server


@pytest.mark.parametrize("plan", [{}, {"waitSeconds": 0}, {"smartEndpointingPlan": None}])
def test_a_transcription_plan_that_was_not_given_does_not_decide_over_the_evidence(plan: dict[str, Any]) -> None:
    start = opened(sealed({"startSpeakingPlan": plan, "server": SERVER}), KEY).start_speaking_plan
    assert endpoint(endpointing_of(start, FixedSilence()), TurnSoFar("hello over there")).reason == "silence"


def test_a_transcription_plan_that_was_given_decides_even_with_nothing_in_it() -> None:
    start = opened(sealed({"startSpeakingPlan": {"transcriptionEndpointingPlan": {}}}), KEY).start_speaking_plan
    assert endpoint(endpointing_of(start, FixedSilence()), TurnSoFar("hello over there")).reason == "no-punctuation"
