"""Everything that is generated: written, or compared with what is committed."""

import json
from pathlib import Path
from typing import Any, Final

from voxbus_cli.generate.asyncapi import asyncapi_document
from voxbus_cli.generate.catalogue import all_messages, all_requests, json_schema
from voxbus_cli.generate.page import events_page
from voxbus_cli.generate.readers import Readers, live_readers
from voxbus_cli.generate.stubs import STUBS_ROOT, protobuf_stubs

SCHEMAS: Final = Path("docs/schemas")
_STUB_ENDINGS: Final = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")


def documents(readers: Readers) -> dict[Path, str]:
    """Path inside the checkout → text, of what comes from the contracts."""
    messages, requests = all_messages(readers), all_requests()
    questions = {
        SCHEMAS / file: _json(schema)
        for facts in requests
        for file, schema in zip(facts.schema_files, facts.schemas(), strict=True)
    }
    return {
        Path("docs/events.md"): events_page(messages, requests),
        Path("docs/asyncapi.json"): _json(asyncapi_document(messages, requests)),
        **questions,
        **{SCHEMAS / facts.schema_file: _json(json_schema(facts)) for facts in messages},
    }


def generated(root: Path) -> dict[Path, str]:
    """All of it, for the checkout at `root`."""
    return {**documents(live_readers()), **protobuf_stubs(root)}


def leftovers(root: Path, wanted: dict[Path, str]) -> list[Path]:
    """Files an earlier generation wrote that no message and no .proto asks for any more."""
    schemas = (root / SCHEMAS).glob("*.json")
    stubs = (path for path in (root / STUBS_ROOT).rglob("*") if path.name.endswith(_STUB_ENDINGS))
    found = {path.relative_to(root) for path in (*schemas, *stubs)}
    return sorted(found - wanted.keys())


def differences(root: Path, wanted: dict[Path, str]) -> list[str]:
    """One line per committed file that is not what would be generated."""
    lines = [
        f"{path} {'differs' if (root / path).exists() else 'is missing'}"
        for path, text in wanted.items()
        if not (root / path).exists() or (root / path).read_text() != text
    ]
    return [*lines, *(f"{path} is left over" for path in leftovers(root, wanted))]


def write(root: Path, wanted: dict[Path, str]) -> list[str]:
    """Makes the checkout agree; gives a line per file it touched."""
    touched = differences(root, wanted)
    for path, text in wanted.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    for path in leftovers(root, wanted):
        (root / path).unlink()
    return touched


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
