"""Whether a tool's rejectionPlan forbids a call of it, by what was said so far. Pure.

`{type: regex, regex, target: {role, position}, negate}`, `{type: liquid, liquid}` and `{type: group, operator,
conditions}`. What is no condition holds never, so that a mistake in a plan does not lock a tool.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from voxbus_contracts.pattern import BadPattern, Pattern
from voxbus_contracts.tool import RejectionPlan
from voxbus_providers.model import Turn
from voxbus_runtime.templates import rendered

REJECTED: Final = "This call of the tool was rejected: its conditions are not met now. Go on without it."

_NESTED_AT_MOST: Final = 8


def is_rejected(plan: RejectionPlan | None, said: Sequence[Turn], variables: Mapping[str, Any], now_ms: int) -> bool:
    """All conditions hold; `said` in order, without the prompt; a template's `messages` are the same."""
    if plan is None or not plan.conditions:
        return False
    messages = [{"role": turn.role, "content": turn.content} for turn in said if turn.content]
    known = {**variables, "messages": messages}
    return all(_holds(condition, messages, known, now_ms) for condition in plan.conditions)


def _holds(
    condition: Any, messages: list[dict[str, str]], known: Mapping[str, Any], now_ms: int, depth: int = 0
) -> bool:
    if not isinstance(condition, dict) or depth > _NESTED_AT_MOST:
        return False
    match condition.get("type"):
        case "regex":
            return _regex_holds(condition, messages)
        case "liquid":
            return rendered(str(condition.get("liquid") or ""), known, now_ms).strip().lower() == "true"
        case "group":
            inner = condition.get("conditions")
            found = [_holds(each, messages, known, now_ms, depth + 1) for each in inner or ()]
            return bool(found) and (any(found) if condition.get("operator") == "OR" else all(found))
        case _:
            return False


def _regex_holds(condition: Mapping[str, Any], messages: list[dict[str, str]]) -> bool:
    """Position counts the messages of the role from 0, from the end where it is negative; without one any will do."""
    try:
        pattern = Pattern(str(condition.get("regex") or ""))
    except BadPattern:
        return False
    target = condition.get("target")
    wanted: Mapping[str, Any] = target if isinstance(target, dict) else {}
    texts = [each["content"] for each in messages if wanted.get("role") in {None, each["role"]}]
    position = wanted.get("position")
    if isinstance(position, int | float):
        at = int(position)
        texts = texts[at : at + 1 or None] if -len(texts) <= at < len(texts) else []
    return any(pattern.is_in(text) for text in texts) is not bool(condition.get("negate"))
