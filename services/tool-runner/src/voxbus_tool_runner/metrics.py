"""Instruments and span names of the tool runner."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram


class BoundedNames:
    """The first names as they are, all later ones as `other`: models and customers make up as many as they like."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def label(self, name: str) -> str:
        if name not in self._known and len(self._known) < self._most:
            self._known.add(name)
        return name if name in self._known else "other"


RUNS: Final = Counter("voxbus_tool_runs", "Tools run, by outcome (`ok` or an error's code).", ["outcome"])
RUNNING: Final = Gauge("voxbus_tool_running", "Tools running now.")

TOOL_NAMES: Final = BoundedNames(most=50)
DURATION_S: Final = Histogram(
    "voxbus_tool_duration_seconds",
    "From the command's arrival to the answer, by tool; from the 51st name on `other`.",
    ["tool"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20),
)

TOOL_SPAN: Final = "tool"
"""From the command's arrival to the answer, under the turn; the tool's server gets it as its parent."""

DELIVERIES: Final = Counter("voxbus_deliveries", "Tries to deliver a server message, by outcome.", ["outcome"])
DELIVERY_LANES: Final = Gauge("voxbus_delivery_lanes", "Calls whose server messages are being delivered now.")
DELIVERY_S: Final = Histogram(
    "voxbus_delivery_seconds",
    "One try, from the request to the answer's status.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60),
)
