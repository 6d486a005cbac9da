"""Callers beyond the slots: told what they wait for, then refused with the reason; those who talk notice nothing."""

import asyncio
import contextlib
import statistics
import time
from typing import Any, Final

import httpx
from chaos_booking import BookingServer
from chaos_bounds import quantile
from chaos_caller import Conversation, Trial
from chaos_judge import silences_of
from chaos_round import RAMP_S, Setting, Verdict, enter, gather_evidence
from chaos_talk import Talk, assistant_of, talk_of

from voxbus_testing.caller import Caller

NAME: Final = "calls beyond the slots"
EXCHANGES: Final = 7
_BEFORE: Final = 3
"""Questions before there are more callers: as many with a tool as afterwards."""
WAITS_MS: Final = 8_000
"""VOXBUS_MEDIA_CLAIMS_TIMEOUT_MS of the stack: how long a caller beyond the slots is kept waiting."""
_BEYOND: Final = 5
_TRY_AGAIN: Final = 3
_REFUSED: Final = 1013
_REFUSED_WITHIN_S: Final = 2.0
"""Past the time they wait."""
_REASON: Final = "call.in-progress.error-vapifault-worker-not-available"
_TOUCHED_S: Final = 1.5
_WORSE: Final = 1.1
_FRAME_MS: Final = 20.0


def settings(calls: int) -> dict[str, str]:
    """Of a stack that is full with `calls` calls."""
    return {"VOXBUS_SLOTS": str(calls), "VOXBUS_MEDIA_CLAIMS_TIMEOUT_MS": str(WAITS_MS)}


async def run_overload(calls: int, setting: Setting) -> Verdict:
    """`calls` talk; from the middle of their talk on five more try, three times each, and none gets in."""
    talk = talk_of(EXCHANGES)
    stack = setting.ground.stack
    trials = [Trial(number, talk) for number in range(calls)]
    began_s = time.monotonic()
    conversations = [Conversation(trial, stack.api, stack.key, setting.server.url) for trial in trials]
    starts = [began_s + RAMP_S * trial.number / calls for trial in trials]
    running = [asyncio.create_task(c.run(at_s)) for c, at_s in zip(conversations, starts, strict=True)]
    await asyncio.sleep(RAMP_S + talk.exchanges[_BEFORE].at_ms / 1_000)
    beyond_s = time.monotonic()
    last_try_s = began_s + talk.ends_ms / 1_000 - WAITS_MS / 1_000 - _REFUSED_WITHIN_S
    waving = (_wave(stack.api, stack.key, talk, setting.server, last_try_s) for _ in range(_BEYOND))
    waves = await asyncio.gather(*waving)
    refusals = [refusal for wave in waves for refusal in wave]
    until_s = time.monotonic()
    callers = await asyncio.gather(*running)
    verdict = Verdict(NAME, calls, len(refusals), wrong=[problem for refusal in refusals for problem in refusal])
    for trial, caller in zip(trials, callers, strict=True):
        await gather_evidence(trial, caller, setting)
        enter(trial, caller, verdict, setting.machine)
    before, after = _waits(trials, callers, (beyond_s, until_s), verdict, setting)
    before_ms, after_ms = quantile(before, 0.95), quantile(after, 0.95)
    verdict.did.append(
        f"{len(refusals)} calls more for {until_s - beyond_s:.0f} s: answers began after p95 {before_ms:.0f} ms "
        f"before ({len(before)} answers), {after_ms:.0f} ms meanwhile ({len(after)})"
    )
    if not before or not after:
        verdict.wrong.append("this machine held up every answer: nothing can be said of the running calls' latency")
    if before and after and after_ms > max(before_ms * _WORSE, before_ms + _FRAME_MS):
        verdict.wrong.append(f"running calls got slower: p95 {before_ms:.0f} ms, then {after_ms:.0f} ms")
    setting.say(f"    {verdict.did[-1]}")
    return verdict


def _waits(
    trials: list[Trial], callers: list[Caller], beyond_s: tuple[float, float], verdict: Verdict, setting: Setting
) -> tuple[list[float], list[float]]:
    """How late answers began before and while more callers tried, ms; answers that were held up are left out."""
    before: list[float] = []
    after: list[float] = []
    for trial, caller in zip(trials, callers, strict=True):
        if trial.problem:
            continue
        for silence in silences_of(trial.talk, caller.heard.audio):
            asked_s = trial.began_s + silence.asked_ms / 1_000
            touched_s = (asked_s - _TOUCHED_S, asked_s + _TOUCHED_S)
            held_up = any(touched_s[0] < at_s < touched_s[1] for at_s in caller.held_up_s)
            if asked_s < beyond_s[1] and not held_up and not setting.machine.stood_still(*touched_s):
                (before if asked_s < beyond_s[0] else after).append(silence.late_ms)
    usual_ms = statistics.median(before) if before else 0.0
    verdict.gaps_ms[NAME] = [max(0.0, late_ms - usual_ms) for late_ms in after]
    verdict.late_ms = [*before, *after]
    return before, after


async def _wave(api: str, key: str, talk: Talk, server: BookingServer, last_try_s: float) -> list[list[str]]:
    """What was wrong with each refusal of one caller who tries again and again, while all slots are surely taken."""
    refusals: list[list[str]] = []
    while len(refusals) < _TRY_AGAIN and time.monotonic() < last_try_s:
        caller = Caller(api, key)
        problems: list[str] = []
        try:
            await caller.place(assistant_of(talk, server.url))
            await caller.dial()
            await asyncio.wait_for(caller.closed.wait(), WAITS_MS / 1_000 + 10)
            problems += _of_refusal(caller, await caller.ended_record(20))
        except TimeoutError:
            told = [str(message.get("status") or message["type"]) for _, message in caller.heard.messages[-5:]]
            problems.append(f"call {caller.call_id} beyond the slots was not refused; it was told {told}")
        except (AssertionError, OSError, httpx.HTTPError) as problem:
            problems.append(f"call {caller.call_id} beyond the slots: {type(problem).__name__}: {problem}")
        finally:
            with contextlib.suppress(httpx.HTTPError):
                await caller.close()
        refusals.append(problems)
    return refusals


def _of_refusal(caller: Caller, record: dict[str, Any]) -> list[str]:
    waits = [update for update in caller.messages("status-update") if update.get("voxbusWaitingFor")]
    wrong = [] if waits else ["was not told what it waits for"]
    if caller.heard.close_code != _REFUSED:
        wrong.append(f"was closed with {caller.heard.close_code}")
    if record.get("endedReason") != _REASON or "had a free slot" not in str(record.get("endedMessage")):
        wrong.append(f"ended with {record.get('endedReason')}: {record.get('endedMessage')}")
    return [f"call {caller.call_id} beyond the slots {what}" for what in wrong]
