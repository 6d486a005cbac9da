"""When a process is started again, and when the start of a stack is over or hopeless."""

from voxbus_cli.stack.readiness import Readiness
from voxbus_cli.stack.restart import LONGEST_DELAY_S, Restarts


def delays(uptimes: list[float]) -> list[float]:
    restarts, found = Restarts(), []
    for uptime_s in uptimes:
        restarts = restarts.after_death(uptime_s)
        found.append(restarts.delay_s)
    return found


def test_quick_deaths_double_the_delay_up_to_five_seconds() -> None:
    assert delays([0.1] * 7) == [0.0, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]


def test_a_steady_life_makes_the_next_death_a_first_one() -> None:
    assert delays([0.1, 0.1, 9.9, 10.0, 0.1]) == [0.0, 0.2, 0.4, 0.0, 0.2]


def test_a_process_that_dies_for_ever_waits_no_longer_than_the_longest_delay() -> None:
    assert delays([0.0] * 5_000)[-1] == LONGEST_DELAY_S


def test_nothing_has_died_yet_so_nothing_waits() -> None:
    assert Restarts().delay_s == 0.0


def test_the_step_counts_the_ready_and_names_the_rest() -> None:
    readiness = Readiness(["vad", "stt-worker", "billing"])
    readiness.is_ready("stt-worker")
    readiness.is_ready("stt-worker")
    assert readiness.step() == "starting 1/3, waiting for vad, billing"


def test_a_process_that_dies_after_it_was_ready_is_waited_for_again() -> None:
    readiness = Readiness(["vad", "billing"])
    for name in ("vad", "billing"):
        readiness.is_ready(name)
    assert readiness.waiting == ()
    assert not readiness.died("vad")
    assert readiness.waiting == ("vad",)


def test_the_third_death_without_ever_being_ready_is_hopeless() -> None:
    readiness = Readiness(["vad"])
    assert [readiness.died("vad") for _ in range(3)] == [False, False, True]


def test_a_process_that_was_ready_once_is_never_hopeless() -> None:
    readiness = Readiness(["vad"])
    readiness.is_ready("vad")
    assert not any(readiness.died("vad") for _ in range(5))
