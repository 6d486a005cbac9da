"""The log files of the stack's processes: rotated by size when a process starts, and their last lines."""

from pathlib import Path
from typing import Final

ROTATE_AT_BYTES: Final = 10 * 1024 * 1024
KEPT_OLD: Final = 3
_TAIL_BYTES: Final = 16_384


def rotate(path: Path, at_bytes: int = ROTATE_AT_BYTES) -> None:
    """Moves a log that has grown to `at_bytes` aside: `vad.log` → `vad.log.1` … `vad.log.3`; the oldest goes."""
    if not path.exists() or path.stat().st_size < at_bytes:
        return
    for number in range(KEPT_OLD - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    path.replace(path.with_name(f"{path.name}.1"))


def last_lines(path: Path, count: int, since_byte: int = 0) -> list[str]:
    """The last lines of a log, those written before `since_byte` left out; empty when there is none."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(min(since_byte, size), size - _TAIL_BYTES))
        text = file.read().decode(errors="replace")
    return [line for line in text.splitlines() if line.strip()][-count:]
