"""How far the messages to one target of a call have come, and what is to be done with the next. Pure.

A message is sent when the one before it was delivered or given up. What fails is sent again as the server's plan says;
after a message was given up, those behind it get one try each until one is delivered, so that a dead server's
messages do not pile up behind retries.
"""

import json
from dataclasses import dataclass, replace
from typing import Final, Literal

from voxbus_contracts.api_model import BackoffPlan

_LONGEST_DELAY_MS: Final = 300_000
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
OWN_PLAN: Final = BackoffPlan(type="exponential", max_retries=3, base_delay_seconds=1)
"""Where the server has none: only for no answer and for `_PASSING`; a plan of its own counts for every other answer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one try. `status` 0 = no answer; `code` says why, empty = it was delivered; some codes are final."""

    status: int = 0
    code: str = ""
    is_final: bool = False

    @property
    def is_delivered(self) -> bool:
        return not self.code


@dataclass(frozen=True, slots=True)
class Lane:
    """`settled_seq` is the last message that was delivered or given up, of `settled` so far.

    `tried_seq`, `attempts` and `due_ms` are of the one behind it. Sequences are those of DELIVERIES; times in ms since
    the epoch.
    """

    settled_seq: int = 0
    settled: int = 0
    is_failing: bool = False
    tried_seq: int = 0
    attempts: int = 0
    due_ms: int = 0

    def payload(self) -> bytes:
        fields = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(fields).encode()

    @classmethod
    def read(cls, payload: bytes) -> "Lane":
        found = json.loads(payload)
        return cls(**{name: found[name] for name in cls.__slots__ if name in found})


Step = Literal["settled", "wait", "rest", "send"]


def next_step(lane: Lane, seq: int, previous_seq: int, now_ms: int) -> Step:
    """What to do with a message: it is over, one before it is not, it rests until `due_ms`, it is to be sent."""
    if seq <= lane.settled_seq:
        return "settled"
    if previous_seq > lane.settled_seq:
        return "wait"
    if lane.tried_seq == seq and now_ms < lane.due_ms:
        return "rest"
    return "send"


Verdict = Literal["delivered", "again", "dead"]


def after_try(lane: Lane, seq: int, outcome: Outcome, plan: BackoffPlan | None, now_ms: int) -> tuple[Lane, Verdict]:
    """The lane after a message was tried."""
    if outcome.is_delivered:
        return Lane(settled_seq=seq, settled=lane.settled + 1), "delivered"
    attempts = (lane.attempts if lane.tried_seq == seq else 0) + 1
    if lane.is_failing or not may_be_tried_again(outcome, plan) or attempts > (plan or OWN_PLAN).max_retries:
        return Lane(seq, lane.settled + 1, is_failing=True, tried_seq=seq, attempts=attempts), "dead"
    delay_ms = delay_after(attempts, plan or OWN_PLAN)
    return replace(lane, tried_seq=seq, attempts=attempts, due_ms=now_ms + delay_ms), "again"


def delay_after(attempts: int, plan: BackoffPlan) -> int:
    """Ms until the next try after `attempts` (from 1): always the same, or doubling from the base, to 5 minutes."""
    base_ms = plan.base_delay_seconds * 1000
    kind = plan.type if isinstance(plan.type, str) else plan.type.get("type", "fixed")
    factor = 2 ** (attempts - 1) if kind == "exponential" else 1
    return min(_LONGEST_DELAY_MS, round(base_ms * factor))


def may_be_tried_again(outcome: Outcome, plan: BackoffPlan | None) -> bool:
    """By the server's plan, or by the platform's where it has none."""
    if outcome.is_final:
        return False
    if plan is None:
        return not outcome.status or outcome.status in _PASSING
    return outcome.status not in _excluded(plan)


def _excluded(plan: BackoffPlan) -> set[int]:
    codes = (each.get("code") if isinstance(each, dict) else each for each in plan.excluded_status_codes)
    return {int(code) for code in codes if isinstance(code, int | float)}
