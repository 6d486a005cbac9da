"""An assistant with everything the public API has for it, older spellings too; all of it is optional."""

from typing import Annotated, Any, Literal

from pydantic import Field

from voxbus_contracts.assistant import Assistant
from voxbus_control_api.schemas.fields import Json, Sentence, Url
from voxbus_control_api.schemas.hooks import HookBody
from voxbus_control_api.schemas.language_model import ModelBody
from voxbus_control_api.schemas.plans import (
    AnalysisPlanBody,
    ArtifactPlanBody,
    CompliancePlanBody,
    DenoisingPlan,
    ObservabilityPlan,
    TransportConfiguration,
    VoicemailPlan,
)
from voxbus_control_api.schemas.server import ServerBody
from voxbus_control_api.schemas.tools import ToolBody
from voxbus_control_api.schemas.transcriber import TranscriberBody
from voxbus_control_api.schemas.voice import VoiceBody


class AssistantBody(Assistant):
    """An assistant as it is posted."""

    model: ModelBody = ModelBody()  # pyright: ignore[reportIncompatibleVariableOverride]
    transcriber: TranscriberBody = TranscriberBody()  # pyright: ignore[reportIncompatibleVariableOverride]
    voice: VoiceBody = VoiceBody()  # pyright: ignore[reportIncompatibleVariableOverride]
    server: ServerBody | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    hooks: tuple[HookBody, ...] = ()  # pyright: ignore[reportIncompatibleVariableOverride]
    customer_join_timeout_seconds: Annotated[float, Field(ge=1, le=60)] = 15
    background_sound: Literal["off", "office"] | Url | None = None
    background_speech_denoising_plan: DenoisingPlan | None = None
    voicemail_message: Sentence | None = None
    voicemail_detection: Literal["off"] | VoicemailPlan | None = None
    analysis_plan: AnalysisPlanBody | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    artifact_plan: ArtifactPlanBody | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    transport_configurations: tuple[TransportConfiguration, ...] = ()
    credentials: tuple[dict[str, Any], ...] = ()
    credential_ids: tuple[str, ...] = ()
    compliance_plan: CompliancePlanBody | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    observability_plan: ObservabilityPlan | None = None

    server_url: Url | None = Field(default=None, description="older spelling of server.url")
    server_url_secret: str | None = Field(default=None, description="older spelling of server.secret")
    background_denoising_enabled: bool | None = Field(default=None, description="older spelling")
    backchanneling_enabled: bool | None = Field(default=None, description="older spelling")
    end_call_function_enabled: bool | None = Field(default=None, description="older spelling of the tool endCall")


class OverridesBody(AssistantBody):
    """The same fields, laid over an assistant."""

    variable_values: Json | None = None
    tools_append: Annotated[tuple[ToolBody, ...], Field(alias="tools:append")] = ()
