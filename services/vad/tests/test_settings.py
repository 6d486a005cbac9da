"""Settings that cannot work are refused with the field's name."""

import importlib.util
import os

import pytest
from pydantic import ValidationError

from voxbus_vad.detector import Hysteresis
from voxbus_vad.settings import Settings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("VOXBUS_")]:
        monkeypatch.delenv(name)


def _nothing_is_installed(_name: str) -> None:
    return None


def test_the_defaults_start_after_60_of_100_ms_and_stop_after_200() -> None:
    assert Settings().hysteresis == Hysteresis(60, 100, 200)


def test_a_start_that_cannot_fit_into_its_window_is_refused() -> None:
    with pytest.raises(ValidationError, match="vad_start_voiced_ms: 120 does not fit"):
        Settings(vad_start_voiced_ms=120, vad_start_window_ms=100)


def test_silero_without_its_extra_is_refused_naming_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", _nothing_is_installed)
    with pytest.raises(ValidationError, match=r"requirements/silero\.lock") as refused:
        Settings(vad_engine="silero")
    assert refused.value.errors()[0]["loc"] == ("vad_engine",)
