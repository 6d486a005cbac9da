"""The row that tells how long the caller waited."""

from voxbus_contracts.events import TurnMeasured
from voxbus_llm_orchestrator.decision import Decide, View
from voxbus_llm_orchestrator.latency import is_settled, measured_turn
from voxbus_llm_orchestrator.state import CallState

_TURNS_BACK = 3
"""An answer that has not sounded by the third turn after its own never will."""


def measure(view: View) -> Decide | None:
    """An answer sounds, and no tool's result is still to follow: its latency is known, and its parts."""
    for number in _unmeasured(view.state):
        if is_settled(view.state, number) and (measured := measured_turn(view.state, number)) is not None:
            return Decide("measured", (measured,))
    return None


def measured_so_far(state: CallState) -> tuple[TurnMeasured, ...]:
    """When the call ends: turns that sounded and of which something was still awaited."""
    known = (measured_turn(state, number) for number in _unmeasured(state))
    return tuple(measured for measured in known if measured is not None)


def _unmeasured(state: CallState) -> list[int]:
    return [number for number in sorted(state.turns)[-_TURNS_BACK:] if not state.turns[number].measured]
