"""How quick the answers were, in the public API's names, from turn.measured. Pure."""

from collections.abc import Sequence
from typing import Any, Final

from voxbus_contracts.events import ReplyInterrupted, TurnMeasured
from voxbus_control_api.past_events import PastEvent

_PARTS: Final = {
    "modelLatency": "model",
    "voiceLatency": "voice",
    "transcriberLatency": "recognition",
    "endpointingLatency": "endpointing",
}
"""Their name → ours. All parts, also those they have no name for, are in `voxbusTurns` and add up to `v2v_ms`."""


def performance_metrics(events: Sequence[PastEvent]) -> dict[str, Any]:
    """Empty when nothing was measured; ms."""
    by_turn = {event.message.turn: event.message for event in events if isinstance(event.message, TurnMeasured)}
    measured = list(by_turn.values())
    interrupted = sum(isinstance(event.message, ReplyInterrupted) for event in events)
    if not measured:
        return {"numAssistantInterrupted": interrupted} if interrupted else {}
    turns = [_turn(each) for each in measured]
    averages = {
        f"{name}Average": round(sum(turn[name] for turn in turns) / len(turns), 1) for name in (*_PARTS, "turnLatency")
    }
    return {
        "turnLatencies": turns,
        **averages,
        "numAssistantInterrupted": interrupted,
        "voxbusTurns": [{"turn": each.turn, "v2v_ms": each.v2v_ms, "parts": each.parts} for each in measured],
    }


def _turn(measured: TurnMeasured) -> dict[str, float]:
    named = {name: measured.parts.get(part, 0.0) for name, part in _PARTS.items()}
    return {**named, "turnLatency": measured.v2v_ms}
