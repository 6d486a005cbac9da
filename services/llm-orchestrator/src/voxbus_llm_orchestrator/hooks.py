"""The assistant's hooks as the turn table reads them. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from voxbus_contracts.assistant import CONFIDENCE_THRESHOLD, Assistant
from voxbus_contracts.hook import LOW_CONFIDENCE, TIME_ELAPSED, Hook, HookAction, HookFilter
from voxbus_llm_orchestrator.state import CallState

HOOK: Final = "hook"
"""Source of what a hook has said, and how its causes begin."""

_ENDED_REASON: Final = "call.endedReason"
_DOUBT: Final = 0.2
"""A hook on low confidence leaves alone what is so far below the threshold: noise. The public API's default."""

ActKind = Literal["say", "prompt", "message", "tool", "end-call", "transfer"]


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to do. `texts` of a say, of which one is said; `text` of a prompt or message; `tool`: its name.

    `destination` of a transfer, as it was given."""

    kind: ActKind
    texts: tuple[str, ...] = ()
    text: str = ""
    role: str = "system"
    responds: bool = False
    tool: str = ""
    destination: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class HookPlan:
    """One hook. `after_ms` of silence or since the call's start; `reasons`: ends it is for, None = all."""

    on: str
    acts: tuple[Act, ...] = ()
    after_ms: int = 0
    at_most: int = 1
    is_reset_by_speech: bool = False
    doubt_from: float = 0
    doubt_below: float = 1
    reasons: tuple[str, ...] | None = None

    def is_for(self, reason: str) -> bool:
        """`pipeline-error` stands for every reason that begins with it."""
        return self.reasons is None or any(reason == each or reason.startswith(f"{each}-") for each in self.reasons)

    def doubts(self, confidence: float | None) -> bool:
        return confidence is not None and self.doubt_from <= confidence < self.doubt_below


def hooks_of(assistant: Assistant, variables: Mapping[str, Any]) -> tuple[HookPlan, ...]:
    """One for each of the assistant's hooks, in their order; one whose filters cannot hold on this call does nothing.

    `variables`: what filters may look at besides `call.endedReason`.
    """
    threshold = _threshold(assistant)
    return tuple(_hook(each, threshold, variables) for each in assistant.hooks)


def doubted_below(assistant: Assistant) -> float | None:
    """Confidence under which a transcript is not taken for what the caller said; None = no such limit was asked for."""
    hooks = [hook.options.confidence_max for hook in assistant.hooks if hook.on == LOW_CONFIDENCE]
    if not hooks and assistant.transcriber.confidence_threshold is None:
        return None
    return max((_threshold(assistant), *(each for each in hooks if each is not None)))


def _threshold(assistant: Assistant) -> float:
    given = assistant.transcriber.confidence_threshold
    return CONFIDENCE_THRESHOLD if given is None else given


def _hook(hook: Hook, threshold: float, variables: Mapping[str, Any]) -> HookPlan:
    options = hook.options
    is_timed = hook.on == TIME_ELAPSED
    seconds = (options.seconds or 0) if is_timed else options.timeout_seconds
    filters = [each for each in hook.filters if each.key != _ENDED_REASON]
    if not all(_holds(each, variables) for each in filters):
        return HookPlan(hook.on)
    return HookPlan(
        on=hook.on,
        acts=tuple(act for action in hook.do for act in _acts(action)),
        after_ms=round(seconds * 1000),
        at_most=options.trigger_max_count,
        is_reset_by_speech=options.trigger_reset_mode == "onUserSpeech",
        doubt_from=max(0.0, threshold - _DOUBT) if options.confidence_min is None else options.confidence_min,
        doubt_below=threshold if options.confidence_max is None else options.confidence_max,
        reasons=_reasons(hook),
    )


def _acts(action: HookAction) -> Iterator[Act]:
    tool, destination = action.called_tool, action.transfers_to
    if action.type == "say" and action.texts:
        yield Act("say", action.texts)
    elif action.type == "say" and action.prompt_text:
        yield Act("prompt", text=action.prompt_text)
    elif action.type == "message.add" and action.message is not None:
        responds = action.trigger_response_enabled
        yield Act("message", text=action.message.content, role=action.message.role, responds=responds)
    elif destination:
        yield Act("transfer", destination=destination)
    elif tool is not None:
        yield Act("end-call") if tool.type == "endCall" else Act("tool", tool=tool.name)


def _reasons(hook: Hook) -> tuple[str, ...] | None:
    """Several filters on the reason must hold together."""
    given = [{str(value) for value in each.one_of} for each in hook.filters if each.key == _ENDED_REASON]
    return tuple(sorted(set[str].intersection(*given))) if given else None


def _holds(filter_: HookFilter, variables: Mapping[str, Any]) -> bool:
    value: Any = variables
    for name in (filter_.key or "").split("."):
        value = value.get(name) if isinstance(value, Mapping) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return value is not None and any(str(value) == str(each) for each in filter_.one_of)  # pyright: ignore[reportUnknownArgumentType]


def is_tool_running(state: CallState) -> bool:
    return any(not tool.finished for tool in state.tools.values())
