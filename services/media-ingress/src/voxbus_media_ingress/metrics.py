"""Every instrument and span name of this service."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from voxbus_runtime.metrics import FrameHistogram

ATTACHMENT_SPAN: Final = "media-ingress.attachment"
"""From the transport's arrival to its end, under the call's trace."""

PLAYOUT_SPAN: Final = "playout"
"""Under the turn: from an utterance's first frame here to its last sample sent, or to its being cleared; the moment
`first-sample` lies between."""

_MS = 1 / 1_000

ATTACHED: Final = Gauge("media_attached_transports", "Transports attached now")

DETACHED: Final = Counter("media_detached_transports", "Transports gone, by WebSocket close code", ["code"])

REFUSED: Final = Counter("media_refused_transports", "Transports that were not let in, by error code", ["code"])

FRAME_LATENCY: Final = FrameHistogram(
    "media_frame_latency_milliseconds",
    "Caller frame: its last byte read from the socket → handed to the bus, ms",
    (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 50, 200),
)
"""Frames that came more than 20 ms early wait on purpose and count with their wait, those sent ahead without it."""

UNANSWERED: Final = Counter(
    "media_calls_unanswered", "Calls refused because these stages had no free slot in time", ["missing"]
)

V2V: Final = Histogram(
    "media_v2v_seconds",
    "Caller's last voiced sample arrived → first sample of the answer left, seconds",
    buckets=tuple(ms * _MS for ms in (100, 200, 300, 400, 500, 600, 800, 1_000, 1_500, 2_000, 3_000, 5_000)),
)

FILLED_FRAMES: Final = Counter("media_filled_frames", "Caller frames that did not come in time and are silence")

DROPPED_FRAMES: Final = Counter("media_dropped_frames", "Quiet caller frames dropped to catch up with a backlog")

REFUSED_FRAMES: Final = Counter("media_refused_frames", "Caller frames beyond the 120 s that may wait")

UNDERRUNS: Final = Counter("media_playout_underruns", "Times the line was silent because the voice was late")

LOST_FRAMES: Final = Counter("media_lost_frames", "Agent frames that never came and were played as silence")

REPUBLISHED_FRAMES: Final = Counter("media_republished_frames", "Messages with frames said again after a loss")

ECHOES: Final = Counter("media_echoes", "Stretches of speech that were the agent's own sound coming back at first")

BARGE_IN: Final = Histogram(
    "media_barge_in_seconds",
    "As much of the caller's voice as it takes to pause has arrived → the agent is silent, seconds",
    buckets=tuple(ms * _MS for ms in (5, 10, 20, 30, 40, 60, 80, 100, 150, 200, 500)),
)
