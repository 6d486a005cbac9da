"""One caller of a benchmark: asks, listens to the whole answer, asks again; and measures. Pure.

Times are seconds of one monotonic clock. A turn's v2v runs from the sending of the question's last frame to the arrival
of the answer's first loud sample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from voxbus_audio import peak
from voxbus_cli.bench.behaviour import ANSWER_MS

LOUD: Final = 1_000
JITTER_S: Final = 0.06
"""Sound that comes this late is still in time for a listener's ear: the usual buffer of a phone."""
UNANSWERED_S: Final = 8.0
BROKEN_OFF_S: Final = 1.5
"""An answer of which nothing more came for this long is over."""
INTERRUPTS_AFTER_S: Final = 1.0
_BYTES_PER_S: Final = 32_000
_ANSWER_BYTES: Final = ANSWER_MS * 32
_MISSING_BYTES: Final = 3_200
"""A sentence may lose a blank on the way."""


@dataclass(slots=True)
class Turn:
    """One question and what came of it.

    `silent_after_s`: what the question, as an interruption, took to silence the answer before. `told_ms` and
    `parts_ms`: v2v and its parts as the call's record has them.
    """

    asked_s: float
    first_s: float | None = None
    heard_bytes: int = 0
    underruns: int = 0
    late_s: float = 0.0
    silent_after_s: float | None = None
    told_ms: float | None = None
    parts_ms: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def v2v_ms(self) -> float | None:
        return None if self.first_s is None else (self.first_s - self.asked_s) * 1_000


@dataclass(slots=True)
class _Interruption:
    """The caller speaks over an answer."""

    onset_s: float
    last_loud_s: float


class Asking:
    """One caller's line, frame by frame."""

    def __init__(self, question: Sequence[bytes], quiet: Sequence[bytes], starts_s: float, interrupts: bool) -> None:
        self.turns: list[Turn] = []
        self._question = question
        self._quiet = quiet
        self._interrupts = interrupts
        self._position: int | None = None
        self._next_s: float | None = starts_s
        self._frames = 0
        self._turn: Turn | None = None
        self._last_heard_s = 0.0
        self._interruption: _Interruption | None = None
        self._goes_on = True

    @property
    def is_done(self) -> bool:
        """Nothing is said or awaited any more."""
        return not self._goes_on and self._position is None and self._turn is None

    def finish(self) -> None:
        """No new question; the answer to the last one is still awaited."""
        self._goes_on = False
        self._interrupts = False

    def frame(self, now_s: float, gap_s: float) -> bytes:
        """What is sent now; `gap_s` = pause before the next question, when the answer is over now."""
        self._frames += 1
        self._look_at_answer(now_s, gap_s)
        if self._position is None and self._goes_on and self._next_s is not None and now_s >= self._next_s:
            self._position, self._next_s = 0, None
            self._begin(now_s)
        if self._position is None:
            return self._quiet[self._frames % len(self._quiet)]
        self._position += 1
        return self._question[self._position - 1]

    def sent(self, now_s: float) -> None:
        """The frame has left."""
        if self._position == len(self._question):
            self._position = None
            self._turn = Turn(now_s, silent_after_s=self._silent_after_s())
            self._interruption = None

    def heard(self, pcm: bytes, now_s: float) -> None:
        """Sound of the agent has come."""
        if self._interruption is not None:
            if peak(pcm) > LOUD:
                self._interruption.last_loud_s = now_s + len(pcm) / _BYTES_PER_S
            return
        turn = self._turn
        if turn is None:
            return
        if turn.first_s is None:
            if peak(pcm) <= LOUD:
                return
            turn.first_s = now_s
        else:
            late_s = now_s - turn.first_s - turn.heard_bytes / _BYTES_PER_S - JITTER_S
            if late_s > 0 and turn.heard_bytes < _ANSWER_BYTES - _MISSING_BYTES:
                turn.underruns += 1
                turn.late_s = max(turn.late_s, late_s)
        turn.heard_bytes += len(pcm)
        self._last_heard_s = now_s

    def _begin(self, now_s: float) -> None:
        """The question is said, over the answer if there is still one."""
        turn = self._turn
        if turn is not None:
            self._interruption = _Interruption(now_s, now_s)
            self._close(turn)

    def _look_at_answer(self, now_s: float, gap_s: float) -> None:
        turn = self._turn
        if turn is None or self._position is not None:
            return
        if turn.first_s is None:
            if now_s - turn.asked_s > UNANSWERED_S:
                self._close(turn)
                self._next_s = now_s + gap_s
            return
        if self._interrupts:
            self._next_s = self._next_s or turn.first_s + INTERRUPTS_AFTER_S + gap_s
        elif turn.heard_bytes >= _ANSWER_BYTES - _MISSING_BYTES or now_s - self._last_heard_s > BROKEN_OFF_S:
            self._close(turn)
            self._next_s = max(now_s, turn.first_s + turn.heard_bytes / _BYTES_PER_S) + gap_s

    def _close(self, turn: Turn) -> None:
        self.turns.append(turn)
        self._turn = None

    def _silent_after_s(self) -> float | None:
        said = self._interruption
        return said.last_loud_s - said.onset_s if said is not None else None
