"""`/delivery`: server messages that were given up, to be looked at and sent again. Voxbus' own, Vapi has none."""

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request

from voxbus_contracts import CallRef
from voxbus_control_api.errors import NotFound
from voxbus_control_api.http.api import Api, api_for
from voxbus_control_api.http.caller import org_of
from voxbus_control_api.http.described import described, parameter
from voxbus_control_api.listing import read_listing
from voxbus_control_api.messages.dead_letters import Kept, shown
from voxbus_control_api.projection import iso

Json = dict[str, Any]
Org = Annotated[str, Depends(org_of)]
Services = Annotated[Api, Depends(api_for)]

_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_TIME: Final = {"type": "string", "format": "date-time"}
_FIELDS: Final[Json] = {
    "id": _TEXT,
    "orgId": _TEXT,
    "createdAt": _TIME,
    "updatedAt": {**_TIME, "description": "when it was given up"},
    "callId": _TEXT,
    "type": {**_TEXT, "description": "of the message"},
    "status": {"enum": ["dead", "sending"]},
    "reason": {**_TEXT, "description": "code of the last failure"},
    "statusCode": {"type": ["integer", "null"], "description": "of the server's last answer, null = it gave none"},
    "attempts": _COUNT,
}
_DELIVERY: Final[Json] = {"type": "object", "required": list(_FIELDS), "properties": _FIELDS}
_WHOLE: Final[Json] = {**_DELIVERY, "properties": {**_FIELDS, "body": {"type": "object"}}}
_QUERY: Final = (
    parameter("limit", {"type": "integer", "minimum": 0, "maximum": 1000, "default": 100}),
    parameter("callId", {"type": "string", "pattern": "^[^\\u0000]*$"}),
)

router = APIRouter(prefix="/delivery", tags=["deliveries (Voxbus)"])


@router.get("", **described({"type": "array", "items": _DELIVERY}, query=_QUERY))
async def list_deliveries(request: Request, org: Org, api: Services) -> list[Json]:
    """Those that were given up and not sent again since, newest first; kept for 7 days."""
    limit = read_listing(request.query_params).limit
    call = request.query_params.get("callId")
    if call is None:
        found = await api.dead_letters.of_org(org, limit)
    else:
        ref = _ref(org, call)
        found = await api.dead_letters.of_call(ref, limit) if ref else []
    return [_shown(each, org) for each in found]


@router.get("/{delivery_id}", **described(_WHOLE))
async def get_delivery(delivery_id: str, org: Org, api: Services) -> Json:
    """With the whole message as the server was to get it."""
    kept = await _found(api, org, delivery_id)
    return {**_shown(kept, org), "body": json.loads(kept.letter.delivery.body)}


@router.post("/{delivery_id}/retry", **described(_DELIVERY))
async def retry_delivery(delivery_id: str, org: Org, api: Services) -> Json:
    """Sends it once more, with retries as at first; given up again it is listed again."""
    kept = await _found(api, org, delivery_id)
    await api.dead_letters.send_again(kept)
    return {**_shown(kept, org), "status": "sending"}


async def _found(api: Api, org: str, delivery_id: str) -> Kept:
    ref = _ref(org, delivery_id.partition(".")[0])
    found = await api.dead_letters.find(ref, delivery_id) if ref else None
    if found is None:
        raise NotFound(f"there is no delivery {delivery_id[:80]} that was given up")
    return found


def _ref(org: str, call: str) -> CallRef | None:
    """None for what cannot be a call's id."""
    try:
        return CallRef(org, call)
    except ValueError:
        return None


def _shown(kept: Kept, org: str) -> Json:
    letter = kept.letter
    return shown(letter, org, (iso(letter.delivery.made_at_ms), iso(letter.failed_at_ms)))
