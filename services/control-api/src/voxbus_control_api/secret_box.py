"""Secrets in stored bodies: encrypted at rest, with keys that can be changed."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any, Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from voxbus_control_api.database import to_text
from voxbus_control_api.errors import BadSecretKey
from voxbus_control_api.secret_names import with_secrets

Json = dict[str, Any]

_MARK: Final = "enc:v1:"


class SecretBox:
    """Encrypts with the first key, decrypts with any of them; each is a Fernet key, 32 bytes as URL-safe base64."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Raises BadSecretKey."""
        try:
            self._newest = Fernet(keys[0])
            self.fingerprints = tuple(hashlib.sha256(key.encode()).hexdigest()[:16] for key in keys)
            self._all = MultiFernet([Fernet(key) for key in keys])
        except (ValueError, IndexError):
            raise BadSecretKey(
                "VOXBUS_SECRET_KEY must be one or more Fernet keys (32 bytes, URL-safe base64), separated by commas"
            ) from None

    def to_text(self, body: Any) -> str:
        """JSON as it is stored: what is secret in it is not readable."""
        return to_text(with_secrets(body, self._sealed))

    def from_text(self, text: str) -> Any:
        """Exactly what was given to `to_text`; what older versions stored openly too. Raises BadSecretKey."""
        body = json.loads(text)
        return with_secrets(body, self._opened) if _MARK in text else body

    def renewed(self, text: str) -> str | None:
        """Encrypted with the newest key, also what was stored openly; None when it is already. Raises BadSecretKey."""
        after = with_secrets(json.loads(text), self._renewed)
        renewed = to_text(after)
        return renewed if renewed != to_text(json.loads(text)) else None

    def _sealed(self, secret: str) -> str:
        return _MARK + self._newest.encrypt(secret.encode()).decode()

    def _opened(self, stored: str) -> str:
        if not stored.startswith(_MARK):
            return stored
        try:
            return self._all.decrypt(stored.removeprefix(_MARK).encode()).decode()
        except InvalidToken:
            raise BadSecretKey(
                "secrets in the database were stored with another key: add it to VOXBUS_SECRET_KEY, behind the new one"
            ) from None

    def _renewed(self, stored: str) -> str:
        if stored.startswith(_MARK):
            try:
                self._newest.decrypt(stored.removeprefix(_MARK).encode())
            except InvalidToken:
                return self._sealed(self._opened(stored))
            return stored
        return self._sealed(stored)


def keys_from(given: SecretStr | None, cluster_key: SecretStr | None, local: str | None) -> list[str]:
    """All keys there are, the one to encrypt with first: those that are set, else one made from the cluster key, so
    that all replicas agree, else this machine's own. The others still decrypt what they once encrypted.
    """
    keys = [key.strip() for key in given.get_secret_value().split(",") if key.strip()] if given else []
    if cluster_key:
        made = hmac.new(cluster_key.get_secret_value().encode(), b"voxbus secrets at rest", hashlib.sha256).digest()
        keys.append(base64.urlsafe_b64encode(made).decode())
    return [*keys, local] if local else keys
