"""OpenTelemetry: one trace per call, context carried in the `traceparent` header of every message."""

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()


def set_up_telemetry(service: str, worker: str, endpoint: str | None) -> TracerProvider:
    """Spans of this process; exported only when there is an endpoint, else made for their context alone."""
    provider = TracerProvider(resource=Resource.create({"service.name": service, "service.instance.id": worker}))
    if endpoint:
        # half a second of imports that a worker taking over a call can do without
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=True)))
    trace.set_tracer_provider(provider)
    return provider


def context_of(traceparent: str) -> Context | None:
    """The parent context a message carries; None when it carries none."""
    return _PROPAGATOR.extract({"traceparent": traceparent}) if traceparent else None


def traceparent_of(span: Span) -> str:
    """What to put into the header so that the receiver's spans lie under `span`."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, trace.set_span_in_context(span))
    return carrier.get("traceparent", "")
