"""The ring that says again what the bus missed."""

from voxbus_media_ingress.ring import FrameRing, KeptFrame


def kept(number: int) -> KeptFrame:
    return KeptFrame(at_ms=20.0 * number, direction="caller", pts_ms=20 * number, seq=number + 1, pcm=b"")


def test_after_a_loss_everything_since_one_second_before_is_said_again_as_it_was_numbered() -> None:
    ring = FrameRing()
    for number in range(200):
        if number == 100:
            ring.bus_lost(2_000.0)
        ring.keep(kept(number))
    again = ring.bus_back()
    assert [frame.seq for frame in again] == list(range(51, 201))
    assert [frame.pts_ms for frame in again] == list(range(1_000, 4_000, 20))
    assert ring.bus_back() == []


def test_a_second_loss_before_the_return_does_not_forget_the_first() -> None:
    ring = FrameRing()
    ring.bus_lost(1_000.0)
    ring.bus_lost(3_000.0)
    for number in range(200):
        ring.keep(kept(number))
    assert ring.bus_back()[0].pts_ms == 0


def test_only_30_s_are_kept() -> None:
    ring = FrameRing()
    ring.bus_lost(0.0)
    for number in range(3_000):
        ring.keep(kept(number))
    assert len(ring.bus_back()) == 1_501
