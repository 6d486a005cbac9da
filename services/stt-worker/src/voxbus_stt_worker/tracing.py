"""A span per recognized utterance, under the turn that took it.

Which turn that is, only its commit says: it names the transcripts it consumed and carries the turn's span.
"""

import time
from collections.abc import Callable
from typing import Final

from voxbus_contracts.events import TranscriptFinal, TurnCommitted
from voxbus_contracts.message import Message
from voxbus_runtime.telemetry import PastSpan, is_traced, record
from voxbus_stt_worker.metrics import RECOGNITION_SPAN

_KEPT: Final = 50
"""Finals that no turn has taken yet; more are the noise of a call nobody answers."""


class RecognitionSpans:
    """One call's. Does nothing when spans go nowhere."""

    def __init__(self, unix_ms: Callable[[], float] = lambda: time.time_ns() / 1e6) -> None:
        self._is_on = is_traced()
        self._unix_ms = unix_ms
        self._waiting: dict[int, PastSpan] = {}

    def on_said(self, event: Message) -> None:
        """A final has just been published."""
        if not self._is_on or not isinstance(event, TranscriptFinal):
            return
        now_ms = self._unix_ms()
        attributes = {"voxbus.provider": event.provider, "voxbus.transcript_seq": event.transcript_seq}
        span = PastSpan(RECOGNITION_SPAN, now_ms - event.recognition_ms, now_ms, attributes)
        self._waiting[event.transcript_seq] = span
        if len(self._waiting) > _KEPT:
            del self._waiting[min(self._waiting)]

    def on_committed(self, turn: TurnCommitted, traceparent: str) -> None:
        for seq in turn.transcript_seqs:
            span = self._waiting.pop(seq, None)
            if span is not None:
                record(span, traceparent)
