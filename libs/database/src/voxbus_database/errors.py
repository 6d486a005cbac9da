"""What can be wrong with a database.

DatabaseFault
├── BadDatabaseUrl       not retryable: the setting is wrong
├── DatabaseUnreachable  retryable: no connection, or none free in time
└── DatabaseTooNew       not retryable: a newer version has migrated it
"""

from typing import ClassVar


class DatabaseFault(Exception):
    """Base of all."""

    code: ClassVar[str] = "database-fault"
    retryable: ClassVar[bool] = False


class BadDatabaseUrl(DatabaseFault):
    """Never quotes the address: it may hold a password."""

    code = "bad-database-url"


class DatabaseUnreachable(DatabaseFault):
    """Names host and database, never the password."""

    code = "database-unreachable"
    retryable = True


class DatabaseTooNew(DatabaseFault):
    """Names the revision nobody here knows."""

    code = "database-too-new"
