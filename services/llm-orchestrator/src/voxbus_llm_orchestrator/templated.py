"""An assistant whose texts are templates, with them filled in. Pure."""

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel

from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig
from voxbus_contracts.hook import HookAction
from voxbus_contracts.tool import Tool
from voxbus_runtime.templates import filled, variables_of

M = TypeVar("M", bound=BaseModel)


def with_templates(assistant: Assistant, config: CallConfig, taken: Mapping[str, Any]) -> Assistant:
    """Prompts, first and last message, idle messages, hooks' words and tools' messages; `taken`: from tools' answers.

    "now" is when the call was made, so that a prompt stays the same while the call lives. Scripts are left alone: their
    placeholders are their own.
    """
    fill = partial(filled, variables={**variables_of(config), **taken}, now_ms=config.created_at_ms)
    model = assistant.model
    prompts = tuple(_with(message, fill, "content") for message in model.messages)
    tools = tuple(_with_tool(tool, fill) for tool in model.tools)
    plan = _with(assistant.message_plan, fill, "idle_messages", "silence_timeout_message")
    hooks = tuple(
        hook.model_copy(update={"do": tuple(_with_action(each, fill) for each in hook.do)}) for hook in assistant.hooks
    )
    told = _with(assistant, fill, "first_message", "end_call_message", "voicemail_message")
    return told.model_copy(
        update={
            "model": model.model_copy(update={"messages": prompts, "tools": tools}),
            "message_plan": plan,
            "hooks": hooks,
        }
    )


def _with(model: M, fill: Any, *names: str) -> M:
    """A list stays a tuple; what is not there stays away."""
    found = {name: getattr(model, name) for name in names}
    changed = {name: fill(value) for name, value in found.items() if value}
    return model.model_copy(
        update={name: tuple(value) if isinstance(value, list) else value for name, value in changed.items()}
    )


def _with_tool(tool: Tool, fill: Any) -> Tool:
    if not tool.messages:
        return tool
    messages = tuple(
        _with(message, fill, "content").model_copy(
            update={"contents": tuple(_with(each, fill, "text") for each in message.contents)}
        )
        for message in tool.messages
    )
    return tool.model_copy(update={"messages": messages})


def _with_action(action: HookAction, fill: Any) -> HookAction:
    message = action.message and _with(action.message, fill, "content")
    return _with(action, fill, "exact", "prompt").model_copy(update={"message": message})
