"""What folder and bucket have in common: obstore's calls, with our errors."""

import contextlib
import errno
from collections.abc import AsyncIterator, Generator
from typing import Any, Final

import obstore
from obstore import exceptions as foreign

from voxbus_objects.errors import ObjectFault, ObjectMissing, StoreFull, StoreRefused, StoreUnavailable
from voxbus_objects.keys import checked_key
from voxbus_objects.store import StoredObject

_LISTED: Final = 1_000
_CHUNK_BYTES: Final = 1024 * 1024


@contextlib.contextmanager
def translated(key: str) -> Generator[None]:
    """Foreign failures as ours; the text names the key, and never what the store quoted."""
    try:
        yield
    except ObjectFault:
        raise
    except FileNotFoundError:
        raise ObjectMissing(f"there is no object {key!r}") from None
    except (foreign.PermissionDeniedError, foreign.UnauthenticatedError, PermissionError):
        raise StoreRefused(f"the store refuses {key!r}: credentials or rights are wrong") from None
    except (foreign.BaseError, OSError) as problem:
        raise _unavailable(key, problem) from problem


def _unavailable(key: str, problem: Exception) -> ObjectFault:
    text = str(problem)
    if getattr(problem, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in text:
        return StoreFull(f"no space left for {key!r}")
    if "403 Forbidden" in text or "401 Unauthorized" in text:
        return StoreRefused(f"the store refuses {key!r}: credentials or rights are wrong")
    return StoreUnavailable(f"the store cannot serve {key!r} now: {type(problem).__name__}")


class Backend:
    """Everything but writing and signing."""

    def __init__(self, store: Any) -> None:
        self._store = store

    async def get(self, key: str) -> bytes:
        with translated(checked_key(key)):
            result = await obstore.get_async(self._store, key)
            return bytes(await result.bytes_async())

    async def get_range(self, key: str, start: int, length: int) -> bytes:
        head = await self.head(key)
        length = min(length, head.size_bytes - start)
        if length <= 0:
            return b""
        with translated(key):
            return bytes(await obstore.get_range_async(self._store, key, start=start, length=length))

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        with translated(checked_key(key)):
            result = await obstore.get_async(self._store, key)
            async for chunk in result.stream(min_chunk_size=_CHUNK_BYTES):
                yield bytes(chunk)

    async def head(self, key: str) -> StoredObject:
        with translated(checked_key(key)):
            return _stored(await obstore.head_async(self._store, key))

    async def list(self, prefix: str) -> list[StoredObject]:
        path = checked_key(prefix.rstrip("/")) if prefix else None
        with translated(prefix):
            found = await obstore.list(self._store, path, chunk_size=_LISTED).collect_async()
        return sorted((_stored(each) for each in found), key=lambda each: each.key)

    async def delete(self, key: str) -> None:
        with contextlib.suppress(ObjectMissing), translated(checked_key(key)):
            await obstore.delete_async(self._store, key)

    async def delete_prefix(self, prefix: str) -> int:
        keys = [each.key for each in await self.list(prefix)]
        for key in keys:
            await self.delete(key)
        return len(keys)


def _stored(meta: Any) -> StoredObject:
    return StoredObject(meta["path"], meta["size"], int(meta["last_modified"].timestamp() * 1000))
