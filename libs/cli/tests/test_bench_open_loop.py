"""Load at a fixed rate; the shortest of real times, since lateness on a real loop is what is meant."""

import asyncio

from voxbus_cli.bench.api_load import api_load_report, has_failed
from voxbus_cli.bench.open_loop import Failed, open_loop


async def test_slow_answers_do_not_slow_the_asking() -> None:
    asked: list[int] = []

    async def act(number: int) -> None:
        asked.append(number)
        await asyncio.Event().wait()

    outcome = await open_loop(act, 1_000, 0.05, patience_s=0.01)
    assert asked == list(range(50))
    assert outcome.took_ms == []
    assert outcome.errors == {"still going on at the end": 50}


async def test_a_server_that_stands_still_is_seen_by_all_who_were_due_meanwhile() -> None:
    async def act(number: int) -> None:
        if number == 10:
            _stand_still(0.05)

    outcome = await open_loop(act, 1_000, 0.06)
    late = [ms for ms in outcome.took_ms if ms > 10]
    assert len(late) >= 30, "the actions due in the 50 ms count the time they waited"


async def test_failures_are_counted_by_what_they_say() -> None:
    async def act(number: int) -> None:
        if number % 2:
            raise Failed("GET answered 503")

    outcome = await open_loop(act, 1_000, 0.01)
    assert outcome.errors == {"Failed: GET answered 503": 5}
    assert len(outcome.took_ms) == 5


def test_the_table_says_what_failed() -> None:
    part = {
        "title": "GET /assistant/{id}",
        "rate_per_s": 200.0,
        "asked": 10,
        "answered": 8,
        "took_ms": {"p50": 1.0, "p95": None, "max": 3.0},
        "cpu_ms": {"control-api": 1.25},
        "errors": {"Failed: GET answered 503": 2},
    }
    found = {"seconds": 8.0, "get_assistant": part}
    assert has_failed(found)
    shown = api_load_report(found)
    assert "2 × Failed: GET answered 503" in shown
    assert "control-api 1.25" in shown
    assert not has_failed({"seconds": 8.0, "get_assistant": {**part, "errors": {}}})


def _stand_still(seconds: float) -> None:
    import time

    time.sleep(seconds)
