"""The first request of a process loads what all others find loaded: 90 ms no caller should wait (November 2026)."""

import asyncio

import httpx

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 0\r\n\r\n"
_WITHIN_S = 5.0


async def warm_up() -> None:
    """Asks a server of its own, on this machine and for nothing, once."""
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(), timeout=_WITHIN_S) as client,
        client.stream("POST", f"http://127.0.0.1:{port}", json={}) as response,
    ):
        await response.aread()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(_ANSWER)
    await writer.drain()
    writer.close()
