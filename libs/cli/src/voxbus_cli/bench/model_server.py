"""The stub model: a server that speaks OpenAI's chat completions with fixed times. `python -m … PORT`.

Every answer is the same TOKENS. `GET /counts` tells how many were asked for and how many of them were cut off.
"""

import asyncio
import contextlib
import json
import sys
from dataclasses import asdict, dataclass
from typing import Final

import uvloop

from voxbus_cli.bench.behaviour import FIRST_TOKEN_MS, TOKEN_MS, TOKENS

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(slots=True)
class Counts:
    """Answers begun, and those whose client went away before their end."""

    started: int = 0
    cut_off: int = 0


def _event(payload: dict[str, object] | str) -> bytes:
    """One server-sent event as an HTTP chunk."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    line = f"data: {text}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(line), line)


def _chunk(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _event({"id": "stub", "object": "chat.completion.chunk", "created": 1, "model": "stub", "choices": [choice]})


_USAGE: Final = {"prompt_tokens": 20, "completion_tokens": len(TOKENS), "total_tokens": 20 + len(TOKENS)}
_PIECES: Final = tuple(_chunk({"content": token}) for token in TOKENS)
_END: Final = (
    _chunk({}, "stop")
    + _event({"id": "stub", "object": "chat.completion.chunk", "created": 1, "choices": [], "usage": _USAGE})
    + _event("[DONE]")
    + b"0\r\n\r\n"
)


async def _answer(writer: asyncio.StreamWriter, asked_s: float) -> None:
    loop = asyncio.get_running_loop()
    writer.write(_HEAD)
    for number, piece in enumerate(_PIECES):
        due_s = asked_s + (FIRST_TOKEN_MS + number * TOKEN_MS) / 1_000
        await asyncio.sleep(max(0.0, due_s - loop.time()))
        if writer.is_closing():
            raise ConnectionResetError
        writer.write(piece)
    writer.write(_END)
    await writer.drain()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counts: Counts) -> None:
    """One connection; requests follow each other."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            asked_s = loop.time()
            fields = dict(line.lower().split(": ", 1) for line in head.strip().split("\r\n")[1:] if ": " in line)
            await reader.readexactly(int(fields.get("content-length", "0")))
            if head.startswith("GET "):
                body = json.dumps(asdict(counts)).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                continue
            counts.started += 1
            try:
                await _answer(writer, asked_s)
            except ConnectionError:
                counts.cut_off += 1
                raise
    writer.close()


async def serve(port: int) -> None:
    """Listens on this machine only, for ever."""
    counts = Counts()
    server = await asyncio.start_server(lambda reader, writer: _serve(reader, writer, counts), "127.0.0.1", port)
    print("listening", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
