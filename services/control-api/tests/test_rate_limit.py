"""Tokens are neither lost nor made up, whatever the order and spacing of requests."""

from hypothesis import given
from hypothesis import strategies as st

from voxbus_control_api.rate_limit import RateLimit

GAPS = st.lists(st.integers(0, 3_000), max_size=60)


@given(GAPS, st.integers(1, 20), st.integers(1, 10))
def test_no_more_pass_than_burst_and_rate_allow_and_no_fewer(gaps_ms: list[int], burst: int, per_s: int) -> None:
    limit = RateLimit(per_s, burst)
    now_ms, passed, asked = 0, 0, 0
    for gap_ms in gaps_ms:
        now_ms += gap_ms
        asked += 1
        verdict = limit.take("k", now_ms)
        passed += verdict.is_allowed
        assert passed <= burst + now_ms / 1000 * per_s + 1e-6
        assert 0 <= verdict.remaining < burst
    assert passed >= min(asked, burst)


@given(GAPS, st.integers(1, 5))
def test_who_waits_as_long_as_told_may_pass(gaps_ms: list[int], burst: int) -> None:
    limit = RateLimit(0.5, burst)
    now_ms = 0
    for gap_ms in gaps_ms:
        now_ms += gap_ms
        verdict = limit.take("k", now_ms)
        if not verdict.is_allowed:
            assert verdict.headers()["Retry-After"] == str(verdict.retry_after_s)
            now_ms += verdict.retry_after_s * 1000
            assert limit.take("k", now_ms).is_allowed


def test_keys_do_not_share() -> None:
    limit = RateLimit(1, 1)
    assert limit.take("a", 0).is_allowed
    assert not limit.take("a", 0).is_allowed
    assert limit.take("b", 0).is_allowed


def test_a_clock_set_back_gives_nothing_and_takes_nothing() -> None:
    limit = RateLimit(1, 2)
    assert limit.take("k", 10_000).remaining == 1
    assert limit.take("k", 0).remaining == 0


def test_many_idle_keys_are_forgotten_and_busy_ones_are_not() -> None:
    limit = RateLimit(1, 1)
    for number in range(10_000):
        limit.take(f"idle-{number}", 0)
    limit.take("busy", 5_000)
    limit.take("one more", 5_000)
    assert not limit.take("busy", 5_000).is_allowed
    assert len(limit._buckets) < 10


def test_no_limit_is_no_limit() -> None:
    assert all(RateLimit(0, 1).take("k", 0).is_allowed for _ in range(100))
