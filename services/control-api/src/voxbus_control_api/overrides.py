"""One assistant over another, and old spellings made new. Pure; nothing given is changed."""

from typing import Any, Final

Json = dict[str, Any]

_KEEP_NULLS_IN: Final = frozenset({"parameters", "metadata", "variableValues", "arguments", "schema"})

_OLDER_SERVER: Final = frozenset({"serverUrl", "serverUrlSecret"})


def merged(base: Json, over: Json) -> Json:
    """Objects are merged to any depth; everything else, lists too, is replaced."""
    out = dict(base)
    for name, value in over.items():
        below = out.get(name)
        out[name] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return out


def overridden(assistant: Json, overrides: Json) -> Json:
    """`assistantOverrides` over an assistant; its `tools:append`, a list, adds to the model's tools."""
    plain = {name: value for name, value in overrides.items() if name not in ("variableValues", "tools:append")}
    out = merged(assistant, plain)
    return with_tools(out, overrides.get("tools:append", []))


def with_tools(assistant: Json, tools: list[Any]) -> Json:
    """The assistant with more tools behind those it has; unchanged where its model is not an object with a list."""
    model = assistant.get("model", {})
    there = model.get("tools", []) if isinstance(model, dict) else None
    if not tools or not isinstance(there, list):
        return assistant
    return {**assistant, "model": {**model, "tools": [*there, *tools]}}


def modernised(assistant: Json) -> Json:
    """Maps serverUrl, serverUrlSecret, model.functions and endCallFunctionEnabled to today's fields."""
    out = without_nulls(assistant)
    if "server" not in out and out.get("serverUrl"):
        secret = {"secret": out["serverUrlSecret"]} if out.get("serverUrlSecret") else {}
        out = {**out, "server": {"url": out["serverUrl"], **secret}}
    out = _functions_as_tools(out)
    if out.get("endCallFunctionEnabled") is True and not _ends_calls(out):
        out = with_tools(out, [{"type": "endCall"}])
    return out


def assistant_as_read(assistant: Json) -> Json:
    """The same with each field once: what became `server` is left out."""
    out = modernised(assistant)
    became_new = "server" in out and assistant.get("server") is None
    return {name: value for name, value in out.items() if not (became_new and name in _OLDER_SERVER)}


def _functions_as_tools(assistant: Json) -> Json:
    model = assistant.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("functions"), list):
        return assistant
    rest = {name: value for name, value in model.items() if name != "functions"}
    return with_tools({**assistant, "model": rest}, [_as_tool(function) for function in model["functions"]])


def _as_tool(function: Any) -> Json:
    """Its server goes on being asked by `function-call`."""
    tool: Json = {"type": "function", "function": function, "serverMessage": "function-call"}
    if not isinstance(function, dict):
        return tool
    secret = {"secret": function["serverUrlSecret"]} if function.get("serverUrlSecret") else {}
    server = {"server": {"url": function["serverUrl"], **secret}} if function.get("serverUrl") else {}
    is_async = {"async": function["async"]} if isinstance(function.get("async"), bool) else {}
    own = {name: value for name, value in function.items() if name not in (*_OLDER_SERVER, "async")}
    return {**tool, "function": own, **server, **is_async}


def without_nulls(tree: Any, name: str = "") -> Any:
    """A field that is null is one that was not given."""
    if name in _KEEP_NULLS_IN:
        return tree
    if isinstance(tree, dict):
        return {key: without_nulls(value, key) for key, value in tree.items() if value is not None}
    if isinstance(tree, list):
        return [without_nulls(value) for value in tree]
    return tree


def _ends_calls(assistant: Json) -> bool:
    model = assistant.get("model")
    tools = model.get("tools") if isinstance(model, dict) else None
    return any(isinstance(tool, dict) and tool.get("type") == "endCall" for tool in tools or [])
