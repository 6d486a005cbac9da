"""Gathers everybody a call may be handed to: its squad, and whomever their tools lead to, to any depth."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from voxbus_contracts.destination import FIRST
from voxbus_control_api.calls.layers import Layer, laid_over, member_layers, variables_in
from voxbus_control_api.calls.roster import (
    MOST_MEMBERS,
    Recruit,
    Roster,
    destinations_of,
    identity,
    moving_tools,
    next_key,
    with_older_destinations,
)
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.overrides import Json

ASSISTANT: Final = "assistant"
SQUAD: Final = "squad"


class Fetching(Protocol):
    """Stored bodies as they are now."""

    async def find(self, kind: str, resource_id: str) -> Json | None: ...

    async def need(self, kind: str, resource_id: str) -> Json:
        """Raises Missing."""
        ...


@dataclass(frozen=True, slots=True)
class Beginner:
    """Who speaks first: its assistant with everything laid over it, its squad if it is of one."""

    assistant: Json
    assistant_id: str | None = None
    squad: Json | None = None
    field: str = "assistant"
    shared: tuple[Layer, ...] = ()
    """Laid over every member of the squad, last."""


@dataclass(slots=True)
class _Group:
    number: int
    is_squad: bool = False
    names: dict[str, str] = field(default_factory=dict[str, str])
    ids: dict[str, str] = field(default_factory=dict[str, str])
    entry: str = ""


AddTools = Callable[[Json, str], Awaitable[Json]]
"""The assistant with the stored tools it names; the text is where they stand."""


class Recruiter:
    """For one call. Raises Missing for a squad's member that is gone, BadRequest for what leads nowhere in a squad."""

    def __init__(self, fetching: Fetching, add_tools: AddTools, taken: int = 0) -> None:
        """`taken`: how many assistants the call may be handed to already."""
        self._taken = taken
        self._fetching = fetching
        self._add_tools = add_tools
        self._recruits: list[Recruit] = []
        self._ways: dict[tuple[int, str], str] = {}
        self._groups: list[_Group] = []
        self._known: dict[str, str] = {}
        self._squads: dict[str, _Group] = {}
        self._waiting: deque[tuple[str, Json, _Group]] = deque()
        self._shared: tuple[Layer, ...] = ()

    async def roster(self, beginner: Beginner) -> Roster:
        self._shared = beginner.shared
        group = self._new_group(is_squad=beginner.squad is not None)
        members = _members(beginner.squad)
        older = _older(members[0]) if members else ()
        first = with_older_destinations(beginner.assistant, older)
        self._enter(group, FIRST, first, beginner.assistant_id)
        self._waiting.append((beginner.field, first, group))
        for index in range(1, len(members)):
            await self._add_member(group, beginner.squad or {}, beginner.field, index)
        while self._waiting:
            place, assistant, of_group = self._waiting.popleft()
            for tool in moving_tools(assistant):
                for destination in destinations_of(tool):
                    await self._follow(place, destination, of_group)
        return Roster(tuple(self._recruits), self._ways, older)

    def _new_group(self, *, is_squad: bool) -> _Group:
        self._groups.append(_Group(len(self._groups), is_squad))
        return self._groups[-1]

    def _enter(self, group: _Group, key: str, assistant: Json, assistant_id: str | None) -> None:
        name = assistant.get("name")
        if isinstance(name, str) and name:
            group.names.setdefault(name.strip().lower(), key)
        if assistant_id:
            group.ids.setdefault(assistant_id, key)
        group.entry = group.entry or key

    async def _add_member(self, group: _Group, squad: Json, squad_field: str, index: int) -> None:
        member, place = _members(squad)[index], f"{squad_field}.members.{index}"
        layers = (*member_layers(squad, member, squad_field, index), *self._shared)
        assistant_id, body = member.get("assistantId"), member.get("assistant")
        if (assistant_id is None) == (body is None):
            raise BadRequest(f"{place} must have exactly one of assistantId and assistant")
        if assistant_id is not None:
            body = await self._fetching.need(ASSISTANT, str(assistant_id))
        if not isinstance(body, dict):
            raise BadRequest(f"{place}.assistant must be an object")
        whole = await self._whole(body, layers, place)
        whole = with_older_destinations(whole, _older(member))
        key = self._recruit(whole, assistant_id, place, group, variables_in(layers))
        self._enter(group, key, whole, assistant_id)

    async def _whole(self, body: Json, layers: Sequence[Layer], place: str) -> Json:
        return await self._add_tools(laid_over(body, layers), place)

    def _recruit(self, assistant: Json, assistant_id: str | None, place: str, group: _Group, variables: Json) -> str:
        count = self._taken + len(self._recruits)
        if count + 1 >= MOST_MEMBERS:
            raise BadRequest(f"{place} must not lead to more than {MOST_MEMBERS} assistants")
        key = next_key(count)
        self._recruits.append(Recruit(key, place, assistant, assistant_id, group.number, variables))
        self._waiting.append((place, assistant, group))
        return key

    async def _follow(self, place: str, destination: Json, group: _Group) -> None:
        kind = destination.get("type", ASSISTANT)
        way = (group.number, identity(destination))
        if kind not in (ASSISTANT, SQUAD) or way in self._ways:
            return
        key = await (self._of_squad if kind == SQUAD else self._of_assistant)(place, destination, group)
        if not key and group.is_squad and destination.get("assistantName") and not destination.get("assistantId"):
            raise BadRequest(
                f"{place}: the destination's assistantName must be the name of a member: {destination['assistantName']}"
            )
        if key:
            self._ways[way] = key

    async def _of_assistant(self, place: str, destination: Json, group: _Group) -> str:
        name, assistant_id = destination.get("assistantName"), destination.get("assistantId")
        overrides, body = destination.get("assistantOverrides"), destination.get("assistant")
        if not isinstance(overrides, dict):
            overrides = {}
        by_name = group.names.get(str(name or "").strip().lower(), "")
        there = group.ids.get(str(assistant_id or ""), "") or ("" if assistant_id or body else by_name)
        if there and not overrides:
            return there
        known = identity({"assistantId": assistant_id, "assistant": body, "assistantOverrides": overrides})
        if known in self._known:
            return self._known[known]
        if assistant_id and body is None:
            body = await self._fetching.find(ASSISTANT, str(assistant_id))
        if not isinstance(body, dict):
            return by_name
        layers = (Layer(f"{place}.assistantOverrides", overrides),) if overrides else ()
        whole = await self._whole(body, layers, place)
        self._known[known] = self._recruit(whole, assistant_id, place, group, variables_in(layers))
        return self._known[known]

    async def _of_squad(self, place: str, destination: Json, _group: _Group) -> str:
        known = identity({"squadId": destination.get("squadId"), "squad": destination.get("squad")})
        if known not in self._squads:
            squad: Any = destination.get("squad")
            if squad is None and destination.get("squadId"):
                squad = await self._fetching.find(SQUAD, str(destination["squadId"]))
            if not isinstance(squad, dict):
                return ""
            group = self._squads[known] = self._new_group(is_squad=True)
            overrides = destination.get("squadOverrides")
            before = self._shared
            if isinstance(overrides, dict) and overrides:
                self._shared = (*before, Layer(f"{place}.squadOverrides", overrides))
            for index in range(len(_members(squad))):
                await self._add_member(group, squad, f"{place}.squad", index)
            self._shared = before
        group = self._squads[known]
        return group.names.get(str(destination.get("entryAssistantName") or "").strip().lower(), group.entry)


def _members(squad: Json | None) -> list[Json]:
    members: Any = (squad or {}).get("members")
    return [each for each in members if isinstance(each, dict)] if isinstance(members, list) else []


def _older(member: Json) -> tuple[Json, ...]:
    return tuple(destinations_of({"destinations": member.get("assistantDestinations")}))
