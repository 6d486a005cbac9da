"""What a public key may be used for: from which pages, for which assistants. Pure."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

Json = dict[str, Any]

_STORED: Final = ("assistantId", "squadId", "workflowId")
_TRANSIENT: Final = ("assistant", "squad", "workflow")


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
        if transient and not (self.allow_transient_assistant and not self.allowed_assistant_ids):
            return f"this key may not bring an assistant of its own: {transient[0]} is not allowed"
        stored = [name for name in _STORED if body.get(name) is not None]
        if not self.allowed_assistant_ids or not stored:
            return None
        if stored != ["assistantId"] or body["assistantId"] not in self.allowed_assistant_ids:
            return f"this key may not be used for this: {stored[0]} is none of its allowedAssistantIds"
        return None


def read_restrictions(stored: Json | None) -> Restrictions:
    """As they were posted, and checked then; `enabled: false` restricts nothing."""
    if not stored or stored.get("enabled") is False:
        return Restrictions()
    return Restrictions(
        tuple(stored.get("allowedOrigins") or ()),
        tuple(stored.get("allowedAssistantIds") or ()),
        stored.get("allowTransientAssistant") is not False,
    )


def _is_of(origin: str, allowed: str) -> bool:
    """Scheme, host and port are compared without regard to case and to a slash at the end."""
    if allowed == "*":
        return bool(origin)
    if "://" in allowed:
        return origin.lower() == allowed.lower().rstrip("/")
    return bool(origin) and urlsplit(origin).hostname == allowed.lower().rstrip("/")
