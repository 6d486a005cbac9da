"""`make chaos`: simultaneous calls while workers, bus and storage fail; says what each call suffered.

Every call must end once, with all its words, each sentence heard once and each tool run once. Figures go to
build/chaos/chaos.json; a whole run writes docs/reliability.md and its plot. Nothing else should run on the machine
meanwhile: calls and trials that the machine itself held up are counted apart.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from bus_watch import BusWatch
from chaos_booking import BookingServer
from chaos_bounds import quantile
from chaos_cluster import Cluster
from chaos_faults import CLAIMED, LEADER, PLACES, POSTGRES, STORE, Fault, Ground, all_faults
from chaos_machine import Machine
from chaos_overload import EXCHANGES as OVERLOAD_EXCHANGES
from chaos_overload import NAME as OVERLOAD
from chaos_overload import run_overload
from chaos_overload import settings as overload_settings
from chaos_plan import short_run, single_rounds, whole_run
from chaos_plot import plot
from chaos_report import Row, merged, page, rows_of
from chaos_round import Round, Setting, Verdict, run_round
from chaos_storage import Postgres, Volume
from stack import Stack, running

from voxbus_cli.interpreter import described
from voxbus_testing.postgres import find_binaries

ROOT: Final = Path(__file__).parents[2]
BUILD: Final = ROOT / "build" / "chaos"
TWINS: Final = ",".join(f"{service}=2" for service in (*CLAIMED, "tool-runner"))
FULL: Final = "overload"
"""The place of callers beyond the slots: one worker of each stage, with as many slots as there are calls."""
_RESTS_S: Final = 2.0
_CALM_EXCHANGES: Final = 2


def chosen(options: argparse.Namespace) -> list[Round]:
    """What is asked for. Ends the program at a name it does not know."""
    if not options.faults:
        make = short_run if options.short else whole_run
        rounds = [*make(options.calls, options.seed), *(() if options.short else (_overload(options),))]
        return [plan for plan in rounds if options.only in plan.name and _can_be_had(plan.faults[0])]
    known = {fault.name.replace(" ", ":"): fault for fault in all_faults()}
    unknown = [name for name in options.faults if name not in known and name != FULL]
    if unknown:
        sys.exit(f"no fault is called {unknown[0]}; there are {', '.join((*known, FULL))}")
    named = [known[name] for name in options.faults if name in known]
    rounds = single_rounds(named, options.calls, options.exchanges, options.strikes, options.seed)
    return [*rounds, *([_overload(options)] if FULL in options.faults else [])]


def _overload(options: argparse.Namespace) -> Round:
    return Round(OVERLOAD, (Fault(FULL, FULL),), options.calls, OVERLOAD_EXCHANGES, options.seed)


def _can_be_had(fault: Fault) -> bool:
    """Says so where it cannot: all faults were asked for, and this machine is no place for some."""
    if fault.target in (LEADER, STORE) and os.geteuid() != 0:
        say(f"{fault.name} is left out: it needs root, for network namespaces and file systems")
        return False
    if fault.target == POSTGRES and find_binaries() is None:
        say(f"{fault.name} is left out: PostgreSQL is not installed")
        return False
    return True


def line_of(verdict: Verdict) -> str:
    """One row of the report."""
    gaps = verdict.all_gaps_ms
    told = f"gap p50 {quantile(gaps, 0.5):5.0f}  p95 {quantile(gaps, 0.95):5.0f}  max {max(gaps, default=0):5.0f} ms"
    trials = verdict.gaps_disturbed
    held_up = f"  (held up: {len(trials)} trials, p95 {quantile(trials, 0.95):.0f} ms, {verdict.disturbed} calls)"
    note = held_up if trials or verdict.disturbed else ""
    state = "ok" if not verdict.wrong else f"{len(verdict.wrong)} WRONG"
    return f"{verdict.fault:<24} {verdict.strikes:2} x {verdict.calls:2} calls  {told}  {state}{note}"


@dataclass
class Run:
    """One run of the suite."""

    options: argparse.Namespace
    server: BookingServer
    machine: Machine
    began_s: float = field(default_factory=time.monotonic)
    verdicts: list[Verdict] = field(default_factory=list[Verdict])
    left_out: list[str] = field(default_factory=list[str])

    async def all_of(self, rounds: list[Round]) -> None:
        """Those on a stack as `make up` has it, then those that need a cluster, a full disk, PostgreSQL, few slots."""
        for place in ("", *PLACES, FULL):
            here = [plan for plan in rounds if _place_of(plan) == place]
            if here and self._has_time(here[0]):
                with tempfile.TemporaryDirectory(prefix="voxbus-chaos-") as folder:
                    await self._on_stack(Path(folder), place, here)
            else:
                self.left_out += [plan.name for plan in here]

    def _has_time(self, plan: Round) -> bool:
        limit_s = self.options.minutes * 60
        return not limit_s or time.monotonic() - self.began_s + plan.length_s <= limit_s

    async def _on_stack(self, folder: Path, place: str, rounds: list[Round]) -> None:
        slots = {"VOXBUS_SLOTS": str(self.options.calls + 10)}
        settings = {"VOXBUS_STUB_PROVIDERS": "1", **slots}
        replicas = () if self.options.single or place == FULL else ("--replicas", TWINS)
        async with _standing_on(place, folder, self.options.calls) as ground:
            with running(folder / "data", *replicas, **{**settings, **ground.settings}) as stack:
                async with BusWatch.at(stack.nats) as watch:
                    setting = Setting(ground.ground(stack), watch, self.server, self.machine, say)
                    await self._rounds(rounds, setting)
                if self.options.logs:
                    (BUILD / f"stack{'-' if place else ''}{place}.log").write_text(stack.logs())
                    for log in folder.glob("n?.log"):
                        (BUILD / log.name).write_bytes(log.read_bytes())

    async def _rounds(self, rounds: list[Round], setting: Setting) -> None:
        if _place_of(rounds[0]) == FULL:
            self._take(await run_overload(self.options.calls, setting))
            return
        calm = await run_round(Round("nothing", (), self.options.calls, _CALM_EXCHANGES, self.options.seed), setting, 0)
        usual_ms = statistics.median(calm.late_ms) if calm.late_ms else 0.0
        self._take(calm)
        say(f"    answers begin {usual_ms:.0f} ms after the question")
        for plan in rounds:
            if not self._has_time(plan):
                self.left_out.append(plan.name)
                continue
            await asyncio.sleep(_RESTS_S)
            self._take(await run_round(plan, setting, usual_ms))

    def _take(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)
        minutes = (time.monotonic() - self.began_s) / 60
        say("\n    ".join((f"{minutes:5.1f} min  {line_of(verdict)}", *verdict.wrong)))
        BUILD.mkdir(parents=True, exist_ok=True)
        (BUILD / "chaos.json").write_text(json.dumps([asdict(each) for each in self.verdicts], indent=1))


def _place_of(plan: Round) -> str:
    target = plan.faults[0].target
    return target if target in (*PLACES, FULL) else ""


@dataclass
class _Place:
    """What a stack stands on besides what it brings itself."""

    settings: dict[str, str] = field(default_factory=dict[str, str])
    cluster: Cluster | None = None
    volume: Volume | None = None
    postgres: Postgres | None = None

    def ground(self, stack: Stack) -> Ground:
        return Ground(stack, self.cluster, self.volume, self.postgres)


@contextlib.asynccontextmanager
async def _standing_on(target: str, folder: Path, calls: int) -> AsyncGenerator[_Place]:
    """Raises PermissionError or FileNotFoundError where this machine cannot have it."""
    with contextlib.ExitStack() as leaving:
        match target:
            case "nats-leader":
                cluster = Cluster(folder)
                leaving.callback(cluster.stop)
                await cluster.start().ready()
                yield _Place({"VOXBUS_NATS_URL": cluster.urls, "VOXBUS_NATS_REPLICAS": "3"}, cluster=cluster)
            case "object-store":
                volume = Volume(folder / "disk").mount()
                leaving.callback(volume.unmount)
                yield _Place({"VOXBUS_OBJECTS_URL": str(volume.folder / "objects")}, volume=volume)
            case "postgres":
                postgres = await asyncio.to_thread(Postgres.start)
                leaving.callback(postgres.stop)
                yield _Place({"VOXBUS_DATABASE_URL": postgres.url}, postgres=postgres)
            case "overload":
                yield _Place(overload_settings(calls))
            case _:
                yield _Place()


def write_report(verdicts: list[Verdict], machine: Machine) -> None:
    """docs/reliability.md and its plot; rows of faults that were not measured now stay as they are."""
    at = time.strftime("%Y-%m-%d")
    kept = BUILD / "rows.json"
    told = json.loads(kept.read_text()) if kept.exists() else []
    earlier = [Row(**row) for row in told if isinstance(row["wrong"], list)]  # once it was a count
    rows = merged(earlier, [row for verdict in verdicts for row in rows_of(verdict, at)])
    kept.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    conditions = {
        "on": f"{at}, {os.cpu_count()} cores ({platform.machine()}), {described()}",
        "standstills of the machine over 100 ms:": f"{machine.standstills}, the longest {machine.longest_ms:.0f} ms",
    }
    (ROOT / "docs" / "reliability.md").write_text(page(rows, conditions))
    plot(rows, ROOT / "docs" / "reliability.png")


def say(text: str) -> None:
    print(text, flush=True)


async def run(options: argparse.Namespace, rounds: list[Round]) -> Run:
    server, machine = BookingServer(), Machine()
    suite = Run(options, server, machine)
    minutes = sum(plan.length_s + _RESTS_S for plan in rounds) / 60
    say(
        f"{len(rounds)} rounds with {options.calls} calls each, some {minutes:.0f} minutes without the starts of stacks"
    )
    try:
        await suite.all_of(rounds)
    finally:
        server.stop()
        machine.stop()
    return suite


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", help=f"as kill:vad, restart:stt-worker, {FULL}; everything by default")
    parser.add_argument(
        "--short", action="store_true", help="four rounds for CI: owners killed, frozen, replaced; NATS"
    )
    parser.add_argument(
        "--minutes", type=float, default=0, help="leave out rounds that would not end in time (no limit)"
    )
    parser.add_argument("--only", default="", help="those rounds whose name has this in it, as 'kill the leader'")
    parser.add_argument("--calls", type=int, default=20, help="simultaneous calls (20)")
    parser.add_argument("--strikes", type=int, default=5, help="how often a fault that is named strikes (5)")
    parser.add_argument("--exchanges", type=int, default=5, help="questions per call, 8 s each, for named faults (5)")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments (1)")
    parser.add_argument("--single", action="store_true", help="one worker per stage, as `make up` starts them")
    parser.add_argument("--report", action="store_true", help="write docs/reliability.md after a partial run, too")
    parser.add_argument("--logs", action="store_true", help="keep the logs of stack and cluster in build/chaos")
    options = parser.parse_args()
    # Ended by a time limit from outside, it cleans up as after Ctrl-C: stacks, namespaces, mounts.
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    suite = asyncio.run(run(options, chosen(options)))
    is_whole = not (options.faults or options.short or options.only or suite.left_out)
    if is_whole or options.report:
        write_report(suite.verdicts, suite.machine)
    for name in suite.left_out:
        say(f"left out, no time: {name}")
    wrong = sum(len(verdict.wrong) for verdict in suite.verdicts)
    say("every call came through" if not wrong else f"{wrong} things went wrong; {BUILD / 'chaos.json'} has all")
    sys.exit(bool(wrong) or (options.short and bool(suite.left_out)))


if __name__ == "__main__":
    main()
