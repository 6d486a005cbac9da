"""Hooks of the assistant."""

from typing import ClassVar

from pydantic import Field

from voxbus_contracts.message import Event, PtsMs


class HookTriggered(Event, name="hook.triggered", owner="llm-orchestrator"):
    """The occasion of a hook has come; what it does is logged behind this with `trigger:<number>` as the cause."""

    example: ClassVar = {
        "trigger": "hook:0:reply-2",
        "hook": 0,
        "on": "assistant.speech.interrupted",
        "reply": 2,
        "pts_ms": 4240,
    }

    trigger: str = Field(description="hook:<place among the hooks>:<occasion>[@<handoffs>]; comes once")
    hook: int = Field(ge=0, description="its place among the assistant's hooks")
    on: str
    reply: int = Field(default=0, ge=0, description="the reply it is about; 0 = none")
    handoffs: int = Field(default=0, ge=0, description="how often the call was handed on before: whose hooks are meant")
    pts_ms: PtsMs
    passed_over: str = Field(default="", description="why nothing is done: tool-running")
    end_reason: str = Field(default="", description="of call.ending: why the call ends")
    end_message: str | None = None
