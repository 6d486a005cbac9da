"""Frames in any order become segments, and segments the same frames again. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus_audio import FRAME_BYTES, FRAME_MS
from voxbus_recorder.cutting import LOOKS_UNTIL_IDLE, Cutter
from voxbus_recorder.errors import BrokenSegment
from voxbus_recorder.segment import CELL_MS, SLOTS, Segment, pack, union, unpack


def frame(slot: int, mark: int = 0) -> bytes:
    return bytes((slot % 251, mark)) * (FRAME_BYTES // 2)


FRAMES = st.dictionaries(st.integers(0, SLOTS - 1), st.binary(min_size=1, max_size=1).map(lambda b: b * FRAME_BYTES))


@given(st.integers(0, 100_000), FRAMES, FRAMES)
def test_a_segment_comes_back_as_it_was(cell: int, caller: dict[int, bytes], played: dict[int, bytes]) -> None:
    segment = Segment(cell, caller, played)
    assert unpack(pack(segment)) == segment


@given(FRAMES, FRAMES, st.data())
def test_any_damage_is_noticed(caller: dict[int, bytes], played: dict[int, bytes], data: st.DataObject) -> None:
    content = pack(Segment(3, caller, played))
    at = data.draw(st.integers(0, len(content) - 1))
    broken = bytearray(content)
    broken[at] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(broken), content[:at]):
        with pytest.raises(BrokenSegment):
            unpack(damaged)


def heard(cutter: Cutter, caller_pts: list[int], played_pts: list[int]) -> None:
    for pts_ms in caller_pts:
        cutter.caller(pts_ms, frame(pts_ms // FRAME_MS, 1))
    for pts_ms in played_pts:
        cutter.played(pts_ms, frame(pts_ms // FRAME_MS, 2))


PTS = st.lists(st.integers(0, 900).map(lambda slot: slot * FRAME_MS), max_size=80)


@given(PTS, PTS, st.lists(st.integers(0, 3), max_size=6), st.randoms())
def test_no_frame_is_lost_whatever_the_order_and_whenever_it_is_cut(
    caller: list[int], played: list[int], looks: list[int], random: object
) -> None:
    cutter = Cutter()
    segments: list[Segment] = []
    for look in range(len(looks) + 1):
        part = slice(look * 20, (look + 1) * 20 if look < len(looks) else None)
        heard(cutter, caller[part], played[part])
        segments += cutter.due()
    segments += cutter.rest()
    whole = {cell: union(cell, [each for each in segments if each.cell == cell]) for cell in range(4)}
    got = {(cell * SLOTS + slot) * FRAME_MS for cell, each in whole.items() for slot in each.caller}
    assert got == set(caller)
    assert {(cell * SLOTS + slot) * FRAME_MS for cell, each in whole.items() for slot in each.played} == set(played)
    assert all(
        pcm == frame(cell * SLOTS + slot, 1) for cell, each in whole.items() for slot, pcm in each.caller.items()
    )


def test_a_cell_is_cut_when_its_time_is_over_and_not_before() -> None:
    cutter = Cutter()
    heard(cutter, list(range(0, CELL_MS + 400, FRAME_MS)), [])
    assert cutter.due() == []
    heard(cutter, list(range(CELL_MS + 400, CELL_MS + 600, FRAME_MS)), [])
    (segment,) = cutter.due()
    assert (segment.first_pts_ms, len(segment.caller)) == (0, SLOTS)
    assert [each.cell for each in cutter.rest()] == [1]


def test_a_frame_that_comes_late_makes_a_segment_of_its_own() -> None:
    cutter = Cutter()
    heard(cutter, [*range(0, 1_000, FRAME_MS), *range(1_020, 6_000, FRAME_MS)], [])
    (first,) = cutter.due()
    heard(cutter, [1_000], [])
    (late,) = cutter.due()
    assert (late.cell, list(late.caller)) == (0, [50])
    assert len(union(0, [first, late]).caller) == SLOTS


def test_a_cell_nothing_comes_for_is_stored_before_its_time() -> None:
    cutter = Cutter()
    heard(cutter, [0, 20], [])
    assert [cutter.due() for _ in range(LOOKS_UNTIL_IDLE)] == [[]] * LOOKS_UNTIL_IDLE
    assert [len(each.caller) for each in cutter.due()] == [2]


def test_nothing_is_cut_while_the_past_is_read() -> None:
    cutter = Cutter()
    cutter.holds = True
    heard(cutter, list(range(0, 12_000, FRAME_MS)), [])
    assert cutter.due() == []
    cutter.holds = False
    assert [each.cell for each in cutter.due()] == [0, 1]


def test_a_frame_of_a_wrong_length_is_counted_and_left_out() -> None:
    cutter = Cutter()
    cutter.caller(0, b"\0" * 639)
    cutter.played(0, b"")
    assert (cutter.broken, cutter.rest()) == (2, [])
