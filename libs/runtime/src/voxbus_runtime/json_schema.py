"""JSON Schemas that customers give. Nothing is fetched for them, and their patterns take time linear in the text."""

from typing import Any, Final

import jsonschema_rs

_MOST_PROBLEMS: Final = 3


class BadSchema(ValueError):
    """The text says what is wrong with it."""


def checked_schema(schema: Any) -> None:
    """Raises BadSchema for what is no JSON Schema, or one that needs another that is not inside it."""
    _validator(schema)


def problems(schema: Any, value: Any) -> list[str]:
    """Where a value does not fit and which rule it breaks, without the value itself; the first few."""
    found: list[str] = []
    for wrong in _validator(schema).iter_errors(value):
        place = ".".join(str(each) for each in wrong.instance_path) or "the answer"
        rule = str(wrong.schema_path[-1]) if wrong.schema_path else "false"
        found.append(f"{place} breaks the schema's {rule}")
        if len(found) == _MOST_PROBLEMS:
            break
    return found


def _validator(schema: Any) -> Any:
    try:
        return jsonschema_rs.validator_for(schema, pattern_options=jsonschema_rs.RegexOptions(), offline=True)
    except (ValueError, TypeError, jsonschema_rs.ReferencingError) as wrong:
        reason = str(getattr(wrong, "message", "") or wrong).splitlines()[0][:200]
        raise BadSchema(f"is no JSON Schema that can be used here: {reason}") from None
