"""Which epoch of each stage still counts. Pure."""


class Fence:
    """Highest epoch seen per stage; everything of a lower one is ignored.

    An epoch is only ever used by the worker that won it, so seeing a higher one anywhere (a claim, an event, a frame)
    proves that the lower ones are over.
    """

    __slots__ = ("_current",)

    def __init__(self) -> None:
        self._current: dict[str, int] = {}

    def current(self, stage: str) -> int:
        """0 = nobody seen yet."""
        return self._current.get(stage, 0)

    def accepts(self, stage: str, epoch: int) -> bool:
        """Takes note of `epoch`; False when it is over."""
        current = self._current.get(stage, 0)
        if epoch > current:
            self._current[stage] = epoch
            return True
        return epoch == current
