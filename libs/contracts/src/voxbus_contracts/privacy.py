"""Personal fields of messages on private calls: on the bus only sealed, in what is kept not at all. Pure.

The fields are those marked `x-personal`. A sealed value, whatever its type was, is the string `pii:v1:<token>`; who has
the call's key makes the value of it again, everybody else gets nothing in its place.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from voxbus_contracts.message import Message, Personal

MARK: Final = "pii:v1:"
MARK_BYTES: Final = b'"pii:v1:'
"""As it stands in a payload: whatever has none needs no look."""

_PERSONAL: Final = next(iter(Personal))

Fields = dict[str, Any]
Change = Callable[[Any, Any], Any]
"""A personal field's value, and what stands for nothing there → what stands there instead."""


@lru_cache(maxsize=512)
def has_personal(model: type[BaseModel]) -> bool:
    """Does a message of this kind ever hold personal data?"""
    return any(_is_personal(field) or _inner(field) is not None for field in model.model_fields.values())


def change_personal(model: type[BaseModel], fields: Fields, change: Change) -> Fields:
    """A copy of a message's fields with the personal ones changed; those that are missing or null stay so."""
    changed = dict(fields)
    for name, field in model.model_fields.items():
        value = fields.get(name)
        if value is None:
            continue
        if _is_personal(field):
            changed[name] = change(value, _nothing(field))
        elif (inner := _inner(field)) is not None:
            changed[name] = _change_inner(inner, value, change)
    return changed


def sealed(message: Message, encrypt: Callable[[str], str]) -> bytes:
    """The payload with every personal value encrypted."""

    def change(value: Any, _nothing: Any) -> str:
        return MARK + encrypt(json.dumps(value, ensure_ascii=False))

    return _dumped(change_personal(type(message), json.loads(message.payload()), change))


def opened(payload: bytes, decrypt: Callable[[str], str]) -> bytes:
    """The payload as it was before `sealed`."""

    def walk(tree: Any) -> Any:
        if isinstance(tree, dict):
            return {name: walk(value) for name, value in tree.items()}
        if isinstance(tree, list):
            return [walk(value) for value in tree]
        if isinstance(tree, str) and tree.startswith(MARK):
            return json.loads(decrypt(tree.removeprefix(MARK)))
        return tree

    return _dumped(walk(json.loads(payload)))


def redacted(model: type[BaseModel], payload: bytes) -> bytes:
    """The payload without anything personal, sealed or not; it still fits the schema."""

    def change(_value: Any, nothing: Any) -> Any:
        return nothing

    return _dumped(change_personal(model, json.loads(payload), change))


def without_sealed(model: type[BaseModel], payload: bytes) -> bytes:
    """The payload with nothing in place of what is still sealed: how it looks to whoever has no key."""

    def change(value: Any, nothing: Any) -> Any:
        return nothing if isinstance(value, str) and value.startswith(MARK) else value

    return _dumped(change_personal(model, json.loads(payload), change))


def _change_inner(model: type[BaseModel], value: Any, change: Change) -> Any:
    if isinstance(value, list):
        return [_change_inner(model, each, change) for each in value]
    return change_personal(model, value, change) if isinstance(value, dict) else value


def _is_personal(field: FieldInfo) -> bool:
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get(_PERSONAL))


def _nothing(field: FieldInfo) -> Any:
    """What says nothing and is still valid: keys are one `*`, text is empty, and so are mappings and lists."""
    kind = getattr(field.annotation, "__origin__", field.annotation)
    if kind in (dict, tuple):
        return kind()
    return "*" if any(getattr(rule, "pattern", None) for rule in field.metadata) else ""


def _inner(field: FieldInfo) -> type[BaseModel] | None:
    """The model with personal fields that lies inside a field: alone, in a tuple or where it may be missing."""
    return _model_in(field.annotation)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation if has_personal(annotation) else None
    return next((found for each in get_args(annotation) if (found := _model_in(each)) is not None), None)


def _dumped(fields: Fields) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
