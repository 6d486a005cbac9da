"""One round: simultaneous calls, a fault at random moments among them, and the verdict on every call."""

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from bus_watch import BusWatch
from chaos_caller import Conversation, Trial, close
from chaos_faults import STORAGE, Fault, Ground, counts_of, inflict, settled
from chaos_judge import Evidence, Silence, faults_of, silences_of
from chaos_kept import losses
from chaos_talk import PERIOD_MS, talk_of

from voxbus_testing.caller import Caller

_RAMP_S: Final = 3.0
_FIRST_FAULT_S: Final = 1.0
_LAST_FAULT_BEFORE_END_S: Final = 8.0
_TOUCHED_FOR_MS: Final = 10_000


class BookingServer:
    """A customer's server whose side effect is counted: (idempotency key, call, parcel) of every request."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                calls = body["message"]["toolCallList"]
                for call in calls:
                    arguments = call["function"]["arguments"]
                    parcel = (json.loads(arguments) if isinstance(arguments, str) else arguments)["parcel"]
                    seen.append((self.headers["idempotency-key"], self.headers["x-call-id"], parcel))
                answer = {"results": [{"toolCallId": call["id"], "result": "booked"} for call in calls]}
                payload = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/book"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def booked(self, call_id: str) -> list[tuple[str, str]]:
        return [(key, parcel) for key, call, parcel in self.seen if call == call_id]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@dataclass(frozen=True, slots=True)
class Round:
    """What is to be done."""

    fault: Fault | None
    calls: int
    exchanges: int
    strikes: int
    seed: int


@dataclass(slots=True)
class Verdict:
    """What came of it. `gaps_ms`: per strike and call it touched, silence beyond the usual answer's delay."""

    fault: str
    calls: int = 0
    strikes: int = 0
    wrong: list[str] = field(default_factory=list[str])
    gaps_ms: list[float] = field(default_factory=list[float])
    late_ms: list[float] = field(default_factory=list[float])
    did: list[str] = field(default_factory=list[str])


async def run_round(
    plan: Round, ground: Ground, watch: BusWatch, server: BookingServer, usual_ms: float, say: Callable[[str], None]
) -> Verdict:
    """Runs `plan` against the stack of `ground`; `usual_ms` = how late answers begin when nothing happens."""
    rng = random.Random(plan.seed)
    stack = ground.stack
    counts = counts_of(stack)
    talk = talk_of(plan.exchanges)
    trials = [Trial(number, talk) for number in range(plan.calls)]
    began_s = time.monotonic()
    starts = [began_s + _RAMP_S * trial.number / plan.calls for trial in trials]
    conversations = [Conversation(trial, stack.api, stack.key, server.url) for trial in trials]
    running = [asyncio.create_task(c.run(at_s)) for c, at_s in zip(conversations, starts, strict=True)]
    verdict = Verdict(plan.fault.name if plan.fault else "nothing", plan.calls, plan.strikes if plan.fault else 0)
    strikes_s: list[float] = []
    if plan.fault is not None:
        for at_s in _moments(rng, began_s + _RAMP_S + _FIRST_FAULT_S, talk.ends_ms / 1_000, plan.strikes):
            await asyncio.sleep(max(0.0, at_s - time.monotonic()))
            if time.monotonic() > began_s + talk.ends_ms / 1_000 - _LAST_FAULT_BEFORE_END_S + _RAMP_S:
                break  # the strikes before took long
            strikes_s.append(time.monotonic())
            verdict.did.append(f"{time.monotonic() - began_s:.1f} s: {await inflict(plan.fault, ground, rng)}")
            say(verdict.did[-1])
    verdict.strikes = len(strikes_s)
    callers = await asyncio.gather(*running)
    await settled(stack, counts)
    for trial, caller in zip(trials, callers, strict=True):
        await _judge(trial, caller, watch, server)
        _enter(trial, verdict, strikes_s, usual_ms)
    if plan.fault is not None and plan.fault.target in STORAGE:
        verdict.wrong += await _lost(trials, ground, watch)
    return verdict


async def _lost(trials: list[Trial], ground: Ground, watch: BusWatch) -> list[str]:
    """What is not kept of the calls, although whatever was broken has been whole since."""
    stack, placed = ground.stack, [trial for trial in trials if trial.call_id]
    asked = (losses(trial.talk, stack.api, stack.key, trial.call_id, watch) for trial in placed)
    found = zip(placed, await asyncio.gather(*asked), strict=True)
    return [f"call {trial.number} ({trial.call_id}): {what}" for trial, wrong in found for what in wrong]


def _moments(rng: random.Random, first_s: float, talk_s: float, strikes: int) -> list[float]:
    """Random, one in each of as many equal stretches of the talk."""
    stretch_s = (talk_s - _LAST_FAULT_BEFORE_END_S) / strikes
    return [first_s + stretch_s * (number + rng.random() * 0.8) for number in range(strikes)]


async def _judge(trial: Trial, caller: Caller, watch: BusWatch, server: BookingServer) -> None:
    record = await close(caller) if trial.call_id else {}
    log = await watch.log(trial.call_id) if trial.call_id else []
    away = [((lost - trial.began_s) * 1_000, (back - trial.began_s) * 1_000) for lost, back in trial.broken]
    told = [(message.name, json.loads(message.payload)) for message in log]
    trial.evidence = Evidence(told, record, caller.heard.audio, server.booked(trial.call_id), away)


def _enter(trial: Trial, verdict: Verdict, strikes_s: list[float], usual_ms: float) -> None:
    assert trial.evidence is not None
    wrong = [trial.problem] if trial.problem else faults_of(trial.talk, trial.evidence)
    verdict.wrong += [f"call {trial.number} ({trial.call_id}): {what}" for what in wrong]
    silences = silences_of(trial.talk, trial.evidence.audio)
    verdict.late_ms += [silence.late_ms for silence in silences]
    for strike_s in strikes_s:
        at_ms = (strike_s - trial.began_s) * 1_000
        touched = [gap_ms(silence, usual_ms) for silence in silences if _touches(at_ms, silence)]
        verdict.gaps_ms.append(max(touched, default=0.0))


def gap_ms(silence: Silence, usual_ms: float) -> float:
    """What of a silence the fault is to blame for."""
    return max(0.0, silence.late_ms - usual_ms, silence.hole_ms)


def _touches(at_ms: float, silence: Silence) -> bool:
    """The strike fell into this question, its wait or its answer."""
    return silence.asked_ms - PERIOD_MS // 4 <= at_ms <= silence.asked_ms + _TOUCHED_FOR_MS * 0.6
