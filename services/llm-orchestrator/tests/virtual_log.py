"""What becomes of a virtual call's log when it is read again, or arrives in another order."""

import random

from virtual_call import Entry

from voxbus_llm_orchestrator.apply import apply
from voxbus_llm_orchestrator.state import CallState


def fold(log: list[Entry]) -> CallState:
    state = CallState()
    for entry in log:
        state = apply(state, entry.message, entry.event_id)
    return state


def shuffled(log: list[Entry], seed: int) -> list[Entry]:
    """Another order of arrival; each producer's messages keep theirs."""
    rng = random.Random(seed)
    queues: dict[str, list[Entry]] = {}
    for entry in log:
        queues.setdefault(entry.producer, []).append(entry)
    out: list[Entry] = []
    while queues:
        producer = rng.choice(sorted(queues))
        out.append(queues[producer].pop(0))
        if not queues[producer]:
            del queues[producer]
    return out
