"""What must hold of a round as a whole, beyond what must hold of each call. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from chaos_faults import BUS, DATABASE, LEADER, POSTGRES, SERVICES, STORE, Fault

KILL_P95_MS: Final = 2_000.0
RESTART_MAX_MS: Final = 500.0
RESUME_WINDOW_S: Final = 10.0
"""In which the line of a killed media-ingress is back."""
_UNOWNED: Final = (BUS, LEADER, STORE, DATABASE, POSTGRES)
"""Nobody who owns a call is hurt by a fault of these, so that nobody may take one over."""


def quantile(values: Sequence[float], share: float) -> float:
    """Nearest rank; 0 without values."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * share))] if ranked else 0.0


def gaps_beyond(gaps_ms: Mapping[str, Sequence[float]]) -> list[str]:
    """Faults, as `kill vad`, whose gaps are longer than they may be, in words.

    A killed media-ingress takes the line along: how fast that is back is the caller's doing, too.
    """
    wrong: list[str] = []
    for name, gaps in gaps_ms.items():
        kind, _, target = name.partition(" ")
        p95, longest = quantile(gaps, 0.95), max(gaps, default=0.0)
        if kind == "kill" and target in (*SERVICES, LEADER) and target != "media-ingress" and p95 > KILL_P95_MS:
            wrong.append(f"{name}: the gap's p95 is {p95:.0f} ms, more than {KILL_P95_MS:.0f}")
        if kind == "restart" and longest > RESTART_MAX_MS:
            wrong.append(f"{name}: the longest gap is {longest:.0f} ms, more than {RESTART_MAX_MS:.0f}")
    return wrong


def lines_beyond(broken_s: Sequence[tuple[float, float]]) -> list[str]:
    """Lines of one call that were away for longer than the call waits for them."""
    away_s = [back - lost for lost, back in broken_s]
    return [f"the line was away for {each:.1f} s" for each in away_s if each > RESUME_WINDOW_S]


def takeovers(faults: Sequence[Fault], log: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Stages that changed hands in a round which struck nobody who owns a call.

    Workers that hang on a frozen or cut node cannot be reached, so that their calls may be taken over.
    """
    is_hidden = any(fault.target == LEADER and fault.kind != "kill" for fault in faults)
    if not faults or is_hidden or not {fault.target for fault in faults} <= set(_UNOWNED):
        return []
    owners: dict[str, list[str]] = {}
    for name, payload in log:
        if name == "stage.claimed":
            owners.setdefault(str(payload["stage"]), []).append(str(payload["worker"]))
    return [
        f"{stage} changed hands though no worker was struck: {', '.join(workers)}"
        for stage, workers in owners.items()
        if len(workers) > 1
    ]
