"""One assistant over another, and old spellings made new. Pure; nothing given is changed."""

from typing import Any, Final

Json = dict[str, Any]

_KEEP_NULLS_IN: Final = frozenset({"parameters", "metadata", "variableValues", "arguments", "schema"})


def merged(base: Json, over: Json) -> Json:
    """Objects are merged to any depth; everything else, lists too, is replaced."""
    out = dict(base)
    for name, value in over.items():
        below = out.get(name)
        out[name] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return out


def overridden(assistant: Json, overrides: Json) -> Json:
    """`assistantOverrides` over an assistant; `tools:append` adds to the model's tools."""
    plain = {name: value for name, value in overrides.items() if name not in ("variableValues", "tools:append")}
    out = merged(assistant, plain)
    return with_tools(out, overrides.get("tools:append") or [])


def with_tools(assistant: Json, tools: list[Any]) -> Json:
    """The assistant with more tools behind those it has."""
    if not tools:
        return assistant
    model = assistant.get("model") or {}
    return {**assistant, "model": {**model, "tools": [*(model.get("tools") or []), *tools]}}


def modernised(assistant: Json) -> Json:
    """Maps serverUrl, serverUrlSecret, model.functions and endCallFunctionEnabled to today's fields."""
    out = without_nulls(assistant)
    if "server" not in out and out.get("serverUrl"):
        secret = {"secret": out["serverUrlSecret"]} if out.get("serverUrlSecret") else {}
        out = {**out, "server": {"url": out["serverUrl"], **secret}}
    model = out.get("model")
    functions = model.get("functions") if isinstance(model, dict) else None
    if isinstance(functions, list):
        out = with_tools(out, [{"type": "function", "function": function} for function in functions])
    if out.get("endCallFunctionEnabled") is True and not _ends_calls(out):
        out = with_tools(out, [{"type": "endCall"}])
    return out


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
    tools = (assistant.get("model") or {}).get("tools") or []
    return any(isinstance(tool, dict) and tool.get("type") == "endCall" for tool in tools)
