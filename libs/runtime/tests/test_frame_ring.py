"""The ring that says again what the bus missed."""

import gc

from voxbus_runtime.frame_ring import FrameRing


def keep(ring: FrameRing, number: int) -> None:
    ring.keep(20.0 * number, "caller", b"%d" % number)


def test_after_a_loss_everything_since_four_seconds_before_is_said_again_as_it_was_sent() -> None:
    ring = FrameRing()
    for number in range(400):
        if number == 300:
            ring.bus_lost(6_000.0)
        keep(ring, number)
    assert ring.bus_back() == [("caller", b"%d" % number) for number in range(100, 400)]
    assert ring.bus_back() == []
    assert ring.since(7_960.0) == [("caller", b"398"), ("caller", b"399")]


def test_a_second_loss_before_the_return_does_not_forget_the_first() -> None:
    ring = FrameRing()
    ring.bus_lost(1_000.0)
    ring.bus_lost(3_000.0)
    for number in range(200):
        keep(ring, number)
    assert ring.bus_back()[0] == ("caller", b"0")


def test_only_30_s_are_kept() -> None:
    ring = FrameRing()
    ring.bus_lost(0.0)
    for number in range(3_000):
        keep(ring, number)
    assert len(ring.bus_back()) == 1_501


def test_a_ring_that_has_forgotten_says_nothing_again() -> None:
    ring = FrameRing()
    keep(ring, 1)
    ring.bus_lost(1_000.0)
    ring.forget()
    assert ring.bus_back() == []


def test_a_full_ring_is_nothing_for_garbage_collection_to_look_at() -> None:
    """A collection stops the voices of all calls for as long as it looks at what they keep."""
    ring = FrameRing()
    gc.collect()
    before = len(gc.get_objects())
    for number in range(1_500):
        keep(ring, number)
    assert len(gc.get_objects()) - before < 50
