"""What callers of an assistant will probably say: the words a recognizer is to listen for. Pure.

The embedded recognizer makes a language model of it; vendors take `keyterms` as they are.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from voxbus_contracts.assistant import Assistant
from voxbus_contracts.tool import Tool
from voxbus_providers.pattern_phrases import PatternPhrases, phrases_of
from voxbus_providers.spoken import DIGITS, spoken
from voxbus_providers.terms import Expected, RecognitionTerms

_MOST_KEYTERMS: Final = 100
"""Vendors take about so many."""
_LONGEST_KEYTERM: Final = 4
_MOST_BACKGROUND: Final = 400
_LONGEST_TEXT: Final = 20_000
_DEEPEST: Final = 8
_HINTS: Final[tuple[tuple[Expected, re.Pattern[str]], ...]] = (
    ("digits", re.compile(r"\b(?:digits?|phone|telephone|numbers?(?! of)|code|zip|pin|account|order id|ssn)\b")),
    ("numbers", re.compile(r"\b(?:how many|quantity|amount|count|age|number of)\b")),
    ("dates", re.compile(r"\b(?:dates?|day|birthday|birth|appointments?|booking|reservations?|deadline)\b")),
    ("times", re.compile(r"\b(?:time|hour|o'clock|appointments?|reservations?)\b")),
    ("spelling", re.compile(r"\b(?:spell|spelled|spelling|e-?mail|letters?|surname|last name|licen[sc]e plate)\b")),
)
_FORMATS: Final[Mapping[str, Expected]] = {"date": "dates", "date-time": "dates", "time": "times", "email": "spelling"}
_PLACEHOLDER: Final = re.compile(r"\{\{.*?\}\}")


def recognition_terms(assistant: Assistant) -> RecognitionTerms:
    """From the transcriber's keyterms, the script's patterns, the tools' parameters and the prompt."""
    own = tuple(dict.fromkeys(_own_keyterms(assistant)))
    patterns = list(_patterns(assistant))
    values = [group for tool in assistant.model.tools for group in _tool_values(tool)]
    written = [own, *values, *(group for pattern in patterns for group in pattern.groups)]
    groups = dict.fromkeys(group for texts in written if (group := _spoken_group(texts)))
    described = list(_descriptions(assistant))
    return RecognitionTerms(
        groups=tuple(groups),
        background=_background(described),
        expected=_expected(assistant, patterns, described),
        keyterms=_keyterms(written),
    )


def _own_keyterms(assistant: Assistant) -> Iterator[str]:
    transcriber = assistant.transcriber
    yield from transcriber.keyterm
    yield from transcriber.keyterms_prompt
    for keyword in transcriber.keywords:
        yield keyword.partition(":")[0]


def _patterns(assistant: Assistant) -> Iterator[PatternPhrases]:
    script = assistant.model.script
    for rule in script.rules if script else ():
        if rule.when:
            yield phrases_of(rule.when)


def _tool_values(tool: Tool) -> Iterator[tuple[str, ...]]:
    for _name, schema in _properties(tool):
        texts = [*_texts(schema.get("enum")), *_texts(schema.get("examples")), *_texts([schema.get("const")])]
        if texts:
            yield tuple(texts)
        pattern = schema.get("pattern")
        if isinstance(pattern, str):
            yield from phrases_of(pattern).groups


def _properties(tool: Tool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every property of the parameters, however deep, with its name."""
    if tool.function is not None:
        yield from _nested("", tool.function.parameters, 0)


def _nested(name: str, schema: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if name:
        yield name, schema
    if depth >= _DEEPEST:
        return
    for key, each in _mapping(schema.get("properties")).items():
        yield from _nested(key, _mapping(each), depth + 1)
    if items := _mapping(schema.get("items")):
        yield from _nested(name, items, depth + 1)
    for choice in ("anyOf", "oneOf", "allOf"):
        for each in _sequence(schema.get(choice)):
            yield from _nested(name, _mapping(each), depth + 1)


def _mapping(value: object) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], value) if isinstance(value, Mapping) else {}


def _sequence(value: object) -> list[object]:
    return cast(list[object], value) if isinstance(value, list) else []


def _texts(values: object) -> Iterator[str]:
    for value in _sequence(values):
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            yield str(value)


def _descriptions(assistant: Assistant) -> Iterator[str]:
    """Prompt, first message, names and descriptions of tools and their parameters."""
    for message in assistant.model.messages:
        yield _PLACEHOLDER.sub(" ", (message.content or "")[:_LONGEST_TEXT])
    yield assistant.first_message or ""
    for tool in assistant.model.tools:
        if tool.function is not None:
            yield f"{tool.function.name} {tool.function.description}"
        for name, schema in _properties(tool):
            yield (
                str(schema.get("description") or "")
                if schema.get("enum")
                else f"{name} {schema.get('description') or ''}"
            )


def _background(described: Iterable[str]) -> tuple[str, ...]:
    words = dict.fromkeys(word for text in described for word in spoken(text).split())
    return tuple(words)[:_MOST_BACKGROUND]


def _expected(assistant: Assistant, patterns: list[PatternPhrases], described: list[str]) -> tuple[Expected, ...]:
    text = " ".join(spoken(each) for each in described)
    found: dict[Expected, None] = {"yes-no": None}
    if any(pattern.digits or _says_digits(pattern) for pattern in patterns):
        found["digits"] = None
    for tool in assistant.model.tools:
        for _name, schema in _properties(tool):
            if schema.get("type") in ("integer", "number"):
                found["numbers"] = None
            if (wanted := _FORMATS.get(str(schema.get("format")))) is not None:
                found[wanted] = None
    for expected, hint in _HINTS:
        if hint.search(text):
            found[expected] = None
    return tuple(sorted(found))


def _says_digits(pattern: PatternPhrases) -> bool:
    return any(set(DIGITS[1:]) <= {word for text in group for word in text.split()} for group in pattern.groups)


def _spoken_group(texts: Iterable[str]) -> tuple[str, ...]:
    said = dict.fromkeys(spoken(text) for text in texts)
    said.pop("", None)
    return tuple(said)


def _keyterms(written: Iterable[Iterable[str]]) -> tuple[str, ...]:
    terms = dict.fromkeys(text.strip() for texts in written for text in texts)
    short = [term for term in terms if len(term) > 1 and len(term.split()) <= _LONGEST_KEYTERM]
    return tuple(short[:_MOST_KEYTERMS])
