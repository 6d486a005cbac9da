"""Who is compared, at how many simultaneous calls, and how long that takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

HARNESS_WARM_S: Final = 5.0
AROUND_A_RUN_S: Final = 15.0
"""Starting and ending a system, and the last answers; measured with all four, November 2026."""


@dataclass(frozen=True)
class System:
    """One system under test. `adapter` serves the harness's callers; a bare name lies in the harness's folder."""

    tag: str
    title: str
    adapter: str
    calls: tuple[int, ...]
    venv: str = ""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    is_ours: bool = False


SYSTEMS: Final = (
    System("voxbus", "Voxbus", "sut_voxbus.py", (1, 20, 40, 60), is_ours=True),
    System(
        "voxbus-serial",
        "Voxbus, speculation off",
        "sut_voxbus.py",
        (1, 20, 40),
        environment={"SPECULATION": "off"},
        is_ours=True,
    ),
    System("livekit", "livekit-agents 1.8.9", "sut_livekit.py", (1, 10, 30), "livekit"),
    System("pipecat", "pipecat 1.14.0", "sut_pipecat.py", (1, 8), "pipecat"),
)


@dataclass(frozen=True)
class Run:
    """One system at one number of calls."""

    system: System
    calls: int
    repetition: int


@dataclass(frozen=True)
class Comparison:
    """What is run. One call brings few turns, so it is measured for longer."""

    systems: Sequence[System] = SYSTEMS
    seconds: float = 20.0
    seconds_alone: float = 30.0
    repetitions: int = 2

    def runs(self) -> list[Run]:
        """Repetitions one after the other and systems in turn, so that a machine that changes changes for all."""
        steps = max((len(system.calls) for system in self.systems), default=0)
        return [
            Run(system, system.calls[step], repetition)
            for repetition in range(self.repetitions)
            for step in range(steps)
            for system in self.systems
            if step < len(system.calls)
        ]

    def measures_s(self, run: Run) -> float:
        return self.seconds_alone if run.calls == 1 else self.seconds

    @property
    def takes_s(self) -> float:
        """About; the installation of the peers not counted."""
        return sum(
            AROUND_A_RUN_S + HARNESS_WARM_S + max(2.0, min(0.25 * run.calls, 15.0)) + self.measures_s(run)
            for run in self.runs()
        )


def chosen(tags: Sequence[str], calls: Sequence[int]) -> tuple[System, ...]:
    """The systems of these tags, all of them for none, at these calls if any. Raises ValueError naming the tag."""
    unknown = set(tags) - {system.tag for system in SYSTEMS}
    if unknown:
        raise ValueError(f"--systems: {', '.join(sorted(unknown))}: there are {', '.join(s.tag for s in SYSTEMS)}")
    systems = tuple(system for system in SYSTEMS if not tags or system.tag in tags)
    return tuple(replace(system, calls=tuple(calls)) for system in systems) if calls else systems
