"""Text frames from the client → what they ask for, or an error the client can act on.

A frame that is refused changes nothing else: the call and its audio go on.
"""

import json
from typing import Any, cast

from voxbus_contracts.told.inbound import BadInbound, Inbound
from voxbus_contracts.told.inbound import read_inbound as read_fields
from voxbus_media_ingress.errors import InboundRefused


def error_text(code: str, message: str, field: str | None = None) -> str:
    """The error message of the WebSocket transport."""
    return json.dumps({"type": "error", "error": {"code": code, "message": message, "field": field}})


def read_inbound(text: str) -> Inbound:
    """Takes one text frame apart; raises InboundRefused naming the first field that is wrong, and telling of all."""
    try:
        return read_fields(_object(text))
    except BadInbound as wrong:
        first = wrong.problems[0]
        raise InboundRefused(first.code, str(wrong), first.field) from None


def _object(text: str) -> dict[str, Any]:
    try:
        parsed: object = json.loads(text)
    except json.JSONDecodeError as wrong:
        raise InboundRefused(
            "malformed-json", f"not JSON: {wrong.msg} at line {wrong.lineno} column {wrong.colno}"
        ) from None
    except (RecursionError, ValueError):
        raise InboundRefused(
            "malformed-json", "not JSON we can read: nested too deeply, or a number too long"
        ) from None
    if not isinstance(parsed, dict):
        raise InboundRefused("not-an-object", 'a message is an object like {"type": "say", "content": "Hello"}')
    return cast(dict[str, Any], parsed)
