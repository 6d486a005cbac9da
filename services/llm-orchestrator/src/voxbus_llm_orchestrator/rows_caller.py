"""Rows about the end of the caller's turn."""

from voxbus_contracts.events import TurnCommitted
from voxbus_llm_orchestrator.decision import AskEndpointing, At, Decide, View
from voxbus_llm_orchestrator.endpointing import TurnSoFar, endpoint, rule_for
from voxbus_llm_orchestrator.plan import (
    ADVISED_WITHIN_MS,
    AWAIT_FINAL_MS,
)
from voxbus_llm_orchestrator.quiet import is_callers_turn
from voxbus_llm_orchestrator.speculation import answer_to
from voxbus_llm_orchestrator.turn_so_far import turn_so_far


def commit(view: View) -> Decide | At | None:
    """The caller is silent long enough and was understood: it is the assistant's turn."""
    state = view.state
    if not is_callers_turn(state) or not any(final.text for _, final in state.unconsumed):
        return None
    so_far = turn_so_far(state)
    anchor = so_far.ended_pts_ms
    wait = endpoint(view.plan.endpointing, so_far)
    needed = max(wait.ms, view.plan.wait_ms)
    until = anchor + max(needed, _await_ms(view, so_far))
    if view.now_ms < until:
        return At(until)
    waited = max(needed, view.now_ms - anchor)
    turn = state.next_turn
    guess = state.guess if state.awaits_final else ""  # the final it would become is not waited for any more
    committed = TurnCommitted(
        turn=turn,
        text=f"{so_far.text} {guess}".strip(),
        transcript_seqs=(*(seq for seq, _ in state.unconsumed), *((state.partial_seq,) if guess else ())),
        anchor_pts_ms=anchor,
        pts_ms=view.now_ms,
        reason=wait.reason,
        endpointing_ms=needed,
        recognition_ms=waited - needed,
    )
    return Decide("silence-after-final", (committed, answer_to(view, turn, committed.text, anchor)))


def ask_endpointing_server(view: View) -> Decide | None:
    """The customer's own endpointing server is to say how long to wait after these words."""
    state, plan = view.state, view.plan.endpointing
    if not plan.asks_server or not is_callers_turn(state) or state.awaits_final:
        return None
    seq = state.latest_words
    if not seq or seq in state.advice or seq == view.advising or rule_for(plan, turn_so_far(state)) is not None:
        return None
    return Decide("endpointing-server-asked", (AskEndpointing(seq),))


def _await_ms(view: View, so_far: TurnSoFar) -> int:
    """After the last voiced sample: how long answers of others, who are still thinking, are waited for."""
    state, plan = view.state, view.plan.endpointing
    if state.awaits_final:
        return AWAIT_FINAL_MS
    unadvised = plan.asks_server and state.latest_words not in state.advice and rule_for(plan, so_far) is None
    return ADVISED_WITHIN_MS if unadvised else 0
