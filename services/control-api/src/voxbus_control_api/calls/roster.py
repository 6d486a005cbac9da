"""Whom a call may be handed to, and which destination of which tool means whom. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as made_by
from typing import Any, Final

from voxbus_contracts.destination import FIRST
from voxbus_control_api.overrides import Json, with_tools

MOST_MEMBERS: Final = 50
_TRANSFER: Final = "transferCall"
_MOVING: Final = frozenset({_TRANSFER, "handoff"})
_IDENTITY: Final = (
    *("type", "assistantName", "assistantId", "assistant", "assistantOverrides"),
    *("squadId", "squad", "squadOverrides", "entryAssistantName"),
)


@dataclass(frozen=True, slots=True)
class Recruit:
    """An assistant with everything laid over it, secrets still open. `field` = where its problems are looked for.

    `group`: those of one squad share it, and know each other by name. `credentials`: stored ones that the call has not
    got already, by id.
    """

    key: str
    field: str
    assistant: Json
    assistant_id: str | None = None
    group: int = 0
    variables: Json = made_by(default_factory=dict[str, Any])
    credentials: Mapping[str, Json] = made_by(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True)
class Roster:
    """`ways`: key of an assistant by group and destination. `destinations`: the first assistant's of the older kind."""

    recruits: tuple[Recruit, ...] = ()
    ways: Mapping[tuple[int, str], str] = made_by(default_factory=dict[tuple[int, str], str])
    destinations: tuple[Json, ...] = ()


def identity(destination: Json) -> str:
    """The same for destinations that mean the same assistant."""
    return json.dumps({name: destination[name] for name in _IDENTITY if name in destination}, sort_keys=True)


def moving_tools(assistant: Json) -> Iterator[Json]:
    """Its tools that take the call elsewhere."""
    for tool in _tools(assistant):
        if isinstance(tool, dict) and tool.get("type") in _MOVING:
            yield tool


def destinations_of(tool: Json) -> list[Json]:
    found: Any = tool.get("destinations")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def with_older_destinations(assistant: Json, destinations: tuple[Json, ...]) -> Json:
    """A squad member's `assistantDestinations` as destinations of a transferCall tool."""
    if not destinations:
        return assistant
    added = [{"transferMode": "rolling-history", **each, "type": "assistant"} for each in destinations]
    tools = _tools(assistant)
    for index, tool in enumerate(tools):
        if isinstance(tool, dict) and tool.get("type") == _TRANSFER:
            extended = {**tool, "destinations": [*destinations_of(tool), *added]}
            return _with(assistant, [*tools[:index], extended, *tools[index + 1 :]])
    return with_tools(assistant, [{"type": _TRANSFER, "destinations": added}])


def with_ways(assistant: Json, roster: Roster, group: int) -> Json:
    """The assistant whose tools' destinations say which assistant of the call they mean."""
    tools = [
        {**tool, "destinations": [_marked(each, roster, group) for each in destinations_of(tool)]}
        if isinstance(tool, dict) and tool.get("type") in _MOVING and destinations_of(tool)
        else tool
        for tool in _tools(assistant)
    ]
    return _with(assistant, tools) if tools else assistant


def _marked(destination: Json, roster: Roster, group: int) -> Json:
    """An assistant or squad in it is in the configuration already; its name is what the model is told."""
    plain = {name: value for name, value in destination.items() if name not in ("assistant", "squad", "member")}
    key = roster.ways.get((group, identity(destination)), "")
    if not key:
        return plain
    recruit = next((each for each in roster.recruits if each.key == key), None)
    name = destination.get("assistantName") or (recruit.assistant.get("name") if recruit else None)
    return {**plain, "member": key, **({"assistantName": name} if isinstance(name, str) else {})}


def next_key(recruits: int) -> str:
    return str(int(FIRST) + 1 + recruits)


def _tools(assistant: Json) -> list[Any]:
    model: Any = assistant.get("model")
    tools: Any = model.get("tools") if isinstance(model, dict) else None
    return tools if isinstance(tools, list) else []


def _with(assistant: Json, tools: list[Any]) -> Json:
    return {**assistant, "model": {**assistant["model"], "tools": tools}}
