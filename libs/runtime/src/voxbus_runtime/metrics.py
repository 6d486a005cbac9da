"""Instruments every service has. No call ids in labels."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import Counter, Gauge
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import REGISTRY, Collector


class FrameHistogram(Collector):
    """A histogram for what happens fifty times a second and call: a tenth of the cost of the library's own.

    For one loop's thread only: nothing is locked.
    """

    def __init__(self, name: str, documentation: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        REGISTRY.register(self)

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def describe(self) -> Iterable[Metric]:
        return [HistogramMetricFamily(self._name, self._documentation)]

    def collect(self) -> Iterable[Metric]:
        buckets: list[tuple[str, float]] = []
        total = 0
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((str(float(bound)) if bound != "+Inf" else bound, total))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=self._sum)


FRAME_LATENCY: Final = FrameHistogram(
    "voxbus_frame_latency_milliseconds",
    "Last sample of a caller's frame read from the socket → the stage's handler, ms (one machine's wall clock)",
    (0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7.5, 10, 15, 20, 30, 50, 100),
)

LIVE_DROPPED: Final = Counter(
    "voxbus_live_messages_dropped", "Live messages not sent because the bus had not taken what was sent before."
)

SLOTS: Final = Gauge("voxbus_slots", "Calls this worker takes at a time.")
CALLS: Final = Gauge("voxbus_calls", "Calls this worker has; with all slots used it takes no more.")
LOOP_LAG: Final = Gauge(
    "voxbus_loop_lag_milliseconds", "How late the event loop's timers ring, 95th percentile of the last 10 s, ms."
)
LEFT_CLAIMS: Final = Counter(
    "voxbus_claims_left",
    "Calls left on the queue: `slots` = all used, `lag` = the event loop is late, `orphans` = takeovers come first.",
    ["reason"],
)

TASKS: Final = Gauge("voxbus_tasks", "asyncio tasks of the process that are not over; counted when asked for.")
SUBSCRIPTIONS: Final = Gauge(
    "voxbus_subscriptions", "NATS subscriptions of the process's own connection; counted when asked for."
)
