"""A request that may be sent twice and must count once: `Idempotency-Key`. Pure."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from voxbus_control_api.errors import BadRequest, Conflict

KEPT_MS: Final = 24 * 3_600_000
"""How long a key is remembered."""

_LONGEST: Final = 255


@dataclass(frozen=True, slots=True)
class RepeatKey:
    """One client's key, and what was asked with it; both as hashes."""

    key: str
    asked: str


def repeat_key(header: str | None, path: str, body: dict[str, Any]) -> RepeatKey | None:
    """None when the client sent none. Raises BadRequest."""
    if header is None:
        return None
    if not 1 <= len(header) <= _LONGEST:
        raise BadRequest(f"Idempotency-Key must have 1 to {_LONGEST} characters")
    text = json.dumps([path, body], sort_keys=True, ensure_ascii=False)
    return RepeatKey(_hash(header), _hash(text))


def check_same(key: RepeatKey, asked_before: str) -> None:
    """Raises Conflict when the key was used for something else."""
    if key.asked != asked_before:
        raise Conflict("this Idempotency-Key was used with another request")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
