"""How often a running call's cost is told. Pure; times in ms of any clock that only grows."""

from voxbus_contracts import CallRef


class Pacing:
    """Lets a call's cost through at most once in `every_ms`; what is held back is due later and never forgotten."""

    def __init__(self, every_ms: int) -> None:
        self._every_ms = every_ms
        self._told_ms: dict[CallRef, int] = {}
        self._due_ms: dict[CallRef, int] = {}

    def may_tell(self, ref: CallRef, now_ms: int, *, at_once: bool = False) -> bool:
        """Whether to tell it now; if not, it is due later. `at_once` = whatever was told before."""
        self._told_ms = {each: at for each, at in self._told_ms.items() if now_ms - at < self._every_ms}
        if ref in self._told_ms and not at_once:
            self._due_ms.setdefault(ref, self._told_ms[ref] + self._every_ms)
            return False
        self._due_ms.pop(ref, None)
        self._told_ms[ref] = now_ms
        return True

    def take_due(self, now_ms: int) -> list[CallRef]:
        """Calls that are owed and may be told now; each is given once."""
        due = [ref for ref, at in self._due_ms.items() if at <= now_ms]
        for ref in due:
            del self._due_ms[ref]
            self._told_ms[ref] = now_ms
        return due

    @property
    def next_due_ms(self) -> int | None:
        """When the next is due; None = nothing is owed."""
        return min(self._due_ms.values(), default=None)
