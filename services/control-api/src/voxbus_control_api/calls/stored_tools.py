"""Tools that an assistant or its hooks only name by their ids become tools of the call. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from voxbus_control_api.errors import BadRequest
from voxbus_control_api.overrides import Json, with_tools


def tool_ids(assistants: Iterable[Json]) -> list[str]:
    """All ids that any of these assistants or overrides names, each once."""
    return list(dict.fromkeys(tool_id for each in assistants for _place, tool_id in _named(each)))


def with_stored_tools(assistant: Json, tools: Mapping[str, Json], field: str) -> Json:
    """The assistant with the tools it names behind those it has, in the order of their ids.

    Raises BadRequest naming every id below `field` that is no tool's.
    """
    named = list(_named(assistant))
    unknown = [place for place, tool_id in named if tool_id not in tools]
    if unknown:
        raise BadRequest(*(f"{field}.{place} must be the id of a tool" for place in unknown))
    once = dict.fromkeys(tool_id for _place, tool_id in _of_model(assistant))
    out = with_tools(assistant, [{**tools[tool_id], "id": tool_id} for tool_id in once])
    return {**out, "hooks": [_with_tool(hook, tools) for hook in out["hooks"]]} if _of_hooks(assistant) else out


def _with_tool(hook: Any, tools: Mapping[str, Json]) -> Any:
    """The hook with the tool in the place of its id."""
    if not isinstance(hook, dict):
        return hook
    actions = [
        {**action, "tool": {**tools[tool_id], "id": tool_id}} if (tool_id := _tool_id(action)) else action
        for action in _list(hook.get("do"))
    ]
    return {**hook, "do": actions}


def _tool_id(action: Any) -> str:
    tool_id = action.get("toolId") if isinstance(action, dict) and not action.get("tool") else None
    return tool_id if isinstance(tool_id, str) else ""


def _named(assistant: Json) -> list[tuple[str, str]]:
    """Place and id of every tool that is only named."""
    return [*_of_model(assistant), *_of_hooks(assistant)]


def _of_hooks(assistant: Json) -> list[tuple[str, str]]:
    return [
        (f"hooks.{index}.do.{place}.toolId", tool_id)
        for index, hook in enumerate(_list(assistant.get("hooks")))
        if isinstance(hook, dict)
        for place, action in enumerate(_list(hook.get("do")))
        if (tool_id := _tool_id(action))
    ]


def _of_model(assistant: Json) -> Iterator[tuple[str, str]]:
    """`model.toolIds`, then `model.toolRefs`."""
    model: Any = assistant.get("model")
    if not isinstance(model, dict):
        return
    for index, tool_id in enumerate(_list(model.get("toolIds"))):
        if isinstance(tool_id, str):
            yield f"model.toolIds.{index}", tool_id
    for index, ref in enumerate(_list(model.get("toolRefs"))):
        if isinstance(ref, dict) and isinstance(ref.get("toolId"), str):
            yield f"model.toolRefs.{index}.toolId", ref["toolId"]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
