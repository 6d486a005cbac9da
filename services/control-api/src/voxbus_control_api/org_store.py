"""Organisations: everything else belongs to one of them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import insert, select, update

from voxbus_control_api.database import ORGS, Database, to_text
from voxbus_control_api.listing import Listing
from voxbus_control_api.projection import iso
from voxbus_database import insert_new

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Org:
    """One organisation. `body` is what was posted; without a limit of its own the installation's default counts."""

    id: str
    created_at_ms: int
    updated_at_ms: int
    body: Json
    concurrency_limit: int | None = None

    def shown(self, default_limit: int) -> Json:
        """As the API gives it."""
        times = {"createdAt": iso(self.created_at_ms), "updatedAt": iso(self.updated_at_ms)}
        limit = default_limit if self.concurrency_limit is None else self.concurrency_limit
        return {**self.body, "id": self.id, **times, "concurrencyLimit": limit}


class OrgStore:
    """Asked for one organisation; `find` is the operator's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure(self, org: Org) -> None:
        """Making one that is there changes nothing."""
        async with self._database.write() as connection:
            await connection.execute(insert_new(connection, ORGS).values(_row(org)))

    async def create(self, org: Org) -> None:
        async with self._database.write() as connection:
            await connection.execute(insert(ORGS).values(_row(org)))

    async def get(self, org: str) -> Org | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select(ORGS).where(ORGS.c.id == org))).first()
        return _org(row) if row else None

    async def find(self, listing: Listing) -> list[Org]:
        """All organisations of the installation."""
        statement = listing.applied(select(ORGS).where(*listing.conditions(ORGS)), ORGS)
        async with self._database.read() as connection:
            return [_org(row) for row in (await connection.execute(statement)).all()]

    async def change(self, org: str, changed: Callable[[Org], Org]) -> Org | None:
        """Reads, changes and writes without anybody in between; None when there is none."""
        async with self._database.write() as connection:
            row = (await connection.execute(select(ORGS).where(ORGS.c.id == org).with_for_update())).first()
            if row is None:
                return None
            after = replace(changed(_org(row)), id=org)
            await connection.execute(update(ORGS).where(ORGS.c.id == org).values(_row(after)))
            return after


def _row(org: Org) -> Json:
    return {
        "id": org.id,
        "created_at_ms": org.created_at_ms,
        "updated_at_ms": org.updated_at_ms,
        "concurrency_limit": org.concurrency_limit,
        "body": to_text(org.body),
    }


def _org(row: Any) -> Org:
    return Org(row.id, row.created_at_ms, row.updated_at_ms, json.loads(row.body), row.concurrency_limit)
