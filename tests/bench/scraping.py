"""Workers' own instruments, asked for over gRPC at the addresses their heartbeats name."""

import asyncio
import json
from dataclasses import dataclass

import grpc.aio
import structlog
from nats.aio.msg import Msg
from prometheus_client.parser import text_string_to_metric_families

from voxbus_contracts.subjects import ALL_WORKERS
from voxbus_proto.control.v1 import control_pb2, control_pb2_grpc
from voxbus_runtime.bus import connect

_FRAME_LATENCY = "voxbus_frame_latency_milliseconds"


async def instruments(nats_url: str) -> dict[str, str]:
    """Prometheus text per stage; of several workers the last heard."""
    bus = await connect(nats_url, "bench", structlog.get_logger())
    addresses: dict[str, str] = {}

    async def on_status(msg: Msg) -> None:
        status = json.loads(msg.data)
        if status.get("address"):
            addresses[status["stage"]] = status["address"]

    await bus.nc.subscribe(ALL_WORKERS, cb=on_status)
    await asyncio.sleep(0.6)
    await bus.close()
    texts: dict[str, str] = {}
    for stage, address in addresses.items():
        async with grpc.aio.insecure_channel(address) as channel:
            reply = await control_pb2_grpc.WorkerControlStub(channel).Metrics(control_pb2.MetricsRequest())
            texts[stage] = reply.text
    return texts


@dataclass(frozen=True)
class FrameLatency:
    """A histogram: upper bound of each bucket in ms → frames at most that late."""

    buckets: tuple[tuple[float, float], ...]

    def quantile(self, share: float) -> float:
        """Interpolated inside its bucket; the bound of the last but one for what lies beyond all."""
        total = self.buckets[-1][1] if self.buckets else 0
        lower_bound, lower_count = 0.0, 0.0
        for bound, count in self.buckets:
            if total and count >= total * share:
                if bound == float("inf"):
                    return lower_bound
                inside = (total * share - lower_count) / max(1e-9, count - lower_count)
                return lower_bound + (bound - lower_bound) * inside
            lower_bound, lower_count = bound, count
        return float("nan")

    def summary(self) -> dict[str, float]:
        frames = self.buckets[-1][1] if self.buckets else 0
        return {"p50": self.quantile(0.5), "p95": self.quantile(0.95), "p99": self.quantile(0.99), "frames": frames}


def frame_latency(before: str, after: str) -> FrameLatency:
    """What was observed between two readings of a worker's instruments."""
    earlier = dict(_buckets(before))
    return FrameLatency(tuple((bound, count - earlier.get(bound, 0)) for bound, count in _buckets(after)))


def _buckets(text: str) -> list[tuple[float, float]]:
    found = [
        (float(sample.labels["le"]), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"{_FRAME_LATENCY}_bucket"
    ]
    return sorted(found)
