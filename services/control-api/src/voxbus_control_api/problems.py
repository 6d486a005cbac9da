"""Validation errors in the words of the public API: one sentence per field, in its spelling. Pure."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import to_json

from voxbus_control_api.errors import BadRequest

M = TypeVar("M", bound=BaseModel)

_SUBJECT: Final = re.compile(r"^(Input|String|List|Tuple|Dictionary|Value|Number) should ")
_OBJECTS: Final = frozenset({"model_type", "model_attributes_type", "dict_type", "dataclass_type"})

Path = tuple[str | int, ...]


def validated(model: type[M], body: Any, prefix: str = "") -> M:
    """`body` as `model`, types taken strictly as JSON has them; raises BadRequest naming every offending field."""
    return validated_as(model, body, prefix)


def read_with(problems: Sequence[str], model: type[M], body: Any) -> M:
    """The same where `problems` are known already: they are named together with the fields that are wrong."""
    try:
        read = validated(model, body)
    except BadRequest as wrong:
        raise BadRequest(*problems, *wrong.problems) from None
    if problems:
        raise BadRequest(*problems)
    return read


def validated_as(shape: Any, body: Any, prefix: str = "") -> Any:
    """The same for any shape, a union of models too."""
    given = whole_numbers(body)
    try:
        return _adapter(shape).validate_json(to_json(given), strict=True)
    except ValidationError as wrong:
        raise BadRequest(*sentences(wrong, prefix, given)) from None


def whole_numbers(tree: Any) -> Any:
    """JSON has one kind of number, so 250.0 is as good as 250."""
    match tree:
        case dict():
            return {name: whole_numbers(value) for name, value in tree.items()}
        case list():
            return [whole_numbers(value) for value in tree]
        case float() if tree.is_integer():
            return int(tree)
        case _:
            return tree


def sentences(wrong: ValidationError, prefix: str, body: Any) -> Iterable[str]:
    """`model.maxTokens must be greater than or equal to 50`; never quotes what was sent.

    Where a value may be of several kinds, what is wrong with each kind becomes one sentence.
    """
    said: dict[Path, list[str]] = {}
    for error in wrong.errors(include_input=False, include_url=False, include_context=False):
        path = _in_body(error["loc"], body, error["type"])
        told = _said(error["type"], error["msg"])
        if told not in said.setdefault(path, []):
            said[path].append(told)
    for path, problems in said.items():
        if not any(len(other) > len(path) and other[: len(path)] == path for other in said if path):
            named = ".".join([part for part in [prefix] if part] + [str(part) for part in path])
            yield f"{named or 'body'} {' or '.join(problems)}"


def _in_body(loc: Sequence[str | int], body: Any, kind: str) -> Path:
    """Only fields and positions: the validator's names for the kinds of a union are left out."""
    path: list[str | int] = []
    below = body
    for index, part in enumerate(loc):
        if _is_in(below, part):
            below = below[part]
            path.append(part)
        elif index == len(loc) - 1 and _names_a_field(part, kind):
            path.append(to_camel(part) if isinstance(part, str) and "_" in part else part)
    return tuple(path)


def _is_in(body: Any, part: str | int) -> bool:
    if isinstance(body, list):
        return isinstance(part, int) and part < len(body)
    return isinstance(body, dict) and part in body


def _names_a_field(part: str | int, kind: str) -> bool:
    """One that is not there: required, or wrong for its absence."""
    is_label = isinstance(part, str) and (part.startswith("~") or "[" in part)
    return kind == "missing" or (kind == "value_error" and not is_label)


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
        case "tuple_type" | "list_type":
            return "must be an array"
        case _ if kind in _OBJECTS:
            return "must be an object"
        case _:
            return _SUBJECT.sub("must ", message)


@lru_cache(maxsize=256)
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)
