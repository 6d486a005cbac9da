"""OpenTelemetry: one trace per call, context carried in the `traceparent` header of every message.

Spans are recorded when what they tell of is over, with the times it had: nothing is kept open on the hot path, and a
process that exports nowhere does next to nothing. A span that others lie under before it is recorded (a call, a turn)
has an id that follows from what it is, so whoever takes the call over records it under the same one.
"""

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

CALL_SPAN: Final = "call"
"""The root: from the call's creation to its end."""

_EXPORT_S: Final = 5
_LAST_SPANS_S: Final = 2.0

Attribute = str | int | float | bool


@dataclass(frozen=True, slots=True)
class PastSpan:
    """Something that is over. Times are ms since the epoch; `moments` lie between them. Never any personal text."""

    name: str
    start_unix_ms: float
    end_unix_ms: float
    attributes: Mapping[str, Attribute] = field(default_factory=dict[str, Attribute])
    moments: Mapping[str, float] = field(default_factory=dict[str, float])


class _Ids(RandomIdGenerator):
    """Random ids, except where they were announced before."""

    def __init__(self) -> None:
        self.announced: SpanContext | None = None

    def generate_trace_id(self) -> int:
        return self.announced.trace_id if self.announced else super().generate_trace_id()

    def generate_span_id(self) -> int:
        return self.announced.span_id if self.announced else super().generate_span_id()


class _Tracing:
    """What `set_up_telemetry` has made for this process."""

    def __init__(self, service: str, worker: str, processor: SpanProcessor) -> None:
        self.ids = _Ids()
        resource = Resource.create({"service.name": service, "service.instance.id": worker})
        self.provider = TracerProvider(resource=resource, id_generator=self.ids, shutdown_on_exit=False)
        self.provider.add_span_processor(processor)
        self.tracer = self.provider.get_tracer("voxbus")


_tracing: _Tracing | None = None


def set_up_telemetry(service: str, worker: str, endpoint: str | None, processor: SpanProcessor | None = None) -> None:
    """Spans of this process go to the OTLP endpoint (gRPC), or to `processor`; without either none is made."""
    global _tracing  # noqa: PLW0603 - one process, one place its spans go to
    if endpoint:
        # half a second of imports that a worker taking over a call can do without
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        processor = BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=True, timeout=_EXPORT_S))
    _tracing = _Tracing(service, worker, processor) if processor else None


def shut_down_telemetry() -> None:
    """What is recorded and not sent yet is sent; a collector that is gone does not keep the process from ending."""
    if _tracing is None:
        return
    closing = threading.Thread(target=_tracing.provider.shutdown, name="last-spans", daemon=True)
    closing.start()
    closing.join(_LAST_SPANS_S)


def is_traced() -> bool:
    """Whether spans of this process go anywhere."""
    return _tracing is not None


def new_trace() -> str:
    """Traceparent of a call's root span, which is to be recorded with it as `own` when the call is over.

    Not sampled when this process exports nothing or the sampler (`OTEL_TRACES_SAMPLER`) says so.
    """
    if _tracing is None:
        ids = RandomIdGenerator()
        return _text(SpanContext(ids.generate_trace_id(), ids.generate_span_id(), is_remote=False))
    root = _tracing.tracer.start_span(CALL_SPAN, context=Context())
    return _text(root.get_span_context())


def child_of(parent: str, *what: str | int) -> str:
    """Traceparent of the span under `parent` that is about `what`: the same wherever and whenever it is asked for."""
    known = _read(parent)
    if known is None:
        return parent
    digest = hashlib.blake2b(f"{parent}/{'/'.join(map(str, what))}".encode(), digest_size=8).digest()
    span_id = int.from_bytes(digest, "big") or 1
    return _text(SpanContext(known.trace_id, span_id, True, known.trace_flags))


def record(span: PastSpan, parent: str, own: str = "") -> None:
    """Records a span under `parent`, "" = it is a root; `own` = the traceparent by which others know it already."""
    if _tracing is None:
        return
    known, announced = _read(parent), _read(own)
    flags = (known or announced or trace.INVALID_SPAN_CONTEXT).trace_flags
    if not flags.sampled:
        return
    context = trace.set_span_in_context(NonRecordingSpan(known), Context()) if known else Context()
    _tracing.ids.announced = announced
    try:
        made = _tracing.tracer.start_span(
            span.name, context=context, attributes=dict(span.attributes), start_time=_ns(span.start_unix_ms)
        )
    finally:
        _tracing.ids.announced = None
    for name, at_unix_ms in span.moments.items():
        made.add_event(name, timestamp=_ns(at_unix_ms))
    made.end(_ns(max(span.start_unix_ms, span.end_unix_ms)))


def _ns(unix_ms: float) -> int:
    return round(unix_ms * 1_000_000)


def _text(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def _read(traceparent: str) -> SpanContext | None:
    """W3C trace context, version 00; None for what is none."""
    parts = traceparent.split("-")
    if [len(part) for part in parts] != [2, 32, 16, 2]:
        return None
    try:
        trace_id, span_id, flags = (int(part, 16) for part in parts[1:])
    except ValueError:
        return None
    found = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return found if found.is_valid else None
