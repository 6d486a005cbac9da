"""Brings a database to the revision this code is written for, when a service starts.

Revisions are Alembic's, run without an env.py: `upgrade(op: Operations)` gets its operations, nothing is global, so
that two databases may be migrated in one process.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Any, Final

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from voxbus_database.addresses import POSTGRESQL
from voxbus_database.errors import DatabaseTooNew

_SERVICE: Final = re.compile(r"[a-z][a-z0-9-]*")
_LOCK_TIMEOUT: Final = "60s"


@dataclass(frozen=True, slots=True)
class Schema:
    """Whose tables, and the package whose folder `versions` holds their revisions."""

    service: str
    migrations: str

    def __post_init__(self) -> None:
        if not _SERVICE.fullmatch(self.service):
            raise ValueError(f"not the name of a service: {self.service}")

    @property
    def name(self) -> str:
        """The PostgreSQL schema of the service's own."""
        return self.service.replace("-", "_")

    @property
    def version_table(self) -> str:
        return f"{self.name}_version"

    @property
    def lock(self) -> int:
        """Key of the advisory lock that one migrating process holds: 63 bits."""
        return int.from_bytes(hashlib.sha256(f"voxbus {self.name}".encode()).digest()[:8]) >> 1


def migrate(connection: Connection, schema: Schema) -> None:
    """Up to the newest revision, inside the connection's transaction: all of it or nothing. Raises DatabaseTooNew.

    Whoever comes second waits, and finds the work done: SQLite by the write lock its caller has taken, PostgreSQL by
    an advisory lock that ends with the transaction.
    """
    if connection.dialect.name == POSTGRESQL:
        _take_schema(connection, schema)
    with as_file(files(schema.migrations)) as folder:
        script = ScriptDirectory(str(folder), version_locations=[str(folder / "versions")])
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.version_table, "fn": _upgrade(script, schema)}
        )
        context.run_migrations(op=Operations(context))


def _upgrade(script: ScriptDirectory, schema: Schema) -> Any:
    def steps(current: Any, _context: MigrationContext) -> Iterable[Any]:
        unknown = [revision for revision in _as_tuple(current) if not _is_known(script, revision)]
        if unknown:
            raise DatabaseTooNew(
                f"the database of {schema.service} is at revision {unknown[0]}, which this version does not know: "
                f"it was migrated by a newer one. Start that version, or restore an older database"
            )
        return script._upgrade_revs("heads", current)  # pyright: ignore[reportPrivateUsage]

    return steps


def _is_known(script: ScriptDirectory, revision: str) -> bool:
    try:
        return bool(script.get_revision(revision))
    except CommandError:
        return False


def _as_tuple(current: Any) -> tuple[str, ...]:
    return (current,) if isinstance(current, str) else tuple(current)


def _take_schema(connection: Connection, schema: Schema) -> None:
    """Asks first whether it is there: making it needs a right that a careful installation takes away again."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": schema.lock})
    there = text("SELECT 1 FROM pg_namespace WHERE nspname = :name")
    if connection.execute(there, {"name": schema.name}).first() is None:
        connection.execute(text(f'CREATE SCHEMA "{schema.name}"'))
