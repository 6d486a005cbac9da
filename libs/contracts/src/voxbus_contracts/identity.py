"""Who and which: the ids that make up a subject, and the stages of a call."""

import re
from typing import Final, Literal, get_args

Stage = Literal["media-ingress", "vad", "stt-worker", "llm-orchestrator", "tts-worker", "recorder"]
"""The parts of a call that are owned by one worker at a time."""

Service = Literal[
    "media-ingress",
    "vad",
    "stt-worker",
    "llm-orchestrator",
    "tts-worker",
    "tool-runner",
    "recorder",
    "billing",
    "control-api",
]

CLAIMED_STAGES: Final[tuple[Stage, ...]] = ("vad", "stt-worker", "llm-orchestrator", "tts-worker")
"""Stages that must have claimed a call before it is answered; media-ingress owns by attaching."""

RECORDER: Final[Stage] = "recorder"
"""Claims a call like the others, but no call waits for it."""

STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
SERVICES: Final[tuple[str, ...]] = get_args(Service)

DEFAULT_ORG: Final = "00000000-0000-4000-8000-000000000001"
"""The organisation made at first start."""

DEMO_ASSISTANT: Final = "00000000-0000-4000-8000-00000000de30"
"""The assistant made at first start, which `voxbus call` calls unless told otherwise."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{2,64}")


def checked_token(value: str, name: str) -> str:
    """`value` if it can stand as one token of a subject; raises ValueError naming `name` otherwise."""
    if not _TOKEN.fullmatch(value):
        raise ValueError(f"{name} {value!r} is no subject token: letters, digits, '-' and '_', 2 to 64 of them")
    return value


def partition(call: str) -> str:
    """Last two hex digits of the call id: 256 parts, so that streams can share the load later."""
    tail = call[-2:].lower()
    if len(tail) != 2 or any(c not in "0123456789abcdef" for c in tail):
        raise ValueError(f"call {call!r} does not end in two hex digits")
    return tail
