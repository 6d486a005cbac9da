"""What a store can do, and the one that a URL names."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from voxbus_objects.address import FolderAddress, parse_address
from voxbus_objects.signing import UrlSigner


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object without its content; `modified_at_ms` since the epoch."""

    key: str
    size_bytes: int
    modified_at_ms: int


class ObjectStore(Protocol):
    """Objects by key. All raise ObjectFault: BadKey, StoreRefused, StoreUnavailable, StoreFull, ObjectMissing."""

    async def put(self, key: str, content: bytes) -> None:
        """Whole or not at all, replacing what was there; it lasts when this returns."""
        ...

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """The same for what is too large for memory; nothing is there if `chunks` raises."""
        ...

    async def get(self, key: str) -> bytes: ...

    async def get_range(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes from `start`, fewer at the end."""
        ...

    def stream(self, key: str) -> AsyncIterator[bytes]:
        """The content in chunks."""
        ...

    async def head(self, key: str) -> StoredObject: ...

    async def list(self, prefix: str) -> list[StoredObject]:
        """Sorted by key. A prefix ends at a `/`."""
        ...

    async def delete(self, key: str) -> None:
        """Also when there is none."""
        ...

    async def delete_prefix(self, prefix: str) -> int:
        """Everything below; how many there were."""
        ...

    async def sign(self, key: str, expires_s: int, now_s: float) -> str:
        """A URL anybody may read the object by, without a header, for `expires_s` (at most 7 days)."""
        ...


def open_store(url: str, signer: UrlSigner | None = None) -> ObjectStore:
    """The store at `url`; a local folder is made, and needs `signer` to sign. Raises BadStoreAddress, StoreRefused."""
    address = parse_address(url)
    if isinstance(address, FolderAddress):
        from voxbus_objects.folder import LocalFolder  # noqa: PLC0415  # obstore is loaded by those who store

        return LocalFolder(address.path, signer)
    from voxbus_objects.bucket import Bucket  # noqa: PLC0415

    return Bucket(address)
