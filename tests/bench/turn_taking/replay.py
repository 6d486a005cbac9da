"""A call's events through the real turn table, in virtual time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from listening import Timed
from scenes import AFTER_END_MS, NUMBERS, Call, Scene
from virtual_call import VirtualCall

from voxbus_contracts.events import TurnCommitted
from voxbus_llm_orchestrator.decision import AskModel, Out
from voxbus_llm_orchestrator.end_of_turn import Policy
from voxbus_llm_orchestrator.endpointing import ByEvidence, Endpointing, FixedSilence, Judge
from voxbus_llm_orchestrator.plan import Plan

QUESTION: Final = "What is your phone number?"
"""What the assistant says before each number; on other calls it only says yes."""

RESUMED_MS: Final = 100
"""The vad has heard by then that a hold is over; until then a commit is a cut-off."""

EARLY_MS: Final = 400
"""A commit this long before the labelled end is still the end's: labels and vad differ on where voice stops."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A pause inside a turn, and whether the turn was committed in it."""

    source: str
    call: str
    length_ms: int
    was_cut: bool


@dataclass(frozen=True, slots=True)
class End:
    """The end of a turn and how long after its last voiced sample it was committed; None = never."""

    source: str
    call: str
    delay_ms: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the holds and ends of some calls."""

    holds: tuple[Hold, ...]
    ends: tuple[End, ...]
    commits: int
    model_starts: int


class CountingCall(VirtualCall):
    """Counts how often the model is asked."""

    def __init__(self, plan: Plan, question: str) -> None:
        super().__init__(plan, [[question]] * 100 if question else None)
        self.model_starts = 0

    def carry_out(self, outs: list[Out]) -> None:
        self.model_starts += sum(isinstance(out, AskModel) for out in outs)
        super().carry_out(outs)


def by_evidence(threshold: float) -> Judge:
    """The default judgement at another threshold."""
    return ByEvidence(policy=Policy(threshold=threshold))


def by_silence(silence_ms: int) -> Judge:
    """The same silence after every text, to compare with."""
    return FixedSilence(silence_ms)


def run(calls: Sequence[tuple[Call, Sequence[Timed]]], judge: Judge) -> Outcome:
    """All the calls, each from its beginning to its end; the assistant speaks shortly after each turn."""
    holds: list[Hold] = []
    ends: list[End] = []
    commits = starts = 0
    for call, events in calls:
        question = QUESTION if call.turns[0][1].source == NUMBERS else ""
        plan = Plan(
            endpointing=Endpointing(judge=judge),
            wait_ms=0,
            first_message=question,
            silence_timeout_ms=3_600_000,
        )
        virtual = CountingCall(plan, question)
        virtual.attach()
        for at_ms, producer, event in events:
            virtual.happens(at_ms, producer, event)
        virtual.run(len(call.samples) // 16 + 1_000)
        committed = [turn.pts_ms for turn in virtual.said(TurnCommitted)]  # type: ignore[attr-defined]
        commits += len(committed)
        starts += virtual.model_starts
        for at_ms, scene in call.turns:
            judged = judged_turn(call.name, scene, [pts_ms - at_ms for pts_ms in committed])
            holds += judged[0]
            ends.append(judged[1])
    return Outcome(tuple(holds), tuple(ends), commits, starts)


def judged_turn(call: str, scene: Scene, committed_ms: Sequence[int]) -> tuple[list[Hold], End]:
    """The holds and the end of one turn, given when turns were committed, ms from the scene's start."""
    holds = [
        Hold(scene.source, call, stop - start, any(start < at <= stop + RESUMED_MS for at in committed_ms))
        for start, stop in scene.holds
    ]
    last_hold_ms = max((stop + RESUMED_MS for _, stop in scene.holds), default=0)
    from_ms, upto_ms = max(scene.end_ms - EARLY_MS, last_hold_ms), scene.end_ms + AFTER_END_MS
    first = next((at for at in sorted(committed_ms) if from_ms < at < upto_ms), None)
    return holds, End(scene.source, call, None if first is None else max(0, first - scene.end_ms))
