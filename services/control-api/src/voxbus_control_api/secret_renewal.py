"""What was stored openly, or with an older key, is encrypted at a start with a new key, a few rows at a time."""

from typing import Any, Final

from sqlalchemy import Select, Table, delete, select, tuple_, update

from voxbus_control_api.database import CALLS, RESOURCES, SECRET_KEYS, Database
from voxbus_control_api.errors import BadSecretKey
from voxbus_control_api.secret_box import SecretBox
from voxbus_database import insert_new

_AT_A_TIME: Final = 200
_PLACES: Final = ((RESOURCES, "body"), (CALLS, "body"), (CALLS, "record"))
"""Tables and columns with posted bodies."""


async def renew_secrets(database: Database, box: SecretBox, now_ms: int) -> int:
    """How many rows were written; nothing is done when the newest key is the one of the last time.

    Raises BadSecretKey when the key of the last time is not given.
    """
    async with database.read() as connection:
        last = (await connection.execute(select(SECRET_KEYS.c.fingerprint))).scalars().first()
    if last == box.fingerprints[0]:
        return 0
    if last is not None and last not in box.fingerprints:
        raise BadSecretKey(
            "secrets in the database were stored with another key: add it to VOXBUS_SECRET_KEY, behind the new one"
        )
    renewed = sum([await _renew(database, box, table, name) for table, name in _PLACES])
    async with database.write() as connection:
        await connection.execute(delete(SECRET_KEYS))
        row = {"fingerprint": box.fingerprints[0], "renewed_at_ms": now_ms}
        await connection.execute(insert_new(connection, SECRET_KEYS).values(row))
    if renewed:
        await database.forget_overwritten()
    return renewed


async def _renew(database: Database, box: SecretBox, table: Table, name: str) -> int:
    """In the order of the primary key, so that each row is looked at once; one that changed meanwhile is left alone."""
    key = list(table.primary_key.columns)
    column = table.c[name]
    after: tuple[Any, ...] | None = None
    renewed = 0
    while True:
        statement: Select[Any] = select(*key, column).order_by(*key).limit(_AT_A_TIME)
        if after is not None:
            statement = statement.where(tuple_(*key) > after)
        async with database.read() as connection:
            rows = (await connection.execute(statement)).all()
        changed = [(row, text) for row in rows if row[-1] is not None and (text := box.renewed(row[-1])) is not None]
        if changed:
            async with database.write() as connection:
                for row, text in changed:
                    same = [each == value for each, value in zip([*key, column], row, strict=True)]
                    await connection.execute(update(table).where(*same).values({name: text}))
        renewed += len(changed)
        if len(rows) < _AT_A_TIME:
            return renewed
        after = tuple(rows[-1][:-1])
