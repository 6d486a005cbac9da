"""Everything that is stored as it was posted: assistants, squads, tools, phone numbers … One table, one kind each."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, cast, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.ext.asyncio import AsyncConnection

from voxbus_control_api.database import ORGS, RESOURCES, Database
from voxbus_control_api.listing import SORTED_BY, Listing
from voxbus_control_api.projection import iso
from voxbus_control_api.secret_box import SecretBox

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing of an organisation; `body` is exactly what was posted, times are in ms since the epoch.

    `lookup` is one value it may be found by beside its id: a phone number's number, a chat's session.
    """

    org: str
    kind: str
    id: str
    created_at_ms: int
    updated_at_ms: int
    body: Json
    lookup: str | None = None

    def shown(self) -> Json:
        """As the API gives it."""
        times = {"createdAt": iso(self.created_at_ms), "updatedAt": iso(self.updated_at_ms)}
        return {**self.body, "id": self.id, "orgId": self.org, **times}


class ResourceStore:
    """Every question is asked for one organisation. What is secret in a body is stored encrypted."""

    def __init__(self, database: Database, box: SecretBox) -> None:
        self._database = database
        self._box = box

    async def create(self, resource: Resource) -> None:
        async with self._database.write() as connection:
            await connection.execute(insert(RESOURCES).values(self._row(resource)))

    async def get(self, org: str, kind: str, resource_id: str) -> Resource | None:
        if "\x00" in resource_id:
            return None
        async with self._database.read() as connection:
            return await self._get(connection, select(RESOURCES).where(*_one(org, kind, resource_id)))

    async def get_many(self, org: str, kind: str, ids: list[str]) -> dict[str, Resource]:
        """Those of `ids` that are there, by id."""
        statement = select(RESOURCES).where(
            *_kind(org, kind), RESOURCES.c.id.in_([each for each in ids if "\x00" not in each])
        )
        async with self._database.read() as connection:
            found = [self._resource(row) for row in (await connection.execute(statement)).all()]
        return {resource.id: resource for resource in found}

    async def find(self, org: str, kind: str, listing: Listing) -> list[Resource]:
        """One page, newest first unless the listing says otherwise."""
        of_kind = select(RESOURCES).where(*self._conditions(org, kind, listing))
        first = self._amount(listing.sort_by) if listing.sort_by != SORTED_BY[0] else None
        statement = listing.applied(of_kind, RESOURCES, first)
        async with self._database.read() as connection:
            return [self._resource(row) for row in (await connection.execute(statement)).all()]

    async def count(self, org: str, kind: str, listing: Listing) -> int:
        """How many there are on all pages."""
        statement = select(func.count()).select_from(RESOURCES).where(*self._conditions(org, kind, listing))
        async with self._database.read() as connection:
            return int((await connection.execute(statement)).scalar_one())

    async def by_lookup(self, org: str, kind: str, lookup: str) -> list[Resource]:
        """Oldest first."""
        statement = select(RESOURCES).where(*_kind(org, kind), RESOURCES.c.lookup == lookup)
        statement = statement.order_by(RESOURCES.c.created_at_ms, RESOURCES.c.id)
        async with self._database.read() as connection:
            return [self._resource(row) for row in (await connection.execute(statement)).all()]

    async def org_body(self, org: str) -> Json:
        """The organisation itself, as it was posted; empty where it is unknown."""
        async with self._database.read() as connection:
            body = (await connection.execute(select(ORGS.c.body).where(ORGS.c.id == org))).scalar_one_or_none()
        return json.loads(body) if body else {}

    async def change(
        self, org: str, kind: str, resource_id: str, changed: Callable[[Resource], Resource]
    ) -> Resource | None:
        """Reads, changes and writes without anybody in between; None when there is none.

        What `changed` raises is raised, and nothing is written. Organisation, kind and id stay.
        """
        of = _one(org, kind, resource_id)
        async with self._database.write() as connection:
            there = await self._get(connection, select(RESOURCES).where(*of).with_for_update())
            if there is None:
                return None
            after = replace(changed(there), org=org, kind=kind, id=resource_id)
            await connection.execute(update(RESOURCES).where(*of).values(self._row(after)))
            return after

    async def delete(self, org: str, kind: str, resource_id: str) -> Resource | None:
        """As it was; None when there is none."""
        of = _one(org, kind, resource_id)
        async with self._database.write() as connection:
            there = await self._get(connection, select(RESOURCES).where(*of).with_for_update())
            await connection.execute(delete(RESOURCES).where(*of))
            return there

    def _conditions(self, org: str, kind: str, listing: Listing) -> list[Any]:
        in_body = [self._field(place).in_(values) for place, values in listing.in_body]
        return [*_kind(org, kind), *listing.conditions(RESOURCES), *in_body, *self._searched(listing)]

    def _searched(self, listing: Listing) -> list[Any]:
        """Any of the fields holds the text, in capitals or not."""
        if listing.searched is None:
            return []
        text, fields = listing.searched
        return [or_(*(func.lower(self._field(name)).contains(text.lower(), autoescape=True) for name in fields))]

    def _field(self, place: str) -> Any:
        """A text field of the body: `name`, or `customer.number`."""
        names = place.split(".")
        if self._database.backend == "postgresql":
            return self._json()[tuple(names)].as_string()
        return func.json_extract(RESOURCES.c.body, "$" + "".join(f'."{name}"' for name in names))

    def _amount(self, name: str) -> Any:
        """A number at the top of the body; 0 where there is none."""
        if self._database.backend == "postgresql":
            return func.coalesce(self._json()[name].as_float(), 0)
        return func.coalesce(func.json_extract(RESOURCES.c.body, f'$."{name}"'), 0)

    def _json(self) -> Any:
        """PostgreSQL reads no JSON with the character NUL in it: blank instead."""
        return cast(func.replace(RESOURCES.c.body, "\\u0000", "\\u0020"), JSON)

    async def _get(self, connection: AsyncConnection, statement: Select[Any]) -> Resource | None:
        row = (await connection.execute(statement)).first()
        return self._resource(row) if row else None

    def _row(self, resource: Resource) -> Json:
        return {
            "org": resource.org,
            "kind": resource.kind,
            "id": resource.id,
            "created_at_ms": resource.created_at_ms,
            "updated_at_ms": resource.updated_at_ms,
            "lookup": resource.lookup,
            "body": self._box.to_text(resource.body),
        }

    def _resource(self, row: Any) -> Resource:
        body = self._box.from_text(row.body)
        return Resource(row.org, row.kind, row.id, row.created_at_ms, row.updated_at_ms, body, row.lookup)


def _kind(org: str, kind: str) -> tuple[Any, ...]:
    return RESOURCES.c.org == org, RESOURCES.c.kind == kind


def _one(org: str, kind: str, resource_id: str) -> tuple[Any, ...]:
    return *_kind(org, kind), RESOURCES.c.id == resource_id
