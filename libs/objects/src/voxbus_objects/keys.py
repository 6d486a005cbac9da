"""Where everything lies. Nothing else in the project spells a key.

`<org>/<call>/…` holds all of a call, so that deleting the prefix deletes the call; `<org>/files/…` what customers
uploaded. Pure.
"""

import re
from typing import Final, Literal

from voxbus_contracts import CallRef
from voxbus_contracts.identity import checked_token
from voxbus_objects.errors import BadKey

Track = Literal["stereo", "mono", "customer", "assistant"]
"""stereo = left the caller, right what was played; mono = both; the others one of them."""

TRACKS: Final[tuple[Track, ...]] = ("stereo", "mono", "customer", "assistant")

_TYPES: Final = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "gz": "application/gzip",
    "zst": "application/zstd",
    "json": "application/json",
}
_SEGMENT = re.compile(r"/recording/segments/(\d{10})-(\d{8})-(\d{6})\.seg$")
_ARCHIVE: Final = "archive/log.jsonl.zst"
_ENDING = re.compile(r"[a-z0-9]{1,8}")


def call_prefix(ref: CallRef) -> str:
    """Everything of a call."""
    return f"{checked_token(ref.org, 'org')}/{ref.call}/"


def segments_prefix(ref: CallRef) -> str:
    return f"{call_prefix(ref)}recording/segments/"


def segment(ref: CallRef, first_pts_ms: int, epoch: int, number: int) -> str:
    """Sorts by its first slot; several of one stretch complete each other. `number` counts those of one epoch."""
    return f"{segments_prefix(ref)}{first_pts_ms:010d}-{epoch:08d}-{number:06d}.seg"


def parse_segment(key: str) -> tuple[int, int, int]:
    """First pts (ms), epoch and number of a segment's key; raises BadKey."""
    found = _SEGMENT.search(key)
    if found is None:
        raise BadKey(f"{key!r} is no key of a segment")
    return int(found[1]), int(found[2]), int(found[3])


def recording(ref: CallRef, track: Track, ending: str) -> str:
    """A finished file; `ending` is wav, mp3 or ogg."""
    return f"{call_prefix(ref)}recording/{track}.{_checked_ending(ending)}"


def archive(ref: CallRef) -> str:
    """The call's whole log."""
    return f"{call_prefix(ref)}{_ARCHIVE}"


def archived_call(key: str) -> CallRef | None:
    """The call whose archive lies at `key`; None = it is another object's."""
    parts = key.split("/")
    if len(parts) != 4 or parts[2:] != _ARCHIVE.split("/"):
        return None
    try:
        return CallRef(parts[0], parts[1])
    except ValueError:
        return None


def call_logs(ref: CallRef) -> str:
    """Gzipped JSON lines for the customer."""
    return f"{call_prefix(ref)}call-logs.jsonl.gz"


def customer_file(org: str, file_id: str, ending: str = "") -> str:
    """What a customer uploaded."""
    stem = f"{checked_token(org, 'org')}/files/{checked_token(file_id, 'file')}"
    return f"{stem}.{_checked_ending(ending)}" if ending else stem


def content_type(key: str) -> str:
    """By its ending."""
    return _TYPES.get(key.rpartition(".")[2], "application/octet-stream")


def checked_key(key: str) -> str:
    """`key` if it names an object inside the store; raises BadKey otherwise."""
    parts = key.split("/")
    if not key or any(part in ("", ".", "..") for part in parts) or "\\" in key or "\0" in key or "#" in key:
        raise BadKey(f"{key!r} is no key: parts separated by single '/', none of them empty, '.' or '..', no '#'")
    return key


def _checked_ending(ending: str) -> str:
    if not _ENDING.fullmatch(ending):
        raise BadKey(f"{ending!r} is no ending of a file")
    return ending
