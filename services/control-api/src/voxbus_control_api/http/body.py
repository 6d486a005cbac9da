"""Reads the body of a request: a JSON object of limited size."""

import json
import math
from typing import Any, Final, NoReturn

from fastapi import Request

from voxbus_control_api.errors import BadRequest, PayloadTooLarge

Json = dict[str, Any]

DEEPEST: Final = 100
"""Levels of objects and arrays inside each other: more than anybody configures, less than the validator's limit."""


async def read_object(request: Request) -> Json:
    """Raises PayloadTooLarge or BadRequest; numbers that JSON does not have (NaN) are refused."""
    raw = await _read(request, request.app.state.api.max_body_bytes)
    try:
        value = json.loads(raw, parse_constant=_refuse, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError:
        raise BadRequest("body must be UTF-8 without lone surrogates") from None
    except json.JSONDecodeError as wrong:
        raise BadRequest(f"body must be valid JSON: {wrong.msg} at line {wrong.lineno} column {wrong.colno}") from None
    except (ValueError, RecursionError):
        raise BadRequest("body must be valid JSON") from None
    if not isinstance(value, dict):
        raise BadRequest("body must be an object")
    if is_deeper(value, DEEPEST):
        raise BadRequest(f"body must not be nested deeper than {DEEPEST} levels")
    return value


async def _read(request: Request, limit: int) -> bytes:
    """Stops reading as soon as it is too much, whatever the content-length says."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > limit:
            raise PayloadTooLarge(f"request body must not be longer than {limit} bytes")
    return bytes(raw)


def is_deeper(tree: Any, levels: int) -> bool:
    """Level by level, so that no depth exhausts anything."""
    below = [tree]
    for _ in range(levels):
        inner = [list(each.values()) if isinstance(each, dict) else each for each in below]
        below = [each for values in inner for each in values if isinstance(each, dict | list)]
        if not below:
            return False
    return True


def _finite(text: str) -> float:
    """A number too large for JSON's readers (1e999) is none."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _refuse(_constant: str) -> NoReturn:
    raise ValueError
