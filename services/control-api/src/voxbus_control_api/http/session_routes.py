"""`/session`: conversations by text that go on from chat to chat."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request

from voxbus_control_api.chats.records import SESSION, public
from voxbus_control_api.chats.requests import SessionPatch, SessionRequest, parse_session
from voxbus_control_api.http.api import Api, api_for
from voxbus_control_api.http.body import read_object
from voxbus_control_api.http.caller import org_of
from voxbus_control_api.http.described import described, list_query, pages_of, ref
from voxbus_control_api.listing import Filters, page_metadata, read_filtered
from voxbus_control_api.overrides import without_nulls
from voxbus_control_api.problems import validated

Json = dict[str, Any]
Org = Annotated[str, Depends(org_of)]
Services = Annotated[Api, Depends(api_for)]
Body = Annotated[Json, Depends(read_object)]

_SESSION: Final = described(ref("Session"))
_FILTERS: Final = Filters(
    columns={"id": "id", "idAny": "id"},
    in_body={
        "name": "name",
        "assistantId": "assistantId",
        "assistantIdAny": "assistantId",
        "squadId": "squadId",
        "phoneNumberId": "phoneNumberId",
        "phoneNumberIdAny": "phoneNumberId",
        "number": "customer.number",
        "customerNumberAny": "customer.number",
        "extension": "customer.extension",
        "sipUri": "customer.sipUri",
        "email": "customer.email",
        "externalId": "customer.externalId",
    },
    amounts=("cost",),
)
"""The customer's fields stand beside the session's own: so the official clients send them."""

router = APIRouter(prefix="/session", tags=["sessions"])


@router.post("", **described(ref("Session"), status=201, body=SessionRequest.model_json_schema()))
async def create_session(org: Org, api: Services, body: Body) -> Json:
    """The assistant is fixed here, with its variables filled in."""
    return public(await api.chats.new_session(org, parse_session(body), body))


@router.get("", **described(pages_of("Session"), query=list_query(paged=True, fields=_FILTERS.names)))
async def list_sessions(request: Request, org: Org, api: Services) -> Json:
    listing = read_filtered(request.query_params, _FILTERS)
    found = await api.resources.find(org, SESSION, listing)
    total = await api.resources.count(org, SESSION, listing)
    return {"results": [public(session) for session in found], "metadata": page_metadata(listing, total)}


@router.get("/{session_id}", **_SESSION)
async def get_session(session_id: str, org: Org, api: Services) -> Json:
    return public(await api.chats.found(org, SESSION, session_id))


@router.patch("/{session_id}", **described(ref("Session"), body=SessionPatch.model_json_schema()))
async def update_session(session_id: str, org: Org, api: Services, body: Body) -> Json:
    patch = validated(SessionPatch, without_nulls(body))
    return public(await api.chats.change_session(org, session_id, patch))


@router.delete("/{session_id}", **_SESSION)
async def delete_session(session_id: str, org: Org, api: Services) -> Json:
    return public(await api.chats.delete(org, SESSION, session_id))
