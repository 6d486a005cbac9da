"""What is archived comes back byte for byte; what was damaged is named and not given."""

import json

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from voxbus_archive import ArchivedMessage, BrokenArchive, CallArchive, parse_archive, serialize_archive
from voxbus_contracts import CallRef, Envelope
from voxbus_contracts.events import CallEnded, TranscriptFinal

REF = CallRef("org1", "11111111-1111-4111-8111-1111111111ab")


def message(number: int = 1, payload: bytes = b"{}", name: str = "transcript.final") -> ArchivedMessage:
    entity, what = name.split(".")
    envelope = Envelope(f"id-{number}", f"{name}/1", 1_700_000_000_000 + number, "stt-1", "stt-worker", 4, number)
    return ArchivedMessage(REF.event(entity, what), envelope.headers(), payload, 10 + number, 1_700_000_000_100)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
PAYLOADS = TEXTS.map(lambda text: json.dumps({"text": text, "x": [1, None]}, ensure_ascii=False).encode())


def log_of(payloads: list[bytes], config: dict[str, str] | None = None) -> CallArchive:
    messages = tuple(message(number, payload) for number, payload in enumerate(payloads, start=1))
    return CallArchive(REF, messages, config)


@given(st.lists(PAYLOADS, max_size=20), st.none() | st.dictionaries(TEXTS, TEXTS, max_size=3))
def test_what_is_archived_comes_back_byte_for_byte(payloads: list[bytes], config: dict[str, str] | None) -> None:
    archive = log_of(payloads, config)
    assert parse_archive(serialize_archive(archive)) == archive
    assert serialize_archive(archive) == serialize_archive(archive)


def test_a_message_knows_its_name_and_envelope() -> None:
    found = parse_archive(serialize_archive(log_of([b'{"a":1}']))).messages[0]
    assert (found.kind, found.name, found.envelope.epoch, found.envelope.number) == ("event", "transcript.final", 4, 1)


@given(st.lists(PAYLOADS, min_size=1, max_size=5), st.data())
def test_any_changed_byte_is_noticed(payloads: list[bytes], data: st.DataObject) -> None:
    content = bytearray(serialize_archive(log_of(payloads)))
    # Bits of the frame's header that decoders may ignore (dictionary, window) change nothing of what is unpacked.
    at = data.draw(st.integers(6, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    try:
        same = parse_archive(bytes(content)) == log_of(payloads)
    except BrokenArchive:
        return
    assert same


@given(st.lists(PAYLOADS, min_size=1, max_size=5), st.data())
def test_an_archive_that_is_cut_short_is_noticed(payloads: list[bytes], data: st.DataObject) -> None:
    content = serialize_archive(log_of(payloads))
    with pytest.raises(BrokenArchive):
        parse_archive(content[: data.draw(st.integers(0, len(content) - 1))])


def packed(*lines: str) -> bytes:
    return zstandard.ZstdCompressor().compress("".join(line + "\n" for line in lines).encode())


def test_what_is_broken_is_named() -> None:
    lines = zstandard.ZstdDecompressor().decompress(serialize_archive(log_of([b"{}", b"{}"]))).decode().splitlines()
    other = lines[1].replace("id-1", "id-9")
    for content, said in (
        (b"RIFF", "cannot be unpacked"),
        (packed(lines[0]), "cut short"),
        (packed(*lines[:-1]), "cut short"),
        (packed(lines[0], other, *lines[2:]), "checksum does not match"),
        (packed(lines[0], lines[2], lines[1], lines[3]), "checksum does not match"),
        (packed(*lines[:-1], "not json"), "line 4 is no JSON"),
    ):
        with pytest.raises(BrokenArchive, match=said):
            parse_archive(content)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("payload", 1, "line 2: payload"),
        ("seq", "1", "line 2: seq"),
        ("subject", "elsewhere", "line 2: 'elsewhere'"),
        ("headers", {}, "line 2: no headers"),
    ],
)
def test_a_line_another_program_wrote_wrongly_is_named(field: str, value: object, said: str) -> None:
    import hashlib

    lines = zstandard.ZstdDecompressor().decompress(serialize_archive(log_of([b"{}"]))).decode().splitlines()
    changed = json.dumps(json.loads(lines[1]) | {field: value})
    body = f"{lines[0]}\n{changed}\n"
    last = json.dumps({"messages": 1, "sha256": hashlib.sha256(body.encode()).hexdigest()})
    with pytest.raises(BrokenArchive, match=said):
        parse_archive(packed(lines[0], changed, last))


def test_an_hour_of_talk_is_small() -> None:
    example = TranscriptFinal.model_validate(TranscriptFinal.example).payload()
    archive = log_of([example] * 20_000 + [CallEnded(pts_ms=3_600_000, reason="x").payload()])
    assert len(serialize_archive(archive)) < 1_000_000
