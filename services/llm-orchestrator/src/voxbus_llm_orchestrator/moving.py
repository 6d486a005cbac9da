"""Tools and orders that take the call elsewhere: what the model is offered, and which destination it means. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig
from voxbus_contracts.destination import FIRST, TRANSFER_MESSAGE, Destination
from voxbus_contracts.tool import FunctionSchema, Tool
from voxbus_runtime.templates import variables_of

TRANSFER: Final = "transferCall"
HANDOFF: Final = "handoff"
PHONE_CALL_CONTROL: Final = "phone-call-control"

NO_DESTINATION: Final = "There is no such destination."
_NAME: Final = re.compile(r"[^a-zA-Z0-9_-]")
_NUMBER: Final = re.compile(r"\+?[0-9][0-9 ()./-]{1,30}")
_SIP: Final = re.compile(r"sips?:\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MoveTool:
    """A function that takes the call elsewhere. No destinations = the model names one, or the server does."""

    request: Literal["transfer", "handoff"]
    destinations: tuple[Destination, ...] = ()
    default_result: str | None = None

    @property
    def is_asked_for(self) -> bool:
        """The customer's server says where to."""
        return not self.destinations or any(each.type == "dynamic" for each in self.destinations)


@dataclass(frozen=True, slots=True)
class Moving:
    """`names`: the call's assistants by key. `known`: variables of templates. `is_controlled`: the customer's server
    forwards and hangs up by itself.
    """

    tools: Mapping[str, MoveTool] = field(default_factory=dict[str, MoveTool])
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    ids: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    known: Mapping[str, Any] = field(default_factory=dict[str, Any])
    made_at_ms: int = 0
    is_controlled: bool = False

    def member_named(self, name: str) -> str:
        """Key of the assistant of that name, "" = there is none."""
        wanted = name.strip().lower()
        return next((key for key, each in self.names.items() if each.strip().lower() == wanted), "") if wanted else ""


def moving_of(assistant: Assistant, config: CallConfig) -> Moving:
    """`assistant` speaks, its tools as `with_moves_offered` gives them; `config` is the whole call's."""
    tools = {
        tool.name: MoveTool(
            "handoff" if tool.type == HANDOFF else "transfer",
            tuple(each for each in tool.destinations if _leads_somewhere(each)),
            tool.default_result,
        )
        for tool in assistant.model.tools
        if tool.type in (TRANSFER, HANDOFF)
    }
    names = {FIRST: config.assistant.name or ""} | {each.key: each.assistant.name or "" for each in config.members}
    ids = {FIRST: config.assistant_id} | {each.key: each.assistant_id for each in config.members}
    has_server = config.message_server is not None or (assistant.server is not None and bool(assistant.server.url))
    is_told = has_server and not config.is_private
    is_controlled = is_told and PHONE_CALL_CONTROL in assistant.server_messages
    return Moving(tools, names, ids, variables_of(config), config.created_at_ms, is_controlled)


def with_moves_offered(assistant: Assistant) -> Assistant:
    """The assistant with one function per way out: `handoff_to_<name>` for each assistant of a handoff tool without a
    function of its own, `transferCall` with the destinations to choose from.
    """
    if not any(tool.type in (TRANSFER, HANDOFF) for tool in assistant.model.tools):
        return assistant
    tools = tuple(each for tool in assistant.model.tools for each in _functions_of(tool))
    return assistant.model_copy(update={"model": assistant.model.model_copy(update={"tools": tools})})


def _functions_of(tool: Tool) -> Iterator[Tool]:
    if tool.type == HANDOFF and tool.function is None:
        for destination in tool.destinations:
            if _leads_somewhere(destination):
                yield tool.model_copy(
                    update={"function": _handoff_function(destination), "destinations": (destination,)}
                )
    elif tool.type in (TRANSFER, HANDOFF):
        yield tool.model_copy(update={"function": _choosing_function(tool)})
    else:
        yield tool


def _leads_somewhere(destination: Destination) -> bool:
    return bool(destination.address or destination.member) or destination.type == "dynamic"


def _handoff_function(destination: Destination) -> FunctionSchema:
    """What is to become variables is asked of the model, which has heard it all."""
    plan, name = destination.variable_extraction_plan, destination.assistant_name or ""
    parameters = dict(plan.properties) if plan is not None else {}
    called = f"handoff_to_{_NAME.sub('_', name)}"[:64] if name else HANDOFF
    description = destination.description or f"Hands the call over to {name or 'another assistant'}."
    return FunctionSchema(
        name=called, description=description, parameters=parameters or {"type": "object", "properties": {}}
    )


def _choosing_function(tool: Tool) -> FunctionSchema:
    given = tool.function or FunctionSchema(name=tool.type)
    parameters = given.parameters or {"type": "object", "properties": {}}
    labels = [label for each in tool.destinations if (label := label_of(each))]
    properties: dict[str, Any] = dict(parameters.get("properties") or {})
    if tool.type == TRANSFER and "destination" not in properties and (labels or not given.parameters):
        properties["destination"] = {"type": "string", **({"enum": labels} if labels else {})}
        required = [*(parameters.get("required") or []), *(["destination"] if labels else [])]
        parameters = {**parameters, "properties": properties, "required": required}
    ways = "; ".join(f"{label_of(each)}: {each.description}" for each in tool.destinations if each.description)
    description = given.description or f"Transfers the call. {ways}".strip()
    return given.model_copy(update={"parameters": parameters, "description": description})


def label_of(destination: Destination) -> str:
    """By what the model tells it from others."""
    return destination.address or destination.assistant_name or ""


def meant(tool: MoveTool, arguments: Mapping[str, Any]) -> Destination | None:
    """The destination the model means; None = it names none there is."""
    if not tool.destinations:
        return outside(arguments.get("destination"))
    if len(tool.destinations) == 1:
        return tool.destinations[0]
    wanted = str(arguments.get("destination") or arguments.get("assistantName") or "").strip().lower()
    fixed = (each for each in tool.destinations if label_of(each).strip().lower() == wanted and wanted)
    return next(fixed, next((each for each in tool.destinations if each.type == "dynamic"), None))


def outside(address: Any) -> Destination | None:
    """A number or SIP address as a destination."""
    text = address.strip() if isinstance(address, str) else ""
    if _SIP.fullmatch(text):
        return Destination(type="sip", sip_uri=text)
    return Destination(type="number", number=text) if _NUMBER.fullmatch(text) else None


def said_before(tool: MoveTool, destination: Destination) -> str:
    """What the caller hears before: a transfer is announced unless it says "", a handoff is not unless it says so."""
    spoken = destination.spoken
    if spoken is None:
        return TRANSFER_MESSAGE if tool.request == "transfer" else ""
    return spoken
