"""How an attachment ends: what the log, the client and the socket are told."""

from dataclasses import dataclass

from voxbus_contracts.events import FaultRaised

NORMAL = 1000
_CLEAN_CODES = (NORMAL, 1005)
"""Closed on purpose; 1005 = a close frame without a code, which is what browsers send."""


@dataclass(frozen=True, slots=True)
class Ending:
    """`code` and `reason` go into media.detached, `close_code` to the client (None = the socket is gone or cut off).

    `hears_the_end` = the client waits for the call's last status before the socket closes. `is_heard_out` = the
    socket closes first, and what the caller says until it knows is still taken.
    """

    clean: bool
    code: int
    reason: str
    close_code: int | None = None
    fault: FaultRaised | None = None
    is_fenced: bool = False
    hears_the_end: bool = False
    is_heard_out: bool = False


CALL_ENDED = Ending(True, NORMAL, "call ended", close_code=NORMAL)
REPLACED = Ending(False, 4409, "a newer connection has this call", close_code=4409, is_fenced=True)
MOVED = Ending(False, 1012, "this server restarts: connect again to the same URL", close_code=1012, is_heard_out=True)
DRAINED = Ending(False, 1001, "this server ends, and its time to wait for the call is over", close_code=1001)
NOT_CLAIMED = Ending(False, 1013, "no worker is free for this call: try again later", close_code=1013)
UNAVAILABLE = Ending(False, 1013, "the bus does not answer: connect again in a moment", close_code=1013)
STUCK = Ending(
    False,
    1006,
    "caller does not read",
    fault=FaultRaised(code="caller-does-not-read", detail="more audio than allowed waited for the socket"),
)
BROKEN = Ending(
    False,
    1011,
    "internal error: connect again to the same URL",
    close_code=1011,
    fault=FaultRaised(code="attachment-failed", detail="a task of the attachment failed", retryable=True),
)


def hung_up(kind: str) -> Ending:
    """The client said `end-call` or `hangup`."""
    return Ending(True, NORMAL, kind, close_code=NORMAL, hears_the_end=True)


def socket_closed(code: int | None, reason: str) -> Ending:
    """The socket closed from the other side; `code` None = without a closing handshake."""
    code = int(code) if code is not None else 1006
    return Ending(code in _CLEAN_CODES, code, reason[:200])
