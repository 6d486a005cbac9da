"""How many requests a key may make: a bucket of tokens per key that fills by itself. Pure; times in ms."""

import math
from dataclasses import dataclass, field

_MOST_BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """`remaining` requests may follow at once; `retry_after_s` is 0 when this one may pass."""

    limit: int
    remaining: int
    reset_s: int
    retry_after_s: int

    @property
    def is_allowed(self) -> bool:
        return self.retry_after_s == 0

    def headers(self) -> dict[str, str]:
        """What clients read to slow down by themselves; seconds from now."""
        told = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset_s),
        }
        return told if self.is_allowed else {**told, "Retry-After": str(self.retry_after_s)}


@dataclass(slots=True)
class RateLimit:
    """At most `burst` at once and `per_s` in the long run, for each key by itself; 0 = no limit.

    Full buckets are the same as none: they are dropped when there are many.
    """

    per_s: float
    burst: int
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])

    def take(self, key: str, now_ms: float) -> Verdict:
        """One request of `key`."""
        if not self.per_s:
            return Verdict(0, 0, 0, 0)
        tokens = self._tokens(key, now_ms)
        is_allowed = tokens >= 1
        tokens -= 1 if is_allowed else 0
        self._forget_full(now_ms)
        self._buckets[key] = (tokens, now_ms)
        wait_s = 0 if is_allowed else max(1, math.ceil((1 - tokens) / self.per_s))
        return Verdict(self.burst, int(tokens), math.ceil((self.burst - tokens) / self.per_s), wait_s)

    def _tokens(self, key: str, now_ms: float) -> float:
        tokens, at_ms = self._buckets.get(key, (float(self.burst), now_ms))
        return min(float(self.burst), tokens + max(0.0, now_ms - at_ms) / 1000 * self.per_s)

    def _forget_full(self, now_ms: float) -> None:
        if len(self._buckets) >= _MOST_BUCKETS:
            self._buckets = {
                key: bucket for key, bucket in self._buckets.items() if self._tokens(key, now_ms) < self.burst
            }
