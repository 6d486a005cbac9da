"""`/org`: a tenant sees and names its own organisation; the operator makes them and sets their limits."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from voxbus_control_api.errors import Forbidden, NotFound
from voxbus_control_api.http.api import Api, api_for
from voxbus_control_api.http.body import read_object
from voxbus_control_api.http.caller import is_operator, operator_of, private_key_of
from voxbus_control_api.http.described import array_of, described, list_query, ref
from voxbus_control_api.key_store import Key
from voxbus_control_api.listing import read_listing
from voxbus_control_api.org_store import Org
from voxbus_control_api.problems import validated

Json = dict[str, Any]
Caller = Annotated[Key, Depends(private_key_of)]
Operator = Annotated[Key, Depends(operator_of)]
Services = Annotated[Api, Depends(api_for)]
Body = Annotated[Json, Depends(read_object)]

_OWN_FIELDS = ("id", "orgId", "createdAt", "updatedAt", "concurrencyLimit")


class OrgServer(BaseModel):
    """Where events of calls go that name no server of their own."""

    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel)

    url: Annotated[str | None, Field(max_length=2_000)] = None
    timeout_seconds: Annotated[float | None, Field(ge=1, le=300)] = None
    headers: dict[str, str] | None = None
    credential_id: str | None = None


class OrgRequest(BaseModel):
    """Body of `POST /org` and `PATCH /org/{id}`; other fields are kept and echoed."""

    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel)

    name: Annotated[str | None, Field(max_length=40)] = None
    server: OrgServer | None = None
    concurrency_limit: Annotated[int | None, Field(ge=1, le=100_000)] = None


_ASKED: Json = OrgRequest.model_json_schema()

router = APIRouter(prefix="/org", tags=["organisations"])


@router.post("", **described(ref("Org"), status=201, body=_ASKED))
async def create_org(_operator: Operator, api: Services, body: Body) -> Json:
    """The operator's. The new organisation's first key: `POST /token` with its `orgId`."""
    wanted = validated(OrgRequest, body)
    now_ms = api.now_ms()
    org = Org(api.new_id(), now_ms, now_ms, _kept(body), wanted.concurrency_limit)
    await api.orgs.create(org)
    return org.shown(api.concurrency_limit)


@router.get("", **described(array_of("Org"), query=list_query()))
async def list_orgs(request: Request, caller: Caller, api: Services) -> list[Json]:
    """All of them for the operator; for everybody else their own."""
    listing = read_listing(request.query_params)
    if is_operator(caller):
        return [org.shown(api.concurrency_limit) for org in await api.orgs.find(listing)]
    return [(await _found(api, caller, caller.org)).shown(api.concurrency_limit)]


@router.get("/{org_id}", **described(ref("Org")))
async def get_org(org_id: str, caller: Caller, api: Services) -> Json:
    return (await _found(api, caller, org_id)).shown(api.concurrency_limit)


@router.patch("/{org_id}", **described(ref("Org"), body=_ASKED))
async def update_org(org_id: str, caller: Caller, api: Services, body: Body) -> Json:
    """Given fields replace those there are; null takes one away. The limit of calls is the operator's to set."""
    wanted = validated(OrgRequest, body)
    if "concurrencyLimit" in body and not is_operator(caller):
        raise Forbidden("concurrencyLimit may only be set by the installation's operator")
    await _found(api, caller, org_id)
    now_ms = api.now_ms()

    def changed(org: Org) -> Org:
        merged = {**org.body, **_kept(body)}
        left = {name: value for name, value in merged.items() if value is not None or name not in body}
        limit = wanted.concurrency_limit if "concurrencyLimit" in body else org.concurrency_limit
        return replace(org, body=left, updated_at_ms=now_ms, concurrency_limit=limit)

    after = await api.orgs.change(org_id, changed)
    if after is None:
        raise _none(org_id)
    return after.shown(api.concurrency_limit)


async def _found(api: Api, caller: Key, org_id: str) -> Org:
    """Somebody else's is not there."""
    may_see = org_id == caller.org or is_operator(caller)
    org = await api.orgs.get(org_id) if may_see else None
    if org is None:
        raise _none(org_id)
    return org


def _none(org_id: str) -> NotFound:
    return NotFound(f"there is no organisation {org_id[:64]}")


def _kept(body: Json) -> Json:
    return {name: value for name, value in body.items() if name not in _OWN_FIELDS}
