"""What is to be done with the next message of a lane: order, retries, giving up."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from voxbus_contracts.api_model import BackoffPlan
from voxbus_tool_runner.deliveries.lane import Lane, Outcome, after_try, delay_after, next_step

OK = Outcome(200)
DOWN = Outcome(code="server-unreachable")
BROKEN = Outcome(500, "server-bad-status")
WRONG = Outcome(404, "server-bad-status")
REFUSED = Outcome(code="server-refused", is_final=True)
TWICE = BackoffPlan(type="fixed", max_retries=2, base_delay_seconds=1)


def test_a_message_waits_for_the_one_before_it() -> None:
    lane = Lane(settled_seq=3)
    assert next_step(lane, 9, 7, 0) == "wait"
    assert next_step(lane, 7, 3, 0) == "send"
    assert next_step(lane, 3, 1, 0) == "settled"
    assert next_step(Lane(), 5, 0, 0) == "send"


def test_a_message_rests_until_its_next_try_is_due_and_is_then_sent() -> None:
    lane, verdict = after_try(Lane(), 5, DOWN, TWICE, now_ms=10_000)
    assert verdict == "again"
    assert next_step(lane, 5, 0, 10_999) == "rest"
    assert next_step(lane, 5, 0, 11_000) == "send"


def test_a_message_is_tried_as_often_as_the_plan_says_and_then_given_up() -> None:
    lane, verdicts = Lane(), []
    for _ in range(3):
        lane, verdict = after_try(lane, 5, BROKEN, TWICE, 0)
        verdicts.append(verdict)
    assert verdicts == ["again", "again", "dead"]
    assert lane.settled_seq == 5
    assert lane.attempts == 3


def test_behind_a_message_that_was_given_up_each_gets_one_try_until_one_arrives() -> None:
    lane, _ = after_try(Lane(), 1, REFUSED, TWICE, 0)
    lane, verdict = after_try(lane, 2, DOWN, TWICE, 0)
    assert verdict == "dead"
    lane, verdict = after_try(lane, 3, OK, TWICE, 0)
    assert verdict == "delivered"
    assert after_try(lane, 4, DOWN, TWICE, 0)[1] == "again"


def test_without_a_plan_only_what_may_pass_is_tried_again() -> None:
    assert after_try(Lane(), 1, DOWN, None, 0)[1] == "again"
    assert after_try(Lane(), 1, BROKEN, None, 0)[1] == "again"
    assert after_try(Lane(), 1, WRONG, None, 0)[1] == "dead"


def test_a_plan_tries_every_status_again_but_those_it_excludes() -> None:
    assert after_try(Lane(), 1, WRONG, TWICE, 0)[1] == "again"
    excluding = BackoffPlan(type="fixed", max_retries=2, excluded_status_codes=({"code": 404}, 410))
    assert after_try(Lane(), 1, WRONG, excluding, 0)[1] == "dead"
    assert after_try(Lane(), 1, Outcome(410, "server-bad-status"), excluding, 0)[1] == "dead"
    assert after_try(Lane(), 1, REFUSED, TWICE, 0)[1] == "dead"


def test_a_plan_with_no_retries_means_none() -> None:
    assert after_try(Lane(), 1, DOWN, BackoffPlan(), 0)[1] == "dead"


def test_delays_stay_or_double_to_five_minutes() -> None:
    doubling = BackoffPlan(type="exponential", max_retries=10, base_delay_seconds=2)
    assert [delay_after(n, doubling) for n in (1, 2, 3)] == [2_000, 4_000, 8_000]
    assert delay_after(10, doubling) == 300_000
    assert [delay_after(n, TWICE) for n in (1, 2, 10)] == [1_000, 1_000, 1_000]
    assert delay_after(2, BackoffPlan(type={"type": "exponential"}, base_delay_seconds=1)) == 2_000


def test_a_lane_survives_being_stored() -> None:
    lane, _ = after_try(Lane(settled_seq=4, settled=2), 9, DOWN, TWICE, 17)
    assert Lane.read(lane.payload()) == lane


@dataclass
class Run:
    """Messages 1…n of one lane, handed to any of several workers in any order, each try with a given outcome."""

    lane: Lane = field(default_factory=Lane)
    now_ms: int = 0
    tried: list[int] = field(default_factory=list[int])
    over: list[int] = field(default_factory=list[int])

    def offer(self, seq: int, outcome: Outcome) -> None:
        step = next_step(self.lane, seq, seq - 1, self.now_ms)
        if step == "rest":
            self.now_ms = self.lane.due_ms
            step = next_step(self.lane, seq, seq - 1, self.now_ms)
        if step == "send":
            self.tried.append(seq)
            self.lane, verdict = after_try(self.lane, seq, outcome, TWICE, self.now_ms)
            self.over += [seq] if verdict != "again" else []


@given(
    offers=st.lists(
        st.tuples(st.integers(1, 8), st.sampled_from([OK, DOWN, BROKEN, WRONG, REFUSED])), min_size=1, max_size=200
    )
)
def test_whatever_is_offered_when_and_fails_how_messages_are_tried_in_order_and_end_once(
    offers: list[tuple[int, Outcome]],
) -> None:
    run = Run()
    for seq, outcome in offers:
        run.offer(seq, outcome)
    assert run.tried == sorted(run.tried)
    assert run.over == list(range(1, len(run.over) + 1)), "each ends once, in order, none is left out"
    assert run.lane.settled == len(run.over)
    assert all(run.tried.count(seq) <= TWICE.max_retries + 1 for seq in run.tried)


@given(st.lists(st.sampled_from([OK, DOWN, BROKEN]), min_size=60, max_size=60))
def test_a_lane_always_comes_to_its_end(outcomes: list[Outcome]) -> None:
    run = Run()
    for outcome in outcomes:
        run.offer(len(run.over) + 1, outcome)
    assert len(run.over) >= len(outcomes) // (TWICE.max_retries + 1)
