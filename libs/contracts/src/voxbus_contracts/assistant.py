"""The parts of an assistant that the services act on; everything else is stored and echoed as it came.

Names, defaults and ranges are those of the public API (Vapi's), so a configuration moves over unchanged.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from voxbus_contracts.script import Script

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


class _ApiModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True)


class Server(_ApiModel):
    """A customer's address that receives messages."""

    url: str | None = None
    timeout_seconds: Annotated[float, Field(ge=1, le=300)] = 20
    headers: dict[str, str] = {}
    secret: str | None = None


class FunctionSchema(_ApiModel):
    """What the model is told about a function."""

    name: Annotated[str, Field(max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
    description: str = ""
    parameters: dict[str, Any] = {}


class Tool(_ApiModel):
    """Something the model can call; `function` and `endCall` act today, other types are stored."""

    type: str
    function: FunctionSchema | None = None
    server: Server | None = None
    is_async: Annotated[bool, Field(alias="async")] = False

    @property
    def name(self) -> str:
        return self.function.name if self.function else self.type


class ChatMessage(_ApiModel):
    """One message of a prompt."""

    role: str
    content: str | None = None


class Model(_ApiModel):
    """Which language model answers. `vapi` = the platform's own: the scripted model."""

    provider: str = "vapi"
    model: str = "scripted"
    url: str | None = None
    headers: dict[str, str] = {}
    messages: tuple[ChatMessage, ...] = ()
    tools: tuple[Tool, ...] = ()
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


class Transcriber(_ApiModel):
    """Who recognizes speech. `vapi` = the platform's own: pocketsphinx, or position in tests."""

    provider: str = "vapi"
    model: str = "pocketsphinx"
    language: str = "en"
    labels: tuple[WordLabel, ...] = ()


class Voice(_ApiModel):
    """Who speaks. `vapi` = the platform's own: espeak-ng or flite."""

    provider: str = "vapi"
    voice_id: str = "Elliot"
    speed: Annotated[float, Field(ge=0.25, le=4)] = 1.0


class TranscriptionEndpointingPlan(_ApiModel):
    """How long a silence ends the turn, by the look of the transcript, s."""

    on_punctuation_seconds: Annotated[float, Field(ge=0, le=3)] = 0.1
    on_no_punctuation_seconds: Annotated[float, Field(ge=0, le=3)] = 1.5
    on_number_seconds: Annotated[float, Field(ge=0, le=3)] = 0.5


class StartSpeakingPlan(_ApiModel):
    """When the assistant may start."""

    wait_seconds: Annotated[float, Field(ge=0, le=5)] = 0.4
    transcription_endpointing_plan: TranscriptionEndpointingPlan = TranscriptionEndpointingPlan()


class StopSpeakingPlan(_ApiModel):
    """When the assistant must stop."""

    num_words: Annotated[int, Field(ge=0, le=10)] = 0
    voice_seconds: Annotated[float, Field(ge=0, le=0.5)] = 0.2
    backoff_seconds: Annotated[float, Field(ge=0, le=10)] = 1.0


class Assistant(_ApiModel):
    """An assistant as the API takes it; unknown fields are kept."""

    name: Annotated[str | None, Field(max_length=40)] = None
    first_message: str | None = None
    first_message_mode: FirstMessageMode = "assistant-speaks-first"
    first_message_interruptions_enabled: bool = False
    model: Model = Model()
    transcriber: Transcriber = Transcriber()
    voice: Voice = Voice()
    start_speaking_plan: StartSpeakingPlan = StartSpeakingPlan()
    stop_speaking_plan: StopSpeakingPlan = StopSpeakingPlan()
    max_duration_seconds: Annotated[float, Field(ge=10, le=43_200)] = 600
    silence_timeout_seconds: Annotated[float, Field(ge=5, le=3_600)] = 30
    end_call_message: Annotated[str | None, Field(max_length=1000)] = None
    end_call_phrases: tuple[str, ...] = ()
    server: Server | None = None
    client_messages: tuple[str, ...] = DEFAULT_CLIENT_MESSAGES
    metadata: dict[str, Any] = {}
