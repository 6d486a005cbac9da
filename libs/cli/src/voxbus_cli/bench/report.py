"""The figures as a person reads them. Pure."""

from typing import Any, Final

_BARGE_IN_TARGET_MS: Final = 60.0
_FRAME_TARGET_MS: Final = {"p50": 2.0, "p99": 5.0}


def report(result: dict[str, Any]) -> str:
    """Lines of text with aligned columns."""
    turns = result["turns"]
    later_ms = result["heard_minus_told_ms"]["p50"]
    lines = [
        f"{result['calls']} calls for {result['seconds']:g} s, {turns['answered']} of {turns['asked']} turns answered, "
        f"speculation {'on' if result['speculation'] else 'off'}, {_plan(result['wait_ms'])}"
        + (", pinned" if result["pinned"] else "")
        + f", {result['python']}",
        _line("v2v", result["v2v_ms"]),
        f"{_line('net overhead', result['net_overhead_ms'])}   (beyond the providers' {result['nominal_ms']} ms)",
        f"{_line('v2v as recorded', result['told_v2v_ms'])}   (heard {_ms(later_ms, 1)} later)",
        *([f"{'  its parts, p50 / p95':<24} {_parts(result['told_parts_ms'])}"] if result["told_parts_ms"] else []),
        f"{'underruns':<24} {result['underruns']['turns']} turns, worst {result['underruns']['worst_ms']:.0f} ms",
        f"{'model':<24} {result['model']['starts_per_turn']:.2f} starts per turn, {result['model']['cut_off']} cut off",
    ]
    if barge_in := result.get("barge_in"):
        lines.append(_line("barge-in: silent after", barge_in["silent_after_ms"]))
        lines.append(_line("  beyond voiceSeconds", barge_in["beyond_voice_seconds_ms"]))
    late = result["callers_late_ms"]
    lines.append(f"{'callers own lateness':<24} p50 {_ms(late['p50'], 2)}   p99 {_ms(late['p99'], 2)}")
    if "services" in result:
        lines += _machine(result)
    lines += [f"ERROR {error}" for error in result["errors"]]
    return "\n".join(lines)


def _machine(result: dict[str, Any]) -> list[str]:
    memory = result["memory_mb"]
    lines = [
        f"{'playout underruns':<24} {result['playout_underruns']} counted by media-ingress",
        *([_barge_in(seen)] if (seen := result["barge_in_beyond_voice_ms"]) else []),
        *(_frames(stage, latency) for stage, latency in result["frame_socket_to_handler_ms"].items()),
        f"{'CPU':<24} {result['cpu_percent_of_a_core_per_call']:.2f} % of a core per call",
        f"{'memory':<24} {memory['per_call']:.2f} MB per call beyond {memory['idle']:.0f} MB idle",
        "",
        f"{'service':<18}{'CPU % per call':>16}{'memory MB':>12}{'loop lag p95 ms':>18}",
    ]
    for service, figures in result["services"].items():
        lag = figures["loop_lag_ms"]
        shown = "-" if lag is None else f"{lag:.2f}"
        lines.append(f"{service:<18}{figures['cpu_percent_per_call']:>16.3f}{figures['memory_mb']:>12.0f}{shown:>18}")
    return lines


def _barge_in(seen: dict[str, Any]) -> str:
    missed = "" if seen["p95"] <= _BARGE_IN_TARGET_MS else "   MISSED: target p95 60 ms"
    return f"{'  by media-ingress':<24} p50 {_ms(seen['p50'])}   p95 {_ms(seen['p95'])}{missed}"


def _parts(parts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {figures['p50']:.0f} / {figures['p95']:.0f}" for name, figures in parts.items())


def _frames(stage: str, latency: dict[str, Any]) -> str:
    is_missed = any((latency[share] or 0.0) > limit for share, limit in _FRAME_TARGET_MS.items())
    missed = "   MISSED: target p50 2 ms, p99 5 ms" if is_missed else ""
    return f"{'frame socket → ' + stage:<24} p50 {_ms(latency['p50'], 2)}   p99 {_ms(latency['p99'], 2)}{missed}"


def _plan(wait_ms: int | None) -> str:
    return "default startSpeakingPlan" if wait_ms is None else f"waitSeconds {wait_ms / 1_000:g}"


def _line(name: str, figures: dict[str, Any]) -> str:
    return f"{name:<24} p50 {_ms(figures['p50'])}   p95 {_ms(figures['p95'])}   max {_ms(figures['max'])}"


def _ms(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f} ms"
