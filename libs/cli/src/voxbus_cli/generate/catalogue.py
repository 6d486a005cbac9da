"""The contracts as plain facts that documents are written from: messages, their readers, their fields. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from voxbus_cli.generate.readers import Readers
from voxbus_contracts import ALL_COMMANDS, ALL_EVENTS, CallRef, Command, Message
from voxbus_contracts.message import Personal
from voxbus_contracts.requests import ALL_REQUESTS, Answer, Request
from voxbus_contracts.streams import CONSUMERS

_SAMPLE: Final = CallRef("org", "call00")


@dataclass(frozen=True, slots=True)
class FieldFacts:
    """One field of a payload, in words for a person."""

    name: str
    type: str
    is_required: bool
    default: Any
    is_personal: bool
    description: str


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """One event or command."""

    message: type[Message]
    consumers: tuple[str, ...]
    fields: tuple[FieldFacts, ...]

    @property
    def key(self) -> str:
        """`event.transcript.final`: unique over events and commands."""
        return f"{self.message.kind}.{self.message.name()}"

    @property
    def schema_file(self) -> str:
        return f"{self.key}.v{self.message.schema_version}.json"

    def subject(self, org: str, part: str, call: str) -> str:
        """The subject with these in the places of a real call's."""
        real = self.message.subject(_SAMPLE)
        return real.replace(f".{_SAMPLE.org}.{_SAMPLE.part}.{_SAMPLE.call}.", f".{org}.{part}.{call}.")

    @property
    def summary(self) -> str:
        return " ".join((self.message.__doc__ or "").split())


def all_messages(readers: Readers) -> tuple[MessageFacts, ...]:
    """Events, then commands, in the order of the contracts; `readers` follow a call live."""
    return tuple(
        MessageFacts(message, _consumers(message, readers), _fields(message))
        for message in (*ALL_EVENTS, *ALL_COMMANDS)
    )


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """A question and its answer."""

    request: type[Request]
    fields: tuple[FieldFacts, ...]
    answer_fields: tuple[FieldFacts, ...]

    @property
    def key(self) -> str:
        return f"request.{self.request.name()}"

    @property
    def summary(self) -> str:
        return " ".join((self.request.__doc__ or "").split())

    @property
    def answer_summary(self) -> str:
        return " ".join((self.request.answer.__doc__ or "").split())

    @property
    def schema_files(self) -> tuple[str, str]:
        """Of the question and of its answer."""
        return f"{self.key}.v1.json", f"answer.{self.request.name()}.v1.json"

    def schemas(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """In the same order."""
        name = self.request.name()
        return (
            _published(self.request, f"urn:voxbus:request:{name}/1", self.summary),
            _published(self.request.answer, f"urn:voxbus:answer:{name}/1", self.answer_summary),
        )


def all_requests() -> tuple[RequestFacts, ...]:
    """In the order of the contracts."""
    return tuple(RequestFacts(each, _fields(each), _fields(each.answer)) for each in ALL_REQUESTS)


def json_schema(facts: MessageFacts) -> dict[str, Any]:
    """JSON Schema (2020-12) of a payload. Unknown fields are allowed: readers ignore them."""
    return _published(facts.message, f"urn:voxbus:{facts.message.kind}:{facts.message.schema_id()}", facts.summary)


def _published(shape: type[Message] | type[Request] | type[Answer], urn: str, summary: str) -> dict[str, Any]:
    schema = shape.model_json_schema()
    schema.pop("description", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": urn,
        "title": shape.__name__,
        "description": summary,
        **{key: value for key, value in schema.items() if key != "title"},
        "examples": [shape.example],
    }


def _consumers(message: type[Message], readers: Readers) -> tuple[str, ...]:
    """Who is woken by it: a command's consumer, owners of the call that follow it, services with a durable consumer."""
    named = message.consumer if issubclass(message, Command) else ()
    # A stage reads what it alone says, too, once: to know at a takeover where its predecessor stood.
    live = (stage for stage, names in readers.items() if message.name() in names and message.owner != (stage,))
    tokens = message.subject(_SAMPLE).split(".")
    durable = (
        spec.durable for spec in CONSUMERS if any(_fits(subject.split("."), tokens) for subject in spec.filter_subjects)
    )
    return tuple(dict.fromkeys((*named, *live, *durable)))


def _fits(pattern: list[str], tokens: list[str]) -> bool:
    return len(pattern) == len(tokens) and all(p in ("*", t) for p, t in zip(pattern, tokens, strict=True))


def _fields(message: type[BaseModel]) -> tuple[FieldFacts, ...]:
    schema = message.model_json_schema()
    required = set(schema.get("required", ()))
    definitions = schema.get("$defs", {})
    return tuple(
        FieldFacts(
            name=name,
            type=_type_words(field, definitions),
            is_required=name in required,
            default=field.get("default"),
            is_personal=_is_personal(field, definitions),
            description=" ".join(str(field.get("description", "")).split()),
        )
        for name, field in schema.get("properties", {}).items()
    )


def _type_words(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_type_words(part, definitions) for part in field["anyOf"])
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        inner = definitions[name].get("properties", {})
        return f"{name} {{{', '.join(inner)}}}"
    if "enum" in field:
        return " · ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if field.get("type") == "array":
        return f"list of {_type_words(field.get('items', {}), definitions)}"
    return _PLAIN_TYPES.get(field.get("type", ""), "anything") + _bounds(field)


_PLAIN_TYPES = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true/false",
    "object": "object",
    "null": "nothing",
}


def _bounds(field: Mapping[str, Any]) -> str:
    bounds = [f"{sign} {field[key]}" for key, sign in (("minimum", "≥"), ("maximum", "≤")) if key in field]
    if "pattern" in field:
        bounds.append(f"like `{field['pattern']}`")
    return f" {', '.join(bounds)}" if bounds else ""


def _is_personal(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> bool:
    """Whether it, or something inside it, is marked."""
    mark = next(iter(Personal))
    if field.get(mark):
        return True
    if "$ref" in field:
        inner = definitions[field["$ref"].rsplit("/", 1)[-1]].get("properties", {})
        return any(_is_personal(part, definitions) for part in inner.values())
    parts = [*field.get("anyOf", ()), *([field["items"]] if isinstance(field.get("items"), dict) else ())]
    return any(_is_personal(part, definitions) for part in parts)
