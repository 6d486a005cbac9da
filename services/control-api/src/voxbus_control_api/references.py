"""What a body says of other resources by their ids. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]
Place = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """Where the id stands, as in `model.toolIds.0`, and of what kind it must be."""

    path: str
    kind: str
    id: str


def references_of(kind: str, body: Json) -> list[Reference]:
    """All that a stored body of that kind refers to."""
    found = _OF.get(kind, _none)(body, ())
    return [reference for reference in found if reference.id]


def assistant_references(body: Json, prefix: Place = ()) -> Iterator[Reference]:
    """An assistant's tools and structured outputs; overrides refer to the same."""
    model, artifacts = _object(body, "model"), _object(body, "artifactPlan")
    yield from _ids("tool", _list(model, "toolIds"), (*prefix, "model", "toolIds"))
    for index, ref in enumerate(_list(model, "toolRefs")):
        yield from _one("tool", ref, "toolId", (*prefix, "model", "toolRefs", str(index)))
    for index, tool in enumerate(_list(model, "tools")):
        yield from _tool(tool, (*prefix, "model", "tools", str(index)))
    outputs = _list(artifacts, "structuredOutputIds")
    yield from _ids("structured-output", outputs, (*prefix, "artifactPlan", "structuredOutputIds"))


def _squad(body: Json, prefix: Place) -> Iterator[Reference]:
    for index, member in enumerate(_list(body, "members")):
        place = (*prefix, "members", str(index))
        yield from _one("assistant", member, "assistantId", place)
        for part in ("assistant", "assistantOverrides"):
            yield from assistant_references(_object(member, part), (*place, part))
        yield from _destinations(_list(member, "assistantDestinations"), (*place, "assistantDestinations"))
    yield from assistant_references(_object(body, "membersOverrides"), (*prefix, "membersOverrides"))


def _tool(body: Any, prefix: Place) -> Iterator[Reference]:
    yield from _destinations(_list(body, "destinations"), (*prefix, "destinations"))
    for index, base in enumerate(_list(body, "knowledgeBases")):
        yield from _ids("file", _list(base, "fileIds"), (*prefix, "knowledgeBases", str(index), "fileIds"))


def _destinations(destinations: list[Any], prefix: Place) -> Iterator[Reference]:
    for index, destination in enumerate(destinations):
        yield from _one("assistant", destination, "assistantId", (*prefix, str(index)))
        yield from _one("squad", destination, "squadId", (*prefix, str(index)))


def _phone_number(body: Json, prefix: Place) -> Iterator[Reference]:
    yield from _one("assistant", body, "assistantId", prefix)
    yield from _one("squad", body, "squadId", prefix)


def _structured_output(body: Json, prefix: Place) -> Iterator[Reference]:
    yield from _ids("assistant", _list(body, "assistantIds"), (*prefix, "assistantIds"))


def _none(_body: Json, _prefix: Place) -> Iterator[Reference]:
    yield from ()


_OF: Final[dict[str, Callable[[Json, Place], Iterable[Reference]]]] = {
    "assistant": assistant_references,
    "squad": _squad,
    "tool": _tool,
    "phone-number": _phone_number,
    "structured-output": _structured_output,
}


def _one(kind: str, holder: Any, name: str, prefix: Place) -> Iterator[Reference]:
    value = holder.get(name) if isinstance(holder, dict) else None
    if isinstance(value, str):
        yield Reference(".".join((*prefix, name)), kind, value)


def _ids(kind: str, ids: list[Any], prefix: Place) -> Iterator[Reference]:
    for index, value in enumerate(ids):
        if isinstance(value, str):
            yield Reference(".".join((*prefix, str(index))), kind, value)


def _object(holder: Any, name: str) -> Json:
    value = holder.get(name) if isinstance(holder, dict) else None
    return value if isinstance(value, dict) else {}


def _list(holder: Any, name: str) -> list[Any]:
    value = holder.get(name) if isinstance(holder, dict) else None
    return value if isinstance(value, list) else []
