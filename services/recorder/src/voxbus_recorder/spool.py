"""Segments that wait on this machine's disk while the object store fails. Blocking; files are named by their keys."""

import contextlib
import os
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

_BEING_WRITTEN: Final = ".part"


class Spool:
    """A folder of waiting segments; what a killed process left is there for the next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, content: bytes) -> None:
        """Whole or not at all, and on disk when it returns. Raises OSError (no space left …)."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(key)
        part = path.with_name(path.name + _BEING_WRITTEN)
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise

    def get(self, key: str) -> bytes | None:
        """None when it is gone."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def keys(self) -> list[str]:
        """In the order of their keys, which within a call is that of time."""
        if not self._folder.is_dir():
            return []
        names = [path.name for path in self._folder.iterdir() if not path.name.endswith(_BEING_WRITTEN)]
        return sorted(unquote(name) for name in names)

    def _path(self, key: str) -> Path:
        return self._folder / quote(key, safe="")
