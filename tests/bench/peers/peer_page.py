"""From the harness's rows to figures and to docs/benchmarks.md. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from peer_systems import System

NOMINAL_MS: Final = 560
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Figures:
    """One system at one number of calls, all repetitions together. Times ms, CPU % of a core per call, memory MB."""

    system: System
    calls: int
    turns: int
    unanswered: int
    v2v_p50: float | None
    v2v_p95: float | None
    cpu_percent: float
    memory_per_call: float
    memory: float
    underrun_turns: int

    @property
    def net_p50(self) -> float | None:
        return None if self.v2v_p50 is None else self.v2v_p50 - NOMINAL_MS

    @property
    def net_p95(self) -> float | None:
        return None if self.v2v_p95 is None else self.v2v_p95 - NOMINAL_MS

    @property
    def is_sound(self) -> bool:
        """Every turn was answered, and no listener heard a gap."""
        return self.turns > 0 and not self.unanswered and not self.underrun_turns


def figures_of(systems: Sequence[System], rows: Sequence[Row]) -> list[Figures]:
    """In the order of the systems, then of the calls; what was never measured is left out."""
    found: list[Figures] = []
    for system in systems:
        mine = [row for row in rows if row["tag"] == system.tag]
        for calls in sorted({int(row["n"]) for row in mine}):
            found.append(_together(system, calls, [row for row in mine if row["n"] == calls]))
    return found


def page(figures: Sequence[Figures], machine: str, when: str, seconds: float, repetitions: int) -> str:
    """The whole of docs/benchmarks.md."""
    systems = len({each.system.tag for each in figures})
    parts = [
        "# Benchmarks",
        f"Written by `make bench-peers` in {when}, on {machine}. {_HOW}",
        "![Latency and CPU by number of calls](benchmarks.png)",
        _WHAT,
        _table(figures),
        *_summary(figures),
        f"{systems} systems; {repetitions} interleaved repetitions; {seconds:g} s measured each. {_WHO}",
        "How one stack does on its own, with CPU and memory by service: `voxbus bench --help`.",
    ]
    return "\n\n".join(parts) + "\n"


_HOW: Final = (
    "Voxbus and its peers have the same callers and the same stub providers, in one run: the system under test on one "
    "core, callers and model on another, and everything a system starts is counted (for Voxbus all its services and "
    "NATS). Absolute times differ between machines; compare within one run."
)
_WHAT: Final = (
    "**v2v** is what the caller hears: arrival of the answer's first loud sample − sending of the question's last "
    f"frame. The stubs alone take **{NOMINAL_MS} ms** when one waits for the other: 200 ms of silence that end the "
    "turn, recognizer 50, model 150 to its first token and 80 to the end of the first sentence, voice 80. **Net** is "
    "v2v beyond that; it is negative where work is done while the end of the turn is still being decided. An underrun "
    "is a turn in which sound came more than 60 ms too late for a listener. Memory is resident memory; what several "
    "processes share is counted for each. Where the core is full, CPU per call is what there was, not what was needed."
)
_WHO: Final = (
    "The peers are set up as their documentation shows, with their own Silero and the stubs as plug-ins. Voxbus runs "
    "complete, with records, billing and the event log; its assistants have `waitSeconds` 0 and an endpointing silence "
    "of 200 ms, as the peers have."
)


def _together(system: System, calls: int, rows: Sequence[Row]) -> Figures:
    v2v_ms = sorted(ms for row in rows for ms in row["v2v"])
    return Figures(
        system=system,
        calls=calls,
        turns=sum(row["turns"] for row in rows),
        unanswered=sum(row["miss"] for row in rows),
        v2v_p50=_quantile(v2v_ms, 0.5),
        v2v_p95=_quantile(v2v_ms, 0.95),
        cpu_percent=_mean([row["cpu_per_call_pct"] for row in rows]),
        memory_per_call=_mean([row["rss_per_call_mb"] for row in rows]),
        memory=_mean([row["rss1_mb"] for row in rows]),
        underrun_turns=sum(row["underrun_turns"] for row in rows),
    )


def _table(figures: Sequence[Figures]) -> str:
    lines = [
        "| system | calls | v2v p50 / p95 ms | net p50 / p95 ms | CPU per call | memory per call (all) | underruns |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for each in figures:
        unanswered = f", {each.unanswered} unanswered" if each.unanswered else ""
        lines.append(
            f"| {each.system.title} | {each.calls} | {_ms(each.v2v_p50)} / {_ms(each.v2v_p95)} "
            f"| {_ms(each.net_p50)} / {_ms(each.net_p95)} | {each.cpu_percent:.2f} % "
            f"| {each.memory_per_call:.1f} MB ({each.memory:.0f} MB) "
            f"| {each.underrun_turns} of {each.turns} turns{unanswered} |"
        )
    return "\n".join(lines)


def _summary(figures: Sequence[Figures]) -> list[str]:
    """Who is best by the median a caller hears, and how many calls each carried; nothing without both sides."""
    ours = [each for each in figures if each.system.is_ours and each.v2v_p50 is not None]
    peers = [each for each in figures if not each.system.is_ours and each.v2v_p50 is not None]
    if not ours or not peers:
        return []
    best, peer = (min(side, key=lambda each: each.v2v_p50 or 0.0) for side in (ours, peers))
    assert best.v2v_p50 is not None
    assert peer.v2v_p50 is not None
    carried = [
        f"{title}: {max((each.calls for each in figures if each.system.title == title and each.is_sound), default=0)}"
        for title in dict.fromkeys(each.system.title for each in figures)
    ]
    return [
        f"Best median: {best.system.title} at {best.calls} calls, {best.v2v_p50:.0f} ms, "
        f"{best.v2v_p50 / peer.v2v_p50:.2f} × the best peer's ({peer.system.title} at {peer.calls}: "
        f"{peer.v2v_p50:.0f} ms). Most calls tried on the core with every turn answered and no underrun: "
        f"{'; '.join(carried)}."
    ]


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """Interpolated, as the harness does."""
    if not ordered:
        return None
    position = (len(ordered) - 1) * share
    lower = int(position)
    upper = min(lower + 1, len(ordered) - 1)
    return ordered[lower] + (ordered[upper] - ordered[lower]) * (position - lower)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"
