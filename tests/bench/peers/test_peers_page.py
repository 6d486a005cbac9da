"""The comparison's plan, figures, page and plot; the harness itself is not needed."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from peer_page import figures_of, page
from peer_systems import SYSTEMS, Comparison, chosen


def row(tag: str, calls: int, *v2v_ms: float, **changed: Any) -> dict[str, Any]:
    """As the harness writes it, as far as it is read."""
    usual = {
        "turns": len(v2v_ms),
        "miss": 0,
        "cpu_per_call_pct": 2.0,
        "rss_per_call_mb": 1.5,
        "rss1_mb": 300.0,
        "underrun_turns": 0,
    }
    return {"tag": tag, "n": calls, "v2v": list(v2v_ms), **usual, **changed}


ROWS = [
    row("livekit", 1, 600.0, 600.0, cpu_per_call_pct=6.0),
    row("voxbus", 20, 390.0, 400.0, 410.0),
    row("voxbus", 1, 380.0),
    row("voxbus", 20, 400.0, 420.0, 500.0, cpu_per_call_pct=1.0),
    row("livekit", 30, 900.0, underrun_turns=1, miss=1, turns=2),
]


def test_repetitions_are_put_together_in_the_order_of_systems_and_calls() -> None:
    figures = figures_of(SYSTEMS, ROWS)
    assert [(each.system.tag, each.calls) for each in figures] == [
        ("voxbus", 1),
        ("voxbus", 20),
        ("livekit", 1),
        ("livekit", 30),
    ]
    twenty = figures[1]
    assert (twenty.turns, twenty.v2v_p50, twenty.net_p50, twenty.cpu_percent) == (6, 405.0, -155.0, 1.5)
    assert not figures[3].is_sound


def test_the_page_compares_with_the_best_peer_and_counts_what_was_carried() -> None:
    text = page(figures_of(SYSTEMS, ROWS), "2 cores", "May 2026", 20.0, 2)
    assert "| Voxbus | 20 | 405 / 480 | -155 / -80 | 1.50 % | 1.5 MB (300 MB) | 0 of 6 turns |" in text
    assert "1 of 2 turns, 1 unanswered |" in text
    assert "Best median: Voxbus at 1 calls, 380 ms, 0.63 × the best peer's (livekit-agents 1.8.9 at 1: 600 ms)" in text
    assert "Voxbus: 20; livekit-agents 1.8.9: 1." in text
    assert "![Latency and CPU by number of calls](benchmarks.png)" in text


@pytest.mark.parametrize("rows", [ROWS[1:2], [row("pipecat", 1, miss=3, turns=3)]], ids=["ours", "silent"])
def test_a_page_of_little_says_no_more_than_there_is(rows: list[dict[str, Any]]) -> None:
    text = page(figures_of(SYSTEMS, rows), "2 cores", "May 2026", 20.0, 2)
    assert "Best median" not in text
    assert " nan" not in text


def test_systems_take_turns_within_every_repetition() -> None:
    runs = Comparison(chosen([], [1, 3]), repetitions=2).runs()
    assert len(runs) == 2 * 2 * len(SYSTEMS)
    assert [run.system.tag for run in runs[:4]] == [system.tag for system in SYSTEMS]
    assert {run.calls for run in runs[:4]} == {1}


def test_the_whole_comparison_takes_about_twenty_minutes() -> None:
    assert Comparison().takes_s < 21 * 60


def test_a_system_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="--systems: vapi: there are voxbus"):
        chosen(["voxbus", "vapi"], [])
