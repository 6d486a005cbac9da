"""The stored events of a call, put into the order in which they count. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from voxbus_contracts.message import Message
from voxbus_runtime.fence import Fence


@dataclass(frozen=True, slots=True)
class PastEvent:
    """One stored event. `number` counts a producer's events, 0 = not numbered; times in ms since the epoch."""

    event_id: str
    stream_seq: int
    stage: str
    epoch: int
    number: int
    occurred_at_ms: int
    message: Message


def in_order(events: Iterable[PastEvent]) -> list[PastEvent]:
    """Stream order, none twice, none of an epoch that was over; retries of one producer put right by number."""
    fence = Fence()
    seen: set[str] = set()
    kept: list[PastEvent] = []
    for event in sorted(events, key=lambda each: each.stream_seq):
        if event.event_id in seen or (event.number and not fence.accepts(event.stage, event.epoch)):
            continue
        seen.add(event.event_id)
        kept.append(event)
    return _by_number(kept)


def _by_number(events: list[PastEvent]) -> list[PastEvent]:
    """Each producer keeps its places in the stream and fills them in the order of its numbers."""
    of_producer: dict[tuple[str, int], list[PastEvent]] = defaultdict(list)
    for event in events:
        if event.number:
            of_producer[event.stage, event.epoch].append(event)
    queues = {producer: iter(sorted(own, key=lambda each: each.number)) for producer, own in of_producer.items()}
    return [next(queues[event.stage, event.epoch]) if event.number else event for event in events]
