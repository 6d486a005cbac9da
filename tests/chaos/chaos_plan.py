"""Which rounds a run has, and how long it takes. Pure."""

from collections.abc import Iterable
from typing import Final

from chaos_faults import BUS, CLAIMED, DATABASE, LEADER, POSTGRES, SERVICES, STORE, Fault
from chaos_round import Round
from chaos_talk import LONG_PERIOD_MS, PERIOD_MS

KILLED_ALONE: Final = (*CLAIMED, "tool-runner", "media-ingress", "control-api")
"""Five kills × 20 calls each: the hundred trials of which the 95th percentile is said."""
_KILLS: Final = 5
_LONG: Final = (*(f"{kind} {LEADER}" for kind in ("kill", "freeze", "cut")), "kill media-ingress")
"""Faults after which an answer may be late by more than the usual period has room for."""
_REST: Final = tuple(service for service in SERVICES if service not in KILLED_ALONE)


def whole_run(calls: int, seed: int) -> list[Round]:
    """Some 26 minutes with their stacks. What goes through all services strikes each once, in rounds of five, or of
    three where processes are replaced: with 20 calls on 2 cores that takes up to nine seconds a service."""
    rounds = [
        *(
            (f"kill {service}", (Fault("kill", service),) * _KILLS, 4 if service == "media-ingress" else 5)
            for service in KILLED_ALONE
        ),
        ("kill the others", tuple(Fault("kill", service) for service in _REST), 3),
        *(
            (f"{kind} {part}", tuple(Fault(kind, s) for s in services), 5)
            for kind in ("freeze", "term")
            for part, services in (("one by one", SERVICES[:5]), ("the others", SERVICES[5:]))
        ),
        *(
            (f"restart {part}", tuple(Fault("restart", s) for s in services), 6)
            for part, services in (
                ("one by one", SERVICES[:3]),
                ("the next", SERVICES[3:6]),
                ("the others", SERVICES[6:]),
            )
        ),
        ("kill the bus", (Fault("kill", BUS),) * 3, 5),
        ("break the database", (Fault("break", DATABASE),) * 2, 5),
        *((f"{kind} the leader", (Fault(kind, LEADER),) * 3, 4) for kind in ("kill", "freeze", "cut")),
        ("fill the object store", (Fault("fill", STORE),) * 2, 5),
        *((f"{kind} PostgreSQL", (Fault(kind, POSTGRES),) * 2, 5) for kind in ("kill", "freeze")),
    ]
    return [
        Round(name, faults, calls, n, seed + number, period_of(faults))
        for number, (name, faults, n) in enumerate(rounds)
    ]


def period_of(faults: Iterable[Fault]) -> int:
    """From one question to the next, ms."""
    return LONG_PERIOD_MS if any(fault.name in _LONG for fault in faults) else PERIOD_MS


def short_run(calls: int, seed: int) -> list[Round]:
    """Every owner of a call killed, frozen and replaced once, and the bus restarted: within four minutes."""
    owners = (*CLAIMED, "tool-runner")
    rounds = [
        ("kill the owners", tuple(Fault("kill", service) for service in owners), 5),
        ("freeze the owners", tuple(Fault("freeze", service) for service in CLAIMED), 4),
        ("restart every stage", tuple(Fault("restart", service) for service in (*owners, "media-ingress")), 5),
        ("kill the bus", (Fault("kill", BUS),), 2),
    ]
    return [Round(name, faults, calls, n, seed + number) for number, (name, faults, n) in enumerate(rounds)]


def single_rounds(faults: Iterable[Fault], calls: int, exchanges: int, strikes: int, seed: int) -> list[Round]:
    """One round for each fault asked for by name."""
    return [
        Round(fault.name, (fault,) * strikes, calls, exchanges, seed + n, period_of((fault,)))
        for n, fault in enumerate(faults)
    ]
