"""The archive of a call: what it holds, and its bytes. The format is described in this package's README."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import zstandard

from voxbus_archive.errors import BrokenArchive
from voxbus_contracts import BadEnvelope, CallRef, Envelope, read_envelope
from voxbus_contracts.subjects import parse

FORMAT: Final = "voxbus-call-log"
VERSION: Final = 1
_LEVEL: Final = 6
_LARGEST_BYTES: Final = 2 * 1024**3
"""An hour of talk takes some 10 MB; what unpacks to more than this is no log."""

_TYPES: Final[dict[str, type]] = {"seq": int, "stored_at_ms": int, "subject": str, "headers": dict, "payload": str}


@dataclass(frozen=True, slots=True)
class ArchivedMessage:
    """An event or command as the stream kept it: `payload` byte for byte, `stored_at_ms` by the server's clock."""

    subject: str
    headers: Mapping[str, str]
    payload: bytes
    stream_seq: int
    stored_at_ms: int

    @property
    def kind(self) -> Literal["event", "command"]:
        return parse(self.subject).kind

    @property
    def name(self) -> str:
        """`transcript.final`"""
        parsed = parse(self.subject)
        return f"{parsed.entity}.{parsed.what}"

    @property
    def envelope(self) -> Envelope:
        return read_envelope(self.headers)


@dataclass(frozen=True, slots=True)
class CallArchive:
    """A call's whole log in stream order. `config` = its entry in CONFIGS, secrets sealed; None = it was gone."""

    ref: CallRef
    messages: tuple[ArchivedMessage, ...]
    config: Mapping[str, Any] | None = field(default=None)


def serialize_archive(archive: CallArchive) -> bytes:
    """The object's bytes; the same for the same log."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "org": archive.ref.org,
        "call": archive.ref.call,
        "config": archive.config,
    }
    lines = [_line(head), *(_message_line(message) for message in archive.messages)]
    body = b"".join(lines)
    last = _line({"messages": len(archive.messages), "sha256": hashlib.sha256(body).hexdigest()})
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(body + last)


def parse_archive(content: bytes) -> CallArchive:
    """The archive in `content`. Raises BrokenArchive."""
    unpacked = _unpacked(content)
    lines = unpacked.splitlines(keepends=True)
    if len(lines) < 2 or not unpacked.endswith(b"\n"):
        raise BrokenArchive("the archive is cut short: it has no last line")
    last = _fields(lines[-1], len(lines))
    if "sha256" not in last:
        raise BrokenArchive("the archive is cut short: its last line has no sha256")
    found = hashlib.sha256(unpacked[: -len(lines[-1])]).hexdigest()
    if last["sha256"] != found:
        raise BrokenArchive(f"the archive's checksum does not match: {last['sha256']!r} is said, {found!r} is found")
    messages = tuple(_messages(lines[1:-1]))
    if last.get("messages") != len(messages):
        raise BrokenArchive(f"the archive says it has {last.get('messages')} messages and has {len(messages)}")
    head = _fields(lines[0], 1)
    return CallArchive(_ref(head), messages, head.get("config"))


def _unpacked(content: bytes) -> bytes:
    try:
        size_bytes = zstandard.frame_content_size(content)
        if not 0 <= size_bytes <= _LARGEST_BYTES:
            raise BrokenArchive(f"the archive says it unpacks to {size_bytes} bytes, which no log does")
        return zstandard.ZstdDecompressor().decompress(content, allow_extra_data=False)
    except zstandard.ZstdError as wrong:
        raise BrokenArchive(f"the archive cannot be unpacked: {wrong}") from wrong


def _ref(head: Mapping[str, Any]) -> CallRef:
    if head.get("format") != FORMAT or head.get("version") != VERSION:
        raise BrokenArchive(
            f"line 1: format {head.get('format')!r} version {head.get('version')!r} is not {FORMAT!r} {VERSION}"
        )
    try:
        return CallRef(str(head.get("org")), str(head.get("call")))
    except ValueError as wrong:
        raise BrokenArchive(f"line 1: {wrong}") from wrong


def _messages(lines: list[bytes]) -> Iterator[ArchivedMessage]:
    for number, line in enumerate(lines, start=2):
        fields = _fields(line, number)
        for name, wanted in _TYPES.items():
            if not isinstance(fields.get(name), wanted):
                raise BrokenArchive(f"line {number}: {name} is missing or no {wanted.__name__}")
        message = ArchivedMessage(
            fields["subject"], fields["headers"], fields["payload"].encode(), fields["seq"], fields["stored_at_ms"]
        )
        try:
            parse(message.subject)
            read_envelope(message.headers)
        except (BadEnvelope, ValueError) as wrong:
            raise BrokenArchive(f"line {number}: {wrong}") from wrong
        yield message


def _fields(line: bytes, number: int) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except ValueError as wrong:
        raise BrokenArchive(f"line {number} is no JSON") from wrong
    if not isinstance(fields, dict):
        raise BrokenArchive(f"line {number} is no JSON object")
    return fields


def _message_line(message: ArchivedMessage) -> bytes:
    return _line(
        {
            "seq": message.stream_seq,
            "stored_at_ms": message.stored_at_ms,
            "subject": message.subject,
            "headers": dict(message.headers),
            "payload": message.payload.decode(),
        }
    )


def _line(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
