"""Which services follow which messages of a call live, asked of the services themselves."""

from collections.abc import Mapping
from importlib import import_module

from voxbus_cli.errors import CommandFailed
from voxbus_contracts.identity import STAGES
from voxbus_runtime.owned_call import ALWAYS

Readers = Mapping[str, frozenset[str]]
"""Service → names of the messages it reads, as `transcript.final`."""


def live_readers() -> Readers:
    """The INTERESTS each stage subscribes with; raises CommandFailed when a service is not installed."""
    return {stage: _interests(stage) for stage in STAGES}


def _interests(stage: str) -> frozenset[str]:
    package = f"voxbus_{stage.replace('-', '_')}"
    try:
        for room in ("handlers", "wiring"):
            found = getattr(import_module(f"{package}.{room}"), "INTERESTS", None)
            if found is not None:
                return found | ALWAYS
    except ModuleNotFoundError as missing:
        raise CommandFailed(f"{stage} is not installed ({missing}): run `make gen`") from missing
    raise CommandFailed(f"{package} declares no INTERESTS in handlers.py or wiring.py")
