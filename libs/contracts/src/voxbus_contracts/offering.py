"""A tool as the model is told of it, whatever its type. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from voxbus_contracts.tool import FunctionSchema, Tool

Json = dict[str, Any]

RUN_BY_RUNNER: Final = frozenset({"function", "apiRequest", "query", "mcp", "sms"})
"""Types that tool-runner runs; the others that are offered are acts of the call itself."""


def offered(tool: Tool) -> FunctionSchema | None:
    """Name, description and parameters: the assistant's own, else those that come with the type.

    None = the model is not told of it: its type is not known, or it stands for tools that are still to be found.
    """
    usual = _USUAL.get(tool.type)
    if usual is None or (tool.type in _BY_FUNCTION and tool.function is None):
        return None
    description, parameters = usual(tool)
    own = tool.function
    return FunctionSchema.model_validate(
        {
            **((own.model_extra or {}) if own else {}),
            "name": tool.name,
            "description": (own.description if own else "") or tool.description or description,
            "parameters": (own.parameters if own else {}) or parameters or _no_parameters(),
        }
    )


def mcp_tools(tools: Iterable[Tool]) -> list[Tool]:
    """Those that stand for the tools of an MCP server, in the order that numbers them."""
    return [tool for tool in tools if tool.type == "mcp" and tool.remote is None]


def static_values(schema: Mapping[str, Any] | None) -> Json:
    """What a schema of a request says itself: each property's `value`, at any depth."""
    found: Json = {}
    for name, each in _properties(schema).items():
        if "value" in each:
            found[name] = each["value"]
        elif inner := static_values(each):
            found[name] = inner
    return found


def default_values(schema: Mapping[str, Any] | None) -> Json:
    """Each property's `default`, at the top: for what the model leaves out."""
    return {name: each["default"] for name, each in _properties(schema).items() if "default" in each}


def asked_schema(schema: Mapping[str, Any] | None) -> Json:
    """The part of a request's schema that the model fills in: without the properties that have a `value`."""
    asked: Json = {}
    for name, each in _properties(schema).items():
        if "value" in each:
            continue
        asked[name] = {**each, **asked_schema(each)} if _properties(each) else dict(each)
        if _properties(each) and not asked[name]["properties"]:
            del asked[name]
    required = [name for name in (schema or {}).get("required", ()) if name in asked]
    return {"type": "object", "properties": asked, **({"required": required} if required else {})}


def _properties(schema: Mapping[str, Any] | None) -> dict[str, Json]:
    found = (schema or {}).get("properties")
    if not isinstance(found, dict):
        return {}
    return {str(name): each for name, each in found.items() if isinstance(each, dict)}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _no_parameters() -> Json:
    return {"type": "object", "properties": {}}


def _text(description: str) -> Json:
    return {"type": "string", "description": description}


def _function(_tool: Tool) -> tuple[str, Json]:
    return "", {}


def _end_call(_tool: Tool) -> tuple[str, Json]:
    return "Ends the call. Say goodbye first.", {}


def _api_request(tool: Tool) -> tuple[str, Json]:
    body, headers = asked_schema(tool.body), asked_schema(tool.headers)
    required = [*body.get("required", ()), *headers.get("required", ())]
    parameters: Json = {"type": "object", "properties": {**headers["properties"], **body["properties"]}}
    return "", parameters | ({"required": required} if required else {})


def _dtmf(_tool: Tool) -> tuple[str, Json]:
    keys = _text("0-9, *, #, A-D; w waits half a second, W a second, as in 1w2W3#")
    return "Presses keys of the telephone.", {"type": "object", "properties": {"keys": keys}, "required": ["keys"]}


def _query(tool: Tool) -> tuple[str, Json]:
    told = [f"{each.name}: {each.description}" if each.description else each.name for each in tool.knowledge_bases]
    properties: Json = {"query": _text("What to look up, in the words of the documents as far as they are known")}
    names = [each.name for each in tool.knowledge_bases if each.name]
    if len(names) > 1:
        properties["knowledgeBase"] = {**_text("Where to look; left out: everywhere"), "enum": names}
    description = "Looks something up in documents." + (f" They are about: {'; '.join(told)}" if any(told) else "")
    return description, {"type": "object", "properties": properties, "required": ["query"]}


def _sms(_tool: Tool) -> tuple[str, Json]:
    properties = {
        "message": _text("The text, at most 1600 characters"),
        "to": _text("Number in E.164 format; left out: the caller's own"),
    }
    return "Sends a text message.", {"type": "object", "properties": properties, "required": ["message"]}


def _voicemail(_tool: Tool) -> tuple[str, Json]:
    return "Call this when an answering machine has taken the call: it leaves the message and ends the call.", {}


_BY_FUNCTION: Final = frozenset({"mcp", "transferCall", "handoff"})
"""Offered as the functions that are made of them, not by themselves."""

_USUAL: Final[dict[str, Callable[[Tool], tuple[str, Json]]]] = {
    "function": _function,
    "endCall": _end_call,
    "transferCall": _function,
    "handoff": _function,
    "apiRequest": _api_request,
    "dtmf": _dtmf,
    "query": _query,
    "mcp": _function,
    "sms": _sms,
    "voicemail": _voicemail,
}
