"""Which Python is taken for fast."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from voxbus_cli import interpreter
from voxbus_cli.interpreter import described, is_optimized

FILE = Path(interpreter.__file__)


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch):
    """Has this Python say it was built in this place with these arguments."""

    def configure(prefix: str, arguments: str | None) -> None:
        monkeypatch.setattr(sys, "base_prefix", prefix)
        monkeypatch.setattr(sysconfig, "get_config_var", {"CONFIG_ARGS": arguments}.get)

    return configure


def test_a_python_of_the_distribution_is_optimized(configured) -> None:
    configured("/usr", "'--enable-shared'")
    assert is_optimized()


def test_a_python_built_with_optimizations_is_optimized(configured) -> None:
    configured("/usr/local", "'--enable-optimizations' '--with-lto'")
    assert is_optimized()
    assert "without" not in described()


@pytest.mark.parametrize("arguments", ["'--enable-shared'", None])
def test_any_other_is_not_and_says_so(configured, arguments: str | None) -> None:
    configured("/opt/python", arguments)
    assert not is_optimized()
    assert described().endswith(", built without optimizations")


def test_the_file_alone_tells_the_makefile_by_its_exit_status() -> None:
    """Without anything installed: isolated, and without site-packages."""
    assert subprocess.run([sys.executable, "-I", "-S", FILE], check=False).returncode == int(not is_optimized())
