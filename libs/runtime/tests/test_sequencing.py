"""Order, doubles and fencing of a call's messages."""

import random

from hypothesis import given
from hypothesis import strategies as st

from voxbus_contracts import Envelope
from voxbus_runtime.fence import Fence
from voxbus_runtime.sequencing import LoggedMessage, Sequencer


def message(stage: str, epoch: int, number: int, event_id: str = "") -> LoggedMessage:
    envelope = Envelope(event_id or f"{stage}.{epoch}.{number}", "x.y/1", 0, "w", stage, epoch, number)
    return LoggedMessage(envelope, "event", "x.y", b"{}")


def numbers(messages: list[LoggedMessage]) -> list[int]:
    return [m.envelope.number for m in messages]


@given(st.integers(1, 12), st.integers(0, 1000))
def test_each_producers_messages_come_out_once_and_in_order_however_they_arrive(count: int, seed: int) -> None:
    arrivals = [message("vad", 5, n) for n in range(1, count + 1)] * 2
    random.Random(seed).shuffle(arrivals)
    sequencer = Sequencer(Fence())
    assert numbers(sequencer.push_all(arrivals)) == list(range(1, count + 1))
    assert not sequencer.waiting


def test_a_hole_holds_back_what_follows_and_giving_up_goes_on_behind_it() -> None:
    sequencer = Sequencer(Fence())
    assert numbers(sequencer.push_all([message("vad", 5, 1), message("vad", 5, 3), message("vad", 5, 4)])) == [1]
    assert sequencer.waiting
    assert numbers(sequencer.give_up()) == [3, 4]
    assert numbers(sequencer.push(message("vad", 5, 5))) == [5]


def test_an_old_epoch_is_ignored_from_the_newer_claim_on() -> None:
    sequencer = Sequencer(Fence())
    assert sequencer.push(message("vad", 5, 1))
    assert sequencer.push(message("vad", 9, 1))
    assert sequencer.push(message("vad", 5, 2)) == []
    assert sequencer.push(message("tts-worker", 6, 1)), "another stage has epochs of its own"


def test_messages_without_a_number_count_once_by_their_id() -> None:
    sequencer = Sequencer(Fence())
    assert len(sequencer.push_all([message("billing", 0, 0, "a"), message("billing", 0, 0, "a")])) == 1


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 6)), max_size=60))
def test_nothing_of_a_lower_epoch_ever_comes_out_behind_a_higher_one(arrivals: list[tuple[int, int]]) -> None:
    sequencer = Sequencer(Fence())
    out = sequencer.push_all(message("vad", epoch, number) for epoch, number in arrivals)
    epochs = [m.envelope.epoch for m in out]
    assert epochs == sorted(epochs)
