"""Spans recorded after the fact, under ids that others knew before."""

import time
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from voxbus_runtime.telemetry import (
    PastSpan,
    child_of,
    is_traced,
    new_trace,
    record,
    set_up_telemetry,
    shut_down_telemetry,
)
from voxbus_testing.nats import free_port


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """Where the spans of this process go while the test runs."""
    memory = InMemorySpanExporter()
    set_up_telemetry("testing", "testing-1", None, SimpleSpanProcessor(memory))
    yield memory
    set_up_telemetry("testing", "testing-1", None)


def ids(traceparent: str) -> tuple[str, str]:
    _, trace_id, span_id, _ = traceparent.split("-")
    return trace_id, span_id


def test_a_span_is_recorded_with_its_own_times_under_a_parent_recorded_later(exporter: InMemorySpanExporter) -> None:
    call = new_trace()
    turn = child_of(call, "turn", 1)
    record(PastSpan("voice", 1_000.5, 1_020.25, {"engine": "x"}, {"first-frame": 1_010}), turn)
    record(PastSpan("turn", 900, 1_100), call, own=turn)
    record(PastSpan("call", 0, 2_000), "", own=call)
    voice, turned, root = exporter.get_finished_spans()
    assert voice.parent is not None
    assert turned.parent is not None
    assert f"{voice.parent.span_id:016x}" == f"{turned.context.span_id:016x}" == ids(turn)[1]
    assert f"{turned.parent.span_id:016x}" == f"{root.context.span_id:016x}" == ids(call)[1]
    assert {f"{span.context.trace_id:032x}" for span in (voice, turned, root)} == {ids(call)[0]}
    assert root.parent is None
    assert (voice.start_time, voice.end_time) == (1_000_500_000, 1_020_250_000)
    assert [(event.name, event.timestamp) for event in voice.events] == [("first-frame", 1_010_000_000)]


def test_a_child_has_the_same_id_whoever_asks_and_another_one_for_anything_else() -> None:
    call = new_trace()
    assert child_of(call, "turn", 1) == child_of(call, "turn", 1)
    assert len({child_of(call, "turn", 1), child_of(call, "turn", 2), child_of(new_trace(), "turn", 1), call}) == 4
    assert ids(child_of(call, "turn", 1))[0] == ids(call)[0]


def test_random_ids_stay_random_after_an_announced_one(exporter: InMemorySpanExporter) -> None:
    call = new_trace()
    record(PastSpan("call", 0, 1), "", own=call)
    record(PastSpan("a", 0, 1), call)
    record(PastSpan("b", 0, 1), call)
    assert len({span.context.span_id for span in exporter.get_finished_spans()}) == 3


def test_a_process_that_exports_nowhere_makes_traces_that_nobody_samples(exporter: InMemorySpanExporter) -> None:
    set_up_telemetry("testing", "testing-1", None)
    assert not is_traced()
    call = new_trace()
    assert call.endswith("-00")
    record(PastSpan("turn", 0, 1), call)
    set_up_telemetry("testing", "testing-1", None, SimpleSpanProcessor(exporter))
    record(PastSpan("turn", 0, 1), call)
    assert not exporter.get_finished_spans()


@pytest.mark.parametrize("wrong", ["", "00", "00-x-y-01", f"00-{'0' * 32}-{'0' * 16}-01", "00-1-2-3-4"])
def test_what_is_no_trace_context_makes_no_span(exporter: InMemorySpanExporter, wrong: str) -> None:
    record(PastSpan("turn", 0, 1), wrong)
    assert not exporter.get_finished_spans()
    assert child_of(wrong, "turn", 1) == wrong


def test_a_collector_that_is_gone_holds_up_neither_the_work_nor_the_end() -> None:
    set_up_telemetry("testing", "testing-1", f"http://127.0.0.1:{free_port()}")
    call = new_trace()
    for number in range(1_200):
        record(PastSpan("turn", number, number + 1), call)
    began_s = time.monotonic()
    shut_down_telemetry()
    assert time.monotonic() - began_s < 10
    set_up_telemetry("testing", "testing-1", None)
