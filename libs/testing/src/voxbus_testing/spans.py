"""Spans of the process that runs the test, kept in memory."""

from collections.abc import Generator
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from voxbus_runtime.telemetry import set_up_telemetry


class Recorded:
    """What was recorded; made by `recording`."""

    def __init__(self, memory: InMemorySpanExporter) -> None:
        self._memory = memory

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._memory.get_finished_spans())

    def told(self) -> list[tuple[str, float, float, str]]:
        """Name, start and end in ms, and the parent's id in hex, "" for a root."""
        return [
            (
                span.name,
                (span.start_time or 0) / 1e6,
                (span.end_time or 0) / 1e6,
                f"{span.parent.span_id:016x}" if span.parent else "",
            )
            for span in self.spans
        ]


@contextmanager
def recording() -> Generator[Recorded]:
    """This process is traced while it lasts."""
    memory = InMemorySpanExporter()
    set_up_telemetry("testing", "testing-1", None, SimpleSpanProcessor(memory))
    try:
        yield Recorded(memory)
    finally:
        set_up_telemetry("testing", "testing-1", None)


def id_of(traceparent: str) -> str:
    """Of the span a header names, in hex."""
    return traceparent.split("-")[2]
