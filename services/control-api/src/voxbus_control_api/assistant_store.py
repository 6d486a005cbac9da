"""Assistants as they were posted."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update

from voxbus_control_api.database import ASSISTANTS, Database, to_text
from voxbus_control_api.listing import Listing
from voxbus_control_api.projection import iso

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredAssistant:
    """One assistant; `body` is exactly what was posted."""

    id: str
    org: str
    created_at_ms: int
    updated_at_ms: int
    body: Json

    def shown(self) -> Json:
        """As the API gives it."""
        times = {"createdAt": iso(self.created_at_ms), "updatedAt": iso(self.updated_at_ms)}
        return {**self.body, "id": self.id, "orgId": self.org, **times}


class AssistantStore:
    """Every question is asked for one organisation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, assistant: StoredAssistant) -> None:
        row = {**_times(assistant), "id": assistant.id, "org": assistant.org, "body": to_text(assistant.body)}
        async with self._database.write() as connection:
            await connection.execute(insert(ASSISTANTS).values(row))

    async def get(self, org: str, assistant_id: str) -> StoredAssistant | None:
        statement = select(ASSISTANTS).where(ASSISTANTS.c.org == org, ASSISTANTS.c.id == assistant_id)
        async with self._database.read() as connection:
            row = (await connection.execute(statement)).first()
        return _stored(row) if row else None

    async def find(self, org: str, listing: Listing) -> list[StoredAssistant]:
        statement = (
            select(ASSISTANTS)
            .where(ASSISTANTS.c.org == org, *listing.conditions(ASSISTANTS))
            .order_by(ASSISTANTS.c.created_at_ms.desc(), ASSISTANTS.c.id)
            .limit(listing.limit)
        )
        async with self._database.read() as connection:
            return [_stored(row) for row in (await connection.execute(statement)).all()]

    async def put(self, assistant: StoredAssistant) -> None:
        of = (ASSISTANTS.c.org == assistant.org, ASSISTANTS.c.id == assistant.id)
        values = {"updated_at_ms": assistant.updated_at_ms, "body": to_text(assistant.body)}
        async with self._database.write() as connection:
            await connection.execute(update(ASSISTANTS).where(*of).values(values))

    async def remove(self, org: str, assistant_id: str) -> None:
        of = (ASSISTANTS.c.org == org, ASSISTANTS.c.id == assistant_id)
        async with self._database.write() as connection:
            await connection.execute(delete(ASSISTANTS).where(*of))


def _times(assistant: StoredAssistant) -> dict[str, int]:
    return {"created_at_ms": assistant.created_at_ms, "updated_at_ms": assistant.updated_at_ms}


def _stored(row: Any) -> StoredAssistant:
    return StoredAssistant(row.id, row.org, row.created_at_ms, row.updated_at_ms, json.loads(row.body))
