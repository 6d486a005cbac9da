"""A customer's voice server as it is told to be: 300 ms of tone for each word, or what broken servers do."""

import asyncio
import contextlib
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

from voxbus_audio import sine

WORD_S: Final = 0.3
Behaviour = Literal["well", "hangs", "drips", "cut", "empty", "json", "endless", "401", "500"]


@dataclass(eq=False)
class VoiceServer:
    """Use as an async context manager; listens on 127.0.0.1. Requests are answered `next_is` first, then `always`."""

    always: Behaviour = "well"
    next_is: deque[Behaviour] = field(default_factory=deque[Behaviour])
    frequency_hz: float = 440
    messages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    has_aborted: asyncio.Event = field(default_factory=asyncio.Event)
    _open: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _listener: asyncio.Server | None = None

    @property
    def url(self) -> str:
        assert self._listener is not None
        return f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}/speak"

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._listener is not None
        self._listener.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._listener.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._answer(await self._read(reader), reader, writer)
        except asyncio.IncompleteReadError:
            pass
        except ConnectionError:
            self.has_aborted.set()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader) -> dict[str, Any]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = (line.partition(":") for line in head.split("\r\n")[1:])
        self.headers.append({name.strip().lower(): value.strip() for name, _, value in lines if name})
        body = await reader.readexactly(int(self.headers[-1]["content-length"]))
        self.messages.append(json.loads(body)["message"])
        return self.messages[-1]

    async def _answer(
        self, message: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        behaviour = self.next_is.popleft() if self.next_is else self.always
        if behaviour == "hangs":
            return await _until_gone(reader)
        status = int(behaviour) if behaviour.isdecimal() else 200
        kind = "application/json" if behaviour == "json" else "application/octet-stream"
        head = f"HTTP/1.1 {status} Test\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head.encode())
        sound = b"a private sentence" if status != 200 else self._sound(message)
        await self._send(behaviour, b"" if behaviour == "empty" else sound, reader, writer)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _send(
        self, behaviour: str, sound: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        for at in range(0, len(sound), 999):  # an odd number: samples are cut in two
            piece = sound[at : at + 999]
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
            if behaviour == "cut":
                raise ConnectionResetError("cut on purpose")
            if behaviour == "drips" and at:
                return await _until_gone(reader)
        while behaviour == "endless":
            writer.write(f"{len(sound):x}\r\n".encode() + sound + b"\r\n")
            await writer.drain()

    def _sound(self, message: dict[str, Any]) -> bytes:
        rate_hz, speed = int(message["sampleRate"]), float(message.get("speed", 1))
        words = max(1, len(str(message["text"]).split()))
        return sine(self.frequency_hz, round(words * WORD_S / speed * 1_000), sample_rate_hz=rate_hz)


async def _until_gone(reader: asyncio.StreamReader) -> None:
    """Raises ConnectionError once the client is away."""
    await reader.read(1)
    raise ConnectionResetError("the client went away")
