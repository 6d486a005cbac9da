"""Where a call may go: to a number, a SIP address, or another assistant. Names and defaults are the public API's."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from voxbus_contracts.api_model import ApiModel
from voxbus_contracts.variables import VariableExtractionPlan

FIRST: Final = "0"
"""Key of the assistant that began the call; the others of its configuration are `1`, `2`, …"""

TRANSFER_MESSAGE: Final = "Transferring the call now"
"""Said before a transfer whose destination says nothing else."""

ContextType = Literal["all", "lastNMessages", "userAndAssistantMessages", "previousAssistantMessages", "none"]
TransferMode = Literal[
    "rolling-history",
    "swap-system-message-in-history",
    "swap-system-message-in-history-and-remove-transfer-tool-messages",
    "delete-history",
]


class ContextPlan(ApiModel):
    """What of the conversation so far the next assistant's model is told."""

    type: ContextType = "all"
    max_messages: Annotated[int | None, Field(ge=0, le=10_000)] = None


class TransferPlan(ApiModel):
    """How a call leaves for somebody outside."""

    mode: str = "blind-transfer"


class Destination(ApiModel):
    """`type` is number, sip, assistant, squad or dynamic; the other fields belong to one of them.

    `member` is the key of an assistant in the call's configuration: set when the call is made, not by customers.
    """

    type: str
    number: str | None = None
    sip_uri: str | None = None
    assistant_name: str | None = None
    assistant_id: str | None = None
    message: Any = None
    description: str | None = None
    transfer_plan: TransferPlan | None = None
    transfer_mode: TransferMode | None = None
    context_engineering_plan: ContextPlan | None = None
    variable_extraction_plan: VariableExtractionPlan | None = None
    member: str = ""

    @property
    def address(self) -> str:
        """Of somebody outside; empty for an assistant."""
        return self.number or self.sip_uri or ""

    @property
    def spoken(self) -> str | None:
        """What is said before; "" = nothing, None = it does not say."""
        message = self.message
        if isinstance(message, dict):
            message = message.get("content")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return message if isinstance(message, str) else None

    @property
    def context(self) -> str:
        """The name of its context mode; a legacy destination keeps everything, prompts too."""
        if self.context_engineering_plan is not None:
            return self.context_engineering_plan.type
        return self.transfer_mode or "all"
