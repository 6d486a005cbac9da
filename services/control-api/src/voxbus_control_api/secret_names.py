"""Which fields of a posted body hold secrets, by their names. Pure."""

from collections.abc import Callable
from typing import Any, Final

_ENDINGS: Final = (
    "apikey",
    "authenticationsession",
    "authtoken",
    "accesstoken",
    "connectionstring",
    "openaikey",
    "passphrase",
    "password",
    "privatekey",
    "refreshtoken",
    "secret",
    "secretaccesskey",
    "secretkey",
    "subscriptionkey",
    "webhookurl",
)
_WHOLE: Final = frozenset({"headers", "token"})
"""`token` alone: `maxTokens` and `tokenUri` are none. Headers carry what servers let somebody in for."""


def is_secret(name: str) -> bool:
    plain = name.lower().replace("_", "").replace("-", "")
    return plain in _WHOLE or plain.endswith(_ENDINGS)


def with_secrets(tree: Any, change: Callable[[str], str], all_secret: bool = False) -> Any:
    """A copy in which every text that is secret, or lies below a secret name, is changed; empty ones are none."""
    if isinstance(tree, dict):
        return {name: with_secrets(value, change, all_secret or is_secret(name)) for name, value in tree.items()}
    if isinstance(tree, list):
        return [with_secrets(value, change, all_secret) for value in tree]
    return change(tree) if all_secret and isinstance(tree, str) and tree else tree


def without_secrets(tree: Any) -> Any:
    """A copy that lacks every secret field."""
    if isinstance(tree, dict):
        return {name: without_secrets(value) for name, value in tree.items() if not is_secret(name)}
    return [without_secrets(value) for value in tree] if isinstance(tree, list) else tree


def keeping_secrets(before: Any, after: Any) -> Any:
    """`after` with the secrets of `before` that it does not speak of: who was never shown one cannot send it back."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return after
    missing = {name: value for name, value in before.items() if name not in after and is_secret(name)}
    return {**{name: keeping_secrets(before.get(name), value) for name, value in after.items()}, **missing}
