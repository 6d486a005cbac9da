"""Instruments every service has. No call ids in labels."""

from typing import Final

from prometheus_client import Histogram

FRAME_LATENCY: Final = Histogram(
    "voxbus_frame_latency_milliseconds",
    "Last sample of a caller's frame read from the socket → the stage's handler, ms (one machine's wall clock)",
    buckets=(0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7.5, 10, 15, 20, 30, 50, 100),
)
