"""`/assistant`: stored and given back as posted."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from voxbus_contracts.assistant import Assistant
from voxbus_control_api.assistant_store import StoredAssistant
from voxbus_control_api.call_request import validate_assistant
from voxbus_control_api.errors import NotFound
from voxbus_control_api.http.api import Api, api_of
from voxbus_control_api.http.body import read_object
from voxbus_control_api.http.caller import org_of
from voxbus_control_api.listing import read_listing

Json = dict[str, Any]
Org = Annotated[str, Depends(org_of)]
Services = Annotated[Api, Depends(api_of)]
Body = Annotated[Json, Depends(read_object)]

_OWN_FIELDS = ("id", "orgId", "createdAt", "updatedAt")
_SCHEMA: Json = {"requestBody": {"content": {"application/json": {"schema": Assistant.model_json_schema()}}}}

router = APIRouter(prefix="/assistant", tags=["assistants"])


@router.post("", status_code=201, openapi_extra=_SCHEMA)
async def create_assistant(org: Org, api: Services, body: Body) -> Json:
    validate_assistant(body)
    now_ms = api.now_ms()
    assistant = StoredAssistant(api.new_id(), org, now_ms, now_ms, _without_own_fields(body))
    await api.assistants.add(assistant)
    return assistant.shown()


@router.get("")
async def list_assistants(request: Request, org: Org, api: Services) -> list[Json]:
    found = await api.assistants.find(org, read_listing(request.query_params))
    return [assistant.shown() for assistant in found]


@router.get("/{assistant_id}")
async def get_assistant(assistant_id: str, org: Org, api: Services) -> Json:
    return (await found_assistant(api, org, assistant_id)).shown()


@router.patch("/{assistant_id}", openapi_extra=_SCHEMA)
async def update_assistant(assistant_id: str, org: Org, api: Services, body: Body) -> Json:
    """Given fields replace those there are; null takes one away."""
    assistant = await found_assistant(api, org, assistant_id)
    changed = {**assistant.body, **_without_own_fields(body)}
    changed = {name: value for name, value in changed.items() if value is not None or name not in body}
    validate_assistant(changed)
    assistant = replace(assistant, body=changed, updated_at_ms=api.now_ms())
    await api.assistants.put(assistant)
    return assistant.shown()


@router.delete("/{assistant_id}")
async def delete_assistant(assistant_id: str, org: Org, api: Services) -> Json:
    assistant = await found_assistant(api, org, assistant_id)
    await api.assistants.remove(org, assistant_id)
    return assistant.shown()


async def found_assistant(api: Api, org: str, assistant_id: str) -> StoredAssistant:
    """Raises NotFound."""
    assistant = await api.assistants.get(org, assistant_id)
    if assistant is None:
        raise NotFound(f"there is no assistant {assistant_id[:64]}")
    return assistant


def _without_own_fields(body: Json) -> Json:
    return {name: value for name, value in body.items() if name not in _OWN_FIELDS}
