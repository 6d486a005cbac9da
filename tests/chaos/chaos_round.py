"""One round: simultaneous calls, faults at random moments among them, and the verdict on every call."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bus_watch import BusWatch
from chaos_booking import BookingServer
from chaos_bounds import RESTART_MAX_MS, gaps_beyond, lines_beyond, quantile, takeovers
from chaos_caller import Conversation, Trial, close
from chaos_faults import LEADER, STORAGE, Fault, Ground, counts_of, inflict, settled
from chaos_judge import Evidence, Silence, Tally, faults_of, silences_of, tally_of, transcript_faults, unexcused
from chaos_kept import COMPLETE_WITHIN_S, Archive, losses
from chaos_machine import Machine
from chaos_moments import ELECTIONS_APART_S, LAST_FAULT_BEFORE_END_S, moments_of
from chaos_talk import PERIOD_MS, Talk, talk_of

from voxbus_testing.caller import Caller

RAMP_S: Final = 3.0
CLOSING_S: Final = 6.0
"""Records and logs of all calls, and processes that come back."""
CALLS: Final = Path(__file__).parents[2] / "build" / "chaos" / "calls"
"""The logs of calls that went wrong."""
_FIRST_FAULT_S: Final = 1.0
_TOUCHED_BEFORE_S: Final = 0.5
_TOUCHED_FOR_S: Final = 5.0
"""A machine that stands still this close to a strike has a part in the gap."""


@dataclass(frozen=True, slots=True)
class Round:
    """What is to be done: one fault for each strike, in order."""

    name: str
    faults: tuple[Fault, ...]
    calls: int
    exchanges: int
    seed: int
    period_ms: int = PERIOD_MS

    @property
    def talk(self) -> Talk:
        """What each caller says."""
        return talk_of(self.exchanges, self.period_ms)

    @property
    def length_s(self) -> float:
        """As long as it takes on a quiet machine."""
        return RAMP_S + self.talk.ends_ms / 1_000 + CLOSING_S


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that was done, on the monotonic clock."""

    fault: Fault
    began_s: float
    ended_s: float


@dataclass(slots=True)
class Verdict:
    """What came of it. `gaps_ms`: by fault, per strike and call: silence beyond the usual answer's delay.

    `disturbed`: calls that went wrong while the machine itself stood still; of them only what no standstill explains
    is judged, the rest is in `excused`.
    `gaps_disturbed`: gaps left out of `gaps_ms` for the same reason.
    """

    fault: str
    calls: int = 0
    strikes: int = 0
    wrong: list[str] = field(default_factory=list[str])
    gaps_ms: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    late_ms: list[float] = field(default_factory=list[float])
    did: list[str] = field(default_factory=list[str])
    tally: Tally = field(default_factory=Tally)
    disturbed: int = 0
    excused: list[str] = field(default_factory=list[str])
    gaps_disturbed: list[float] = field(default_factory=list[float])

    @property
    def all_gaps_ms(self) -> list[float]:
        return [gap for gaps in self.gaps_ms.values() for gap in gaps]


@dataclass(frozen=True, slots=True)
class Setting:
    """What all rounds on one stack share."""

    ground: Ground
    watch: BusWatch
    server: BookingServer
    machine: Machine
    say: Callable[[str], None]


async def run_round(plan: Round, setting: Setting, usual_ms: float) -> Verdict:
    """Runs `plan`; `usual_ms` = how late answers begin when nothing happens."""
    rng = random.Random(plan.seed)
    stack = setting.ground.stack
    counts = counts_of(stack)
    talk = plan.talk
    talk.labels()  # makes what will be said, while nobody has to speak
    trials = [Trial(number, talk) for number in range(plan.calls)]
    began_s = time.monotonic()
    starts = [began_s + RAMP_S * trial.number / plan.calls for trial in trials]
    conversations = [Conversation(trial, stack.api, stack.key, setting.server.url) for trial in trials]
    running = [asyncio.create_task(c.run(at_s)) for c, at_s in zip(conversations, starts, strict=True)]
    verdict = Verdict(plan.name, plan.calls)
    strikes = await _strike(plan, setting, rng, began_s, verdict)
    verdict.strikes = len(strikes)
    callers = await asyncio.gather(*running)
    await settled(stack, counts)
    is_stored = any(fault.target in STORAGE for fault in plan.faults)
    patience_s = time.monotonic() + (COMPLETE_WITHIN_S if is_stored else 0)
    for trial, caller in zip(trials, callers, strict=True):
        await gather_evidence(trial, caller, setting, patience_s)
        enter(trial, caller, verdict, setting.machine, plan.faults)
        _measure(trial, caller, verdict, strikes, usual_ms, setting.machine)
    verdict.wrong += gaps_beyond(verdict.gaps_ms)
    _tell_of_lines(trials, verdict, setting)
    if is_stored:
        verdict.wrong += await _lost(trials, setting)
    return verdict


async def _strike(plan: Round, setting: Setting, rng: random.Random, began_s: float, verdict: Verdict) -> list[Strike]:
    """One strike after the other, as long as the calls go on; says what was done."""
    talk_s = plan.talk.ends_ms / 1_000
    apart_s = ELECTIONS_APART_S if any(fault.target == LEADER for fault in plan.faults) else 0.0
    moments = moments_of(rng, began_s + RAMP_S + _FIRST_FAULT_S, talk_s, len(plan.faults), apart_s)
    strikes: list[Strike] = []
    for at_s, fault in zip(moments, plan.faults, strict=True):
        await asyncio.sleep(max(0.0, at_s - time.monotonic()))
        if time.monotonic() > began_s + talk_s - LAST_FAULT_BEFORE_END_S + RAMP_S:
            verdict.did.append(f"{fault.name} is left out: the strikes before took too long")
            setting.say(f"    {verdict.did[-1]}")
            continue
        struck_s = time.monotonic()
        try:
            did = await inflict(fault, setting.ground, rng)
        except Exception as problem:  # noqa: BLE001 - a fault that cannot be done must not end an hour's run
            verdict.wrong.append(f"{fault.name} could not be done: {type(problem).__name__}: {problem}")
            continue
        strikes.append(Strike(fault, struck_s, time.monotonic()))
        verdict.did.append(f"{struck_s - began_s:.1f} s: {did}")
        setting.say(f"    {verdict.did[-1]}")
    return strikes


async def _lost(trials: list[Trial], setting: Setting) -> list[str]:
    """What is not kept of the calls, although whatever was broken has been whole since."""
    stack, placed = setting.ground.stack, [trial for trial in trials if trial.call_id]
    archive = Archive(stack.api, stack.key, setting.watch)
    asked = (losses(each.talk, each.call_id, each.evidence.audio if each.evidence else [], archive) for each in placed)
    found = zip(placed, await asyncio.gather(*asked), strict=True)
    return [f"call {trial.number} ({trial.call_id}): {what}" for trial, wrong in found for what in wrong]


def _tell_of_lines(trials: list[Trial], verdict: Verdict, setting: Setting) -> None:
    away_s = [back - lost for trial in trials for lost, back in trial.broken]
    if away_s:
        told = f"p50 {quantile(away_s, 0.5):.1f} s, at most {max(away_s):.1f} s"
        verdict.did.append(f"{len(away_s)} lines broke and were back after {told}")
        setting.say(f"    {verdict.did[-1]}")


async def gather_evidence(trial: Trial, caller: Caller, setting: Setting, patient_until_s: float = 0.0) -> None:
    """The call's record, log, sound and side effects, once it is over; waits for a transcript that is still written."""

    def is_enough(record: dict[str, Any]) -> bool:
        return time.monotonic() > patient_until_s or not transcript_faults(trial.talk, record)

    record: dict[str, Any] = await close(caller, is_enough) if trial.call_id else {}
    trial.logged = await setting.watch.log(trial.call_id) if trial.call_id else []
    away = [((lost - trial.began_s) * 1_000, (back - trial.began_s) * 1_000) for lost, back in trial.broken]
    told = [(message.name, json.loads(message.payload)) for message in trial.logged]
    trial.ended_s = trial.ended_s or time.monotonic()
    trial.evidence = Evidence(told, record, caller.heard.audio, setting.server.booked(trial.call_id), away)


def enter(trial: Trial, caller: Caller, verdict: Verdict, machine: Machine, faults: Sequence[Fault] = ()) -> None:
    """What is wrong with one call goes into the verdict. `faults`: the round's."""
    assert trial.evidence is not None
    if trial.problem:
        wrong = [trial.problem]
    else:
        wrong = faults_of(trial.talk, trial.evidence)
        is_disturbed = bool(caller.held_up_s) or machine.stood_still(trial.began_s, trial.ended_s)
        if wrong and is_disturbed:
            verdict.disturbed += 1
            verdict.excused += [f"call {trial.number} ({trial.call_id}): {what}" for what in wrong]
            wrong = unexcused(trial.talk, trial.evidence)
        else:
            verdict.tally += tally_of(trial.talk, trial.evidence)
    wrong += [*lines_beyond(trial.broken), *takeovers(faults, trial.evidence.log)]
    verdict.wrong += [f"call {trial.number} ({trial.call_id}): {what}" for what in wrong]
    if wrong:
        _write_down(trial, wrong)


def _write_down(trial: Trial, wrong: Sequence[str]) -> None:
    """What happened in a call that went wrong or was silent for long, on the caller's clock."""
    CALLS.mkdir(parents=True, exist_ok=True)
    began_ms = (time.time() - time.monotonic() + trial.began_s) * 1_000
    told = [(logged, logged.envelope) for logged in trial.logged]
    lines = [
        *wrong,
        f"the line was away: {[(lost - trial.began_s, back - trial.began_s) for lost, back in trial.broken]}",
    ]
    lines += [
        f"{(envelope.occurred_at_ms - began_ms) / 1_000:7.2f} s  #{logged.stream_seq}  {envelope.event_id}"
        f"  {logged.name} {logged.payload.decode()[:400]}"
        for logged, envelope in told
    ]
    with (CALLS / f"{trial.call_id}.log").open("a") as written:
        written.write("\n".join([*lines, ""]))


def _measure(
    trial: Trial, caller: Caller, verdict: Verdict, strikes: list[Strike], usual_ms: float, machine: Machine
) -> None:
    assert trial.evidence is not None
    silences = silences_of(trial.talk, trial.evidence.audio)
    verdict.late_ms += [silence.late_ms for silence in silences]
    for strike in strikes:
        from_s, until_s = strike.began_s - _TOUCHED_BEFORE_S, strike.ended_s + _TOUCHED_FOR_S
        began_ms, ended_ms = ((at_s - trial.began_s) * 1_000 for at_s in (strike.began_s, strike.ended_s))
        held_up = any(from_s < at_s < until_s for at_s in caller.held_up_s)
        for name, worst_ms in _worst(trial.talk, strike, silences, (began_ms, ended_ms), usual_ms).items():
            if held_up or machine.stood_still(from_s, until_s):
                verdict.gaps_disturbed.append(worst_ms)
            else:
                verdict.gaps_ms.setdefault(name, []).append(worst_ms)
                if worst_ms > RESTART_MAX_MS:
                    _write_down(trial, [f"{strike.fault.name} {began_ms / 1_000:.2f} s: silent for {worst_ms:.0f} ms"])


def _worst(
    talk: Talk, strike: Strike, silences: list[Silence], struck_ms: tuple[float, float], usual_ms: float
) -> dict[str, float]:
    """The longest gap a strike made, by the name of its row; answers that wait for a tool when nothing can be stored
    have a row of their own."""
    name = strike.fault.name
    worst = {name: 0.0}
    for exchange, silence in zip(talk.exchanges, silences, strict=True):
        row = f"{name}, answers with a tool" if exchange.books and strike.fault.target == LEADER else name
        if _touches(*struck_ms, silence, talk.period_ms):
            worst[row] = max(worst.get(row, 0.0), gap_ms(silence, usual_ms))
    return worst


def gap_ms(silence: Silence, usual_ms: float) -> float:
    """What of a silence the fault is to blame for."""
    return max(0.0, silence.late_ms - usual_ms, silence.hole_ms)


def _touches(began_ms: float, ended_ms: float, silence: Silence, period_ms: int) -> bool:
    """The strike fell into this question, its wait or its answer."""
    first_ms = silence.asked_ms - PERIOD_MS // 4
    return began_ms <= first_ms + period_ms and ended_ms >= first_ms
