"""URLs that need no header: path, expiry and HMAC-SHA-256 over both. Pure.

`<base>/objects/<key>?expires=<unix seconds>&signature=<hex>`; whoever has the URL may read that one object until then.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from voxbus_objects.errors import BadSignature, SignatureExpired
from voxbus_objects.keys import checked_key

PATH: Final = "/objects/"
"""Where control-api serves signed keys, below the base URL."""

_PURPOSE: Final = b"voxbus signed object urls v1"


@dataclass(frozen=True, slots=True)
class UrlSigner:
    """Makes URLs for a local folder; `base_url` is control-api's public address, `secret` at least 16 bytes."""

    base_url: str
    secret: bytes

    def __post_init__(self) -> None:
        if len(self.secret) < 16:
            raise BadSignature("a secret to sign with has at least 16 bytes")

    def url(self, key: str, expires_at_s: int) -> str:
        signature = _signature(self.secret, checked_key(key), expires_at_s)
        return f"{self.base_url.rstrip('/')}{PATH}{quote(key)}?expires={expires_at_s}&signature={signature}"


def signing_secret(cluster_key: str) -> bytes:
    """The installation's secret for URLs, derived from its cluster key: all services agree, none is stored."""
    return hmac.new(cluster_key.encode(), _PURPOSE, hashlib.sha256).digest()


def check_signature(secret: bytes, key: str, expires: str, signature: str, now_s: float) -> str:
    """The key, if `expires` and `signature` (as in the URL's query) are ours and not over.

    Raises BadKey, BadSignature, SignatureExpired.
    """
    checked_key(key)
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
        raise BadSignature("expires is no number of seconds")
    if not hmac.compare_digest(_signature(secret, key, int(expires)).encode(), signature.encode()):
        raise BadSignature("the signature does not belong to this address")
    if now_s >= int(expires):
        raise SignatureExpired("this address was valid until a while ago: ask the API for a new one")
    return key


def _signature(secret: bytes, key: str, expires_at_s: int) -> str:
    return hmac.new(secret, f"GET\n{key}\n{expires_at_s}".encode(), hashlib.sha256).hexdigest()
