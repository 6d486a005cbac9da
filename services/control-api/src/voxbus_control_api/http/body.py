"""Reads the body of a request: a JSON object of limited size."""

import json
from typing import Any, NoReturn

from fastapi import Request

from voxbus_control_api.errors import BadRequest, PayloadTooLarge

Json = dict[str, Any]


async def read_object(request: Request) -> Json:
    """Raises PayloadTooLarge or BadRequest; numbers that JSON does not have (NaN) are refused."""
    raw = await _read(request, request.app.state.api.max_body_bytes)
    try:
        value = json.loads(raw, parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError:
        raise BadRequest("body must be UTF-8 without lone surrogates") from None
    except json.JSONDecodeError as wrong:
        raise BadRequest(f"body must be valid JSON: {wrong.msg} at line {wrong.lineno} column {wrong.colno}") from None
    except (ValueError, RecursionError):
        raise BadRequest("body must be valid JSON") from None
    if not isinstance(value, dict):
        raise BadRequest("body must be an object")
    return value


async def _read(request: Request, limit: int) -> bytes:
    """Stops reading as soon as it is too much, whatever the content-length says."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > limit:
            raise PayloadTooLarge(f"request body must not be longer than {limit} bytes")
    return bytes(raw)


def _refuse(_constant: str) -> NoReturn:
    raise ValueError
