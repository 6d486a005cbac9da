"""One call's share of an engine's child process: what all local engines have in common."""

from collections.abc import AsyncIterator
from typing import Final

from voxbus_audio import FRAME_MS
from voxbus_providers.child import Exchange
from voxbus_providers.recognizer import HeardFrame, Hearing, RecognizerSession
from voxbus_stt_worker.providers.engine_wire import DECODED_MS, Kind

_SENT_TOGETHER: Final = 3
"""Frames in one message: 60 ms, so that a flush leaves at most 7 ms of decoding to be done."""


class PipedSession(RecognizerSession):
    """One call's share of a child process."""

    def __init__(self, exchange: Exchange, setup: bytes = b"") -> None:
        self._exchange = exchange
        self._unsent: list[bytes] = []
        self._start_pts_ms: int | None = None
        self._end_pts_ms = 0
        self._spans: list[tuple[int, int]] = []
        exchange.send(Kind.OPEN, setup)

    def push(self, frame: HeardFrame) -> None:
        if self._start_pts_ms is None:
            self._start_pts_ms = frame.pts_ms
        self._end_pts_ms = frame.pts_ms + FRAME_MS
        self._unsent.append(frame.pcm)
        if len(self._unsent) >= _SENT_TOGETHER:
            self._send()

    def flush(self) -> None:
        self._send()
        self._exchange.send(Kind.FLUSH)
        start_pts_ms = self._end_pts_ms if self._start_pts_ms is None else self._start_pts_ms
        self._spans.append((start_pts_ms, self._end_pts_ms))
        self._start_pts_ms = None

    async def hearings(self) -> AsyncIterator[Hearing]:
        async for reply in self._exchange.replies():
            (decoded_ms,) = DECODED_MS.unpack_from(reply.body)
            text = reply.body[DECODED_MS.size :].decode(errors="replace")
            start_pts_ms, end_pts_ms = self._spans[0] if self._spans else (self._start_pts_ms or 0, self._end_pts_ms)
            if reply.kind == Kind.FINAL:
                self._spans.pop(0)
                yield Hearing(text, True, start_pts_ms, end_pts_ms)
            else:
                yield Hearing(text, False, start_pts_ms, min(start_pts_ms + decoded_ms, end_pts_ms))

    async def close(self) -> None:
        self._exchange.close()

    def _send(self) -> None:
        if self._unsent:
            self._exchange.send(Kind.AUDIO, b"".join(self._unsent))
            self._unsent.clear()
