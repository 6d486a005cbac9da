"""docs/reliability.png: the 95th percentile of the gap, fault by service."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
from chaos_bounds import quantile
from chaos_faults import SERVICES, STRUCK
from chaos_report import Row
from matplotlib.axes import Axes
from matplotlib.figure import Figure

mpl.use("Agg")

_LIMITS: Final = {"kill": 2_000, "freeze": 2_000, "term": 2_000, "restart": 500}
_COLOURS: Final = {"kill": "tab:red", "freeze": "tab:blue", "term": "tab:orange", "restart": "tab:green"}


def plot(rows: Sequence[Row], file: Path) -> None:
    """Bars to the 95th percentile, a tick at the median, a point at the longest; one panel a service, others below."""
    measured = {row.fault: row.gaps_ms for row in rows if row.gaps_ms}
    names = [f"{kind} {service}" for service in SERVICES for kind in STRUCK]
    others = [row.fault for row in rows if row.tally is not None and row.gaps_ms and row.fault not in names]
    others = [
        name
        for name in others
        if not any(part in name for part in ("one by one", "the next", "the others", "every stage"))
    ]
    shown = [name for name in names if name in measured] + others
    picture = Figure(figsize=(10, 1.2 + 0.26 * max(1, len(shown))), layout="constrained")
    axes = picture.subplots()
    for place, name in enumerate(reversed(shown)):
        _bar(axes, place, name, measured[name])
    axes.set_yticks(range(len(shown)), list(reversed(shown)), fontsize=8)
    axes.set_xscale("symlog", linthresh=100)
    axes.set_xlim(left=0, right=10_000)
    axes.set_xticks([0, 50, 100, 200, 500, 1_000, 2_000, 5_000], ["0", "50", "100", "200", "500", "1 s", "2 s", "5 s"])
    axes.axvline(500, color="tab:green", linewidth=0.8, linestyle="--")
    axes.axvline(2_000, color="tab:red", linewidth=0.8, linestyle="--")
    axes.set_xlabel("silence beyond the usual, ms: bar = p95, line = median, point = longest; dashed = what must hold")
    axes.grid(axis="x", alpha=0.3)
    picture.savefig(file, dpi=110)


def _bar(axes: Axes, place: int, name: str, gaps_ms: Sequence[float]) -> None:
    kind = name.partition(" ")[0]
    p95 = quantile(gaps_ms, 0.95)
    is_within = p95 <= _LIMITS.get(kind, 10_000)
    axes.barh(place, p95, color=_COLOURS.get(kind, "tab:grey"), alpha=0.75 if is_within else 1.0, height=0.7)
    axes.plot([quantile(gaps_ms, 0.5)] * 2, [place - 0.35, place + 0.35], color="black", linewidth=1.2)
    axes.plot(max(gaps_ms), place, marker="o", markersize=3, color="black")
