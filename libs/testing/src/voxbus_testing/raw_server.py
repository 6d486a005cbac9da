"""Servers of bare bytes and a resolver of our own, for attacks on the way out."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

INSIDE, SHOP = "127.0.0.2", "127.0.0.1"
"""Where nobody may go, and the only place our guard allows: both of this machine."""


class RawServer:
    """Answers each request with `answer`; remembers requests' heads and how many connections there were."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") -> None:
        self.answer = answer
        self.heads: list[str] = []
        self.connections = 0
        self.port = 0
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        await self.serve(reader, writer)
        del self._open[task]

    async def close(self) -> None:
        for writer in self._open.values():
            writer.transport.abort()
        if self._open:
            await asyncio.wait(self._open, timeout=5)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                writer.write(self.answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def running(
    server: RawServer, host: str, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[RawServer]:
    listening = await asyncio.start_server(server.accept, host, port, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        try:
            yield server
        finally:
            await server.close()


class Resolver:
    """Tells what `names` says; a list of lists is one answer per question, the last one for good."""

    def __init__(self, **names: list[list[str]]) -> None:
        self._names = {name.replace("_", "."): list(answers) for name, answers in names.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if host not in self._names:
            raise OSError("unknown")
        answers = self._names[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]
