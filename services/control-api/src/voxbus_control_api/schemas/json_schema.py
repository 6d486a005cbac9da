"""JSON Schemas in what is posted."""

from typing import Any

from voxbus_runtime import json_schema


def checked_schema(schema: Any) -> Any:
    """As it came. Raises BadSchema, a ValueError, for one that nothing can be checked by."""
    if schema is not None:
        json_schema.checked_schema(schema)
    return schema
