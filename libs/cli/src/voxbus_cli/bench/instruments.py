"""The services' own instruments: loop lag from their heartbeats, histograms and counters asked for over gRPC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import grpc.aio
from nats.aio.client import Client
from nats.aio.msg import Msg
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from voxbus_contracts.config import WorkerStatus
from voxbus_contracts.subjects import ALL_WORKERS
from voxbus_proto.control.v1 import control_pb2, control_pb2_grpc

FRAME_LATENCY: Final = "voxbus_frame_latency_milliseconds"
UNDERRUNS: Final = "media_playout_underruns"
BARGE_IN: Final = "media_barge_in_seconds"
_ANSWER_WITHIN_S: Final = 10.0

Readings = Mapping[str, str]
"""Prometheus text per stage."""


@dataclass(slots=True)
class Heartbeats:
    """What the workers say of themselves; of several workers of a stage the worst lag and the last address."""

    addresses: dict[str, str] = field(default_factory=dict[str, str])
    lag_ms: dict[str, float] = field(default_factory=dict[str, float])
    """Worst 95th percentile of the event loop's lateness since `reset`."""

    async def follow(self, nc: Client) -> None:
        await nc.subscribe(ALL_WORKERS, cb=self._on_status)

    def reset(self) -> None:
        self.lag_ms.clear()

    async def read(self) -> Readings:
        """The instruments of every worker heard of."""
        texts: dict[str, str] = {}
        for stage, address in self.addresses.items():
            async with grpc.aio.insecure_channel(address) as channel:
                stub = control_pb2_grpc.WorkerControlStub(channel)
                texts[stage] = (await stub.Metrics(control_pb2.MetricsRequest(), timeout=_ANSWER_WITHIN_S)).text
        return texts

    async def _on_status(self, msg: Msg) -> None:
        try:
            status = WorkerStatus.model_validate_json(msg.data)
        except ValidationError:
            return  # another version's heartbeat
        self.lag_ms[status.stage] = max(self.lag_ms.get(status.stage, 0.0), status.loop_lag_ms)
        if status.address:
            self.addresses[status.stage] = status.address


@dataclass(frozen=True)
class Histogram:
    """Upper bound of each bucket → observations at most that large."""

    buckets: tuple[tuple[float, float], ...]

    def quantile(self, share: float) -> float | None:
        """Interpolated inside its bucket; the bound of the last but one for what lies beyond all; None = no value."""
        total = self.count
        lower_bound, lower_count = 0.0, 0.0
        for bound, count in self.buckets:
            if total and count >= total * share:
                if bound == float("inf"):
                    return lower_bound
                inside = (total * share - lower_count) / max(1e-9, count - lower_count)
                return lower_bound + (bound - lower_bound) * inside
            lower_bound, lower_count = bound, count
        return None

    @property
    def count(self) -> float:
        return self.buckets[-1][1] if self.buckets else 0.0


def histogram_between(name: str, before: str, after: str) -> Histogram:
    """What was observed between two readings of a worker's instruments, over all labels."""
    earlier = _buckets(name, before)
    return Histogram(tuple((bound, count - earlier.get(bound, 0)) for bound, count in _buckets(name, after).items()))


def count_between(name: str, before: str, after: str) -> float:
    """How far a counter went between two readings."""
    return _total(name, after) - _total(name, before)


def _buckets(name: str, text: str) -> dict[float, float]:
    found: dict[float, float] = {}
    for sample_name, labels, value in _samples(text):
        if sample_name == f"{name}_bucket":
            bound = float(labels["le"])
            found[bound] = found.get(bound, 0.0) + value
    return dict(sorted(found.items()))


def _total(name: str, text: str) -> float:
    return sum(value for sample_name, _, value in _samples(text) if sample_name == f"{name}_total")


def _samples(text: str) -> list[tuple[str, dict[str, str], float]]:
    families = text_string_to_metric_families(text)
    return [(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]
