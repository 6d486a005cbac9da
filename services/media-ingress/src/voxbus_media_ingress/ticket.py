"""Who may attach to which call: the transport's URL, `/<callId>/transport?token=<token>&org=<org>`.

The URL is the bearer secret; to clients it is opaque. `org` is left out for the organisation made at first start.
"""

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from voxbus_contracts import DEFAULT_ORG, CallRef
from voxbus_contracts.config import CallConfig
from voxbus_media_ingress.errors import AttachRefused


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the URL says."""

    ref: CallRef
    token: str


def read_ticket(path_and_query: str) -> Ticket:
    """Takes the URL's path and query apart; raises AttachRefused (404) when it is none of ours."""
    parts = urlsplit(path_and_query)
    query = parse_qs(parts.query)
    segments = parts.path.strip("/").split("/")
    if len(segments) != 2 or segments[1] != "transport":
        raise AttachRefused(404, "no-such-path", "connect to the transport.websocketCallUrl that POST /call gave")
    try:
        ref = CallRef(query.get("org", [DEFAULT_ORG])[0], segments[0])
    except ValueError:
        raise _unknown_call() from None
    return Ticket(ref, query.get("token", [""])[0])


def admit(ticket: Ticket, config: CallConfig | None, has_ended: bool) -> CallConfig:
    """Lets a transport in; raises AttachRefused: 404 unknown call, 401 wrong token, 410 it is over, 503 it waits."""
    if config is None:
        raise _unknown_call()
    digest = hashlib.sha256(ticket.token.encode()).hexdigest()
    if not config.attach_token_sha256 or not hmac.compare_digest(digest, config.attach_token_sha256.lower()):
        what = "wrong" if ticket.token else "missing"
        raise AttachRefused(
            401,
            "wrong-token",
            f"the token in the URL is {what}: use transport.websocketCallUrl exactly as it was given",
        )
    if has_ended:
        raise AttachRefused(410, "call-ended", "this call has ended: create a new one with POST /call")
    if config.is_waiting:
        raise AttachRefused(
            503,
            "call-waits",
            "the organisation has too many calls now: connect again in a second, the call is let in by itself",
        )
    return config


def _unknown_call() -> AttachRefused:
    return AttachRefused(404, "no-such-call", "no call is known by this id: create one with POST /call")
