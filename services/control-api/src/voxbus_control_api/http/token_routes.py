"""`/token`: the keys of an organisation. A key is told once, when it is made; only its hash is kept."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from voxbus_control_api.access import new_key
from voxbus_control_api.errors import BadRequest, Forbidden, NotFound
from voxbus_control_api.http.api import Api, api_for
from voxbus_control_api.http.body import read_object
from voxbus_control_api.http.caller import is_operator, org_of, private_key_of
from voxbus_control_api.http.described import array_of, described, list_query, ref
from voxbus_control_api.key_store import Key, renewed
from voxbus_control_api.listing import read_listing
from voxbus_control_api.problems import validated

Json = dict[str, Any]
Org = Annotated[str, Depends(org_of)]
Caller = Annotated[Key, Depends(private_key_of)]
Services = Annotated[Api, Depends(api_for)]
Body = Annotated[Json, Depends(read_object)]
Name = Annotated[str, Field(max_length=80, pattern=r"^[^\x00]*$")]
Text = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\x00]*$")]


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class TokenRestrictions(_Given):
    """What a public key may be used for; an empty list restricts nothing."""

    enabled: bool = True
    allowed_origins: Annotated[list[Text], Field(max_length=100)] = []
    allowed_assistant_ids: Annotated[list[Text], Field(max_length=100)] = []
    allow_transient_assistant: bool = True


class TokenPatch(_Given):
    """Body of `PATCH /token/{id}`; null takes a field away."""

    name: Name | None = None
    restrictions: TokenRestrictions | None = None
    expires_at: AwareDatetime | None = None


class TokenRequest(TokenPatch):
    """Body of `POST /token`; only the operator may name another organisation."""

    tag: Literal["private", "public"] = "private"
    org_id: Annotated[str | None, Field(max_length=64)] = None


_TOKEN: Json = described(ref("Token"))

router = APIRouter(prefix="/token", tags=["tokens"])


@router.post("", **described(ref("NewToken"), status=201, body=TokenRequest.model_json_schema()))
async def create_token(caller: Caller, api: Services, body: Body) -> Json:
    """`value` is the key; it is shown in this answer and never again."""
    wanted = validated(TokenRequest, body)
    org = wanted.org_id or caller.org
    if org != caller.org:
        if not is_operator(caller):
            raise Forbidden("only the installation's operator may make keys of another organisation")
        if "\x00" in org or await api.orgs.get(org) is None:
            raise BadRequest("orgId must be the id of an organisation")
    _check_restrictions(wanted.tag, wanted.restrictions)
    now_ms = api.now_ms()
    secret = new_key()
    key = Key(
        id=api.new_id(),
        org=org,
        tag=wanted.tag,
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
        name=wanted.name,
        restrictions=body.get("restrictions"),
        expires_at_ms=_ms(wanted.expires_at),
    )
    await api.keys.add(secret, key)
    return {**key.shown(), "value": secret}


@router.get("", **described(array_of("Token"), query=list_query()))
async def list_tokens(request: Request, org: Org, api: Services) -> list[Json]:
    return [key.shown() for key in await api.keys.find(org, read_listing(request.query_params))]


@router.get("/self", **_TOKEN)
async def get_own_token(caller: Caller) -> Json:
    """The key that the request carries."""
    return caller.shown()


@router.get("/{token_id}", **_TOKEN)
async def get_token(token_id: str, org: Org, api: Services) -> Json:
    return (await _found(api, org, token_id)).shown()


@router.patch("/{token_id}", **described(ref("Token"), body=TokenPatch.model_json_schema()))
async def update_token(token_id: str, org: Org, api: Services, body: Body) -> Json:
    """An `expiresAt` gives an old key its end while a new one is spread."""
    key = await _found(api, org, token_id)
    wanted = validated(TokenPatch, body)
    _check_restrictions(key.tag, wanted.restrictions)
    changes: Json = {
        "name": wanted.name,
        "restrictions": body.get("restrictions"),
        "expires_at_ms": _ms(wanted.expires_at),
    }
    given = {"name": "name", "restrictions": "restrictions", "expiresAt": "expires_at_ms"}
    changes = {field: changes[field] for name, field in given.items() if name in body}
    after = renewed(key, api.now_ms(), **changes)
    await api.keys.put(after)
    return after.shown()


@router.delete("/{token_id}", **_TOKEN)
async def revoke_token(token_id: str, org: Org, api: Services) -> Json:
    """At once and for good; on other replicas within two seconds."""
    key = await api.keys.revoke(org, token_id, api.now_ms())
    if key is None:
        raise _none(token_id)
    return key.shown()


async def _found(api: Api, org: str, token_id: str) -> Key:
    key = await api.keys.get(org, token_id)
    if key is None:
        raise _none(token_id)
    return key


def _none(token_id: str) -> NotFound:
    return NotFound(f"there is no token {token_id[:64]}")


def _check_restrictions(tag: str, restrictions: TokenRestrictions | None) -> None:
    if restrictions is not None and tag != "public":
        raise BadRequest("restrictions must not be given for a private key: they hold for public keys only")


def _ms(moment: datetime | None) -> int | None:
    return int(moment.astimezone(UTC).timestamp() * 1000) if moment else None
