"""A service is loaded considerately, runs with its own niceness, and says itself why it cannot start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = "import os, threading\nLOADED = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())\n"
MAIN = """
import os, sys
from late_riser.settings import LOADED
if __name__ == "__main__":
    print(LOADED, os.getpriority(os.PRIO_PROCESS, 0), sys.argv[1:])
"""


@pytest.fixture
def service(tmp_path: Path) -> Path:
    package = tmp_path / "late_riser"
    package.mkdir()
    for name, text in (("__init__", ""), ("wiring", ""), ("settings", SETTINGS), ("__main__", MAIN)):
        (package / f"{name}.py").write_text(text)
    return package


def started(service: Path, niceness: str | None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(service.parent)}
    environment |= {} if niceness is None else {"VOXBUS_START_NICENESS": niceness}
    command = [sys.executable, "-m", "voxbus_cli.stack.starting", service.name, "--more"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_modules_are_loaded_with_the_niceness_that_is_asked_for_and_the_service_keeps_its_own(service: Path) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert started(service, "15").stdout == f"15 {own} ['--more']\n"


@pytest.mark.parametrize("niceness", [None, "0"])
def test_who_is_waited_for_loads_as_it_runs(service: Path, niceness: str | None) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert started(service, niceness).stdout == f"{own} {own} ['--more']\n"


@pytest.mark.parametrize("niceness", ["0", "15"])
def test_a_service_that_cannot_be_loaded_says_why(service: Path, niceness: str) -> None:
    (service / "settings.py").write_text("raise RuntimeError('no such engine')")
    done = started(service, niceness)
    assert done.returncode == 1
    assert done.stderr.count("RuntimeError: no such engine") == 1
