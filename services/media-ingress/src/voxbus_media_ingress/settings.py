"""What an operator may set."""

from pydantic import Field

from voxbus_runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of media-ingress; environment `VOXBUS_MEDIA_…`."""

    media_host: str = "127.0.0.1"
    """Address callers' WebSockets connect to; 0.0.0.0 in a container, behind something that speaks TLS."""

    media_port: int = Field(default=8081, ge=0, le=65_535)
    """Port of the WebSocket transport; 0 = any free one, for tests."""

    media_claims_timeout_ms: int = Field(default=10_000, ge=500, le=60_000)
    """How long the stages may take to claim a call before the caller is told that no worker is free, ms: a worker
    takes a claim within 1 s, and an owner that died in the middle is replaced within 3 s."""

    media_stuck_ms: int = Field(default=2_000, ge=200, le=30_000)
    """Audio that may wait for a socket that does not read before the transport is given up, ms: longer than the
    stall of a mobile network, shorter than anyone would go on listening to it late."""

    media_drain_ms: int = Field(default=0, ge=0, le=3_600_000)
    """How long running calls may stay when this worker drains before their sockets are closed with 1001 (to be
    connected again at another worker), ms. 0 = at once; in a cluster set it below the pod's grace period."""
