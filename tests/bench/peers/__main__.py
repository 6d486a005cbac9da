"""`make bench-peers`: Voxbus and its peers under one harness, in one run; writes docs/benchmarks.md and its plot.

The harness (callers, model server, the peers' adapters) lies in VOXBUS_BENCH_DIR, by default shared/bench beside the
repository. The peers are installed into build/ the first time. Nothing else should run on the machine meanwhile.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from peer_page import figures_of, page
from peer_plot import plot
from peer_systems import Comparison, Run, System, chosen

from voxbus_cli.interpreter import described

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
BUILD = ROOT / "build"
ROWS = BUILD / "bench-peers" / "rows.jsonl"
RUN_LIMIT_S = 300


def harness() -> Path:
    """The harness's folder; ends the program when it is not there."""
    configured = os.environ.get("VOXBUS_BENCH_DIR")
    folder = Path(configured) if configured else ROOT.parent / "shared" / "bench"
    if not (folder / "run_v2v.py").is_file():
        sys.exit(f"the harness is not there: no {folder / 'run_v2v.py'}; set VOXBUS_BENCH_DIR to its folder")
    return folder.resolve()


def venv(name: str) -> Path:
    """The Python of build/venv-NAME with what NAME.txt lists, made when there is none, or by another list or Python."""
    listed = HERE / f"{name}.txt"
    wanted = f"# {sys.base_prefix} {platform.python_version()}\n{listed.read_text()}"
    folder = BUILD / f"venv-{name}"
    python, made = folder / "bin" / "python", folder / "made-from.txt"
    if not made.is_file() or made.read_text() != wanted:
        print(f"installing {name} into {folder.relative_to(ROOT)} (a minute or two)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", listed], check=True)
        made.write_text(wanted)
    return python


def measure(run: Run, seconds: float, folder: Path, out: Path) -> bool:
    """One run of the harness, which appends a row to `out`; whether it did."""
    before = out.stat().st_size if out.exists() else 0
    python = venv(run.system.venv) if run.system.venv else Path(sys.executable)
    adapter = HERE / run.system.adapter if run.system.is_ours else folder / run.system.adapter
    command = [
        *(venv("harness"), folder / "run_v2v.py", run.system.tag, python, adapter, out),
        *("--n", str(run.calls), "--secs", str(seconds), "--secs1", str(seconds), "--reps", "1"),
        *(["--env", *(f"{name}={value}" for name, value in run.system.environment.items())]),
    ]
    environment = {**os.environ, **({} if os.geteuid() == 0 else {"BENCH_NICE": "0"})}
    try:
        subprocess.run(command, env=environment, cwd=BUILD, stdout=sys.stderr, timeout=RUN_LIMIT_S, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as wrong:
        print(f"  no figures: {wrong}", file=sys.stderr)
    return out.exists() and out.stat().st_size > before


def machine() -> str:
    """What it runs on, in general words."""
    memory_gb = psutil.virtual_memory().total / 2**30
    system = f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}"
    return f"{os.cpu_count()} cores ({platform.machine()}), {memory_gb:.0f} GB of memory, {system}, {described()}"


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def write(comparison: Comparison, systems: tuple[System, ...], folder: Path) -> None:
    """The page and the plot from all rows there are."""
    figures = figures_of(systems, rows_of(ROWS))
    if not figures:
        sys.exit("nothing could be measured, so nothing was written")
    folder.mkdir(parents=True, exist_ok=True)
    when = f"{datetime.now(UTC):%B %Y}"
    text = page(figures, machine(), when, comparison.seconds, comparison.repetitions)
    (folder / "benchmarks.md").write_text(text)
    plot(figures, folder / "benchmarks.png")
    print(f"written: {folder / 'benchmarks.md'}, {folder / 'benchmarks.png'}", file=sys.stderr)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1 and 3 calls for 10 s, once: does it work at all")
    parser.add_argument("--seconds", type=float, default=20.0, help="measured per run (20; one call alone 30)")
    parser.add_argument("--reps", type=int, default=2, help="repetitions (2)")
    parser.add_argument("--systems", default="", help="tags with commas between (all)")
    parser.add_argument("--calls", default="", help="numbers of calls for all systems, as in 1,10,20 (each its own)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="where page and plot go (docs)")
    return parser.parse_args()


def comparison_of(arguments: argparse.Namespace) -> tuple[Comparison, tuple[System, ...]]:
    """Ends the program on options that cannot be."""
    tags = [tag for tag in arguments.systems.split(",") if tag]
    try:
        calls = [int(number) for number in arguments.calls.split(",") if number] or ([1, 3] if arguments.quick else [])
        systems = chosen(tags, calls)
    except ValueError as wrong:
        sys.exit(str(wrong))
    if arguments.quick:
        return Comparison(systems, 10.0, 10.0, 1), systems
    return Comparison(systems, arguments.seconds, max(30.0, arguments.seconds), arguments.reps), systems


def main() -> None:
    arguments = options()
    comparison, systems = comparison_of(arguments)
    if (os.cpu_count() or 1) < 2:
        sys.exit("this needs two cores: one for the system under test, one for callers and model")
    folder = harness()
    for name in dict.fromkeys(["harness", *(system.venv for system in systems if system.venv)]):
        venv(name)
    ROWS.parent.mkdir(parents=True, exist_ok=True)
    ROWS.unlink(missing_ok=True)
    runs = comparison.runs()
    print(f"{len(runs)} runs, about {comparison.takes_s / 60:.0f} minutes", file=sys.stderr)
    began_s, failed = time.monotonic(), 0
    for number, run in enumerate(runs, 1):
        passed_s = time.monotonic() - began_s
        print(f"[{number}/{len(runs)}, {passed_s:.0f} s] {run.system.title}, {run.calls} calls", file=sys.stderr)
        failed += not measure(run, comparison.measures_s(run), folder, ROWS)
    write(comparison, systems, arguments.out)
    sys.exit(f"{failed} runs gave no figures" if failed else 0)


if __name__ == "__main__":
    main()
