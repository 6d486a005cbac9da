"""What lies over an assistant: overrides of a squad, its members, the request, the customer. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from voxbus_control_api.errors import BadRequest
from voxbus_control_api.overrides import Json, modernised, overridden


@dataclass(frozen=True, slots=True)
class Layer:
    """Overrides, and the field of the request they stand in."""

    field: str
    overrides: Json


def member_layers(squad: Json, member: Json, field: str = "squad", index: int = 0) -> tuple[Layer, ...]:
    """The member's overrides, then those of all members. Raises BadRequest."""
    found = {
        f"{field}.members.{index}.assistantOverrides": member.get("assistantOverrides"),
        f"{field}.membersOverrides": squad.get("membersOverrides"),
    }
    for name, overrides in found.items():
        if not isinstance(overrides, dict | None):
            raise BadRequest(f"{name} must be an object")
    return tuple(Layer(name, overrides) for name, overrides in found.items() if overrides)


def laid_over(assistant: Json, layers: Iterable[Layer]) -> Json:
    """The assistant in today's spelling with the layers over it, the last on top. Raises BadRequest."""
    out = modernised(assistant)
    for layer in layers:
        check_layer(layer)
        out = overridden(out, layer.overrides)
    return modernised(out)


def variables_in(layers: Iterable[Layer]) -> Json:
    """`variableValues` of all of them, the last on top."""
    found: Json = {}
    for layer in layers:
        found |= layer.overrides.get("variableValues", {})
    return found


def check_layer(layer: Layer) -> None:
    """Raises BadRequest."""
    if not isinstance(layer.overrides.get("variableValues", {}), dict):
        raise BadRequest(f"{layer.field}.variableValues must be an object")
    if not isinstance(layer.overrides.get("tools:append", []), list):
        raise BadRequest(f"{layer.field}.tools:append must be a list")
