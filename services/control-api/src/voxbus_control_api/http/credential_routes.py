"""`/credential`: what providers let a tenant in for. Stored encrypted; no answer holds a secret."""

from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request

from voxbus_control_api.credential import PROVIDERS, checked_credential, credential_schemas, shown_credential
from voxbus_control_api.errors import BadRequest, NotFound
from voxbus_control_api.http.api import Api, api_for
from voxbus_control_api.http.body import read_object
from voxbus_control_api.http.caller import org_of
from voxbus_control_api.http.described import array_of, described, list_query, ref
from voxbus_control_api.listing import read_listing
from voxbus_control_api.resource_store import Resource
from voxbus_control_api.secret_names import keeping_secrets

Json = dict[str, Any]
Org = Annotated[str, Depends(org_of)]
Services = Annotated[Api, Depends(api_for)]
Body = Annotated[Json, Depends(read_object)]

CREDENTIAL: Final = "credential"
_CHANGED: Json = {
    "type": "object",
    "properties": {
        "provider": {"type": "string", "enum": list(PROVIDERS)},
        "name": {"type": "string", "minLength": 1, "maxLength": 40},
    },
}
_CREDENTIAL: Json = described(ref("Credential"))

router = APIRouter(prefix="/credential", tags=["credentials"])


@router.post("", **described(ref("Credential"), status=201, body={"anyOf": credential_schemas()}))
async def create_credential(org: Org, api: Services, body: Body) -> Json:
    given = checked_credential(body)
    now_ms = api.now_ms()
    made = Resource(org, CREDENTIAL, api.new_id(), now_ms, now_ms, given, given["provider"])
    await api.resources.create(made)
    return _shown(made)


@router.get("", **described(array_of("Credential"), query=list_query(fields=("provider",))))
async def list_credentials(request: Request, org: Org, api: Services) -> list[Json]:
    listing = read_listing(request.query_params, {"provider": "lookup"})
    return [_shown(each) for each in await api.resources.find(org, CREDENTIAL, listing)]


@router.get("/{credential_id}", **_CREDENTIAL)
async def get_credential(credential_id: str, org: Org, api: Services) -> Json:
    found = await api.resources.get(org, CREDENTIAL, credential_id)
    if found is None:
        raise _none(credential_id)
    return _shown(found)


@router.patch("/{credential_id}", **described(ref("Credential"), body=_CHANGED))
async def update_credential(credential_id: str, org: Org, api: Services, body: Body) -> Json:
    """Given fields replace those there are, null takes one away; secrets that are not spoken of stay."""
    now_ms = api.now_ms()

    def changed(there: Resource) -> Resource:
        if body.get("provider", there.lookup) != there.lookup:
            raise BadRequest("provider must not be changed: make another credential")
        merged = {**there.body, **{name: keeping_secrets(there.body.get(name), value) for name, value in body.items()}}
        return replace(there, body=checked_credential(merged), updated_at_ms=now_ms)

    after = await api.resources.change(org, CREDENTIAL, credential_id, changed)
    if after is None:
        raise _none(credential_id)
    return _shown(after)


@router.delete("/{credential_id}", **_CREDENTIAL)
async def delete_credential(credential_id: str, org: Org, api: Services) -> Json:
    gone = await api.resources.delete(org, CREDENTIAL, credential_id)
    if gone is None:
        raise _none(credential_id)
    return _shown(gone)


def _shown(credential: Resource) -> Json:
    return replace(credential, body=shown_credential(credential.body)).shown()


def _none(credential_id: str) -> NotFound:
    return NotFound(f"there is no credential {credential_id[:64]}")
