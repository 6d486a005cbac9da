"""Variables of the call taken from a tool's answer. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from voxbus_contracts.tool import VariableExtractionPlan
from voxbus_runtime.templates import rendered

LONGEST_VALUE: Final = 10_000
"""Characters of one variable, as JSON; a longer one is left out: variables travel with every tool call."""


def extracted(
    plan: VariableExtractionPlan | None, answer: Any, known: Mapping[str, Any], now_ms: int
) -> dict[str, Any]:
    """The properties of the plan's schema that the answer has, then its aliases.

    Aliases are templates over the answer's fields, which win over the call's variables of the same name; `$` in them
    stands for the whole answer (`{{ $.customer.name }}`).
    """
    if plan is None:
        return {}
    whole = _parsed(answer)
    fields: dict[str, Any] = whole if isinstance(whole, dict) else {}
    found = {name: fields[name] for name in plan.names if fields.get(name) is not None}
    seen = {**known, **fields, _WHOLE: whole, "result": whole}
    for alias in plan.aliases:
        found[alias.key] = rendered(_DOLLAR.sub(_WHOLE, alias.value), seen, now_ms)
    return {name: value for name, value in found.items() if len(json.dumps(value)) <= LONGEST_VALUE}


_WHOLE: Final = "tool_answer"
_DOLLAR: Final = re.compile(r"(?<=\{\{)(\s*)\$(?=\s*[.\[|}])")


def _parsed(answer: Any) -> Any:
    """A text that is JSON is taken as what it says."""
    if not isinstance(answer, str):
        return answer
    try:
        return json.loads(answer)
    except ValueError:
        return answer
