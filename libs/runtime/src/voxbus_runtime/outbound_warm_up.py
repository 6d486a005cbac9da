"""The first request of a process loads what all others find loaded: 90 ms no caller should wait (November 2026)."""

import asyncio
import ssl

from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 0\r\n\r\n"
_WITHIN_S = 5.0


async def warm_up(tls: ssl.SSLContext) -> None:
    """Asks a server of its own, on this machine and for nothing, once."""
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        customer_client(Guard.parse("127.0.0.1/32"), tls=tls) as client,
        client.stream("POST", f"http://127.0.0.1:{port}", json={}, timeout=_WITHIN_S) as response,
    ):
        await response.aread()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(_ANSWER)
    await writer.drain()
    writer.close()
