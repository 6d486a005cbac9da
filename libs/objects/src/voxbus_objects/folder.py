"""Objects as files of one folder."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import IO, Final

from obstore.store import LocalStore

from voxbus_objects.backend import Backend, translated
from voxbus_objects.errors import BadStoreAddress, StoreRefused
from voxbus_objects.keys import checked_key
from voxbus_objects.signing import UrlSigner

_PRIVATE: Final = 0o600


class LocalFolder(Backend):
    """A put is written beside, synced, renamed, and the folder synced: whole and lasting, or not there."""

    def __init__(self, path: Path, signer: UrlSigner | None) -> None:
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as problem:
            raise BadStoreAddress(f"{path}: {problem.strerror}") from problem
        super().__init__(LocalStore(path, automatic_cleanup=True))
        self._path = path.resolve()
        self._signer = signer

    async def put(self, key: str, content: bytes) -> None:
        await asyncio.to_thread(self._write, checked_key(key), content)

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        with translated(checked_key(key)), _beside(self._path / key) as file:
            async for chunk in chunks:
                await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(_sync, file)

    async def sign(self, key: str, expires_s: int, now_s: float) -> str:
        if self._signer is None:
            raise StoreRefused("a folder signs only where control-api's public address and the cluster key are known")
        return self._signer.url(key, int(now_s) + expires_s)

    def _write(self, key: str, content: bytes) -> None:
        with translated(key), _beside(self._path / key) as file:
            file.write(content)
            _sync(file)


@contextlib.contextmanager
def _beside(target: Path) -> Generator[IO[bytes]]:
    """A file that becomes `target` if all goes well. Names with `#` are no keys: listings leave them out."""
    temporary = target.with_name(f"{target.name}#{secrets.randbelow(10**12)}")
    _make_parents(target.parent)
    try:
        with _opened(temporary) as file:
            yield file
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _opened(path: Path) -> IO[bytes]:
    """Deleting the last object of a folder may take the folder away under us: then it is made again."""

    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        return os.fdopen(os.open(path, flags, _PRIVATE), "wb")
    except FileNotFoundError:
        _make_parents(path.parent)
        return os.fdopen(os.open(path, flags, _PRIVATE), "wb")


def _make_parents(folder: Path) -> None:
    """Makes missing folders, each entry synced so that a put survives a power cut."""
    missing: list[Path] = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True, mode=0o700)
        _sync_folder(each.parent)


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
