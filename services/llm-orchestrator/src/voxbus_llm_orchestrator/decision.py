"""What a row of the table sees, and what it may answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from voxbus_contracts.message import Command, Event
from voxbus_llm_orchestrator.plan import Plan
from voxbus_llm_orchestrator.state import CallState


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens a request to the model has used so far; an estimate until the model has told."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


NOTHING_SPENT: Final = Spent()


@dataclass(frozen=True, slots=True)
class View:
    """The state, and what only the running process knows: the time, its model request, whether the line's owner lives.

    `asking` = reply the model is being asked for right now, 0 = none; `spent`: by that request. `advising` = transcript
    about which the customer's endpointing server was asked last. `line_lost_pts_ms` = since when media-ingress has
    given no sign of life. `is_deaf` = the bus may have been saying things for a while that were not heard here.
    `is_catching_up` = media-ingress gives no sign of life, or did not until just now: what the caller said meanwhile is
    still to be heard.
    """

    state: CallState
    plan: Plan
    now_ms: int
    asking: int = 0
    line_lost_pts_ms: int | None = None
    advising: int = 0
    spent: Spent = NOTHING_SPENT
    is_deaf: bool = False
    is_catching_up: bool = False


@dataclass(frozen=True, slots=True)
class AskModel:
    """Effect: have the model answer this reply."""

    reply: int


@dataclass(frozen=True, slots=True)
class DropModel:
    """Effect: abort the model's request."""


@dataclass(frozen=True, slots=True)
class AskEndpointing:
    """Effect: ask the customer's endpointing server how long to wait after this transcript."""

    transcript_seq: int


Out = Event | Command | AskModel | DropModel | AskEndpointing


@dataclass(frozen=True, slots=True)
class Decide:
    """Do this now, in this order: everything logged before it takes effect.

    `rescue`: kind of help without which the line would have stayed silent.
    """

    reason: str
    outs: tuple[Out, ...]
    rescue: str = ""


@dataclass(frozen=True, slots=True)
class At:
    """Nothing yet; ask me again at this time of the audio clock, ms."""

    pts_ms: int


@dataclass(frozen=True, slots=True)
class OnlyAt(At):
    """Nothing else is decided before then."""


Row = Callable[[View], Decide | At | None]
