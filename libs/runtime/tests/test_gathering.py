"""Little is sent soon, much is sent together."""

import pytest

from voxbus_runtime.gathering import CALM_PER_S, LONGEST_MS, Gathering

ASKED_MS = 0.5


def waits_ms(per_s: float, seconds: float = 2.0, gathering: Gathering | None = None, since_s: float = 100.0) -> float:
    """After messages that came evenly, each sent when its time was over."""
    gathering = gathering or Gathering(ASKED_MS)
    at_s, unsent = since_s, 0.0
    while at_s < since_s + seconds:
        step_s = max(gathering.wait_s, 1 / per_s)
        at_s, unsent = at_s + step_s, unsent + step_s * per_s
        gathering.wrote(int(unsent), at_s)
        unsent -= int(unsent)
    return gathering.wait_s * 1_000


@pytest.mark.parametrize("per_s", [1, 50, 1_000, 0.98 * CALM_PER_S])
def test_little_waits_no_longer_than_was_asked(per_s: float) -> None:
    assert waits_ms(per_s) == pytest.approx(ASKED_MS, rel=0.05)


def test_more_waits_longer_the_more_there_is_up_to_a_limit() -> None:
    waits = [waits_ms(times * CALM_PER_S) for times in (1, 1.5, 2, 2.5, 3, 5, 50)]
    assert waits == sorted(waits)
    assert waits[2] == pytest.approx(4 * ASKED_MS, rel=0.1)
    assert waits[-2:] == [LONGEST_MS, LONGEST_MS]


def test_when_there_is_little_again_it_waits_no_longer_than_was_asked() -> None:
    gathering = Gathering(ASKED_MS)
    waits_ms(5 * CALM_PER_S, gathering=gathering)
    assert waits_ms(100, gathering=gathering, since_s=102.1) == pytest.approx(ASKED_MS)


def test_who_asked_for_more_than_the_limit_gets_it() -> None:
    assert waits_ms(5 * CALM_PER_S, gathering=Gathering(20)) == 20


def test_who_asked_for_nothing_never_waits() -> None:
    assert waits_ms(5 * CALM_PER_S, gathering=Gathering(0)) == 0
