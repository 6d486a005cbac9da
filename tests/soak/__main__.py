"""`make soak`: callers who call again and again for an hour, at half of what the machine carries; says what grows.

Memory, threads, files, tasks and subscriptions of every service, what NATS holds, and what lies in the data directory.
Table on stdout; build/soak/soak.json and soak.png have all of it. Nothing else should run on the machine meanwhile.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import httpx
import nats
import nats.errors

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
sys.path.insert(0, str(Path(__file__).parents[1] / "chaos"))

from bus_watch import BusWatch
from chaos_booking import BookingServer
from soak_judge import Course, Finding, State, judge
from soak_plot import plot
from soak_report import as_json, table
from soak_rules import rule_of
from soak_samples import Sample, Sampler
from soak_talkers import Talkers
from stack import Stack, free_ports, running

from voxbus_cli.bench.machine import cpu_seconds, processes_of
from voxbus_runtime.errors import RuntimeFault

ROOT: Final = Path(__file__).parents[2]
BUILD: Final = ROOT / "build" / "soak"
_WARM_SHARE: Final = 0.25
"""Of the run is left out of the slopes: caches, pools and the streams' windows (AUDIO's is 120 s) fill."""
_RESTS_S: Final = 45.0
"""Past an archive's second look, 30 s after a call's end."""
_RESTS_AT_MOST_S: Final = 180.0
_IDLE_SAMPLES: Final = 3
_TRIED_LINES: Final = 4
_TRIED_FOR_S: Final = 40.0


@dataclass
class Soak:
    """One run."""

    options: argparse.Namespace
    stack: Stack
    sampler: Sampler
    talkers: Talkers
    samples: list[Sample] = field(default_factory=list[Sample])
    load_s: tuple[float, float] = (0.0, 0.0)
    """Under even load, on the samples' clock."""
    told: int = 0
    """How much of what was wrong has been printed."""

    async def run(self) -> list[Finding]:
        """Raises where a service does not answer."""
        began_s = time.monotonic()
        _say("a call of every kind, to make what is made once")
        await self.talkers.one_of_each()
        lines = self.options.calls or await self._half_load()
        before, calls_before = await self._idle(), self.talkers.made.calls
        _say(f"{lines} callers for {self.options.minutes:g} minutes")
        await self._load(lines, began_s)
        after = await self._idle_again(before)
        calls = self.talkers.made.calls - calls_before
        warm_s = self.load_s[0] + (self.load_s[1] - self.load_s[0]) * _WARM_SHARE
        even = [sample for sample in self.samples if warm_s <= sample.at_s <= self.load_s[1]]
        names = sorted({name for sample in (*even, before, after) for name in sample.values})
        return [judge(_course(name, even, before, after), rule_of(name), calls) for name in names]

    async def _half_load(self) -> int:
        """Half as many calls as would take every core, stack and callers together, by what a few of them take."""
        assert self.stack.process is not None
        pid, me = self.stack.process.pid, os.times
        stack_s, mine_s, from_s = sum(cpu_seconds(processes_of(pid)).values()), sum(me()[:2]), time.monotonic()
        await self.talkers.keep(_TRIED_LINES, from_s + _TRIED_FOR_S)
        taken_s = sum(cpu_seconds(processes_of(pid)).values()) - stack_s + sum(me()[:2]) - mine_s
        share = taken_s / (time.monotonic() - from_s) / _TRIED_LINES
        cores = len(os.sched_getaffinity(0))
        lines = max(1, int(cores / share / 2))
        _say(f"a call takes {share:.1%} of a core, callers included: half of what {cores} carry are {lines} calls")
        return lines

    async def _load(self, lines: int, began_s: float) -> None:
        until_s = time.monotonic() + self.options.minutes * 60
        calling = asyncio.create_task(self.talkers.keep(lines, until_s))
        begins_s = time.monotonic() - began_s
        try:
            while time.monotonic() < until_s:
                await asyncio.wait({calling}, timeout=min(self.options.every, max(0.0, until_s - time.monotonic())))
                try:
                    await self._sample()
                except (httpx.HTTPError, nats.errors.Error, RuntimeFault, OSError, TimeoutError) as problem:
                    _say(f"no sample now: {type(problem).__name__}: {problem}")
        finally:
            self.load_s = (begins_s, time.monotonic() - began_s)
            await calling

    async def _sample(self) -> Sample:
        sample = await self.sampler.sample(self.talkers.made.calls)
        self.samples.append(sample)
        with (BUILD / "samples.jsonl").open("a") as so_far:
            so_far.write(json.dumps(asdict(sample)) + "\n")
        memory = sum(value for name, value in sample.values.items() if name.endswith(" memory"))
        _say(
            f"{sample.at_s / 60:5.1f} min  {sample.calls:5} calls  {self.talkers.made.talking:3} now  "
            f"{memory:6.0f} MB  {sample.values.get('OWNERS keys', 0):3.0f} owned stages"
            f"  {len(self.talkers.made.wrong)} wrong"
        )
        for wrong in self.talkers.made.wrong[self.told :]:
            _say(f"    {wrong}")
        self.told = len(self.talkers.made.wrong)
        return sample

    async def _idle(self) -> Sample:
        """At rest: the middle of a few samples."""
        await asyncio.sleep(_RESTS_S)
        taken = [await self._sample() for _ in range(_IDLE_SAMPLES)]
        names = {name for sample in taken for name in sample.values}
        values = {name: median(sample.values.get(name, 0.0) for sample in taken) for name in names}
        return Sample(taken[-1].at_s, taken[-1].calls, values)

    async def _idle_again(self, before: Sample) -> Sample:
        """Waits, within limits, until nothing is left over."""
        until_s = time.monotonic() + _RESTS_AT_MOST_S
        while True:
            after = await self._idle()
            left = [name for name, value in after.values.items() if _is_left(name, before.values.get(name, 0.0), value)]
            if not left or time.monotonic() > until_s:
                return after
            _say(f"waiting for {', '.join(left)}")


def _is_left(name: str, before: float, after: float) -> bool:
    left = rule_of(name).left
    return left is not None and after - before > left


def _course(name: str, even: Sequence[Sample], before: Sample, after: Sample) -> Course:
    values = [sample.values.get(name, 0.0) for sample in even]
    at_s = [sample.at_s for sample in even]
    return Course(name, at_s, values, before.values.get(name, 0.0), after.values.get(name, 0.0))


@contextlib.asynccontextmanager
async def soaking(options: argparse.Namespace, folder: Path, server: BookingServer) -> AsyncGenerator[Soak]:
    """A stack of its own with everything around it."""
    monitor = free_ports(1)
    settings = {
        "VOXBUS_STUB_PROVIDERS": "1",
        "VOXBUS_NATS_MONITOR_PORT": str(monitor),
        "VOXBUS_CONCURRENCY_LIMIT": "10000",
    }
    with running(folder / "data", **settings) as stack:
        assert stack.process is not None
        nc = await nats.connect(stack.nats)
        sampler = Sampler(stack.process.pid, stack.data_dir, nc, f"http://127.0.0.1:{monitor}")
        try:
            async with BusWatch.at(stack.nats) as watch:
                await sampler.start()
                rng = random.Random(options.seed)
                yield Soak(options, stack, sampler, Talkers(stack.api, stack.key, watch, server, rng))
        finally:
            await sampler.close()
            await nc.close()
            if options.logs:
                (BUILD / "stack.log").write_text(stack.logs())


async def run(options: argparse.Namespace) -> bool:
    """Whether all is well."""
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "samples.jsonl").unlink(missing_ok=True)
    server = BookingServer()
    try:
        with tempfile.TemporaryDirectory(prefix="voxbus-soak-") as folder:
            async with soaking(options, Path(folder), server) as soak:
                findings = await soak.run()
                made = soak.talkers.made
    finally:
        server.stop()
    kept = {
        "minutes": options.minutes,
        "calls": {way.value: count for way, count in made.ways.items()},
        "wrong": made.wrong,
        "disturbed": made.disturbed,
        "load_s": soak.load_s,
        "findings": as_json(findings),
        "samples": [asdict(sample) for sample in soak.samples],
    }
    (BUILD / "soak.json").write_text(json.dumps(kept, indent=1))
    plot(soak.samples, *soak.load_s, BUILD / "soak.png")
    _say(table(findings))
    ways = ", ".join(f"{count} {way}" for way, count in made.ways.items())
    _say(f"{made.calls} calls ({ways}); {len(made.wrong)} things wrong with them")
    if made.disturbed:
        _say(f"{made.disturbed} callers were held up by this machine and could not keep time: only their end is judged")
    _say("".join(f"    {wrong}\n" for wrong in made.wrong[:20]))
    states = [finding.state for finding in findings]
    _say(f"{states.count(State.LEAK)} leaks, {states.count(State.NOT_SURE)} not sure; all of it in {BUILD}")
    return not made.wrong and State.LEAK not in states


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60, help="how long they call (60)")
    parser.add_argument("--calls", type=int, default=0, help="at a time; by default half of what the machine carries")
    parser.add_argument("--every", type=float, default=60, help="seconds between samples (60)")
    parser.add_argument("--seed", type=int, default=1, help="of lengths and moments (1)")
    parser.add_argument("--logs", action="store_true", help="keep the stack's logs in build/soak/stack.log")
    options = parser.parse_args()
    # Ended by a time limit from outside, it cleans up as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    sys.exit(not asyncio.run(run(options)))


if __name__ == "__main__":
    main()
