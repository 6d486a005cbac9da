"""A file as it is uploaded: what is kept of it beside its bytes. Pure."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from voxbus_control_api.errors import BadRequest
from voxbus_control_api.schemas.file import PURPOSES

Json = dict[str, Any]

_ENDING: Final = re.compile(r"\.([A-Za-z0-9]{1,8})$")
_LONGEST_NAME: Final = 255
_TEXTS: Final = ("application/json", "application/xml", "application/x-ndjson", "application/yaml")


@dataclass(frozen=True, slots=True)
class Upload:
    """The part `file` of a form, and what stands beside it."""

    name: str
    mimetype: str
    content: bytes
    purpose: str | None = None
    metadata: str | None = None


def file_body(upload: Upload, key: str) -> Json:
    """What is stored. Raises BadRequest naming every offending field."""
    problems: list[str] = []
    if upload.purpose is not None and upload.purpose not in PURPOSES:
        problems.append(f"purpose must be one of the following values: {', '.join(PURPOSES)}")
    metadata = _object(upload.metadata) if upload.metadata else {}
    if metadata is None:
        problems.append("metadata must be a JSON object")
    if "\0" in upload.name:
        problems.append("file must have a name without the character NUL")
    if problems:
        raise BadRequest(*problems)
    name = upload.name[:_LONGEST_NAME] or "file"
    body: Json = {
        "object": "file",
        "status": "done",
        "name": name,
        "originalName": name,
        "bytes": len(upload.content),
        "mimetype": upload.mimetype,
        "key": key,
    }
    more = {"purpose": upload.purpose, "metadata": metadata or None}
    return {**body, **{field: value for field, value in more.items() if value is not None}}


def ending_of(name: str) -> str:
    """`pdf` of `Menu.PDF`; nothing when there is none that a key may have."""
    found = _ENDING.search(name)
    return found[1].lower() if found else ""


def is_text(mimetype: str, content: bytes) -> bool:
    """Can it be read as text?"""
    kind = mimetype.partition(";")[0].strip().lower()
    if not (kind.startswith("text/") or kind in _TEXTS or kind.endswith(("+json", "+xml"))):
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _object(text: str) -> Json | None:
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
