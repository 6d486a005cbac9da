"""The row that takes what the caller typed on the keypad."""

from voxbus_contracts.events import ReplyStarted, TurnCommitted
from voxbus_llm_orchestrator.decision import At, Decide, View
from voxbus_llm_orchestrator.keypad import next_entry
from voxbus_llm_orchestrator.quiet import may_be_broken_off
from voxbus_llm_orchestrator.saying import give_up

KEYPAD_ENTRY = "User's Keypad Entry: "
"""How the public API words it for the model."""


def take_keys(view: View) -> Decide | At | None:
    """An entry is complete: it is the caller's turn, and it breaks off what the assistant says."""
    state, plan = view.state, view.plan.keypad
    entry = next_entry(plan, state.keys[state.keys_taken :]) if plan and state.started else None
    if entry is None or entry.ends_pts_ms is None:
        return None
    if view.now_ms < entry.ends_pts_ms:
        return At(entry.ends_pts_ms)
    if state.open_replies:
        begun = any(reply.given_up_pts_ms is None for _, reply in state.open_replies)
        return Decide("keys-pressed", give_up(view, "keys-pressed")) if begun and may_be_broken_off(state) else None
    turn = state.next_turn
    committed = TurnCommitted(
        turn=turn,
        text=KEYPAD_ENTRY + entry.text,
        transcript_seqs=(),
        keys=entry.keys,
        anchor_pts_ms=entry.last_pts_ms,
        pts_ms=view.now_ms,
        reason="keypad",
        endpointing_ms=entry.ends_pts_ms - entry.last_pts_ms,
        recognition_ms=view.now_ms - entry.ends_pts_ms,
    )
    started = ReplyStarted(reply=state.next_reply, turn=turn, source="model", pts_ms=view.now_ms)
    return Decide("keypad-entry", (committed, started))
