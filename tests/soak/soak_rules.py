"""What every measure of the soak suite is held to, and why its bound is what it is. Pure."""

from collections.abc import Mapping
from typing import Final

from soak_judge import Rule

CALM: Final = Rule("", per_hour=4.0, least=3.0, left=4.0)
"""Counts of one process. Pools and caches fill in their own time: four more are no leak, four more every hour are."""

REPLACED: Final = "replaced"
PER_SERVICE: Final[Mapping[str, Rule]] = {
    # 8 MB an hour are a few kB per call at some hundred calls an hour; what a process keeps of a call on purpose (the
    # last turns for a view, a cache) has its end within the warm-up.
    "memory": Rule("MB", per_hour=8.0, least=5.0),
    # Thread pools of the standard library and connections of SQLite are made when first needed at the same time.
    "threads": Rule("", per_hour=6.0, least=4.0, left=12.0),
    "files": Rule("", per_hour=6.0, least=4.0, left=8.0),
    # A process that ended takes its leaks along.
    REPLACED: Rule("times", left=0.0),
    "tasks": CALM,
    "subscriptions": CALM,
}
_NATS: Final[Mapping[str, Rule]] = {
    # Go gives memory back late, and AUDIO holds up to 120 s of all calls in it.
    "nats-server memory": Rule("MB", per_hour=40.0, least=60.0),
    "nats-server threads": Rule("", per_hour=6.0, least=4.0, left=12.0),
    "nats-server files": Rule("", per_hour=12.0, least=8.0, left=16.0),
    "connections": Rule("", per_hour=2.0, least=2.0, left=0.0),
    "subscriptions on the server": Rule("", per_hour=8.0, least=6.0, left=6.0),
    "OWNERS keys": Rule("", per_hour=4.0, least=6.0, left=0.0),
    # A key that is gone leaves a mark for those who watch, which must go too, in its time.
    "OWNERS entries": Rule("", left=0.0),
    "CONFIGS keys": Rule("", per_call=1.0),
    "CLAIMS messages": Rule("", per_hour=4.0, least=6.0, left=0.0),
    "EVENTS MB": Rule("MB", per_call=1.0),
    "AUDIO MB": Rule("MB"),
    "DELIVERIES messages": Rule("", per_call=10.0),
}
_CONSUMERS: Final = Rule("", per_hour=2.0, least=2.0, left=0.0)
_FOLDERS: Final[Mapping[str, Rule]] = {
    "recorder": Rule("", left=0.0),
    # Two tracks, their mix, the archived log, and what else is asked for of a call.
    "objects": Rule("", per_call=6.0),
    "logs": Rule("", left=2.0),
    "nats": Rule("", per_call=0.5),
}
_OTHER_FOLDER: Final = Rule("", left=4.0)
_BYTES: Final = Rule("MB", per_call=5.0)

FOLDER_FILES: Final = "files in "
FOLDER_MB: Final = "MB in "
CONSUMERS: Final = "consumers of "


def rule_of(name: str) -> Rule:
    """Of a measure: `<service> <what>`, one of the bus, or of a folder under the data directory."""
    if name in _NATS:
        return _NATS[name]
    if name.startswith(CONSUMERS):
        return _CONSUMERS
    if name.startswith(FOLDER_FILES):
        return _FOLDERS.get(name.removeprefix(FOLDER_FILES), _OTHER_FOLDER)
    if name.startswith(FOLDER_MB):
        return _BYTES
    return PER_SERVICE[name.rpartition(" ")[2]]
