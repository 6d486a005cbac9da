"""What a public key may be used for: from which pages, for which assistants. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

Json = dict[str, Any]

_STORED: Final = ("assistantId", "squadId", "workflowId")
_TRANSIENT: Final = ("assistant", "squad", "workflow")
_OVERRIDES: Final = ("assistantOverrides", "squadOverrides", "workflowOverrides")
_HARMLESS: Final = frozenset({"variableValues", "metadata", "clientMessages"})
"""What a page may lay over an assistant without making another one of it."""
_INSTRUCTING: Final = frozenset({"system", "developer"})
"""Roles of a chat's messages that tell the assistant what to be."""


@dataclass(frozen=True, slots=True)
class Restrictions:
    """Empty lists restrict nothing. An origin is `https://example.com`, or `example.com` for any scheme and port."""

    allowed_origins: tuple[str, ...] = ()
    allowed_assistant_ids: tuple[str, ...] = ()
    allow_transient_assistant: bool = True

    def refusal(self, origin: str | None, body: Json) -> str | None:
        """Why a request to begin a conversation is refused; None when it is not."""
        if self.allowed_origins and not any(_is_of(origin or "", each) for each in self.allowed_origins):
            return "this key may not be used from this page: its allowedOrigins do not name the request's Origin"
        transient = [name for name in _TRANSIENT if body.get(name) is not None]
        if transient and self._keeps_assistants:
            return f"this key may not bring an assistant of its own: {transient[0]} is not allowed"
        changing = next(_changing(body), None) if self._keeps_assistants else None
        if changing is not None:
            return f"this key may not make another assistant of the one it calls: {changing} is not allowed"
        stored = [name for name in _STORED if body.get(name) is not None]
        if not self.allowed_assistant_ids or not stored:
            return None
        if stored != ["assistantId"] or body["assistantId"] not in self.allowed_assistant_ids:
            return f"this key may not be used for this: {stored[0]} is none of its allowedAssistantIds"
        return None

    def refusal_of_session(self, session: Json) -> str | None:
        """Why a session that is there, whoever made it, may not be carried on; None when it may."""
        if self.allowed_assistant_ids and session.get("assistantId") not in self.allowed_assistant_ids:
            return "this key may not be used for this: the session's assistant is none of its allowedAssistantIds"
        return None

    @property
    def _keeps_assistants(self) -> bool:
        """Assistants are to be used as they are stored."""
        return bool(self.allowed_assistant_ids) or not self.allow_transient_assistant


def read_restrictions(stored: Json | None) -> Restrictions:
    """As they were posted, and checked then; `enabled: false` restricts nothing."""
    if not stored or stored.get("enabled") is False:
        return Restrictions()
    return Restrictions(
        tuple(stored.get("allowedOrigins") or ()),
        tuple(stored.get("allowedAssistantIds") or ()),
        stored.get("allowTransientAssistant") is not False,
    )


def _changing(body: Json) -> Iterator[str]:
    """Places of the body that would change what the assistant is."""
    customer: Any = body.get("customer")
    yield from _overriding(body, "")
    yield from _overriding(customer if isinstance(customer, dict) else {}, "customer.")
    if body.get("instructions"):
        yield "instructions"
    written = body.get("input")
    lines: list[Any] = written if isinstance(written, list) else []
    for index, line in enumerate(lines):
        if isinstance(line, dict) and line.get("role") in _INSTRUCTING:
            yield f"input.{index}.role"


def _overriding(layers: Json, prefix: str) -> Iterator[str]:
    for name in _OVERRIDES:
        overrides = layers.get(name)
        for field, value in overrides.items() if isinstance(overrides, dict) else ():
            if field not in _HARMLESS and value is not None:
                yield f"{prefix}{name}.{field}"


def _is_of(origin: str, allowed: str) -> bool:
    """Scheme, host and port are compared without regard to case and to a slash at the end."""
    if allowed == "*":
        return bool(origin)
    if "://" in allowed:
        return origin.lower() == allowed.lower().rstrip("/")
    return bool(origin) and urlsplit(origin).hostname == allowed.lower().rstrip("/")
