"""Validation errors in the words of the public API: one sentence per field, in its spelling. Pure."""

import re
from collections.abc import Iterable
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from voxbus_control_api.errors import BadRequest

M = TypeVar("M", bound=BaseModel)

_SUBJECT: Final = re.compile(r"^(Input|String|List|Tuple|Dictionary|Value|Number) should ")


def validated(model: type[M], body: Any, prefix: str = "") -> M:
    """`body` as `model`, types taken strictly as JSON has them; raises BadRequest naming every offending field."""
    try:
        return model.model_validate_json(to_json(body), strict=True)
    except ValidationError as wrong:
        raise BadRequest(*sentences(wrong, prefix)) from None


def sentences(wrong: ValidationError, prefix: str = "") -> Iterable[str]:
    """`model.maxTokens must be greater than or equal to 50`; never quotes what was sent."""
    for error in wrong.errors(include_input=False, include_url=False, include_context=False):
        path = ".".join([part for part in [prefix] if part] + [str(part) for part in error["loc"]])
        yield f"{path or 'body'} {_said(error['type'], error['msg'])}"


def _said(kind: str, message: str) -> str:
    match kind:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "should not exist"
        case "value_error":
            return message.removeprefix("Value error, ")
        case "json_invalid":
            return "must be valid JSON"
        case _:
            return _SUBJECT.sub("must ", message)
