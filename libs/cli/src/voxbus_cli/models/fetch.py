"""Fetches an archive, going on where an earlier try stopped, and checks its hash."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx

from voxbus_cli.errors import ApiRefused, CommandFailed, NotReachable

_PATIENCE_S: Final = 30.0
_PARTIAL: Final = 206
_RANGE_NOT_SATISFIABLE: Final = 416

Progress = Callable[[int, int | None], None]
"""Is told bytes here, and bytes in all where the server says so."""


class WrongHash(CommandFailed):
    """What came is not what was pinned; it was thrown away."""

    code = "cli.wrong_hash"


def fetched(url: str, sha256: str, file: Path, progress: Progress) -> None:
    """Leaves the whole archive in `file`. Raises NotReachable, ApiRefused, WrongHash, OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with httpx.Client(follow_redirects=True, timeout=_PATIENCE_S) as client:
            _download(client, url, file, progress)
    except httpx.TransportError as problem:
        host = httpx.URL(url).host
        raise NotReachable(
            f"{host} cannot be reached ({type(problem).__name__}). This needs the network; what has come is kept,"
            " so the same command goes on from there."
            f" Without network: fetch {url} elsewhere and put it at {file}"
        ) from None
    found = hashed(file)
    if found != sha256:
        file.unlink()
        raise WrongHash(f"what came from {url} has the SHA-256 {found}, not {sha256}: it was thrown away")


def hashed(file: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _download(client: httpx.Client, url: str, file: Path, progress: Progress) -> None:
    here = file.stat().st_size if file.exists() else 0
    headers = {"Range": f"bytes={here}-"} if here else {}
    with client.stream("GET", url, headers=headers) as answer:
        if here and answer.status_code == _RANGE_NOT_SATISFIABLE:
            return
        if answer.is_error:
            raise ApiRefused(f"{url} answered {answer.status_code}")
        goes_on = answer.status_code == _PARTIAL
        here = here if goes_on else 0
        length = answer.headers.get("content-length")
        total = here + int(length) if length and length.isdigit() else None
        with file.open("ab" if goes_on else "wb") as content:
            for piece in answer.iter_raw():
                content.write(piece)
                here += len(piece)
                progress(here, total)
