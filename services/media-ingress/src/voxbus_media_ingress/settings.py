"""What an operator may set."""

from pydantic import Field

from voxbus_media_ingress.ring_back import RingTone
from voxbus_runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of media-ingress; environment `VOXBUS_MEDIA_…`."""

    media_host: str = "127.0.0.1"
    """Address callers' WebSockets connect to; 0.0.0.0 in a container, behind something that speaks TLS."""

    media_port: int = Field(default=8081, ge=0, le=65_535)
    """Port of the WebSocket transport; 0 = any free one, for tests."""

    media_slots: int = Field(default=200, ge=1)
    """Transports one media-ingress carries at a time; more are refused with HTTP 503 before there is a WebSocket.
    More than the stages' workers have slots (VOXBUS_SLOTS), so that callers can wait on the line for one."""

    media_claims_timeout_ms: int = Field(default=10_000, ge=500, le=600_000)
    """How long a call waits for a free worker of every stage before it is refused, ms: with a slot free a claim takes
    0.2 s, and an owner that died in the middle is replaced within 3 s; the rest is time for other calls to end. Longer
    than VOXBUS_JOIN_TIMEOUT_MS (20 s) only together with it: then control-api ends a call no orchestrator has."""

    media_ring_back: RingTone = "none"
    """What a caller hears who waits longer than 1 s for the call to be answered: `425` (Europe) or `440+480` (North
    America) for people; `none` = silence, because the public API's WebSocket carries the assistant's voice alone and
    programs listen to it. Its texts tell of the wait in any case."""

    media_stuck_ms: int = Field(default=2_000, ge=200, le=30_000)
    """Audio that may wait for a socket that does not read before the transport is given up, ms: longer than the
    stall of a mobile network, shorter than anyone would go on listening to it late."""

    media_drain_ms: int = Field(default=20_000, ge=0, le=3_600_000)
    """How long calls whose transport cannot come back may go on when this worker drains, ms; then they are closed with
    1001. Those that can come back, as every WebSocket can, are moved at once (1012). In a cluster set it 5 s below the
    pod's grace period; 20 s suit the usual 30 s."""
