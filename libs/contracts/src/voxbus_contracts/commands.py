"""Orders on a call, each with one consumer that acts on it. Stored beside the events.

Utterances are numbered; cancel and clear mean "all ≤ n", so order between subjects does not matter.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from voxbus_contracts.analysis import StructuredOutput
from voxbus_contracts.destination import FIRST
from voxbus_contracts.message import Command, Personal, PersonalText, UtteranceSeq
from voxbus_contracts.tool import RemoteTool

Control = Literal["mute-assistant", "unmute-assistant", "mute-customer", "unmute-customer", "say-first-message"]
Role = Literal["system", "user", "assistant"]

_CONTROLLERS = ("media-ingress", "control-api", "llm-orchestrator")


class SaySentence(Command, name="speech.say", owner="llm-orchestrator", consumer="tts-worker"):
    """Say a sentence. media-ingress reads it too: for the reflex and the anchor of v2v."""

    example: ClassVar = {
        "utterance_seq": 3,
        "reply": 2,
        "turn": 1,
        "text": "It ships on Friday.",
        "anchor_pts_ms": 2860,
        "reflex": "pause",
        "min_voiced_ms": 200,
    }

    utterance_seq: UtteranceSeq
    reply: int
    turn: int
    text: PersonalText
    anchor_pts_ms: int | None = Field(default=None, description="only the first sentence of an answer has one")
    reflex: Literal["none", "pause"] = "pause"
    interruptible: bool = Field(default=True, description="words may end it, even where the reflex does not pause it")
    min_voiced_ms: int = Field(default=200, ge=0, description="speech this long pauses playback")
    hold: bool = Field(default=False, description="not to be heard before a reply.started names it in `utterances`")
    asked_pts_ms: int | None = Field(default=None, description="first sentence only: when the model was asked")
    pts_ms: int = Field(default=0, ge=0, description="when it was ordered, on the audio clock")
    repeats: int = Field(default=0, ge=0, description="the utterance it says again, as that was not heard; 0 = none")
    not_before_pts_ms: int = Field(default=0, ge=0, description="must not begin to sound earlier on the audio clock")
    model_ms: int = Field(default=0, ge=0, description="first sentence only: model asked → first token")
    sentence_ms: int = Field(default=0, ge=0, description="first sentence only: first token → sentence complete")
    keys: PersonalText = Field(default="", description="tones of these keys in place of words; w and W are pauses")


class CancelSpeech(Command, name="speech.cancel", owner="llm-orchestrator", consumer="tts-worker"):
    """Stop making audio of all utterances up to a number."""

    example: ClassVar = {"up_to_utterance_seq": 4}

    up_to_utterance_seq: int


class ClearPlayback(Command, name="playback.clear", owner="llm-orchestrator", consumer="media-ingress"):
    """Throw away all utterances up to a number, at once and for good."""

    example: ClassVar = {"up_to_utterance_seq": 4, "reply": 2, "pts_ms": 4220, "reason": "caller-spoke"}

    up_to_utterance_seq: int = Field(ge=0)
    reply: int = Field(default=0, ge=0, description="replies up to this one are given up; 0 = none is")
    pts_ms: int = Field(default=0, ge=0, description="the decision, on the audio clock")
    reason: str = ""


class PausePlayback(Command, name="playback.pause", owner="llm-orchestrator", consumer="media-ingress"):
    """Be quiet and keep the rest."""

    example: ClassVar = {"reason": "caller-speaks"}

    reason: str = ""


class ResumePlayback(Command, name="playback.resume", owner="llm-orchestrator", consumer="media-ingress"):
    """Go on with the next sample."""

    example: ClassVar = {"reason": "nothing-said", "speech_seq": 3}

    reason: str = ""
    speech_seq: int = Field(default=0, ge=0, description="the stretch of speech that turned out not to interrupt")


class RunTool(Command, name="tool.run", owner="llm-orchestrator", consumer="tool-runner"):
    """Run a tool of the assistant; the answer is tool.finished with the same id."""

    example: ClassVar = {
        "tool_call_id": "call_2_1",
        "tool_name": "order_status",
        "arguments": {"order": "4711"},
        "timeout_ms": 20000,
    }

    tool_call_id: str
    tool_name: str
    arguments: Annotated[dict[str, Any], Field(json_schema_extra=Personal)]
    timeout_ms: int = Field(default=20_000, ge=100)
    variables: Annotated[dict[str, Any], Field(json_schema_extra=Personal)] = Field(
        default={}, description="what earlier tools' answers were asked for; templates of the tool know them"
    )
    member: str = Field(default=FIRST, description="key of the assistant whose tool it is")
    remote: RemoteTool | None = Field(default=None, description="of a tool that an MCP server has")


class DiscoverTools(Command, name="tool.discover", owner="llm-orchestrator", consumer="tool-runner"):
    """Ask an MCP server which tools it has; the answer is tool.discovered."""

    example: ClassVar = {"tool": 0, "pts_ms": 0}

    tool: int = Field(ge=0, description="which of the assistant's mcp tools, from 0")
    member: str = Field(default=FIRST, description="key of the assistant whose tool it is")
    pts_ms: int = Field(default=0, ge=0, description="when it was ordered, on the audio clock")


class EndCall(Command, name="call.end", owner=_CONTROLLERS, consumer="llm-orchestrator"):
    """End the call."""

    example: ClassVar = {"reason": "customer-ended-call"}

    reason: str
    message: str | None = Field(default=None, description="what to do about it, for a person: call.ended says it")


class SayOnCall(Command, name="call.say", owner=_CONTROLLERS, consumer="llm-orchestrator"):
    """Say a given text as the assistant."""

    example: ClassVar = {"content": "One moment please."}

    content: PersonalText
    end_call_after_spoken: bool = False
    interruptions_enabled: bool = True
    interrupt_assistant: bool = False


class AddMessage(Command, name="call.add-message", owner=_CONTROLLERS, consumer="llm-orchestrator"):
    """Put a message into the conversation."""

    example: ClassVar = {"role": "system", "content": "The caller is a premium customer.", "trigger_response": True}

    role: Role
    content: PersonalText
    trigger_response: bool = True


class ControlCall(Command, name="call.control", owner=_CONTROLLERS, consumer="llm-orchestrator"):
    """Mute, unmute, or say the first message again; media-ingress reads the mutes."""

    example: ClassVar = {"control": "mute-assistant"}

    control: Control


class TransferCall(Command, name="call.transfer", owner=_CONTROLLERS, consumer="llm-orchestrator"):
    """Hand the caller to somebody outside, or to another assistant."""

    example: ClassVar = {"destination": {"type": "number", "number": "+14155550123"}, "content": "I connect you."}

    destination: Annotated[dict[str, Any], Field(json_schema_extra=Personal)] = Field(
        description="as in the public API; secrets of an assistant in it are sealed"
    )
    content: Annotated[str | None, Field(json_schema_extra=Personal)] = Field(
        default=None, description="said before; none = the destination's message, empty = nothing"
    )


class HandOffCall(Command, name="call.handoff", owner=_CONTROLLERS, consumer="llm-orchestrator"):
    """Have another assistant go on with the call."""

    example: ClassVar = {"destination": {"type": "assistant", "assistantName": "billing"}}

    destination: Annotated[dict[str, Any], Field(json_schema_extra=Personal)] = Field(
        description="as in the public API; secrets of an assistant in it are sealed"
    )
    content: Annotated[str | None, Field(json_schema_extra=Personal)] = Field(
        default=None, description="said before; none and empty = nothing"
    )


class FindDestination(Command, name="destination.find", owner="llm-orchestrator", consumer="control-api"):
    """Find out where the call goes: by the customer's server, or what an assistant's id stands for.

    The answer is destination.resolved with the same cause.
    """

    example: ClassVar = {"cause": "call_2_1", "request": "handoff", "tool_name": "handoff", "timeout_ms": 20000}

    cause: str = Field(description="tool call id, or event id of the command")
    request: Literal["transfer", "handoff"]
    tool_name: str = Field(default="", description="the tool whose server is asked first")
    member: str = Field(default=FIRST, description="key of the assistant that speaks")
    parameters: Annotated[dict[str, Any], Field(json_schema_extra=Personal)] = Field(
        default={}, description="arguments the model gave"
    )
    destination: Annotated[dict[str, Any], Field(json_schema_extra=Personal)] = Field(
        default={}, description="look this up and ask nobody"
    )
    timeout_ms: int = Field(default=20_000, ge=100)
    pts_ms: int = Field(default=0, ge=0, description="when it was asked, on the audio clock")


class AnalyseCall(Command, name="analysis.run", owner="control-api", consumer="llm-orchestrator"):
    """Read structured outputs out of a call of the past; the answers are analysis.made with the same `run`."""

    example: ClassVar = {
        "run": "7c9e6679",
        "outputs": [{"id": "o-1", "name": "order", "schema": {"type": "integer"}}],
        "model": {"provider": "openai", "model": "gpt-4.1"},
        "messages": [{"role": "user", "content": "where is order 4711"}],
    }

    run: str
    outputs: tuple[StructuredOutput, ...]
    model: dict[str, Any] = Field(description="of the call's assistant, secrets sealed; an output may have its own")
    messages: Annotated[tuple[dict[str, Any], ...], Field(json_schema_extra=Personal)]
    ended_reason: str = ""
    is_preview: bool = Field(default=False, description="the call's record stays as it is")


ALL_COMMANDS: tuple[type[Command], ...] = (
    SaySentence,
    CancelSpeech,
    ClearPlayback,
    PausePlayback,
    ResumePlayback,
    RunTool,
    DiscoverTools,
    EndCall,
    SayOnCall,
    AddMessage,
    ControlCall,
    AnalyseCall,
    TransferCall,
    HandOffCall,
    FindDestination,
)
