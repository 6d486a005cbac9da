"""How quick the answers were, in the public API's names and in ours. Pure.

`turnLatencies`, their averages and the two counts of interruptions are the public API's; `voxbusTurns` holds every
turn's whole waterfall, whose parts add up to `v2v_ms`, and `voxbusTools` how long each tool took. Ours that theirs have
no name for (tools, sentence, bus, playout) are why their four do not add up to `turnLatency`. All in ms.
"""

from collections import defaultdict
from collections.abc import Sequence
from math import ceil
from typing import Any, Final

from voxbus_contracts.events import ReplyInterrupted, ToolFinished, TranscriptFinal, TurnCommitted, TurnMeasured
from voxbus_control_api.past_events import PastEvent

Json = dict[str, Any]

_PARTS: Final = {
    "modelLatency": "model",
    "voiceLatency": "voice",
    "transcriberLatency": "recognition",
    "endpointingLatency": "endpointing",
}
"""Their name → ours."""
_ORDERED: Final = ("told-to-say", "call-ended")


def performance_metrics(events: Sequence[PastEvent]) -> Json:
    """Empty when nothing was measured and nobody interrupted anybody. Transport latencies are not measured."""
    by_turn = {event.message.turn: event.message for event in events if isinstance(event.message, TurnMeasured)}
    measured = list(by_turn.values())
    counts = {
        "numUserInterrupted": _times_user_was_interrupted(events, by_turn),
        "numAssistantInterrupted": sum(_cut_the_assistant_off(event) for event in events),
    }
    tools = _tools(events)
    ours = {"voxbusTools": tools} if tools else {}
    if not measured:
        return {**counts, **ours} if ours or any(counts.values()) else {}
    turns = [_turn(each) for each in measured]
    averages = {
        f"{name}Average": round(sum(turn[name] for turn in turns) / len(turns), 1) for name in (*_PARTS, "turnLatency")
    }
    return {
        "turnLatencies": turns,
        **averages,
        **counts,
        "voxbusTurns": [each.model_dump(exclude_defaults=True) for each in measured],
        **ours,
    }


def _turn(measured: TurnMeasured) -> dict[str, float]:
    named = {name: measured.parts.get(part, 0.0) for name, part in _PARTS.items()}
    return {**named, "turnLatency": measured.v2v_ms}


def _cut_the_assistant_off(event: PastEvent) -> bool:
    """The assistant fell silent for the caller; not by an order from outside, nor by the end of the call."""
    return isinstance(event.message, ReplyInterrupted) and event.message.reason not in _ORDERED


def _times_user_was_interrupted(events: Sequence[PastEvent], measured: dict[int, TurnMeasured]) -> int:
    """Answers that began to sound while the caller was in the middle of words."""
    words = [
        (final.start_pts_ms, final.end_pts_ms)
        for final in (event.message for event in events)
        if isinstance(final, TranscriptFinal) and final.text.strip()
    ]
    count = 0
    for turn in (event.message for event in events):
        if isinstance(turn, TurnCommitted) and turn.turn in measured:
            began_ms = turn.anchor_pts_ms + measured[turn.turn].v2v_ms
            count += any(start < began_ms < end for start, end in words)
    return count


def _tools(events: Sequence[PastEvent]) -> list[Json]:
    durations: dict[str, list[int]] = defaultdict(list)
    for event in events:
        if isinstance(event.message, ToolFinished):
            durations[event.message.tool_name].append(event.message.duration_ms)
    return [
        {"name": name, "count": len(each), "p50_ms": _quantile(each, 0.5), "p95_ms": _quantile(each, 0.95)}
        for name, each in sorted(durations.items())
    ]


def _quantile(durations: list[int], share: float) -> int:
    """The least that `share` of them did not exceed."""
    return sorted(durations)[ceil(len(durations) * share) - 1]
