"""One call's connection to a customer's recognizer."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import numpy as np
from websockets.asyncio.connection import Connection
from websockets.exceptions import WebSocketException

from voxbus_audio import FRAME_BYTES, FRAME_MS, SILENCE_FRAME
from voxbus_contracts.language import language_tag
from voxbus_providers.errors import ProviderError, ProviderUnavailable
from voxbus_providers.recognizer import HeardFrame, Hearing, RecognizerSession
from voxbus_runtime.tasks import end
from voxbus_stt_worker.understanding import Said, Understanding

START: Final = {"type": "start", "encoding": "linear16", "container": "raw", "sampleRate": 16_000, "channels": 2}
_TOGETHER: Final = 3
"""Frames in one message: 60 ms."""
_UNSENT_AT_MOST: Final = 3_000
"""Frames, 60 s: a server that takes none for so long is lost."""
_LATE_AT_MOST: Final = 10
"""Frames of the assistant that may wait for the caller's: older ones are left out, the two stay together."""
_LONGEST_TEXT: Final = 10_000
_HURRIED_MS: Final = 300
"""Sound so far ahead of its own length was sent again, all at once: the server has not heard it yet."""


class CustomSession(RecognizerSession):
    """Sends every frame of the caller once, whether it comes as it is heard or again; a new session begins anew."""

    def __init__(self, provider: str, line: Connection) -> None:
        self._provider = provider
        self._line = line
        self._unsent: deque[bytes] = deque()
        self._has_unsent = asyncio.Event()
        self._assistant: deque[bytes] = deque(maxlen=_LATE_AT_MOST)
        self._sent_upto_ms = 0
        self._spoken_upto_ms = 0.0
        self._pushed_upto_ms = 0
        self._start_pts_ms: int | None = None
        self._spans: deque[tuple[int, int]] = deque()
        self._understanding = Understanding()
        self._timer: asyncio.TimerHandle | None = None
        self._heard: asyncio.Queue[Hearing | ProviderError | None] = asyncio.Queue()
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._receive())]

    def push(self, frame: HeardFrame) -> None:
        if self._start_pts_ms is None:
            self._start_pts_ms = frame.pts_ms
        self._pushed_upto_ms = frame.pts_ms + FRAME_MS
        self.listen(frame)

    def listen(self, frame: HeardFrame) -> None:
        if frame.pts_ms < self._sent_upto_ms:
            return
        self._sent_upto_ms = frame.pts_ms + FRAME_MS
        self._spoken_upto_ms = max(self._spoken_upto_ms, _now_ms()) + FRAME_MS
        spoken = self._assistant.popleft() if self._assistant else SILENCE_FRAME
        self._unsent.append(stereo(frame.pcm, spoken))
        self._has_unsent.set()

    def overhear(self, pcm: bytes) -> None:
        if len(pcm) == FRAME_BYTES:
            self._assistant.append(pcm)

    def flush(self) -> None:
        start = self._pushed_upto_ms if self._start_pts_ms is None else self._start_pts_ms
        self._spans.append((start, self._pushed_upto_ms))
        now_ms = _now_ms()
        is_hurried = self._spoken_upto_ms > now_ms + _HURRIED_MS
        self._understanding.flush(now_ms, has_sound=self._start_pts_ms is not None, is_hurried=is_hurried)
        self._start_pts_ms = None
        self._arm()

    async def hearings(self) -> AsyncIterator[Hearing]:
        while (heard := await self._heard.get()) is not None:
            if isinstance(heard, ProviderError):
                raise heard
            yield heard

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._heard.put_nowait(None)
        await end(*self._tasks)
        await self._line.close()

    # --- the connection ----------------------------------------------------------------------------------------

    async def _send(self) -> None:
        try:
            await self._line.send(json.dumps(START))
            while True:
                await self._has_unsent.wait()
                if len(self._unsent) > _UNSENT_AT_MOST:
                    return self._fail("its server takes no more sound")
                together = [self._unsent.popleft() for _ in range(min(_TOGETHER, len(self._unsent)))]
                if not self._unsent:
                    self._has_unsent.clear()
                await self._line.send(b"".join(together))
        except (WebSocketException, OSError):
            self._fail("the connection broke")

    async def _receive(self) -> None:
        try:
            async for message in self._line:
                if isinstance(message, str):
                    self._on_message(message)
            self._fail("its server closed the connection")
        except (WebSocketException, OSError):
            self._fail("the connection broke")

    def _on_message(self, text: str) -> None:
        try:
            message = json.loads(text)
        except ValueError:
            return self._fail("its server sent what is no JSON")
        match message:
            case {"type": "transcriber-response", "channel": "assistant"}:
                return None
            case {"type": "transcriber-response", "transcription": str(words)} if len(words) <= _LONGEST_TEXT:
                self._on_words(words, message)
            case {"type": "transcriber-response"}:
                self._fail("its server sent a response without a transcription that can be used")
            case {"type": "error"}:
                self._fail("its server reported an error")
            case _:
                return None

    def _on_words(self, words: str, message: dict[str, Any]) -> None:
        if message.get("transcriptType", "final") == "partial":
            self._say(self._understanding.partial(words, _now_ms()))
        else:
            sure, language = _confidence(message.get("confidence")), language_tag(message.get("language"))
            self._say(self._understanding.final(words, _now_ms(), sure, language))
        self._arm()

    def _say(self, said: Iterable[Said]) -> None:
        for each in said:
            now_at = (self._pushed_upto_ms if self._start_pts_ms is None else self._start_pts_ms, self._pushed_upto_ms)
            start, upto = self._spans[0] if self._spans else now_at
            if each.final:
                self._spans.popleft()
            self._heard.put_nowait(Hearing(each.text, each.final, start, upto, each.confidence, each.language))

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wake_ms = self._understanding.wake_at_ms
        loop = asyncio.get_running_loop()
        self._timer = None if wake_ms is None else loop.call_at(wake_ms / 1_000, self._on_timer)

    def _on_timer(self) -> None:
        self._say(self._understanding.due(_now_ms()))
        self._arm()

    def _fail(self, detail: str) -> None:
        self._heard.put_nowait(ProviderUnavailable(self._provider, detail))


def _confidence(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else None


def _now_ms() -> float:
    return asyncio.get_running_loop().time() * 1_000


def stereo(left: bytes, right: bytes) -> bytes:
    """Two mono s16le stretches of the same length, sample by sample beside each other."""
    both = np.empty(len(left), dtype=np.int16)
    both[0::2] = np.frombuffer(left, dtype=np.int16)
    both[1::2] = np.frombuffer(right, dtype=np.int16)
    return both.tobytes()
