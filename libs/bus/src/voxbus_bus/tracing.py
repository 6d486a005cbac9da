"""Trace context of a message. Span names hold the durable and the message's name, never a call's id."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

from voxbus_bus.received import Received
from voxbus_runtime.telemetry import context_of, traceparent_of

_TRACER = trace.get_tracer("voxbus_bus")


@contextmanager
def consumer_span(durable: str, received: Received) -> Generator[None]:
    """Everything inside belongs to the message's trace."""
    attributes = {"voxbus.call": received.ref.call, "messaging.system": "nats", "messaging.consumer": durable}
    with _TRACER.start_as_current_span(
        f"{durable} {received.name}",
        context=context_of(received.envelope.traceparent),
        kind=SpanKind.CONSUMER,
        attributes=attributes,
        record_exception=False,  # its text may quote what a person said
    ):
        yield


@contextmanager
def batch_span(durable: str, received: Sequence[Received]) -> Generator[None]:
    """A trace of its own for many messages, linked to the trace of each call among them."""
    parents = {fact.envelope.traceparent for fact in received}
    links = [
        trace.Link(trace.get_current_span(context).get_span_context())
        for parent in sorted(parents)
        if (context := context_of(parent)) is not None
    ]
    with _TRACER.start_as_current_span(
        f"{durable} batch",
        context=Context(),
        kind=SpanKind.CONSUMER,
        links=links,
        attributes={"messaging.system": "nats", "messaging.batch.message_count": len(received)},
        record_exception=False,
    ):
        yield


def current_traceparent() -> str:
    """Header value of the span we are in, empty when there is none."""
    return traceparent_of(trace.get_current_span())


def root_traceparent(name: str) -> str:
    """Header value of a new trace whose root span, already ended, is called `name`."""
    span = _TRACER.start_span(name, context=Context(), kind=SpanKind.PRODUCER)
    span.end()
    return traceparent_of(span)
