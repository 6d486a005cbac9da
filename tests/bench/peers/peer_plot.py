"""docs/benchmarks.png: latency and CPU by number of calls."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from peer_page import NOMINAL_MS, Figures

mpl.use("Agg")


def plot(figures: Sequence[Figures], path: Path) -> None:
    """Two panels, a line per system; p95 is the upper end of the shade above p50."""
    picture = Figure(figsize=(10, 4.2), layout="constrained")
    latency, cpu = picture.subplots(1, 2)
    for title in dict.fromkeys(each.system.title for each in figures):
        mine = [each for each in figures if each.system.title == title]
        _line(latency, cpu, mine)
    latency.axhline(NOMINAL_MS, color="grey", linestyle=":", linewidth=1)
    latency.text(
        0.99,
        NOMINAL_MS,
        f"the providers alone, in a row: {NOMINAL_MS} ms",
        **_NOTE,
        transform=latency.get_yaxis_transform(),
    )
    latency.set(xlabel="simultaneous calls on one core", ylabel="v2v, ms (p50, shade to p95)", ylim=(0, _top(figures)))
    cpu.set(xlabel="simultaneous calls on one core", ylabel="CPU per call, % of a core", ylim=(0, None))
    for panel in (latency, cpu):
        panel.xaxis.get_major_locator().set_params(integer=True)
    cpu.legend(frameon=False)
    picture.savefig(path, dpi=150)


_NOTE = {"ha": "right", "va": "bottom", "fontsize": 8, "color": "grey"}


def _line(latency: Axes, cpu: Axes, figures: Sequence[Figures]) -> None:
    calls = [each.calls for each in figures]
    style = "-" if figures[0].system.is_ours else "--"
    cpu.plot(calls, [each.cpu_percent for each in figures], style, marker="o", label=figures[0].system.title)
    heard = [each for each in figures if each.v2v_p50 is not None]
    calls, p50 = [each.calls for each in heard], [each.v2v_p50 for each in heard]
    (line,) = latency.plot(calls, p50, style, marker="o")
    latency.fill_between(calls, p50, [each.v2v_p95 for each in heard], alpha=0.15, color=line.get_color())


def _top(figures: Sequence[Figures]) -> float:
    """A peer that has broken down would flatten everybody else: the panel ends at 1.5 s."""
    return min(1_500.0, 1.1 * max(NOMINAL_MS, *(each.v2v_p95 or 0.0 for each in figures)))
