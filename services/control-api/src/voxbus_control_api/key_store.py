"""Private keys, by their hash."""

from sqlalchemy import func, select

from voxbus_control_api.access import sha256_hex
from voxbus_control_api.database import KEYS, Database
from voxbus_database import insert_new


class KeyStore:
    """Which organisation a key belongs to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self) -> int:
        async with self._database.read() as connection:
            return (await connection.execute(select(func.count()).select_from(KEYS))).scalar_one()

    async def add(self, key: str, org: str, now_ms: int) -> None:
        """Adding a known key changes nothing."""
        row = {"sha256": sha256_hex(key), "org": org, "created_at_ms": now_ms}
        async with self._database.write() as connection:
            await connection.execute(insert_new(connection, KEYS).values(row))

    async def org_of(self, key: str) -> str | None:
        async with self._database.read() as connection:
            found = await connection.execute(select(KEYS.c.org).where(KEYS.c.sha256 == sha256_hex(key)))
            return found.scalar_one_or_none()
