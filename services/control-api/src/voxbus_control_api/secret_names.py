"""Which fields of a posted body hold secrets, by their names. Pure."""

from collections.abc import Callable
from itertools import zip_longest
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

ECHOED: Final = "server"
"""Shown whole even where secrets are masked, as every resource's is: clients compare it with what they posted."""

MASK: Final = "*" * 20
"""In place of a secret, where the oldest client reads no answer without one; as long as a SIP password must be."""


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


def masked(body: dict[str, Any]) -> dict[str, Any]:
    """As answers hold it where clients need the secret fields to be there: MASK in place of each secret."""
    hidden = with_secrets(body, lambda _secret: MASK)
    return {**hidden, ECHOED: body[ECHOED]} if ECHOED in body else hidden


def unmasked(before: Any, after: Any, all_secret: bool = False) -> Any:
    """`after` with the secrets of `before` wherever it holds the mask in their place."""
    if isinstance(after, dict):
        there = before if isinstance(before, dict) else {}
        return {n: unmasked(there.get(n), value, all_secret or is_secret(n)) for n, value in after.items()}
    if isinstance(after, list):
        there = before if isinstance(before, list) else []
        pairs = zip_longest(after, there[: len(after)])
        return [unmasked(old, new, all_secret) for new, old in pairs]
    return before if all_secret and after == MASK and isinstance(before, str) else after


def masks_in(tree: Any, path: str = "", all_secret: bool = False) -> list[str]:
    """Where the mask stands in place of a secret."""
    if isinstance(tree, dict):
        named = [(value, f"{path}.{name}".lstrip("."), all_secret or is_secret(name)) for name, value in tree.items()]
    elif isinstance(tree, list):
        named = [(value, f"{path}.{index}", all_secret) for index, value in enumerate(tree)]
    else:
        return [path] if all_secret and tree == MASK else []
    return [place for each in named for place in masks_in(*each)]


def without_number_secrets(body: dict[str, Any]) -> dict[str, Any]:
    """A request as it is stored and echoed: nothing in its inline `phoneNumber` opens anybody's account."""
    number = body.get("phoneNumber")
    return {**body, "phoneNumber": masked(number)} if isinstance(number, dict) else body
