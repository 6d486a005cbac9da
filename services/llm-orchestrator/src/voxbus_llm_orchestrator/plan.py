"""The assistant's plans as the turn table reads them: numbers on the audio clock, ms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from voxbus_contracts.api_model import Server
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig, Verdict
from voxbus_contracts.offering import mcp_tools
from voxbus_contracts.tool import RemoteTool
from voxbus_llm_orchestrator.endpointing import ByEvidence, Endpointing, FixedSilence, endpointing_of
from voxbus_llm_orchestrator.hooks import HookPlan, doubted_below, hooks_of
from voxbus_llm_orchestrator.keypad import KeypadPlan
from voxbus_llm_orchestrator.moving import Moving
from voxbus_llm_orchestrator.phrases import DEFAULT_PHRASES, Phrases, phrases_of
from voxbus_llm_orchestrator.tool_lines import PLATFORMS_OWN, ToolPlan, tool_plan
from voxbus_runtime.templates import variables_of

DECIDE_WITHIN_MS: Final = 500
"""A possible interruption is decided by then: by words, or by speech that still goes on."""

AWAIT_FINAL_MS: Final = 3_000
"""A recognizer that has not answered by then is not waited for any more."""

ADVISED_WITHIN_MS: Final = 1_500
"""After the last voiced sample: the customer's endpointing server is not waited for any longer."""

NOT_UNDERSTOOD_AFTER_MS: Final = 1_200
NOT_UNDERSTOOD_VOICED_MS: Final = 600
"""Speech this long of which nothing was understood is answered with a question; shorter noise is not."""

MODEL_PATIENCE_MS: Final = 8_000
"""A model that has said nothing for this long is asked once more, unless the assistant sets `model.timeoutSeconds`."""

KNOWLEDGE_WITHIN_S: Final = 10.0
"""A knowledge server's own `timeoutSeconds` only counts below this; the caller hears fillers meanwhile."""

TOOL_TIMEOUT_MS: Final = 20_000
"""A server's limit where it sets none; the public API's default."""

TOOL_ROUNDS_AT_MOST: Final = 10
"""How often the model may go on to call tools without a word of the caller's; then the answer has failed."""


@dataclass(frozen=True, slots=True)
class Idle:
    """What to say after the caller's silence: one of the texts in turn."""

    after_ms: int
    at_most: int
    is_reset_by_speech: bool = False
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Speculating:
    """Whether answers are prepared in the caller's pauses, in which language, and how much of it may be in vain."""

    enabled: bool = True
    max_wasted_tokens: int = 20_000
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the table needs to know of the assistant and the call."""

    endpointing: Endpointing = field(default_factory=Endpointing)
    speculating: Speculating = field(default_factory=Speculating)
    language: str | None = None
    """The caller is said to speak; None = nobody said it."""
    wait_ms: int = 400
    voice_ms: int = 200
    num_words: int = 0
    backoff_ms: int = 1_000
    phrases: Phrases = DEFAULT_PHRASES
    max_duration_ms: int = 600_000
    silence_timeout_ms: int = 30_000
    resume_window_ms: int = 10_000
    first_message: str = ""
    first_message_mode: str = "assistant-speaks-first"
    first_message_interruptible: bool = False
    end_call_message: str = ""
    end_call_phrases: tuple[str, ...] = ()
    silence_timeout_message: str = ""
    idle: Idle | None = None
    hooks: tuple[HookPlan, ...] = ()
    doubted_below: float | None = None
    model_provider: str = "vapi"
    stand_ins: int = 0
    """How many models there are to answer when the first one fails."""
    voice_provider: str = "vapi"
    model_patience_ms: int = MODEL_PATIENCE_MS
    tool_timeouts_ms: Mapping[str, int] = field(default_factory=dict[str, int])
    tool_plans: Mapping[str, ToolPlan] = field(default_factory=dict[str, ToolPlan])
    tool_rounds_at_most: int = TOOL_ROUNDS_AT_MOST
    mcp_tools: tuple[int, ...] = ()
    """Which of the assistant's mcp tools there are, from 0."""
    remote_tools: Mapping[str, RemoteTool] = field(default_factory=dict[str, RemoteTool])
    end_call_tool: str = ""
    """Name of the tool that ends the call; empty = there is none."""
    voicemail_message: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What templates know, as far as plans hold some that are looked at later."""
    created_at_ms: int = 0
    keypad: KeypadPlan | None = None
    moving: Moving = field(default_factory=Moving)
    verdict: Verdict | None = None
    """No assistant takes the call: this is said and done instead."""

    def tool_timeout_ms(self, name: str) -> int:
        """How long a tool may take, by its server's limit."""
        return self.tool_timeouts_ms.get(name, TOOL_TIMEOUT_MS)

    def tool_plan(self, name: str) -> ToolPlan:
        """What is said about a tool."""
        return self.tool_plans.get(name, PLATFORMS_OWN)


def plan_of(config: CallConfig, end_silence_ms: int | None, spoken: str | None = None) -> Plan:
    """`end_silence_ms`: a fixed silence that ends a turn in place of the evidence, where no plan says otherwise.

    `spoken`: the language the caller was heard to speak.
    """
    assistant = config.assistant
    language = spoken or assistant.transcriber.language
    judge = ByEvidence(language=language) if end_silence_ms is None else FixedSilence(end_silence_ms)
    start, stop = assistant.start_speaking_plan, assistant.stop_speaking_plan
    return Plan(
        endpointing=endpointing_of(start, judge),
        speculating=Speculating(start.speculation.enabled, start.speculation.max_wasted_tokens, language),
        language=assistant.transcriber.expected_language,
        wait_ms=round(start.wait_seconds * 1000),
        voice_ms=round(stop.voice_seconds * 1000),
        num_words=stop.num_words,
        backoff_ms=round(stop.backoff_seconds * 1000),
        phrases=phrases_of(stop.acknowledgement_phrases, stop.interruption_phrases),
        max_duration_ms=round(assistant.max_duration_seconds * 1000),
        silence_timeout_ms=round(assistant.silence_timeout_seconds * 1000),
        resume_window_ms=config.resume_window_ms,
        first_message=(assistant.first_message or "").strip(),
        first_message_mode=assistant.first_message_mode,
        first_message_interruptible=assistant.first_message_interruptions_enabled,
        end_call_message=(assistant.end_call_message or "").strip(),
        end_call_phrases=tuple(phrase for phrase in assistant.end_call_phrases if phrase.strip()),
        silence_timeout_message=(assistant.message_plan.silence_timeout_message or "").strip(),
        idle=_idle_of(assistant),
        hooks=hooks_of(assistant, variables_of(config)) if assistant.hooks else (),
        doubted_below=doubted_below(assistant),
        model_provider=assistant.model.provider,
        stand_ins=len(assistant.model.fallback_models),
        voice_provider=assistant.voice.provider,
        model_patience_ms=_patience_ms(assistant),
        tool_timeouts_ms=_tool_timeouts_ms(config),
        tool_plans={tool.name: tool_plan(tool, language) for tool in assistant.model.tools},
        mcp_tools=tuple(range(len(mcp_tools(assistant.model.tools)))),
        remote_tools={tool.name: tool.remote for tool in assistant.model.tools if tool.remote},
        end_call_tool=next((tool.name for tool in assistant.model.tools if tool.type == "endCall"), ""),
        voicemail_message=(assistant.voicemail_message or "").strip(),
        variables=variables_of(config),
        created_at_ms=config.created_at_ms,
        keypad=_keypad_of(assistant),
        verdict=config.verdict,
    )


def knowledge_limit_s(server: Server) -> float:
    """How long the customer's own knowledge may take."""
    return min(KNOWLEDGE_WITHIN_S, server.timeout_seconds)


def _patience_ms(assistant: Assistant) -> int:
    """What the model is told before is not its own time."""
    model, knows = assistant.model, assistant.model.knowledge_server
    looked_up_ms = round(knowledge_limit_s(knows) * 1000) if knows else 0
    own_ms = round(model.timeout_seconds * 1000) if "timeout_seconds" in model.model_fields_set else MODEL_PATIENCE_MS
    return own_ms + looked_up_ms


def _tool_timeouts_ms(config: CallConfig) -> dict[str, int]:
    """A request's limit is its own; everything else's is its server's."""
    assistant, found = config.assistant, dict[str, int]()
    shared = assistant.server or (config.message_server.server if config.message_server else None)
    for tool in (*assistant.hook_tools, *assistant.model.tools):
        server = tool.server or (shared if tool.type == "function" else None)
        if tool.type == "apiRequest":
            found[tool.name] = round(tool.timeout_seconds * 1000)
        elif server:
            found[tool.name] = round(server.timeout_seconds * 1000)
    return found


def _idle_of(assistant: Assistant) -> Idle | None:
    plan = assistant.message_plan
    texts = tuple(text.strip() for text in plan.idle_messages if text.strip())
    if not texts:
        return None
    return Idle(
        after_ms=round(plan.idle_timeout_seconds * 1000),
        at_most=plan.idle_message_max_spoken_count,
        is_reset_by_speech=plan.idle_message_reset_count_on_user_speech_enabled,
        texts=texts,
    )


def _keypad_of(assistant: Assistant) -> KeypadPlan | None:
    plan = assistant.keypad_input_plan
    return KeypadPlan(round(plan.timeout_seconds * 1000), plan.marks) if plan.enabled else None
