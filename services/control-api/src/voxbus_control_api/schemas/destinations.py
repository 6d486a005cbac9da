"""Where a call can be taken: numbers, SIP addresses, other assistants, squads."""

from typing import Annotated, Any

from pydantic import Field

from voxbus_contracts.api_model import ApiModel
from voxbus_control_api.schemas.fields import Json, SipUri
from voxbus_control_api.schemas.tool_messages import VariableExtractionPlan


class TransferPlan(ApiModel):
    """How the call is handed over; `mode` is one of the reference's or an older name of it."""

    mode: str = "blind-transfer"
    message: str | Json | None = None
    timeout: Annotated[float | None, Field(ge=1, le=600)] = None
    sip_verb: str | Json | None = None
    dial_timeout: Annotated[float | None, Field(ge=1, le=600)] = None
    hold_audio_url: str | None = None
    twiml: Annotated[str | None, Field(max_length=4096)] = None
    summary_plan: Json | None = None
    fallback_plan: Json | None = None
    context_engineering_plan: Json | None = None


class Destination(ApiModel):
    """`type` is number, sip, assistant, squad or dynamic; the others belong to one of them."""

    type: str
    message: str | Json | None = None
    description: str | None = None
    name: str | None = None
    number: Annotated[str | None, Field(max_length=40)] = None
    number_e164_check_enabled: bool = True
    extension: Annotated[str | None, Field(max_length=10)] = None
    caller_id: Annotated[str | None, Field(max_length=40)] = None
    sip_uri: SipUri | None = None
    sip_headers: Json | None = None
    transfer_plan: TransferPlan | None = None
    transfer_mode: str | None = None
    assistant_name: str | None = None
    assistant_id: str | None = None
    assistant: Json | None = None
    assistant_overrides: Json | None = None
    squad_id: str | None = None
    squad: Json | None = None
    entry_assistant_name: str | None = None
    context_engineering_plan: dict[str, Any] | None = None
    variable_extraction_plan: VariableExtractionPlan | None = None
