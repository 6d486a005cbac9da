"""How a server knows that a message is ours: a secret, a bearer token, a signature. Pure; secrets are open here.

Source: the public API's authentication plans of webhook credentials and its `server.secret`.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_ALGORITHMS: Final = {"sha256": hashlib.sha256, "sha512": hashlib.sha512, "sha1": hashlib.sha1}
_WITH_TIME: Final = "{timestamp}.{body}"


class CannotSign(ValueError):
    """The plan cannot be followed; the text names the field, never its value."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What is signed: a request's address, its body as it is sent, the message's id and the moment in ms."""

    url: str
    body: bytes
    message_id: str
    now_ms: int
    method: str = "POST"


def secret_header(secret: str | None) -> dict[str, str]:
    return {"x-vapi-secret": secret} if secret else {}


def bearer_header(plan: Mapping[str, Any]) -> dict[str, str]:
    """`{headerName, token, bearerPrefixEnabled}`; by default `authorization: Bearer …`."""
    prefix = "Bearer " if plan.get("bearerPrefixEnabled", True) else ""
    return {str(plan.get("headerName") or "authorization").lower(): f"{prefix}{plan['token']}"}


def hmac_headers(plan: Mapping[str, Any], signed: Signed) -> dict[str, str]:
    """`x-signature` and `x-timestamp`, or the headers the plan names. Raises CannotSign.

    The timestamp is in ms; a format may hold {body}, {timestamp}, {method}, {url} and {svix-id}.
    """
    algorithm = _ALGORITHMS.get(str(plan.get("algorithm", "sha256")))
    if algorithm is None:
        raise CannotSign("authenticationPlan.algorithm is not known")
    has_time = plan.get("includeTimestamp", True) is not False
    timestamp = str(signed.now_ms)
    default = _WITH_TIME if has_time else "{body}"
    text = _filled(str(plan.get("payloadFormat") or default), signed, timestamp)
    digest = hmac.new(_key(plan), text, algorithm).digest()
    encoded = base64.b64encode(digest).decode() if plan.get("signatureEncoding") == "base64" else digest.hex()
    headers = {_name(plan, "signatureHeader", "x-signature"): f"{plan.get('signaturePrefix') or ''}{encoded}"}
    if has_time:
        headers[_name(plan, "timestampHeader", "x-timestamp")] = timestamp
    if plan.get("messageIdHeader"):
        headers[_name(plan, "messageIdHeader", "")] = signed.message_id
    return headers


def _key(plan: Mapping[str, Any]) -> bytes:
    secret = str(plan.get("secretKey", ""))
    if not plan.get("secretIsBase64"):
        return secret.encode()
    try:
        return base64.b64decode(secret, validate=True)
    except binascii.Error:
        raise CannotSign("authenticationPlan.secretKey is not base64") from None


def _filled(pattern: str, signed: Signed, timestamp: str) -> bytes:
    """The body is put in last: what stands in it is no placeholder."""
    known = {"{timestamp}": timestamp, "{method}": signed.method, "{url}": signed.url, "{svix-id}": signed.message_id}
    parts = pattern.split("{body}")
    for name, value in known.items():
        parts = [part.replace(name, value) for part in parts]
    return signed.body.join(part.encode() for part in parts)


def _name(plan: Mapping[str, Any], field: str, default: str) -> str:
    return str(plan.get(field) or default).lower()
