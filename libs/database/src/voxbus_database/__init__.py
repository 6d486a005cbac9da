"""A service's database: SQLite or PostgreSQL, by its address."""

from voxbus_database.addresses import parse_url, sqlite_url
from voxbus_database.database import Database, insert_new, open_database
from voxbus_database.errors import BadDatabaseUrl, DatabaseFault, DatabaseTooNew, DatabaseUnreachable
from voxbus_database.migrations import Schema

__all__ = [
    "BadDatabaseUrl",
    "Database",
    "DatabaseFault",
    "DatabaseTooNew",
    "DatabaseUnreachable",
    "Schema",
    "insert_new",
    "open_database",
    "parse_url",
    "sqlite_url",
]
