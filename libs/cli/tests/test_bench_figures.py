"""Figures and tables of a benchmark."""

import json

import pytest

from voxbus_cli.bench.conversation import Turn
from voxbus_cli.bench.figures import Heard, Machine, callers_figures, machine_figures, quantile, spread
from voxbus_cli.bench.instruments import Histogram, count_between, histogram_between
from voxbus_cli.bench.report import report

BEFORE = """# TYPE voxbus_frame_latency_milliseconds histogram
voxbus_frame_latency_milliseconds_bucket{le="1.0"} 10.0
voxbus_frame_latency_milliseconds_bucket{le="2.0"} 10.0
voxbus_frame_latency_milliseconds_bucket{le="+Inf"} 10.0
"""
AFTER = """# TYPE voxbus_frame_latency_milliseconds histogram
voxbus_frame_latency_milliseconds_bucket{le="1.0"} 20.0
voxbus_frame_latency_milliseconds_bucket{le="2.0"} 30.0
voxbus_frame_latency_milliseconds_bucket{le="+Inf"} 30.0
"""
BARGE_IN = """# TYPE media_barge_in_seconds histogram
media_barge_in_seconds_bucket{le="0.02"} 4.0
media_barge_in_seconds_bucket{le="0.06"} 4.0
media_barge_in_seconds_bucket{le="+Inf"} 4.0
"""
UNDERRUNS = "# TYPE media_playout_underruns counter\nmedia_playout_underruns_total {}\n"


def heard(*turns: Turn) -> Heard:
    return Heard(turns, all_turns=len(turns), late_ms=(0.1, 0.2), errors=())


MACHINE = Machine(
    seconds=10.0,
    cpu_s={"vad": 0.4, "nats-server": 0.2},
    idle_mb={"vad": 50.0, "nats-server": 10.0},
    memory_mb={"vad": 52.0, "nats-server": 12.0},
    lag_ms={"vad": 1.5},
    before={"vad": BEFORE, "media-ingress": UNDERRUNS.format(3)},
    after={"vad": AFTER, "media-ingress": UNDERRUNS.format(5) + BARGE_IN},
)


def test_a_quantile_of_nothing_is_nothing() -> None:
    assert quantile([], 0.5) is None
    assert spread([]) == {"p50": None, "p95": None, "max": None}


def test_the_callers_figures_tell_what_was_answered_and_what_was_not() -> None:
    found = callers_figures(
        heard(
            Turn(1.0, first_s=1.6, told_ms=590.0, parts_ms={"model": 150.0, "voice": 80.0}),
            Turn(2.0, first_s=2.58, underruns=2, late_s=0.04),
            Turn(3.0, silent_after_s=0.25),
        )
    )
    assert found["turns"] == {"asked": 3, "answered": 2}
    assert found["v2v_ms"] == {"p50": 600.0, "p95": 600.0, "max": 600.0}
    assert found["net_overhead_ms"]["max"] == 40.0
    assert found["heard_minus_told_ms"]["p50"] == 10.0
    assert found["told_parts_ms"]["model"] == {"p50": 150.0, "p95": 150.0, "max": 150.0}
    assert found["underruns"] == {"turns": 1, "worst_ms": 40.0}
    assert found["barge_in"]["silent_after_ms"]["p50"] == 250.0
    assert found["barge_in"]["beyond_voice_seconds_ms"]["p50"] == 50.0


def test_the_machines_figures_are_those_between_two_readings() -> None:
    found = machine_figures(MACHINE, calls=2)
    assert found["cpu_percent_of_a_core_per_call"] == pytest.approx(3.0)
    assert found["memory_mb"] == {"idle": 60.0, "loaded": 64.0, "per_call": 2.0}
    assert found["playout_underruns"] == 2
    assert found["barge_in_beyond_voice_ms"] == {"p50": 10.0, "p95": 19.0, "count": 4.0}
    assert found["frame_socket_to_handler_ms"]["vad"] == {"p50": 1.0, "p95": 1.9, "p99": 1.98, "frames": 20.0}
    assert found["services"]["vad"] == {"cpu_percent_per_call": 2.0, "memory_mb": 52.0, "loop_lag_ms": 1.5}


def test_a_histogram_knows_no_more_than_its_last_bound() -> None:
    assert Histogram(((1.0, 0.0), (float("inf"), 4.0))).quantile(0.5) == 1.0
    assert Histogram(()).quantile(0.5) is None
    assert histogram_between("voxbus_frame_latency_milliseconds", "", AFTER).count == 30.0
    assert count_between("media_playout_underruns", "", UNDERRUNS.format(2)) == 2.0


@pytest.mark.parametrize("machine", [{}, machine_figures(MACHINE, 2)], ids=["elsewhere", "ours"])
@pytest.mark.parametrize(
    "turns", [(), (Turn(1.0, first_s=1.6, silent_after_s=0.3, parts_ms={"bus": 4.0}),)], ids=["none", "one"]
)
def test_every_result_is_both_json_and_a_table(machine: dict[str, object], turns: tuple[Turn, ...]) -> None:
    result = {
        "calls": 2,
        "seconds": 10.0,
        "wait_ms": None,
        "speculation": True,
        "pinned": True,
        "python": "Python 3.11.2",
        "model": {"started": 3, "cut_off": 1, "starts_per_turn": 1.5},
        **callers_figures(heard(*turns)),
        **machine,
    }
    table = report(json.loads(json.dumps(result, allow_nan=False)))
    assert "2 calls for 10 s" in table
    assert "default startSpeakingPlan, pinned, Python 3.11.2\n" in table
    assert ("by media-ingress" in table) == bool(machine)
    assert ("vad" in table) == bool(machine)
