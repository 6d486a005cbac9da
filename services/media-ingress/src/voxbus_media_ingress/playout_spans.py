"""A span per utterance that sounded, under the turn that its say command belongs to."""

import time
from collections.abc import Callable

from voxbus_contracts.commands import SaySentence
from voxbus_contracts.events import PlaybackCleared, PlaybackFinished, PlaybackStarted
from voxbus_contracts.message import Message
from voxbus_media_ingress.metrics import PLAYOUT_SPAN
from voxbus_runtime.telemetry import Attribute, PastSpan, is_traced, record


class PlayoutSpans:
    """One attachment's. Does nothing when spans go nowhere."""

    def __init__(self, unix_ms: Callable[[], float] = lambda: time.time_ns() / 1e6) -> None:
        self._is_on = is_traced()
        self._unix_ms = unix_ms
        self._parents: dict[int, str] = {}
        self._sounding: dict[int, tuple[float, float]] = {}
        """Utterance → its first frame came, its first sample left; ms since the epoch."""

    def on_message(self, message: Message | None, traceparent: str) -> None:
        """A message of the bus."""
        if self._is_on and isinstance(message, SaySentence):
            self._parents[message.utterance_seq] = traceparent

    def on_playback(self, event: Message) -> None:
        """A report of the playout, as it was published."""
        if not self._is_on:
            return
        match event:
            case PlaybackStarted(utterance_seq=seq, waited_ms=waited_ms):
                left_ms = self._unix_ms()
                self._sounding[seq] = (left_ms - waited_ms, left_ms)
            case PlaybackFinished(utterance_seq=seq, played_ms=played_ms):
                self._record(seq, {"voxbus.played_ms": played_ms})
            case PlaybackCleared(up_to_utterance_seq=upto, utterance_seq=seq, played_ms=played_ms):
                self._record(seq, {"voxbus.played_ms": played_ms, "voxbus.cleared": True})
                self._parents = {each: parent for each, parent in self._parents.items() if each > upto}
            case _:
                pass

    def _record(self, seq: int, attributes: dict[str, Attribute]) -> None:
        since = self._sounding.pop(seq, None)
        parent = self._parents.pop(seq, "")
        if since is not None and parent:
            arrived_ms, left_ms = since
            attributes["voxbus.utterance"] = seq
            record(PastSpan(PLAYOUT_SPAN, arrived_ms, self._unix_ms(), attributes, {"first-sample": left_ms}), parent)
