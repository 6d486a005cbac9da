"""`{{ name }}` in what an assistant is told, replaced by `assistantOverrides.variableValues`. Pure."""

import json
import re
from typing import Any, Final

Json = dict[str, Any]

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([A-Za-z_][\w-]*(?:\.[\w-]+)*)\s*\}\}")


def with_variables(assistant: Json, variables: Json) -> Json:
    """The assistant with its prompts and first message filled in; an unknown name stays as it stands.

    The texts of a script are left alone: their placeholders are the script's own.
    """
    out = {**assistant}
    for name in ("firstMessage", "endCallMessage"):
        if isinstance(out.get(name), str):
            out[name] = _filled(out[name], variables)
    model = out.get("model")
    if isinstance(model, dict):
        out["model"] = _with_prompts(model, variables)
    return out


def _with_prompts(model: Json, variables: Json) -> Json:
    prompt, messages = model.get("systemPrompt"), model.get("messages")
    out = {**model}
    if isinstance(prompt, str):
        out["systemPrompt"] = _filled(prompt, variables)
    if isinstance(messages, list):
        out["messages"] = [_with_content(message, variables) for message in messages]
    return out


def _with_content(message: Any, variables: Json) -> Any:
    if not isinstance(message, dict) or not isinstance(message.get("content"), str):
        return message
    return {**message, "content": _filled(message["content"], variables)}


def _filled(text: str, variables: Json) -> str:
    def value(placeholder: re.Match[str]) -> str:
        found: Any = variables
        for step in placeholder[1].split("."):
            if not isinstance(found, dict) or step not in found:
                return placeholder[0]
            found = found[step]
        if found is None:
            return ""
        return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)

    return _PLACEHOLDER.sub(value, text)
