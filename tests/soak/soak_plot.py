"""build/soak/soak.png: memory, counts and what is kept, over the run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from soak_rules import FOLDER_FILES
from soak_samples import Sample

mpl.use("Agg")

_PANELS: Final = (
    ("memory, MB (shared memory divided)", (" memory",), False),
    ("asyncio tasks", (" tasks",), False),
    ("NATS subscriptions", (" subscriptions", "subscriptions on the server"), True),
    ("open files", (" files",), True),
    ("keys and messages", ("OWNERS keys", "OWNERS entries", "CONFIGS keys", "CLAIMS messages"), True),
    ("files in folders", (FOLDER_FILES,), True),
)
"""Title, what the names of its measures end or begin with, whether 0 and large values stand side by side."""


def plot(samples: Sequence[Sample], load_from_s: float, load_until_s: float, file: Path) -> None:
    """Six panels over minutes; where callers call is shaded."""
    picture = Figure(figsize=(13, 11), layout="constrained")
    panels = picture.subplots(3, 2, sharex=True).flat
    for axes, (title, marks, is_wide) in zip(panels, _PANELS, strict=True):
        names = sorted({name for sample in samples for name in sample.values if _belongs(name, marks)})
        for name in names:
            _line(axes, samples, name)
        axes.axvspan(load_from_s / 60, load_until_s / 60, alpha=0.06, color="tab:blue")
        axes.set_title(title, fontsize=10)
        if is_wide:
            axes.set_yscale("symlog", linthresh=10)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=6, ncol=2, frameon=False)
    for axes in panels:
        axes.set_xlabel("minutes")
    picture.savefig(file, dpi=130)


def _belongs(name: str, marks: Sequence[str]) -> bool:
    return any(name.endswith(mark) or name.startswith(mark) for mark in marks)


def _line(axes: Axes, samples: Sequence[Sample], name: str) -> None:
    there = [sample for sample in samples if name in sample.values]
    label = name.removeprefix(FOLDER_FILES)
    for mark in (" memory", " tasks", " subscriptions", " files"):
        label = label.removesuffix(mark)
    minutes = [sample.at_s / 60 for sample in there]
    axes.plot(minutes, [sample.values[name] for sample in there], marker=".", markersize=3, linewidth=1, label=label)
