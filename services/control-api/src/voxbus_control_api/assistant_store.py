"""Assistants as they were posted."""

from dataclasses import dataclass
from typing import Any, Final

from voxbus_control_api.listing import Listing
from voxbus_control_api.projection import iso
from voxbus_control_api.resource_store import Resource, ResourceStore

Json = dict[str, Any]

ASSISTANT: Final = "assistant"


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
    """The resources of kind `assistant`; every question is asked for one organisation."""

    def __init__(self, resources: ResourceStore) -> None:
        self._resources = resources

    async def add(self, assistant: StoredAssistant) -> None:
        await self._resources.create(_resource(assistant))

    async def get(self, org: str, assistant_id: str) -> StoredAssistant | None:
        found = await self._resources.get(org, ASSISTANT, assistant_id)
        return _assistant(found) if found else None

    async def find(self, org: str, listing: Listing) -> list[StoredAssistant]:
        return [_assistant(found) for found in await self._resources.find(org, ASSISTANT, listing)]

    async def put(self, assistant: StoredAssistant) -> None:
        await self._resources.change(assistant.org, ASSISTANT, assistant.id, lambda _there: _resource(assistant))

    async def remove(self, org: str, assistant_id: str) -> None:
        await self._resources.delete(org, ASSISTANT, assistant_id)


def _resource(assistant: StoredAssistant) -> Resource:
    times = (assistant.created_at_ms, assistant.updated_at_ms)
    return Resource(assistant.org, ASSISTANT, assistant.id, *times, assistant.body)


def _assistant(found: Resource) -> StoredAssistant:
    return StoredAssistant(found.id, found.org, found.created_at_ms, found.updated_at_ms, found.body)
