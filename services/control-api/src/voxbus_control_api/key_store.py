"""Keys of organisations, by their hash."""

import json
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from voxbus_control_api.access import sha256_hex
from voxbus_control_api.database import KEYS, Database, to_text
from voxbus_control_api.errors import Conflict
from voxbus_control_api.listing import Listing
from voxbus_control_api.projection import iso
from voxbus_control_api.restrictions import Restrictions, read_restrictions
from voxbus_database import insert_new

Json = dict[str, Any]
Tag = Literal["private", "public"]

_FRESH_MS: Final = 2_000
_MOST_FRESH: Final = 10_000


@dataclass(frozen=True, slots=True)
class Key:
    """One key as it is kept: without its secret. Times in ms since the epoch; `restrictions` as posted."""

    id: str
    org: str
    tag: str
    created_at_ms: int
    updated_at_ms: int
    name: str | None = None
    restrictions: Json | None = None
    expires_at_ms: int | None = None

    def is_valid(self, now_ms: int) -> bool:
        return self.expires_at_ms is None or now_ms < self.expires_at_ms

    @property
    def limits(self) -> Restrictions:
        return read_restrictions(self.restrictions)

    def shown(self) -> Json:
        """As `/token` gives it; the key itself is told once, when it is made."""
        optional = {
            "name": self.name,
            "restrictions": self.restrictions,
            "expiresAt": iso(self.expires_at_ms) if self.expires_at_ms is not None else None,
        }
        times = {"createdAt": iso(self.created_at_ms), "updatedAt": iso(self.updated_at_ms)}
        given = {name: value for name, value in optional.items() if value is not None}
        return {"id": self.id, "orgId": self.org, **times, "tag": self.tag, **given}


_LAST: Final = "this is the organisation's last private key: make another one first"


class KeyStore:
    """Whose a key is. Answers may be 2 s old: so long a revoked key still works on another replica."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._fresh: dict[str, tuple[int, Key | None]] = {}

    async def count(self) -> int:
        """Of all organisations, revoked ones too: 0 = first start."""
        async with self._database.read() as connection:
            return (await connection.execute(select(func.count()).select_from(KEYS))).scalar_one()

    async def add(self, secret: str, key: Key) -> None:
        """Adding a known secret changes nothing."""
        row = {**_row(key), "sha256": sha256_hex(secret)}
        async with self._database.write() as connection:
            await connection.execute(insert_new(connection, KEYS).values(row))
        self._fresh.clear()

    async def by_secret(self, secret: str, now_ms: int) -> Key | None:
        """Of any organisation: this is how a request says whose it is. None when unknown, expired or revoked."""
        sha256 = sha256_hex(secret)
        at_ms, key = self._fresh.get(sha256, (-_FRESH_MS, None))
        if not 0 <= now_ms - at_ms < _FRESH_MS:
            statement = select(KEYS).where(KEYS.c.sha256 == sha256, KEYS.c.revoked_at_ms.is_(None))
            async with self._database.read() as connection:
                row = (await connection.execute(statement)).first()
            key = _key(row) if row else None
            if key is not None:
                self._remember(sha256, now_ms, key)
        return key if key is not None and key.is_valid(now_ms) else None

    async def get(self, org: str, key_id: str) -> Key | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select(KEYS).where(*_one(org, key_id)))).first()
        return _key(row) if row else None

    async def find(self, org: str, listing: Listing) -> list[Key]:
        statement = select(KEYS).where(*_of(org), *listing.conditions(KEYS))
        async with self._database.read() as connection:
            return [_key(row) for row in (await connection.execute(listing.applied(statement, KEYS))).all()]

    async def put(self, key: Key) -> None:
        """Raises Conflict when no private key of the organisation would be valid any longer than this one."""
        async with self._database.write() as connection:
            if key.tag == "private" and key.expires_at_ms is not None:
                await _check_outlived(connection, key, key.expires_at_ms)
            await connection.execute(update(KEYS).where(*_one(key.org, key.id)).values(_row(key)))
        self._fresh.clear()

    async def revoke(self, org: str, key_id: str, now_ms: int) -> Key | None:
        """At once, for good; None when there is none. Raises Conflict for the last private key that is valid."""
        valid = or_(KEYS.c.expires_at_ms.is_(None), KEYS.c.expires_at_ms > now_ms)
        private = select(KEYS.c.id).where(*_of(org), and_(KEYS.c.tag == "private", valid)).order_by(KEYS.c.id)
        async with self._database.write() as connection:
            last = list((await connection.execute(private.with_for_update())).scalars())
            if last == [key_id]:
                raise Conflict(_LAST)
            row = (await connection.execute(select(KEYS).where(*_one(org, key_id)))).first()
            await connection.execute(update(KEYS).where(*_one(org, key_id)).values(revoked_at_ms=now_ms))
        self._fresh.clear()
        return _key(row) if row else None

    def _remember(self, sha256: str, now_ms: int, key: Key) -> None:
        if len(self._fresh) >= _MOST_FRESH:
            self._fresh.clear()
        self._fresh[sha256] = (now_ms, key)


async def _check_outlived(connection: AsyncConnection, key: Key, expires_at_ms: int) -> None:
    """The organisation's private keys are locked in order. Raises Conflict."""
    private = select(KEYS.c.id, KEYS.c.expires_at_ms).where(*_of(key.org), KEYS.c.tag == "private").order_by(KEYS.c.id)
    others = [row for row in await connection.execute(private.with_for_update()) if row.id != key.id]
    if not any(row.expires_at_ms is None or row.expires_at_ms > expires_at_ms for row in others):
        raise Conflict(_LAST)


def renewed(key: Key, now_ms: int, **changes: Any) -> Key:
    """The key with other name, restrictions or end."""
    return replace(key, updated_at_ms=now_ms, **changes)


def _of(org: str) -> tuple[Any, ...]:
    return KEYS.c.org == org, KEYS.c.revoked_at_ms.is_(None)


def _one(org: str, key_id: str) -> tuple[Any, ...]:
    return *_of(org), KEYS.c.id == key_id


def _row(key: Key) -> Json:
    return {
        "id": key.id,
        "org": key.org,
        "tag": key.tag,
        "created_at_ms": key.created_at_ms,
        "updated_at_ms": key.updated_at_ms,
        "name": key.name,
        "restrictions": to_text(key.restrictions) if key.restrictions is not None else None,
        "expires_at_ms": key.expires_at_ms,
    }


def _key(row: Any) -> Key:
    return Key(
        id=row.id,
        org=row.org,
        tag=row.tag,
        created_at_ms=row.created_at_ms,
        updated_at_ms=row.updated_at_ms,
        name=row.name,
        restrictions=json.loads(row.restrictions) if row.restrictions is not None else None,
        expires_at_ms=row.expires_at_ms,
    )
