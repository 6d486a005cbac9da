"""An assistant's plans for what surrounds the conversation: artifacts, analysis, monitoring, noise, compliance."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from voxbus_contracts.analysis import AnalysisPlan, KeyedDataPlan, StructuredDataPlan, StructuredOutput
from voxbus_contracts.api_model import ApiModel
from voxbus_contracts.artifact import ArtifactPlan, CompliancePlan
from voxbus_control_api.schemas.fields import Json, JsonSchema
from voxbus_control_api.schemas.json_schema import checked_schema


class TranscriptPlan(ApiModel):
    """Whether there is a transcript, and whose names stand in it."""

    enabled: bool = True
    assistant_name: str = "AI"
    user_name: str = "User"


class OutputBody(StructuredOutput):
    """A structured output that is given with the call."""

    @field_validator("schema_")
    @classmethod
    def _is_a_schema(cls, schema: Any) -> Any:
        return checked_schema(schema)


class ArtifactPlanBody(ArtifactPlan):
    """What is kept of a call."""

    recording_use_custom_storage_enabled: bool = True
    recording_path: str | None = None
    video_recording_enabled: bool = False
    pcap_enabled: bool = True
    pcap_s3_path_prefix: str | None = None
    pcap_use_custom_storage_enabled: bool = True
    logging_enabled: bool = True
    logging_use_custom_storage_enabled: bool = True
    logging_path: str | None = None
    full_message_history_enabled: bool = False
    transcript_plan: TranscriptPlan | None = None
    structured_output_ids: tuple[str, ...] = ()
    structured_outputs: tuple[OutputBody, ...] = ()  # pyright: ignore[reportIncompatibleVariableOverride]
    scorecard_ids: tuple[str, ...] = ()
    scorecards: tuple[Json, ...] = ()


class DataPlanBody(StructuredDataPlan):
    """What was said, as data."""

    schema_: Annotated[JsonSchema | None, AfterValidator(checked_schema), Field(alias="schema")] = None


class KeyedDataPlanBody(KeyedDataPlan):
    """One of several questions for data."""

    plan: DataPlanBody  # pyright: ignore[reportIncompatibleVariableOverride]  # the same, checked


class AnalysisPlanBody(AnalysisPlan):
    """What is asked about a call that is over."""

    structured_data_plan: DataPlanBody | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    structured_data_multi_plan: tuple[KeyedDataPlanBody, ...] = ()  # pyright: ignore[reportIncompatibleVariableOverride]
    outcome_ids: tuple[str, ...] = ()


class SmartDenoisingPlan(ApiModel):
    """A model takes background speech away."""

    enabled: bool = True


class FourierDenoisingPlan(ApiModel):
    """Quiet parts of the spectrum are taken away; dB, ms, percent."""

    enabled: bool = False
    media_detection_enabled: bool = True
    static_threshold: Annotated[float, Field(ge=-80, le=0)] = -35
    baseline_offset_db: Annotated[float, Field(ge=-30, le=-5)] = -15
    window_size_ms: Annotated[float, Field(ge=1000, le=30_000)] = 3000
    baseline_percentile: Annotated[float, Field(ge=1, le=99)] = 85


class DenoisingPlan(ApiModel):
    """Against noise around the caller."""

    smart_denoising_plan: SmartDenoisingPlan | None = None
    fourier_denoising_plan: FourierDenoisingPlan | None = None


class SecurityFilterPlan(ApiModel):
    """Words of the caller that could mislead the model."""

    enabled: bool = False
    filters: tuple[Json, ...] = ()
    mode: Literal["sanitize", "reject", "replace"] = "sanitize"
    replacement_text: str = "[FILTERED]"


class CompliancePlanBody(CompliancePlan):
    """What must not be kept, and what must be agreed to."""

    pci_enabled: bool = False
    security_filter_plan: SecurityFilterPlan | None = None
    recording_consent_plan: Json | None = None


class ObservabilityPlan(ApiModel):
    """Where traces of the model's work go besides."""

    provider: str = "langfuse"
    tags: tuple[str, ...] = ()
    metadata: Json | None = None


class TransportConfiguration(ApiModel):
    """Settings of the carrier."""

    provider: str = "twilio"
    timeout: Annotated[float, Field(ge=1, le=600)] = 60
    record: bool = False
    recording_channels: Literal["mono", "dual"] = "mono"


class VoicemailBackoff(ApiModel):
    """How often it is checked who answered."""

    start_at_seconds: Annotated[float, Field(ge=0)] = 5
    frequency_seconds: Annotated[float, Field(ge=2.5)] = 5
    max_retries: Annotated[float, Field(ge=1, le=10)] = 6


class VoicemailPlan(ApiModel):
    """How an answering machine is told from a person. The reference's pages differ on the longest wait: 30 or 60 s."""

    provider: str = "vapi"
    type: Literal["audio", "transcript"] | None = None
    enabled: bool = True
    beep_max_await_seconds: Annotated[float, Field(ge=0, le=60)] = 30
    backoff_plan: VoicemailBackoff | None = None
    voicemail_detection_types: tuple[str, ...] = ()
    machine_detection_timeout: Annotated[float | None, Field(ge=3, le=59)] = None
    machine_detection_speech_threshold: Annotated[float | None, Field(ge=1000, le=6000)] = None
    machine_detection_speech_end_threshold: Annotated[float | None, Field(ge=500, le=5000)] = None
    machine_detection_silence_timeout: Annotated[float | None, Field(ge=2000, le=10_000)] = None
