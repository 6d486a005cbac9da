"""One call's ear: frames in, speech events out, everything in the order of the audio clock."""

from collections.abc import Callable
from typing import Protocol

from voxbus_audio import FRAME_MS, SILENCE_FRAME
from voxbus_vad.cheap import Verdict
from voxbus_vad.detector import DetectorState, Hysteresis, Speaking, SpeechEvent, hear
from voxbus_vad.ordering import VerdictOrder


class Ear(Protocol):
    """Judges a call's frames one by one; the cheap detector."""

    def judge(self, pcm: bytes) -> Verdict: ...


class SecondOpinion(Protocol):
    """A better and dearer ear for one call, asked where the cheap one is unsure."""

    def remember(self, pts_ms: int, pcm: bytes) -> None:
        """Every frame passes here in order, asked about or not."""
        ...

    def ask(self, answer: Callable[[bool | None], bool]) -> None:
        """Asks about the frame remembered last; `answer` gets voiced, or None when there is no answer.

        It returns whether the answer still counted.
        """
        ...


class Memory(Protocol):
    """Keeps a call's latest sound."""

    def remember(self, pts_ms: int, pcm: bytes) -> None: ...


class Listener:
    """Takes a call's frames as they arrive; gives its events to `say` at once."""

    __slots__ = (
        "_cheap",
        "_doubt_voiced",
        "_lull_ms",
        "_memory",
        "_on_lull",
        "_opinion",
        "_order",
        "_rules",
        "_say",
        "_state",
        "_upto_ms",
    )

    def __init__(
        self,
        cheap: Ear,
        rules: Hysteresis,
        state: DetectorState,
        say: Callable[[SpeechEvent], None],
    ) -> None:
        self._cheap = cheap
        self._rules = rules
        self._state = state
        self._say = say
        self._upto_ms = state.upto_ms
        self._opinion: SecondOpinion | None = None
        self._doubt_voiced = False
        self._memory: Memory | None = None
        self._lull_ms = 0
        self._on_lull: Callable[[int], None] | None = None
        self._order = VerdictOrder(0, self._take)

    @property
    def upto_ms(self) -> int:
        """Where the next frame begins if none is missing; 0 = nothing was heard."""
        return self._upto_ms

    def consult(self, opinion: SecondOpinion, wait_ms: int, *, doubt_voiced: bool = False) -> None:
        """From now on asks `opinion` where the cheap detector is unsure; frames behind wait up to `wait_ms`.

        `doubt_voiced` asks about frames that are surely voiced, too.
        """
        self._opinion = opinion
        self._doubt_voiced = doubt_voiced
        self._order = VerdictOrder(wait_ms, self._take)

    def keep(self, memory: Memory) -> None:
        """From now on every frame goes into `memory`, before anything is said about it."""
        self._memory = memory

    def expect_stops(self, lull_ms: int, on_lull: Callable[[int], None]) -> None:
        """`on_lull` with the end of the voice, once speech has been silent for `lull_ms`: it may be about to stop."""
        self._lull_ms, self._on_lull = lull_ms, on_lull

    def hear(self, pts_ms: int, pcm: bytes, filled: bool) -> None:
        """One frame of the caller; `filled` ones are silence, late and repeated ones are left out."""
        if pts_ms < self._upto_ms:
            return
        self._upto_ms = pts_ms + FRAME_MS
        verdict = Verdict.SILENT if filled else self._cheap.judge(pcm)
        if self._memory is not None:
            self._memory.remember(pts_ms, SILENCE_FRAME if filled else pcm)
        opinion = self._opinion
        if opinion is None:
            self._take(pts_ms, verdict.is_voiced)
            return
        opinion.remember(pts_ms, SILENCE_FRAME if filled else pcm)
        if verdict == Verdict.SILENT or (verdict.is_sure and not self._doubt_voiced):
            self._order.put_sure(pts_ms, verdict.is_voiced)
        else:
            self._order.put_doubtful(pts_ms, verdict.is_voiced)
            opinion.ask(lambda voiced: self._order.answer(pts_ms, voiced))

    def settle(self) -> None:
        """The call leaves: frames that wait for an answer go by the cheap detector's leaning."""
        self._order.settle_all()

    def _take(self, pts_ms: int, voiced: bool) -> None:
        self._state, events = hear(self._state, self._rules, pts_ms, voiced)
        for event in events:
            self._say(event)
        if voiced or self._on_lull is None or not isinstance(self._state, Speaking):
            return
        voiced_upto_ms = self._state.voiced_upto_ms
        if voiced_upto_ms is not None and self._state.upto_ms - voiced_upto_ms == self._lull_ms:
            self._on_lull(voiced_upto_ms)
