"""A collector for spans: receives OTLP over gRPC as a real one does, and keeps everything."""

import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class Received:
    """One span as it came; ids in hex, times in ms since the epoch."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start_unix_ms: float
    end_unix_ms: float
    attributes: dict[str, Any]
    moments: dict[str, float]

    @property
    def ms(self) -> float:
        return self.end_unix_ms - self.start_unix_ms


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Made by `collecting`."""

    def __init__(self) -> None:
        self.endpoint = ""
        self._spans: list[Received] = []
        self._lock = threading.Lock()

    @property
    def spans(self) -> list[Received]:
        with self._lock:
            return list(self._spans)

    def until(self, names: set[str], timeout_s: float = 15.0) -> list[Received]:
        """All spans once there is one of every name."""
        deadline = time.monotonic() + timeout_s
        while not names <= {span.name for span in self.spans}:
            if time.monotonic() > deadline:
                raise AssertionError(f"no span {sorted(names - {span.name for span in self.spans})} in {timeout_s} s")
            time.sleep(0.05)
        return self.spans

    def Export(  # noqa: N802 - the name comes from the protocol
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        for resource in request.resource_spans:
            service = next(str(_value(a.value)) for a in resource.resource.attributes if a.key == "service.name")
            found = [_received(service, span) for scope in resource.scope_spans for span in scope.spans]
            with self._lock:
                self._spans += found
        return trace_service_pb2.ExportTraceServiceResponse()


@contextmanager
def collecting() -> Generator[Collector]:
    """A collector on a free port of this machine; `endpoint` is its address."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(grace=1).wait()


def _received(service: str, span: Span) -> Received:
    return Received(
        service,
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano / 1e6,
        span.end_time_unix_nano / 1e6,
        {attribute.key: _value(attribute.value) for attribute in span.attributes},
        {event.name: event.time_unix_nano / 1e6 for event in span.events},
    )


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None
