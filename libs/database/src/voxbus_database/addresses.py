"""Addresses of databases as people write them → as the drivers want them. Pure."""

from pathlib import Path
from typing import Final

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from voxbus_database.errors import BadDatabaseUrl

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"

_DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
_ACCEPTED: Final = "sqlite:///path/to/file or postgresql://user:password@host/database"


def parse_url(text: str) -> URL:
    """`sqlite:///…` or `postgresql://…`, with or without the driver's name; raises BadDatabaseUrl."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise BadDatabaseUrl(f"the database's address must be {_ACCEPTED}") from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise BadDatabaseUrl(f"{url.drivername} is not a database this runs on; it must be {_ACCEPTED}")
    if not url.database or url.database == ":memory:":
        raise BadDatabaseUrl(f"the database's address must name a file or database: {_ACCEPTED}")
    return url.set(drivername=driver)


def sqlite_url(path: Path) -> str:
    return URL.create("sqlite", database=str(path)).render_as_string()


def shown(url: URL) -> str:
    """For messages: without user, password and options."""
    if url.get_backend_name() == SQLITE:
        return f"the file {url.database}"
    return f"PostgreSQL database {url.database} at {url.host or 'localhost'}:{url.port or 5432}"
