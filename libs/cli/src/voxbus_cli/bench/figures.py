"""From what was seen to what is reported. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from voxbus_cli.bench.behaviour import NOMINAL_MS, VOICE_SECONDS
from voxbus_cli.bench.conversation import Turn
from voxbus_cli.bench.instruments import BARGE_IN, FRAME_LATENCY, UNDERRUNS, Readings, count_between, histogram_between

HEARS_FRAMES: Final = ("vad", "stt-worker")
INGRESS: Final = "media-ingress"


@dataclass(frozen=True, slots=True)
class Heard:
    """What the callers' process says at its end: turns of the window, how many there were with those before it."""

    turns: tuple[Turn, ...]
    all_turns: int
    late_ms: tuple[float, ...]
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """What a stack of our own took, per service, between two moments. `lag_ms` = worst p95 of the event loop."""

    seconds: float
    cpu_s: Mapping[str, float]
    idle_mb: Mapping[str, float]
    memory_mb: Mapping[str, float]
    lag_ms: Mapping[str, float]
    before: Readings
    after: Readings


def quantile(values: Sequence[float], share: float) -> float | None:
    """None of no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """p50, p95 and the largest, to a tenth."""
    shares = {"p50": quantile(values, 0.5), "p95": quantile(values, 0.95), "max": max(values, default=None)}
    return {name: None if value is None else round(value, 1) for name, value in shares.items()}


def callers_figures(heard: Heard) -> dict[str, Any]:
    """What the callers noticed."""
    v2v_ms = [turn.v2v_ms for turn in heard.turns if turn.v2v_ms is not None]
    stops_ms = [turn.silent_after_s * 1_000 for turn in heard.turns if turn.silent_after_s is not None]
    late_ms = sorted(heard.late_ms)
    told = [(t.told_ms, t.v2v_ms) for t in heard.turns if t.told_ms is not None and t.v2v_ms is not None]
    found: dict[str, Any] = {
        "turns": {"asked": len(heard.turns), "answered": len(v2v_ms)},
        "v2v_ms": spread(v2v_ms),
        "nominal_ms": NOMINAL_MS,
        "net_overhead_ms": spread([ms - NOMINAL_MS for ms in v2v_ms]),
        "told_v2v_ms": spread([told_ms for told_ms, _ in told]),
        "told_parts_ms": _parts(heard.turns),
        "heard_minus_told_ms": spread([heard_ms - told_ms for told_ms, heard_ms in told]),
        "underruns": {
            "turns": sum(turn.underruns > 0 for turn in heard.turns),
            "worst_ms": round(max((turn.late_s for turn in heard.turns), default=0.0) * 1_000, 1),
        },
        "callers_late_ms": {"p50": _rounded(quantile(late_ms, 0.5)), "p99": _rounded(quantile(late_ms, 0.99))},
        "errors": list(heard.errors),
    }
    if stops_ms:
        beyond_ms = [ms - VOICE_SECONDS * 1_000 for ms in stops_ms]
        found["barge_in"] = {"silent_after_ms": spread(stops_ms), "beyond_voice_seconds_ms": spread(beyond_ms)}
    return found


def machine_figures(machine: Machine, calls: int) -> dict[str, Any]:
    """What the stack took."""
    percent = {name: 100 * used_s / machine.seconds / calls for name, used_s in machine.cpu_s.items()}
    grown = sum(machine.memory_mb.values()) - sum(machine.idle_mb.values())
    return {
        "cpu_percent_of_a_core_per_call": round(sum(percent.values()), 3),
        "memory_mb": {
            "idle": round(sum(machine.idle_mb.values()), 1),
            "loaded": round(sum(machine.memory_mb.values()), 1),
            "per_call": round(grown / calls, 2),
        },
        "playout_underruns": round(count_between(UNDERRUNS, *_readings(machine, INGRESS))),
        "barge_in_beyond_voice_ms": _barge_in(*_readings(machine, INGRESS)),
        "frame_socket_to_handler_ms": {
            stage: _frame_latency(*_readings(machine, stage)) for stage in HEARS_FRAMES if stage in machine.after
        },
        "services": {
            name: {
                "cpu_percent_per_call": round(percent[name], 3),
                "memory_mb": round(machine.memory_mb.get(name, 0.0), 1),
                "loop_lag_ms": machine.lag_ms.get(name),
            }
            for name in percent
        },
    }


def _parts(turns: Sequence[Turn]) -> dict[str, dict[str, float | None]]:
    """Each part's own spread; parts of one turn add up, their quantiles do not."""
    names = dict.fromkeys(name for turn in turns for name in turn.parts_ms)
    return {name: spread([turn.parts_ms[name] for turn in turns if name in turn.parts_ms]) for name in names}


def _frame_latency(before: str, after: str) -> dict[str, float | None]:
    seen = histogram_between(FRAME_LATENCY, before, after)
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {**{name: _rounded(seen.quantile(share)) for name, share in shares.items()}, "frames": seen.count}


def _barge_in(before: str, after: str) -> dict[str, float | None] | None:
    """As media-ingress has it: silence of the agent after the voice it takes to pause it. None = nobody interrupted."""
    seen = histogram_between(BARGE_IN, before, after)
    if not seen.count:
        return None
    found = {"p50": seen.quantile(0.5), "p95": seen.quantile(0.95)}
    return {
        **{name: None if at_s is None else round(at_s * 1_000, 1) for name, at_s in found.items()},
        "count": seen.count,
    }


def _readings(machine: Machine, stage: str) -> tuple[str, str]:
    return machine.before.get(stage, ""), machine.after.get(stage, "")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
