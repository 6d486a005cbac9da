"""How the caller behaves: listens to the greeting, speaks, listens to the answer, hangs up. Pure.

Asked every 20 ms for the next frame to send. Times are seconds since the caller was connected.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from voxbus_cli.call.voice import AgentVoice

FRAME_S: Final = 0.02
_FRAMES_PER_S: Final = 50


class Phase(Enum):
    """Where the caller is in the conversation."""

    GREETING = "listens to the greeting"
    SPEAKING = "speaks"
    ANSWER = "listens to the answer"
    DONE = "has hung up"


@dataclass(frozen=True, slots=True)
class Manners:
    """What a caller puts up with, s."""

    listens_first: bool = True
    greeting_within_s: float = 2.0
    """An agent that has not begun by now waits for the caller."""
    greeting_at_most_s: float = 30.0
    after_greeting_s: float = 0.5
    after_answer_s: float = 2.0
    doubtful_after_s: float = 6.0
    """The agent went on speaking past the caller's last word without a pause: was that the answer? Wait longer."""
    patience_s: float = 15.0
    hangup_after_s: float | None = None
    realtime_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class CallerSpeech:
    """What the caller says: mono s16le, cut into 20 ms at its own rate."""

    pcm: bytes
    sample_rate_hz: int
    audible_frames: int
    """Frames up to and with the last one that is no silence."""

    @property
    def frames(self) -> int:
        return -(-len(self.pcm) // 2 * _FRAMES_PER_S // self.sample_rate_hz)

    def frame(self, number: int) -> bytes:
        """Frame `number` from 0, silence beyond the end; rates that 50 does not divide give frames of two lengths."""
        start, end = (n * self.sample_rate_hz // _FRAMES_PER_S * 2 for n in (number, number + 1))
        return self.pcm[start:end].ljust(end - start, b"\0")


def caller_speech(pcm: bytes, sample_rate_hz: int, is_quiet: Callable[[bytes], bool]) -> CallerSpeech:
    """Finds where the caller's last word ends; all of it counts when it is quiet throughout."""
    speech = CallerSpeech(pcm, sample_rate_hz, 0)
    last = next((n for n in reversed(range(speech.frames)) if not is_quiet(speech.frame(n))), speech.frames - 1)
    return CallerSpeech(pcm, sample_rate_hz, last + 1)


class Conduct:
    """The caller during one call."""

    def __init__(self, speech: CallerSpeech, voice: AgentVoice, manners: Manners) -> None:
        self.phase = Phase.GREETING if manners.listens_first else Phase.SPEAKING
        self.why_hung_up = ""
        self._speech = speech
        self._voice = voice
        self._manners = manners
        self._sent = 0
        self._spoken = 0
        self._last_word_s = 0.0

    @property
    def interval_s(self) -> float:
        """Until the next frame is due."""
        return FRAME_S / self._manners.realtime_factor if self.phase is Phase.SPEAKING else FRAME_S

    def next_frame(self, at_s: float) -> bytes | None:
        """What to send now; None = hang up."""
        self._advance(at_s)
        if self.phase is Phase.DONE:
            return None
        if self.phase is Phase.SPEAKING:
            frame = self._speech.frame(self._spoken)
            self._spoken += 1
            if self._spoken == self._speech.audible_frames:
                self._last_word_s = at_s
            return frame
        self._sent += 1
        return bytes(len(self._speech.frame(self._speech.frames + self._sent)))

    def _advance(self, at_s: float) -> None:
        limit_s = self._manners.hangup_after_s
        if limit_s is not None and at_s >= limit_s:
            self._hang_up(f"--hangup-after {limit_s:g}")
        elif self.phase is Phase.GREETING and self._greeting_is_over(at_s):
            self.phase = Phase.SPEAKING
        elif self.phase is Phase.SPEAKING and self._spoken >= self._speech.frames:
            self.phase = Phase.ANSWER
        if self.phase is Phase.ANSWER:
            self._judge_answer(at_s)

    def _greeting_is_over(self, at_s: float) -> bool:
        if self._voice.last_segment_s is None:
            return at_s >= self._manners.greeting_within_s
        return (
            self._voice.quiet_for_s(at_s) >= self._manners.after_greeting_s or at_s >= self._manners.greeting_at_most_s
        )

    def _judge_answer(self, at_s: float) -> None:
        manners, voice = self._manners, self._voice
        quiet_s = voice.quiet_for_s(at_s)
        if voice.last_segment_s is not None and voice.last_segment_s >= self._last_word_s:
            if quiet_s >= manners.after_answer_s:
                self._hang_up("answered")
        elif voice.audible_until_s > self._last_word_s:
            if quiet_s >= manners.doubtful_after_s:
                self._hang_up("answered without a pause")
        elif at_s - self._last_word_s >= manners.patience_s:
            self._hang_up(f"no answer within {manners.patience_s:g} s")

    def _hang_up(self, why: str) -> None:
        self.phase = Phase.DONE
        self.why_hung_up = why
