"""Pressed keys as entries: an entry ends at a delimiter or after a pause. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from voxbus_llm_orchestrator.state import Key


@dataclass(frozen=True, slots=True)
class KeypadPlan:
    """`timeout_ms` 0 = an entry ends at a delimiter only."""

    timeout_ms: int = 2_000
    delimiters: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Entry:
    """The keys of an entry without its delimiter, how many keys it takes, and when its last was pressed.

    `ends_pts_ms` = when it is over, None = with a key that has not been pressed yet.
    """

    text: str
    keys: int
    last_pts_ms: int
    ends_pts_ms: int | None


def next_entry(plan: KeypadPlan, keys: Sequence[Key]) -> Entry | None:
    """The first entry of `keys`; None when there are no keys. A delimiter alone is an entry of itself."""
    text = ""
    for index, key in enumerate(keys):
        if key.digit in plan.delimiters:
            return Entry(text or key.digit, index + 1, key.pts_ms, key.pts_ms)
        text += key.digit
        following = keys[index + 1] if index + 1 < len(keys) else None
        paused = plan.timeout_ms and following is not None and following.pts_ms - key.pts_ms >= plan.timeout_ms
        if following is None or paused:
            return Entry(text, index + 1, key.pts_ms, key.pts_ms + plan.timeout_ms if plan.timeout_ms else None)
    return None
