"""A delivery and a dead letter as they lie in their streams."""

from dataclasses import replace

import pytest

from voxbus_contracts import CallRef
from voxbus_contracts.delivery import (
    AGAIN,
    SERVER,
    BadDelivery,
    DeadLetter,
    Delivery,
    Place,
    read_dead_letter,
    read_delivery,
)

REF = CallRef("org-1", "6f1c0c1e-30a5-4f0e-9a55-7f6f2a3f3bab")


def delivery(body: bytes = b'{"message":{"type":"hang"}}', target: str = SERVER) -> Delivery:
    return Delivery(REF, target, "hang", Place(7, 1_000), 1_700_000_000_000, body, previous_seq=4)


@pytest.mark.parametrize("size", [10, 65_535, 65_536, 2_000_000])
def test_a_delivery_is_read_as_it_was_written_and_long_ones_are_shortened(size: int) -> None:
    sent = delivery(b"{" + b" " * (size - 2) + b"}")
    assert read_delivery(sent.subject, sent.headers(), sent.payload()) == sent
    assert len(sent.payload()) <= 65_535


def test_a_delivery_says_whose_server_it_goes_to_and_one_without_a_word_is_the_first_assistants() -> None:
    sent = replace(delivery(), member="2")
    headers = sent.headers()
    assert read_delivery(sent.subject, headers, sent.payload()) == sent
    del headers["Vb-Member"]
    assert read_delivery(sent.subject, headers, sent.payload()).member == "0"


def test_its_id_is_that_of_the_call_and_the_place_in_the_log() -> None:
    assert delivery().id == f"{REF.call}.7.1000"
    assert delivery().headers()["Nats-Msg-Id"] == delivery().headers()["Nats-Msg-Id"]
    assert delivery().headers()["Nats-Msg-Id"] != delivery(target=AGAIN).headers()["Nats-Msg-Id"]


def test_places_are_ordered_as_the_log_is() -> None:
    assert Place(7, 1_000) < Place(8, 0) < Place(8, 1) < Place(8, 10_000)


def test_a_dead_letter_keeps_the_delivery_and_says_what_went_wrong() -> None:
    letter = DeadLetter(delivery(), "server-bad-status", 500, 4, 1_700_000_009_000)
    assert read_dead_letter(letter.subject, letter.headers(), letter.delivery.payload()) == letter


def test_given_up_again_it_is_the_same_dead_letter_under_the_first_targets_subject() -> None:
    again = DeadLetter(delivery(target=AGAIN), "server-too-slow", 0, 1, 5)
    assert again.subject == REF.dead_letter(SERVER)
    assert again.delivery.id == delivery().id


def test_what_is_no_delivery_names_the_header_that_is_missing() -> None:
    sent = delivery()
    headers = sent.headers()
    del headers["Vb-Place"]
    with pytest.raises(BadDelivery, match="Vb-Place"):
        read_delivery(sent.subject, headers, sent.payload())
    with pytest.raises(BadDelivery):
        read_delivery("event.v1.org-1.ab.x.call.ended", sent.headers(), sent.payload())
    with pytest.raises(BadDelivery, match="nobody can read"):
        read_delivery(sent.subject, {**sent.headers(), "Vb-Encoding": "deflate"}, b"not compressed")
