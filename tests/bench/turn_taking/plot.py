"""The curve: false cut-offs against delay."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from scoring import TARGETS, Point


def draw(curves: Mapping[str, Sequence[Point]], file: Path) -> None:
    """Writes a PNG with one line per curve, its points in order of their setting. Raises ImportError: no matplotlib."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5), dpi=120)
    for name, points in curves.items():
        along = sorted(points, key=lambda point: point.setting)
        style = ":" if "fixed" in name else "-"
        delays, cuts = [point.delay_ms for point in along], [100 * point.cut for point in along]
        axes.plot(delays, cuts, style, marker="o", markersize=3, label=name)
        axes.fill_between(
            delays, [100 * point.cut_low for point in along], [100 * point.cut_high for point in along], alpha=0.12
        )
    for target in TARGETS:
        axes.plot([target.delay_ms], [100 * target.cut], "k*", markersize=10)
    axes.set(xlabel="mean delay of true ends, ms", ylabel="holds cut off, %", ylim=(0, 60), xlim=(200, 1_600))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(file)
    pyplot.close(figure)
