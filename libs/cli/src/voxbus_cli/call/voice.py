"""What the caller hears: the agent's audio, laid on the call's time line by when it came. Pure.

Times are seconds since the caller was connected.
"""

from dataclasses import dataclass, field
from typing import Final

JITTER_S: Final = 0.12
"""Chunks that come this late still join the one before: a network's delay, not a pause of the speaker."""

NEW_SEGMENT_S: Final = 0.3
"""A shorter silence is a pause between words, not the beginning of something new."""


@dataclass(slots=True)
class AgentVoice:
    """Mono s16le chunks at `sample_rate_hz`, each with the moment it starts to sound."""

    sample_rate_hz: int
    chunks: list[tuple[float, bytes]] = field(default_factory=list)
    sounding_until_s: float = 0.0
    audible_until_s: float = 0.0
    last_segment_s: float | None = None
    """When the agent last began to be heard; None = never yet."""

    def hear(self, at_s: float, pcm: bytes, is_audible: bool) -> None:
        """A chunk arrived. It sounds behind the one before, or now when that one has ended."""
        start_s = self.sounding_until_s if at_s <= self.sounding_until_s + JITTER_S and self.chunks else at_s
        self.chunks.append((start_s, pcm))
        self.sounding_until_s = start_s + len(pcm) / 2 / self.sample_rate_hz
        if is_audible:
            if self.last_segment_s is None or start_s >= self.audible_until_s + NEW_SEGMENT_S:
                self.last_segment_s = start_s
            self.audible_until_s = self.sounding_until_s

    def quiet_for_s(self, at_s: float) -> float:
        """How long nothing has been heard of the agent; since the connection when it never spoke."""
        return max(0.0, at_s - self.audible_until_s)

    def time_line(self, until_s: float) -> bytes:
        """All of it as one recording from the connection to `until_s`, silence where the agent was silent."""
        line = bytearray()
        for start_s, pcm in self.chunks:
            missing = round(start_s * self.sample_rate_hz) * 2 - len(line)
            # Rounding may ask for one sample less than there is: chunks that follow each other stay whole.
            line += bytes(max(0, missing)) + pcm
        return bytes(line) + bytes(max(0, round(until_s * self.sample_rate_hz) * 2 - len(line)))
