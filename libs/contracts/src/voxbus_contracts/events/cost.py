"""What a call uses and what that costs. Amounts are decimal strings: no float ever holds money."""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from voxbus_contracts.message import Event

Unit = Literal[
    "ms",
    "characters",
    "prompt_tokens",
    "completion_tokens",
    "cached_prompt_tokens",
    "reasoning_tokens",
    "prompt_audio_tokens",
    "completion_audio_tokens",
    "messages",
]
"""`cached_prompt_tokens` are part of the `prompt_tokens`, `reasoning_tokens` of the `completion_tokens`."""

Item = Literal[
    "transport", "transcriber", "model", "voice", "analysis", "knowledge-base", "voicemail-detection", "chat"
]
"""What is used. The platform's own minutes (`vapi` in the costs) are the transport's, told by nobody."""

AnalysisPurpose = Literal["summary", "structuredData", "successEvaluation", "structuredOutput"]


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

    item: Item
    provider: str
    model: str = ""
    unit: Unit
    quantity: int = Field(ge=0, le=1_000_000_000)
    purpose: AnalysisPurpose | None = Field(default=None, description="of an item `analysis`: what it was for")
    wasted: bool = Field(default=False, description="it went into an answer that was prepared and not given")


class CostRow(BaseModel):
    """One entry of the call's `costs`, in the public API's words."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    cost: str


class CostUpdated(Event, name="cost.updated", owner="billing"):
    """The call's cost so far; a higher `version` replaces the lower.

    Amounts in US dollars, exact to 12 decimals; `total` is the exact sum of the rows. `wasted` of the breakdown is the
    part of it that went into answers nobody got.
    """

    example: ClassVar = {
        "version": 3,
        "rows": [{"type": "voice", "cost": "0", "characters": 27}],
        "breakdown": {"tts": "0", "total": "0", "ttsCharacters": 27},
        "total": "0",
        "ended": True,
        "price_version": "base@5f3a9c1e",
    }

    version: int = Field(ge=1)
    rows: tuple[CostRow, ...]
    breakdown: dict[str, Any]
    total: str
    ended: bool = Field(description="call.ended has been seen")
    price_version: str = Field(default="", description="name and digest of the prices that hold for the call")


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
