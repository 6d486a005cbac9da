"""The page says what was measured, under which conditions, and what must not be believed."""

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from chaos_bounds import gaps_beyond, lines_beyond, takeovers
from chaos_faults import SERVICES, Fault, all_faults
from chaos_judge import Tally
from chaos_machine import Machine
from chaos_plan import short_run, whole_run
from chaos_plot import plot
from chaos_report import merged, page, rows_of
from chaos_round import Verdict

KILLED = Verdict("kill vad", 20, 5, gaps_ms={"kill vad": [10.0] * 95 + [900.0] * 5}, tally=Tally(words_lost=2))
ROLLED = Verdict(
    "restart every stage",
    20,
    2,
    gaps_ms={"restart vad": [40.0], "restart billing": [0.0]},
    wrong=["call 3 (0f0e0d0c-1111-4222-8333-444455556666): lost a word"],
)


def test_a_round_is_one_row_and_each_of_several_faults_has_its_gaps() -> None:
    text = page([*rows_of(KILLED, "today"), *rows_of(ROLLED, "today")], {"on": "today"})
    assert "| **kill vad** | 20 | 100 | 10 / 900 / 900 | 2 / 0 | 0 / 0 | 0 | 0 | 0, 0 |" in text
    assert "| **restart every stage** | 20 | 2 | 40 / 40 / 40 | 0 / 0 | 0 / 0 | 0 | 1 | 0, 0 |" in text
    assert "| · restart billing | | 1 | 0 / 0 / 0 | | | | | |" in text
    assert "What was wrong:\n\n- restart every stage: call 3: lost a word\n\nLast run" in text
    assert "busy machine" not in text


def test_gaps_beyond_what_must_hold_are_named() -> None:
    assert gaps_beyond(KILLED.gaps_ms) == []
    assert gaps_beyond({"kill vad": [0.0] * 90 + [2_500.0] * 10}) == [
        "kill vad: the gap's p95 is 2500 ms, more than 2000"
    ]
    (fault,) = gaps_beyond({"restart vad": [10.0] * 99 + [700.0]})
    assert fault == "restart vad: the longest gap is 700 ms, more than 500"
    assert gaps_beyond({"kill media-ingress": [4_000.0], "freeze vad": [4_000.0]}) == [], "the line was away, or frozen"
    assert lines_beyond([(1.0, 3.0), (10.0, 21.5)]) == ["the line was away for 11.5 s"]


def test_a_stage_that_changes_hands_without_need_is_named_and_after_a_kill_it_is_not() -> None:
    log = [("stage.claimed", {"stage": "vad", "worker": worker}) for worker in ("vad-1", "vad-2")]
    (fault,) = takeovers([Fault("kill", "nats-leader")], log)
    assert fault == "vad changed hands though no worker was struck: vad-1, vad-2"
    assert takeovers([Fault("kill", "nats-leader")], log[:1]) == []
    assert takeovers([Fault("kill", "vad")], log) == takeovers([], log) == []


def test_a_page_made_on_a_busy_machine_says_so_first() -> None:
    text = page(
        rows_of(Verdict("kill vad", 3, 2, gaps_ms={"kill vad": [1.0] * 3}, gaps_disturbed=[5.0] * 3), "now"), {}
    )
    assert "busy machine: 50 % of the trials were held up" in text


def test_what_is_measured_again_takes_its_old_place() -> None:
    again = rows_of(Verdict("kill vad", 5, 1, gaps_ms={"kill vad": [7.0]}), "later")
    rows = merged([*rows_of(KILLED, "today"), *rows_of(ROLLED, "today")], again)
    assert [row.fault for row in rows] == ["kill vad", "restart every stage", "restart vad", "restart billing"]
    assert rows[0].calls == 5


def test_a_round_that_is_measured_again_keeps_its_parts_together() -> None:
    earlier = [*rows_of(ROLLED, "today"), *rows_of(KILLED, "today")]
    again = Verdict("restart every stage", 20, 2, gaps_ms={"restart billing": [5.0], "restart recorder": [9.0]})
    rows = merged(earlier, rows_of(again, "later"))
    assert [row.fault for row in rows] == ["restart every stage", "restart billing", "restart recorder", "kill vad"]


def test_the_plot_is_drawn_of_whatever_there_is(tmp_path: Path) -> None:
    plot([*rows_of(KILLED, "today"), *rows_of(ROLLED, "today")], tmp_path / "some.png")
    plot([], tmp_path / "none.png")
    assert (tmp_path / "some.png").stat().st_size > (tmp_path / "none.png").stat().st_size > 1_000


def test_a_whole_run_does_every_fault_and_fits_into_25_minutes_with_the_starts_of_its_stacks() -> None:
    rounds = whole_run(20, 1)
    assert {fault for plan in rounds for fault in plan.faults} == set(all_faults())
    stacks_s, calm_rounds_s = 5 * 12, 5 * 27
    assert sum(plan.length_s + 2 for plan in rounds) + stacks_s + calm_rounds_s < 25 * 60


def test_a_short_run_fits_into_four_minutes() -> None:
    assert sum(plan.length_s + 2 for plan in short_run(6, 1)) + 12 + 27 < 4 * 60
    assert {fault.target for plan in short_run(6, 1) for fault in plan.faults} < {*SERVICES, "nats-server"}


def test_a_machine_that_stands_still_is_noticed_and_only_then() -> None:
    machine = Machine()
    try:
        before_s = time.monotonic()
        pid = machine._process.pid
        time.sleep(0.3)
        os.kill(pid, signal.SIGSTOP)
        stopped_s = time.monotonic()
        time.sleep(0.4)
        os.kill(pid, signal.SIGCONT)
        until_s = time.monotonic() + 10
        while not machine.stood_still(stopped_s, stopped_s + 0.4) and time.monotonic() < until_s:
            time.sleep(0.02)
        assert machine.stood_still(stopped_s, stopped_s + 0.4)
        assert machine.longest_ms >= 300
        assert not machine.stood_still(before_s - 5, before_s - 4)
    finally:
        machine.stop()
