"""Who asks: every route but health and signed addresses begins with one of these."""

from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from voxbus_contracts import DEFAULT_ORG
from voxbus_control_api.errors import Forbidden, TooManyRequests, Unauthorized
from voxbus_control_api.http.api import api_of
from voxbus_control_api.http.body import read_object
from voxbus_control_api.key_store import Key

Json = dict[str, Any]


async def key_of(request: HTTPConnection) -> Key:
    """The key the request carries; raises Unauthorized or TooManyRequests."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthorized("a key is needed: Authorization: Bearer <key>")
    api = api_of(request)
    key = await api.keys.by_secret(secret.strip(), api.now_ms())
    if key is None:
        raise Unauthorized("this key is not valid")
    verdict = api.rate_limit.take(key.id, api.now_ms())
    request.state.rate = verdict
    if not verdict.is_allowed:
        raise TooManyRequests(f"too many requests with this key: try again in {verdict.retry_after_s} s")
    return key


async def private_key_of(request: HTTPConnection) -> Key:
    """Raises Forbidden for a public key, which may only begin conversations of the web."""
    key = await key_of(request)
    if key.tag != "private":
        raise Forbidden("a public key may only be used for /call/web and /chat/web: use a private key")
    return key


async def org_of(request: HTTPConnection) -> str:
    """The organisation whose private key the request carries; raises Unauthorized or Forbidden."""
    return (await private_key_of(request)).org


async def org_of_web_caller(request: Request, body: Annotated[Json, Depends(read_object)]) -> str:
    """The same for /call/web and /chat/web: a public key will do, if its restrictions allow what the body asks for."""
    key = await key_of(request)
    request.state.web_key = key
    check_web_caller(request, body)
    return key.org


def check_web_caller(request: Request, body: Json) -> None:
    """Whether what the body names may be used with the key of `org_of_web_caller`; raises Forbidden."""
    key: Key = request.state.web_key
    refusal = key.limits.refusal(request.headers.get("origin"), body) if key.tag == "public" else None
    if refusal:
        raise Forbidden(refusal)


def check_web_session(request: Request, session: Json) -> None:
    """Whether a session with this body may be carried on with that key; raises Forbidden."""
    key: Key = request.state.web_key
    refusal = key.limits.refusal_of_session(session) if key.tag == "public" else None
    if refusal:
        raise Forbidden(refusal)


async def operator_of(request: Request) -> Key:
    """A private key of the installation's first organisation; raises Forbidden for those of others."""
    key = await private_key_of(request)
    if not is_operator(key):
        raise Forbidden("only the installation's operator may do this: use a private key of its first organisation")
    return key


def is_operator(key: Key) -> bool:
    return key.org == DEFAULT_ORG and key.tag == "private"
