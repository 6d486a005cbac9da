"""A turn's waiting as a picture of bars, each part where the one before it ended. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_COLUMNS: Final = 48
_LEAST_MS: Final = 0.5
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of the waiting, ms since the caller fell silent."""

    part: str
    start_ms: float
    ms: float


def bars(parts: Mapping[str, float]) -> list[Bar]:
    """Parts in the order they came, those that took no time left out."""
    found: list[Bar] = []
    at_ms = 0.0
    for part, ms in parts.items():
        if ms >= _LEAST_MS:
            found.append(Bar(part, at_ms, ms))
        at_ms += ms
    return found


def picture(turn: Mapping[str, Any]) -> list[str]:
    """Lines of text: the turn's total, its bars; then the same for the answer after a tool, when there was one."""
    lines = [f"turn {turn['turn']}: answered after {turn['v2v_ms']:.0f} ms", *_drawn(turn["parts"], turn["v2v_ms"])]
    answer_ms = turn.get("answer_ms")
    if answer_ms is not None:
        lines.append(f"turn {turn['turn']}: answered with the tool's result after {answer_ms:.0f} ms")
        lines += _drawn(turn.get("answer_parts") or {}, answer_ms)
    return lines


def _drawn(parts: Mapping[str, float], total_ms: float) -> list[str]:
    scale = _COLUMNS / max(1.0, total_ms)
    return [
        f"  {bar.part:<11} {bar.ms:6.0f} ms  {' ' * int(bar.start_ms * scale)}{_block(bar.ms * scale)}"
        for bar in bars(parts)
    ]


def _block(columns: float) -> str:
    whole, eighths = divmod(max(1, round(columns * 8)), 8)
    return "█" * whole + _EIGHTHS[eighths].strip()
