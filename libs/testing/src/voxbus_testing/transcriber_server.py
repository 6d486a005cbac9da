"""A customer's recognizer as it is told to be. It knows words by their exact samples, wherever they come in a call.

Frames of nothing but zeros stand in no word's way: no line is so quiet. Media-ingress fills them in where a caller's
frames come late, as they do on a machine that is held up, in the middle of a word too.
"""

import asyncio
import http
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from voxbus_audio import FRAME_BYTES

Behaviour = Literal["well", "refuses", "fails", "silent", "drops", "reports", "garbage", "flood"]
"""`drops` hangs up after its first word; `reports` says an error then; `silent` hears and never answers."""
_MS_BYTES = 32


@dataclass(eq=False)
class _Line:
    """One connection: what came of each side, and how far the caller's was understood, without what was filled in."""

    caller: bytearray = field(default_factory=bytearray)
    assistant: bytearray = field(default_factory=bytearray)
    spoken: bytearray = field(default_factory=bytearray)
    searched: int = 0
    word_ended: int = 0
    words: list[str] = field(default_factory=list[str])


@dataclass(eq=False)
class TranscriberServer:
    """Use as an async context manager. Connections behave as `next_is` first, then as `always`.

    A partial after each word; the final `final_after_ms` of audio behind the last one (None = never).
    """

    knows: Mapping[str, bytes]
    always: Behaviour = "well"
    final_after_ms: int | None = 400
    confidence: float | None = None
    language: object = None
    """What it says to have heard, as it stands; None = it does not tell."""
    next_is: deque[Behaviour] = field(default_factory=deque[Behaviour])
    starts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    lines: list[_Line] = field(default_factory=list[_Line])
    _server: Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}/hear"

    async def __aenter__(self) -> Self:
        self._server = await serve(self._serve, "127.0.0.1", 0, process_request=self._refuse, max_size=None)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def _refuse(self, line: ServerConnection, request: Request) -> Response | None:
        self.headers.append({name.lower(): value for name, value in request.headers.raw_items()})
        behaviour = self.next_is[0] if self.next_is else self.always
        if behaviour not in ("refuses", "fails"):
            return None
        if self.next_is:
            self.next_is.popleft()
        return line.respond(http.HTTPStatus(401 if behaviour == "refuses" else 500), "a private sentence")

    async def _serve(self, connection: ServerConnection) -> None:
        behaviour = self.next_is.popleft() if self.next_is else self.always
        line = _Line()
        self.lines.append(line)
        async for message in connection:
            if isinstance(message, str):
                self.starts.append(json.loads(message))
                await self._begin(connection, behaviour)
                continue
            sides = np.frombuffer(message, dtype=np.int16).reshape(-1, 2)
            caller = sides[:, 0].tobytes()
            line.caller += caller
            line.spoken += _spoken(caller)
            line.assistant += sides[:, 1].tobytes()
            if behaviour != "silent":
                await self._understand(connection, line, behaviour)

    async def _begin(self, connection: ServerConnection, behaviour: Behaviour) -> None:
        if behaviour == "garbage":
            await connection.send("<html>")
        elif behaviour == "flood":
            await connection.send("x" * 10_000_000)

    async def _understand(self, connection: ServerConnection, line: _Line, behaviour: Behaviour) -> None:
        while found := self._next_word(line):
            line.words.append(found)
            line.word_ended = len(line.caller) - (len(line.spoken) - line.searched)
            await self._say(connection, " ".join(line.words), "partial")
            if behaviour == "drops":
                connection.transport.abort()
                await asyncio.sleep(0)
            elif behaviour == "reports":
                await connection.send(json.dumps({"type": "error", "error": "a private sentence"}))
        behind_ms = (len(line.caller) - line.word_ended) // _MS_BYTES
        if line.words and self.final_after_ms is not None and behind_ms >= self.final_after_ms:
            await self._say(connection, " ".join(line.words), "final")
            line.words.clear()

    def _next_word(self, line: _Line) -> str:
        places = {word: line.spoken.find(pcm, line.searched) for word, pcm in self.knows.items()}
        there = {word: place for word, place in places.items() if place >= 0}
        if not there:
            return ""
        word = min(there, key=lambda each: there[each])
        line.searched = there[word] + len(self.knows[word])
        return word

    async def _say(self, connection: ServerConnection, text: str, kind: str) -> None:
        message = {"type": "transcriber-response", "transcription": text, "channel": "customer", "transcriptType": kind}
        added = {"confidence": self.confidence, "language": self.language}
        await connection.send(json.dumps(message | {name: value for name, value in added.items() if value is not None}))


def _spoken(pcm: bytes) -> bytes:
    frames = (pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES))
    return b"".join(frame for frame in frames if any(frame))
