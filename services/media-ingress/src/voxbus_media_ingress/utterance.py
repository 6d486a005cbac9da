"""One utterance on its way to the caller: frames come in by index, in any order, and go out once each, in order."""

from dataclasses import dataclass

from voxbus_audio import FRAME_MS
from voxbus_contracts.commands import SaySentence


@dataclass(frozen=True, slots=True)
class AgentFrame:
    """20 ms of an utterance as the voice made it: `pcm` is 640 bytes, or empty for a last frame without sound.

    `epoch` 0 = read back from the stream, whose order has fenced it already. `age_ms` is how long ago, by the wall
    clock, it was made when it arrived here. `held`: not to be heard before its utterance is released.
    """

    utterance_seq: int
    index: int
    pcm: bytes
    last: bool
    epoch: int
    age_ms: float = 0.0
    held: bool = False


class Utterance:
    """What is known of one utterance: its say command, the frames that wait, and how far it was played."""

    __slots__ = (
        "_frames",
        "_last_index",
        "_sounds_held",
        "age_ms",
        "anchor_pts_ms",
        "arrived_ms",
        "next_index",
        "released_ms",
        "say",
        "sent_here",
        "starved",
    )

    def __init__(self, next_index: int = 0) -> None:
        self.say: SaySentence | None = None
        self.anchor_pts_ms: int | None = None
        self.next_index = next_index
        self.arrived_ms: float | None = None
        self.released_ms: float | None = None
        self.age_ms = 0.0
        self.starved = False
        self.sent_here = 0
        self._frames: dict[int, bytes] = {}
        self._last_index: int | None = None
        self._sounds_held = False

    @property
    def started(self) -> bool:
        return self.next_index > 0

    @property
    def is_held(self) -> bool:
        """It must not be heard yet: its command or its sound says so, and nobody has released it."""
        return self.released_ms is None and (self._sounds_held or (self.say is not None and self.say.hold))

    @property
    def waits_since_ms(self) -> float | None:
        """Since when nothing but the line's own rhythm keeps it from being heard."""
        if self.arrived_ms is None or self.released_ms is None:
            return self.arrived_ms
        return max(self.arrived_ms, self.released_ms)

    @property
    def played_ms(self) -> int:
        return FRAME_MS * self.next_index

    @property
    def has_next(self) -> bool:
        return self.next_index in self._frames

    @property
    def has_frames(self) -> bool:
        return bool(self._frames)

    @property
    def is_complete(self) -> bool:
        """Everything was taken: nothing is left, and the voice has said that no more comes."""
        return self._last_index is not None and self.next_index > self._last_index and not self.has_next

    @property
    def misses_next(self) -> bool:
        """The next frame is not here though later ones are, or are known to exist: it was lost on the way."""
        if self.has_next:
            return False
        return bool(self._frames) or (self._last_index is not None and self.next_index <= self._last_index)

    def accept(self, frame: AgentFrame, now_ms: float) -> bool:
        """Keeps the frame unless its index was played or is here already."""
        if self.arrived_ms is None:
            self.arrived_ms, self.age_ms = now_ms, frame.age_ms
        self._sounds_held = self._sounds_held or frame.held
        if frame.last:
            self._last_index = frame.index if frame.pcm else frame.index - 1
        if not frame.pcm or frame.index < self.next_index or frame.index in self._frames:
            return False
        self._frames[frame.index] = frame.pcm
        self.starved = False
        return True

    def announce(self, say: SaySentence) -> None:
        """Its say command came."""
        self.say = say
        if say.anchor_pts_ms is not None:
            self.anchor_pts_ms = say.anchor_pts_ms

    def release(self, anchor_pts_ms: int | None, now_ms: float) -> None:
        """It may be heard from now on; `anchor_pts_ms` where it is the first of an answer."""
        self.released_ms = now_ms
        if anchor_pts_ms is not None:
            self.anchor_pts_ms = anchor_pts_ms

    def lasts(self, duration_ms: int) -> None:
        """The voice has reported the whole length; the last frame itself, when it comes, knows better."""
        if self._last_index is None:
            self._last_index = -(-duration_ms // FRAME_MS) - 1

    def ends_here(self) -> None:
        """No more frames will come: what waits is the rest."""
        self._last_index = max(self._frames, default=self.next_index - 1)

    def take(self) -> bytes | None:
        """The next frame, once; None when it is not here."""
        pcm = self._frames.pop(self.next_index, None)
        if pcm is not None:
            self.next_index += 1
        return pcm

    def skip(self) -> None:
        """Gives the next frame up."""
        self.next_index += 1
