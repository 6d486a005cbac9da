"""The parts of an assistant that the services act on; everything else is stored and echoed as it came.

Names, defaults and ranges are those of the public API (Vapi's), so a configuration moves over unchanged.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from voxbus_contracts.analysis import AnalysisPlan
from voxbus_contracts.api_model import ApiModel, Server
from voxbus_contracts.artifact import ArtifactPlan, CompliancePlan, RecordingFormat
from voxbus_contracts.chunking import ChunkPlan
from voxbus_contracts.hook import Hook
from voxbus_contracts.language import language_tag
from voxbus_contracts.monitor import MonitorPlan
from voxbus_contracts.script import Script
from voxbus_contracts.silence import KeypadInputPlan, MessagePlan
from voxbus_contracts.speaking import StartSpeakingPlan
from voxbus_contracts.stopping import StopSpeakingPlan
from voxbus_contracts.tool import Tool

FirstMessageMode = Literal[
    "assistant-speaks-first", "assistant-waits-for-user", "assistant-speaks-first-with-model-generated-message"
]

DEFAULT_CLIENT_MESSAGES = (
    "conversation-update",
    "function-call",
    "hang",
    "model-output",
    "speech-update",
    "status-update",
    "transfer-update",
    "transcript",
    "tool-calls",
    "user-interrupted",
    "voice-input",
    "workflow.node.started",
    "assistant.started",
)

DEFAULT_SERVER_MESSAGES = (
    "conversation-update",
    "end-of-call-report",
    "function-call",
    "hang",
    "speech-update",
    "status-update",
    "tool-calls",
    "transfer-destination-request",
    "handoff-destination-request",
    "user-interrupted",
    "assistant.started",
)


class ChatMessage(ApiModel):
    """One message of a prompt."""

    role: str
    content: str | None = None


class KnowledgeBase(ApiModel):
    """Documents the model is given before it answers; `custom-knowledge-base` asks the customer's server."""

    provider: str = ""
    server: Server | None = None


class Model(ApiModel):
    """Which language model answers. `vapi` = the platform's own: the scripted model."""

    provider: str = "vapi"
    model: str = "scripted"
    url: str | None = None
    headers: dict[str, str] = Field(default_factory=dict[str, str])
    messages: tuple[ChatMessage, ...] = ()
    tools: tuple[Tool, ...] = ()
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.5
    max_tokens: Annotated[int, Field(ge=50, le=10_000)] = 250
    timeout_seconds: Annotated[float, Field(ge=1, le=300)] = 20
    script: Script | None = None
    knowledge_base: KnowledgeBase | None = None
    fallback_models: tuple["str | StandInModel", ...] = ()

    @property
    def stand_ins(self) -> "tuple[Model, ...]":
        """Who answers when this one fails, in this order, with its prompt and tools."""
        return tuple(self._stand_in(each) for each in self.fallback_models)

    def _stand_in(self, other: "str | StandInModel") -> "Model":
        if isinstance(other, str):
            return self.model_copy(update={"model": other, "fallback_models": ()})
        chosen = other.model_dump(by_alias=True, exclude_unset=True)
        shared = {name: getattr(self, name) for name in ("messages", "tools", "knowledge_base")}
        like = {name: getattr(self, name) for name in ("temperature", "max_tokens", "timeout_seconds")}
        own = {name for name in like if name in other.model_fields_set}
        model = Model.model_validate(chosen)
        return model.model_copy(update=shared | {name: like[name] for name in like if name not in own})

    @property
    def knowledge_server(self) -> Server | None:
        """The customer's own, where the model is to be told what it knows."""
        base = self.knowledge_base
        is_custom = base is not None and base.provider == "custom-knowledge-base"
        return base.server if base is not None and is_custom else None


class StandInModel(ApiModel):
    """Another model in the place of one that fails; what it does not say is as the first has it."""

    provider: str
    model: str
    url: str | None = None
    headers: dict[str, str] = Field(default_factory=dict[str, str])
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.5
    max_tokens: Annotated[int, Field(ge=50, le=10_000)] = 250
    timeout_seconds: Annotated[float, Field(ge=1, le=300)] = 20
    script: Script | None = None


class WordLabel(BaseModel):
    """A word and where it is spoken in the caller's audio; what the position recognizer goes by."""

    model_config = ConfigDict(frozen=True)

    text: str
    start_ms: Annotated[int, Field(ge=0)]
    end_ms: Annotated[int, Field(ge=0)]


CONFIDENCE_THRESHOLD: Final = 0.4


class Transcriber(ApiModel):
    """Who recognizes speech. `vapi` = the platform's own: pocketsphinx, or position in tests."""

    provider: str = "vapi"
    model: str = "pocketsphinx"
    language: str = "en"
    labels: tuple[WordLabel, ...] = ()
    keyterm: tuple[str, ...] = Field(default=(), description="words and phrases to listen for")
    keyterms_prompt: tuple[str, ...] = Field(default=(), description="the same under the name other vendors use")
    keywords: tuple[str, ...] = Field(default=(), description="the same, each with `:boost` behind it or without")
    server: Server | None = None
    confidence_threshold: Annotated[float | None, Field(ge=0, le=1)] = None
    """Finals of which the recognizer is less sure are not taken for what was said; none = only hooks look at it, for
    which it is CONFIDENCE_THRESHOLD then."""
    fallback_plan: "TranscriberFallback | None" = None

    @property
    def stand_ins(self) -> "tuple[Transcriber, ...]":
        """Who takes over, in this order."""
        return self.fallback_plan.transcribers if self.fallback_plan else ()

    @property
    def expected_language(self) -> str | None:
        """The one the caller is said to speak; None where nobody said it, or said `multi`."""
        return language_tag(self.language) if "language" in self.model_fields_set else None


class TranscriberFallback(ApiModel):
    """Recognizers that take over, in this order."""

    transcribers: tuple[Transcriber, ...] = ()


class Voice(ApiModel):
    """Who speaks. `vapi` = the platform's own: espeak-ng or flite."""

    provider: str = "vapi"
    voice_id: str = "Elliot"
    speed: Annotated[float, Field(ge=0.25, le=4)] = 1.0
    server: Server | None = None
    sample_rate: Literal[8_000, 16_000, 22_050, 24_000, 44_100] = 24_000
    """Hz, of what a customer's own voice server sends."""
    chunk_plan: ChunkPlan | None = None
    fallback_plan: "VoiceFallback | None" = None

    @property
    def stand_ins(self) -> "tuple[Voice, ...]":
        """Who takes over, in this order."""
        return self.fallback_plan.voices if self.fallback_plan else ()


class VoiceFallback(ApiModel):
    """Voices that take over, in this order."""

    voices: tuple[Voice, ...] = ()


class Assistant(ApiModel):
    """An assistant as the API takes it; unknown fields are kept."""

    name: Annotated[str | None, Field(max_length=40)] = None
    first_message: str | None = None
    first_message_mode: FirstMessageMode = "assistant-speaks-first"
    first_message_interruptions_enabled: bool = False
    model: Model = Model()
    transcriber: Transcriber = Transcriber()
    voice: Voice = Voice()
    server: Server | None = None
    start_speaking_plan: StartSpeakingPlan = StartSpeakingPlan()
    stop_speaking_plan: StopSpeakingPlan = StopSpeakingPlan()
    max_duration_seconds: Annotated[float, Field(ge=10, le=43_200)] = 600
    silence_timeout_seconds: Annotated[float, Field(ge=5, le=3_600)] = 30
    end_call_message: Annotated[str | None, Field(max_length=1000)] = None
    voicemail_message: Annotated[str | None, Field(max_length=1000)] = None
    end_call_phrases: tuple[str, ...] = ()
    message_plan: MessagePlan = MessagePlan()
    hooks: tuple[Hook, ...] = ()
    keypad_input_plan: KeypadInputPlan = KeypadInputPlan()
    model_output_in_messages_enabled: bool = False
    """The model's history holds what it said, not what of it was heard."""
    client_messages: tuple[str, ...] = DEFAULT_CLIENT_MESSAGES
    server_messages: tuple[str, ...] = DEFAULT_SERVER_MESSAGES
    metadata: dict[str, Any] = Field(default_factory=dict[str, Any])
    analysis_plan: AnalysisPlan | None = None
    artifact_plan: ArtifactPlan | None = None
    compliance_plan: CompliancePlan | None = None
    monitor_plan: MonitorPlan | None = None
    recording_enabled: bool | None = None
    """Older name of artifactPlan.recordingEnabled, which counts if both are given."""
    hipaa_enabled: bool | None = None
    """Older name of compliancePlan.hipaaEnabled; either of them is enough."""

    @property
    def is_private(self) -> bool:
        """Nothing that is said may be stored."""
        plan = self.compliance_plan
        return bool(self.hipaa_enabled) or (plan is not None and plan.hipaa_enabled)

    @property
    def hook_tools(self) -> tuple[Tool, ...]:
        """What its hooks call; the model knows nothing of them."""
        return tuple(tool for hook in self.hooks for action in hook.do if (tool := action.called_tool) is not None)

    @property
    def recording_format(self) -> RecordingFormat:
        return self.artifact_plan.recording_format if self.artifact_plan is not None else "wav;l16"

    @field_validator("start_speaking_plan")
    @classmethod
    def _knows_whom_to_ask(cls, plan: StartSpeakingPlan, info: ValidationInfo) -> StartSpeakingPlan:
        smart, server = plan.smart, info.data.get("server")
        if smart is not None and smart.provider == "custom-endpointing-model":
            own = smart.server.url if smart.server else None
            if not own and not (server and server.url):
                raise ValueError("smartEndpointingPlan.server.url is required: the assistant has no server either")
        return plan
