"""Each check looks at one thing `voxbus up` needs and says what to do when it is not there."""

import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from voxbus_cli.environment import StackSettings
from voxbus_cli.errors import CommandFailed
from voxbus_cli.stack.broker import broker_version, find_broker
from voxbus_cli.stack.plan import planned_ports
from voxbus_cli.stack.ports import is_free
from voxbus_contracts.identity import SERVICES

_OLDEST_PYTHON: Final = (3, 11)
_LEAST_FREE_BYTES: Final = 1 << 30

Verdict = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. A warning leaves the stack usable; a problem does not."""

    what: str
    verdict: Verdict
    text: str


def examine(settings: StackSettings) -> list[Finding]:
    """Every check, in the order in which a start would meet them."""
    checks: tuple[Callable[[], Finding], ...] = (
        _python,
        _broker,
        _services,
        _recognizer,
        _espeak,
        _flite,
        lambda: _ports(settings),
        lambda: _data_dir(settings.data_dir),
    )
    return [check() for check in checks]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST_PYTHON:
        return Finding("python", "problem", f"{version} is too old: 3.11 or newer is needed")
    return Finding("python", "ok", f"{version} at {sys.executable}")


def _broker() -> Finding:
    try:
        binary = find_broker()
        return Finding("nats-server", "ok", f"{broker_version(binary)} at {binary}")
    except CommandFailed as wrong:
        return Finding("nats-server", "problem", str(wrong))


def _services() -> Finding:
    missing = [service for service in SERVICES if find_spec(f"voxbus_{service.replace('-', '_')}") is None]
    if missing:
        return Finding("services", "problem", f"not installed: {', '.join(missing)}; run `make up`")
    return Finding("services", "ok", f"{len(SERVICES)} are installed")


def _recognizer() -> Finding:
    if find_spec("pocketsphinx") is None:
        return Finding("pocketsphinx", "problem", "the recognizer is not installed: run `make up`")
    return Finding("pocketsphinx", "ok", "the recognizer and its English model are installed")


def _espeak() -> Finding:
    if find_spec("espeakng_loader") is None:
        text = "the voice is not installed: pip install --require-hashes -r requirements/voice-espeak.lock"
        return Finding("espeak-ng", "warning" if shutil.which("flite") else "problem", text)
    return Finding("espeak-ng", "ok", "the voice is installed")


def _flite() -> Finding:
    found = shutil.which("flite")
    if found is None:
        return Finding("flite", "warning", "the second voice is not installed, nothing needs it: apt-get install flite")
    return Finding("flite", "ok", found)


def _ports(settings: StackSettings) -> Finding:
    try:
        taken = [port for port in planned_ports(settings) if not is_free(port.number)]
    except CommandFailed as wrong:
        return Finding("ports", "problem", str(wrong))
    if settings.api_url_file.exists() and taken:
        return Finding("ports", "ok", f"in use, probably by the stack that runs in {settings.data_dir}")
    if taken:
        uses = "; ".join(f"{port.number} for {port.use} is in use, set {port.variable}" for port in taken)
        return Finding("ports", "problem", uses)
    return Finding("ports", "ok", f"{settings.port} to {settings.demo_port} and {settings.nats_port} are free")


def _data_dir(path: Path) -> Finding:
    existing = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            free = shutil.disk_usage(existing).free
    except OSError as wrong:
        return Finding("data folder", "problem", f"{path} cannot be written: {wrong.strerror}; set VOXBUS_DATA_DIR")
    words = f"{path} with {free / (1 << 30):.1f} GiB free"
    return Finding("data folder", "ok" if free >= _LEAST_FREE_BYTES else "warning", words)
