"""The reflex of barge-in: whether the caller's speech has lasted long enough to pause what is being said."""

from voxbus_audio import FRAME_MS
from voxbus_contracts.commands import SaySentence
from voxbus_contracts.events import SpeechStarted, SpeechStopped


def enough_voice_after_ms(min_voiced_ms: int) -> int:
    """How long after the arrival of the first voiced sample so much voice has arrived: its frame brought 20 ms."""
    return max(0, min_voiced_ms - FRAME_MS)


class Reflex:
    """Follows the caller's speech. A stretch of speech pauses playback at most once: after a resume it is ignored."""

    __slots__ = ("_not_before_pts_ms", "_open", "_spent_seq")

    def __init__(self) -> None:
        self._open: SpeechStarted | None = None
        self._spent_seq = 0
        self._not_before_pts_ms = 0

    def on_speech_started(self, speech: SpeechStarted) -> None:
        self._open = speech
        self._not_before_pts_ms = 0

    def on_speech_stopped(self, speech: SpeechStopped) -> None:
        if self._open is not None and self._open.speech_seq <= speech.speech_seq:
            self._open = None

    def pauses_at_pts_ms(self, say: SaySentence | None) -> int | None:
        """When on the audio clock this sentence must fall silent; None when it need not."""
        if say is None or say.reflex != "pause" or self._open is None or self._open.speech_seq <= self._spent_seq:
            return None
        return max(self._open.pts_ms + say.min_voiced_ms, self._not_before_pts_ms)

    @property
    def voiced_since_pts_ms(self) -> int | None:
        """First voiced sample of the stretch that is open; unknown when that began as an echo."""
        return self._open.pts_ms if self._open is not None and not self._not_before_pts_ms else None

    def wait_until(self, pts_ms: int) -> bool:
        """So far the open stretch is an echo: it is looked at again then. Says whether it is the first time."""
        is_first = not self._not_before_pts_ms
        self._not_before_pts_ms = pts_ms
        return is_first

    def spend(self, upto_seq: int = 0) -> None:
        """Stretches of speech up to this one have had their pause; 0 = the open one."""
        if not upto_seq and self._open is not None:
            upto_seq = self._open.speech_seq
        self._spent_seq = max(self._spent_seq, upto_seq)
