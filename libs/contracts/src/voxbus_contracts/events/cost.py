"""What a call uses and what that costs. Amounts are decimal strings: no float ever holds money."""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from voxbus_contracts.message import Event

Unit = Literal["ms", "characters", "prompt_tokens", "completion_tokens", "cached_prompt_tokens"]


class UsageRecorded(
    Event, name="usage.recorded", owner=("media-ingress", "stt-worker", "llm-orchestrator", "tts-worker")
):
    """A stage used something; counted once by its event id."""

    example: ClassVar = {
        "item": "voice",
        "provider": "vapi",
        "model": "espeak-ng",
        "unit": "characters",
        "quantity": 27,
    }

    item: Literal["transport", "transcriber", "model", "voice", "vapi"]
    provider: str
    model: str = ""
    unit: Unit
    quantity: int = Field(ge=0)
    wasted: bool = Field(default=False, description="it went into an answer that was prepared and not given")


class CostRow(BaseModel):
    """One entry of the call's `costs`, in the public API's words."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    cost: str


class CostUpdated(Event, name="cost.updated", owner="billing"):
    """The call's cost so far; a higher `version` replaces the lower."""

    example: ClassVar = {
        "version": 3,
        "rows": [{"type": "voice", "cost": "0", "characters": 27}],
        "breakdown": {"tts": "0", "total": "0", "ttsCharacters": 27},
        "total": "0",
        "ended": True,
    }

    version: int = Field(ge=1)
    rows: tuple[CostRow, ...]
    breakdown: dict[str, Any]
    total: str
    ended: bool = Field(description="call.ended has been seen")


class BudgetWarned(Event, name="budget.warned", owner="billing"):
    """A call or organisation nears its limit."""

    example: ClassVar = {"scope": "call", "limit": "1.00", "spent": "0.80"}

    scope: str
    limit: str
    spent: str


class BudgetExceeded(Event, name="budget.exceeded", owner="billing"):
    """A call or organisation is over its limit."""

    example: ClassVar = {"scope": "call", "limit": "1.00", "spent": "1.01"}

    scope: str
    limit: str
    spent: str
