"""`make chaos`: simultaneous calls while workers, bus and storage fail; says what each call suffered.

Every call must end once, with all its words, each sentence heard once and each tool run once. Figures go to
build/chaos/chaos.json. Nothing else should run on the machine meanwhile.
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from bus_watch import BusWatch
from chaos_cluster import Cluster
from chaos_faults import (
    CLAIMED,
    LEADER,
    PLACES,
    POSTGRES,
    SERVICES,
    STORE,
    Fault,
    Ground,
    all_faults,
    cluster_faults,
    storage_faults,
)
from chaos_round import BookingServer, Round, Verdict, run_round
from chaos_storage import Postgres, Volume
from stack import Stack, running

from voxbus_testing.postgres import find_binaries

ROOT: Final = Path(__file__).parents[2]
BUILD: Final = ROOT / "build" / "chaos"
TWINS: Final = ",".join(f"{service}=2" for service in (*CLAIMED, "tool-runner"))
_RESTS_S: Final = 2.0


def chosen(names: list[str]) -> list[Fault]:
    """The faults named on the command line; all without names. Ends the program at a name it does not know."""
    every = (*all_faults(), *cluster_faults(), *storage_faults())
    known = {fault.name.replace(" ", ":"): fault for fault in every}
    known |= {f"roll:{service}": Fault("roll", service) for service in SERVICES}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"no fault is called {unknown[0]}; there are {', '.join(known)}")
    return [known[name] for name in names] or [fault for fault in every if _can_be_had(fault)]


def _can_be_had(fault: Fault) -> bool:
    """Says so where it cannot: all faults were asked for, and this machine is no place for some."""
    if fault.target in (LEADER, STORE) and os.geteuid() != 0:
        _say(f"{fault.name} is left out: it needs root, for network namespaces and file systems")
        return False
    if fault.target == POSTGRES and find_binaries() is None:
        _say(f"{fault.name} is left out: PostgreSQL is not installed")
        return False
    return True


def quantile(values: list[float], share: float) -> float:
    """Nearest rank; 0 without values."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * share))] if ranked else 0.0


def line_of(verdict: Verdict) -> str:
    """One row of the report."""
    gaps = verdict.gaps_ms
    told = f"gap p50 {quantile(gaps, 0.5):5.0f}  p95 {quantile(gaps, 0.95):5.0f}  max {max(gaps, default=0):5.0f} ms"
    state = "ok" if not verdict.wrong else f"{len(verdict.wrong)} WRONG"
    return f"{verdict.fault:<24} {verdict.strikes:2} x {verdict.calls:2} calls  {told}  {state}"


async def run(options: argparse.Namespace, faults: list[Fault]) -> list[Verdict]:
    """All rounds: those on a stack as `make up` has it, then those that need a cluster, a full disk, PostgreSQL."""
    server = BookingServer()
    verdicts: list[Verdict] = []
    for place in ("", *PLACES):
        chosen_here = [fault for fault in faults if (fault.target if fault.target in PLACES else "") == place]
        if chosen_here:
            with tempfile.TemporaryDirectory(prefix="voxbus-chaos-") as folder:
                await _run_on(Path(folder), options, chosen_here, server, verdicts)
    server.stop()
    return verdicts


async def _run_on(
    folder: Path, options: argparse.Namespace, faults: list[Fault], server: BookingServer, verdicts: list[Verdict]
) -> None:
    settings = {"VOXBUS_STUB_PROVIDERS": "1", "VOXBUS_SLOTS": str(options.calls + 10)}
    replicas = () if options.single else ("--replicas", TWINS)
    async with _place(faults[0].target, folder) as place:
        with running(folder / "data", *replicas, **settings, **place.settings) as stack:
            async with BusWatch.at(stack.nats) as watch:
                await _rounds(options, faults, place.ground(stack), watch, server, verdicts)
            if options.logs:
                (BUILD / "stack.log").write_text(stack.logs())


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
async def _place(target: str, folder: Path) -> AsyncGenerator[_Place]:
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
            case _:
                yield _Place()


async def _rounds(
    options: argparse.Namespace,
    faults: list[Fault],
    ground: Ground,
    watch: BusWatch,
    server: BookingServer,
    verdicts: list[Verdict],
) -> None:
    calm = await run_round(Round(None, options.calls, 2, 0, options.seed), ground, watch, server, 0.0, _say)
    verdicts.append(calm)
    usual_ms = statistics.median(calm.late_ms)
    _say(f"{line_of(calm)}; answers begin {usual_ms:.0f} ms after the question")
    for number, fault in enumerate(faults):
        await asyncio.sleep(_RESTS_S)
        plan = Round(fault, options.calls, options.exchanges, options.strikes, options.seed + number)
        verdict = await run_round(plan, ground, watch, server, usual_ms, _say)
        verdicts.append(verdict)
        _say("\n    ".join((line_of(verdict), *verdict.wrong)))
        _keep(verdicts)


def _keep(verdicts: list[Verdict]) -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "chaos.json").write_text(json.dumps([asdict(verdict) for verdict in verdicts], indent=1))


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", help="as kill:vad or roll:stt-worker; all but the rolling ones by default")
    parser.add_argument("--calls", type=int, default=20, help="simultaneous calls (20)")
    parser.add_argument("--strikes", type=int, default=5, help="how often a fault strikes in a round (5)")
    parser.add_argument("--exchanges", type=int, default=5, help="questions per call, 9 s each (5)")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments (1)")
    parser.add_argument("--single", action="store_true", help="one worker per stage, as `make up` starts them")
    parser.add_argument("--logs", action="store_true", help="keep the stack's logs in build/chaos/stack.log")
    options = parser.parse_args()
    verdicts = asyncio.run(run(options, chosen(options.faults)))
    wrong = sum(len(verdict.wrong) for verdict in verdicts)
    _say("every call came through" if not wrong else f"{wrong} things went wrong; {BUILD / 'chaos.json'} has all")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
