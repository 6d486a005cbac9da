"""From where to where a call is recorded, and what of it is missing, by its log. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from voxbus_audio import FRAME_MS
from voxbus_contracts.events import CallEnded, CallStarted, MediaAttached, MediaDetached
from voxbus_contracts.message import Message


@dataclass(frozen=True, slots=True)
class Span:
    """Slots of 20 ms: `start` is the answer, `end` the first one behind the call; `attached` = a caller was there."""

    start: int
    end: int
    attached: tuple[tuple[int, int], ...]

    @property
    def start_pts_ms(self) -> int:
        return self.start * FRAME_MS

    @property
    def duration_ms(self) -> int:
        return (self.end - self.start) * FRAME_MS

    def expected(self) -> frozenset[int]:
        """Slots for which there was a frame of the caller."""
        return frozenset(slot for first, last in self.attached for slot in range(first, last))


def span_of(messages: Iterable[Message | None], last_slot: int) -> Span | None:
    """The call's span; `last_slot` = the newest frame of the caller that is known. None = it was never answered.

    A detached transport says exactly where its last frame was. One that is still attached when the log ends had
    frames up to the newest that is known or the end of the call, whichever is earlier.
    """
    said = [message for message in messages if message is not None]
    started = next((each.pts_ms // FRAME_MS for each in said if isinstance(each, CallStarted)), None)
    if started is None:
        return None
    ended = max((each.pts_ms // FRAME_MS for each in said if isinstance(each, CallEnded)), default=last_slot + 1)
    attached = _attached(said, until=min(last_slot + 1, ended))
    end = max([last_slot + 1, started, *(last for _, last in attached)])
    clipped = tuple((max(first, started), last) for first, last in attached if last > started)
    return Span(started, end, clipped)


def missing(span: Span, caller_slots: Iterable[int]) -> frozenset[int]:
    """Slots of the caller's audio that nobody has."""
    return span.expected() - frozenset(caller_slots)


def _attached(messages: Iterable[Message], until: int) -> list[tuple[int, int]]:
    """Stretches with a transport; a newer attachment ends the one before it."""
    open_at: dict[int, int] = {}
    stretches: list[tuple[int, int]] = []
    for message in messages:
        if isinstance(message, MediaAttached):
            at = -(-message.pts_ms // FRAME_MS)
            stretches += [(first, at) for first in open_at.values()]
            open_at = {message.attachment: at}
        elif isinstance(message, MediaDetached) and message.attachment in open_at:
            stretches.append((open_at.pop(message.attachment), message.pts_ms // FRAME_MS))
    stretches += [(first, until) for first in open_at.values()]
    return [(first, last) for first, last in stretches if first < last]
