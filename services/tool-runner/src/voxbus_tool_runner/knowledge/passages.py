"""A document cut into passages that can be told one by one. Pure."""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any, Final

AIMED_AT: Final = 700
"""Characters of a passage: three or four spoken sentences."""
LONGEST: Final = 1_200

_PARAGRAPH: Final = re.compile(r"\n\s*\n")
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+")
_HEADING: Final = re.compile(r"^#{1,6}\s+(.+)$")


def passages_of(text: str, ending: str) -> list[str]:
    """In order. A table gives a row each, `name: value`; a markdown passage begins with its heading."""
    if ending == "csv":
        return _packed(_rows(text))
    if ending in {"json", "jsonl"}:
        return _packed(_entries(text))
    return _packed(_paragraphs(text))


def _packed(parts: Iterator[str]) -> list[str]:
    """Neighbours together until a passage is long enough; what is too long is cut between sentences."""
    passages: list[str] = []
    open_part = ""
    for part in parts:
        for piece in _pieces(part):
            if open_part and len(open_part) + len(piece) > AIMED_AT:
                passages.append(open_part)
                open_part = ""
            open_part = f"{open_part}\n{piece}" if open_part else piece
    return [*passages, open_part] if open_part else passages


def _pieces(part: str) -> Iterator[str]:
    if len(part) <= LONGEST:
        yield part
        return
    piece = ""
    for sentence in _SENTENCE.split(part):
        for at in range(0, len(sentence), LONGEST):
            bit = sentence[at : at + LONGEST]
            if piece and len(piece) + len(bit) > AIMED_AT:
                yield piece
                piece = ""
            piece = f"{piece} {bit}" if piece else bit
    if piece:
        yield piece


def _paragraphs(text: str) -> Iterator[str]:
    heading = ""
    for block in _PARAGRAPH.split(text.replace("\r\n", "\n")):
        lines = [line.strip() for line in block.split("\n") if line.strip()]
        while lines and (found := _HEADING.match(lines[0])):
            heading, lines = found[1].strip(), lines[1:]
        if lines:
            body = " ".join(lines)
            yield f"{heading}: {body}" if heading else body


def _rows(text: str) -> Iterator[str]:
    try:
        dialect: Any = csv.Sniffer().sniff(text[:4_096], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    for row in csv.DictReader(io.StringIO(text), dialect=dialect):
        told = [f"{name}: {value}" for name, value in row.items() if name and isinstance(value, str) and value.strip()]
        if told:
            yield "; ".join(told)


def _entries(text: str) -> Iterator[str]:
    """The leaves of each entry of a list, or of each field of an object; what is no JSON is text."""
    try:
        whole = json.loads(text)
    except ValueError:
        yield from _paragraphs("\n\n".join(text.split("\n")))
        return
    entries = (
        whole
        if isinstance(whole, list)
        else [{name: value} for name, value in whole.items()]
        if isinstance(whole, dict)
        else [whole]
    )  # pyright: ignore[reportUnknownVariableType]
    for entry in entries:
        told = "; ".join(_leaves(entry, ""))
        if told:
            yield told


def _leaves(value: Any, path: str) -> Iterator[str]:
    match value:
        case dict():
            for name, each in value.items():  # pyright: ignore[reportUnknownVariableType]
                yield from _leaves(each, f"{path} {name}".strip())  # pyright: ignore[reportUnknownArgumentType]
        case list():
            for each in value:  # pyright: ignore[reportUnknownVariableType]
                yield from _leaves(each, path)
        case None | "":
            return
        case _:
            yield f"{path}: {value}" if path else str(value)
