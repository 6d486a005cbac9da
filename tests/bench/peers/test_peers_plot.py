"""The comparison's plot, and what is said before it begins; the harness itself is not needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="needs requirements/dev.lock: matplotlib is missing")
sys.path.insert(0, str(Path(__file__).parent))

from peer_page import Figures
from peer_plot import plot
from peer_systems import SYSTEMS


def figures(system: int, calls: int, v2v_ms: float | None) -> Figures:
    return Figures(SYSTEMS[system], calls, 10, 0, v2v_ms, v2v_ms, 2.0, 1.5, 300.0, 0)


@pytest.mark.parametrize(
    "seen",
    [
        [figures(0, 1, 380.0), figures(0, 20, 400.0), figures(2, 1, 600.0), figures(2, 30, 9_000.0)],
        [figures(3, 1, None)],
    ],
    ids=["two systems", "one that never answered"],
)
def test_the_plot_is_drawn(seen: list[Figures], tmp_path: Path) -> None:
    plot(seen, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_without_the_harness_the_command_says_where_it_looked(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent), "--quick"],
        env={**os.environ, "VOXBUS_BENCH_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert f"no {tmp_path / 'run_v2v.py'}; set VOXBUS_BENCH_DIR" in done.stderr
